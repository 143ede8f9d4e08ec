// One pass over a request's headers. See request.hpp.
#include "http/request.hpp"

#include <algorithm>
#include <stdexcept>

#include "http/cache_control.hpp"

namespace tiercel::http {

Method method_of(std::string_view method) {
  if (method == "GET") return Method::get;
  if (method == "HEAD") return Method::head;
  if (method == "OPTIONS" || method == "TRACE") return Method::other_safe;   // RFC 9110 9.2.1
  return Method::unsafe;
}

const char* sentence_of(Bypass bypass) {
  switch (bypass) {
    case Bypass::none:
      return "";
    case Bypass::method:
      return "its method is not cached";
    case Bypass::body:
      return "it has a body";
    case Bypass::upgrade:
      return "it asks for another protocol (Upgrade)";
    case Bypass::method_override:
      return "it overrides its method";
    case Bypass::range:
      return "it asks for a range";
    case Bypass::precondition:
      return "it has a precondition (If-Match, If-Unmodified-Since, If-Range)";
    case Bypass::no_store:
      return "it says Cache-Control: no-store";
    case Bypass::path:
      return "its path is not text, or lies too deep";
    case Bypass::host:
      return "its Host is repeated or malformed";
  }
  return "";
}

RequestRules::RequestRules(const std::vector<std::string>& credential_headers,
                           std::vector<std::string> identity_cookies, bool all_cookies, RequestOptions options)
    : identity_cookies_(std::move(identity_cookies)), all_cookies_(all_cookies), options_(options) {
  know("host", Meaning::host);
  know("cache-control", Meaning::cache_control);
  know("pragma", Meaning::pragma);
  know("content-length", Meaning::content_length);
  know("transfer-encoding", Meaning::transfer_encoding);
  know("upgrade", Meaning::upgrade);
  for (const char* name : {"x-http-method-override", "x-http-method", "x-method-override"})
    know(name, Meaning::method_override);
  know("range", Meaning::range);
  for (const char* name : {"if-match", "if-unmodified-since"}) know(name, Meaning::precondition);
  know("if-range", Meaning::if_range);
  for (const char* name : {"if-none-match", "if-modified-since"}) know(name, Meaning::conditional);
  know("origin", Meaning::origin);
  for (const std::string& name : credential_headers) {
    const Known* known = find(name);
    if (known == nullptr) know(name, name == "cookie" ? Meaning::cookie : Meaning::credential);
    else if (known->meaning < Meaning::credential)
      throw std::invalid_argument("means something else to a cache: " + name);
  }
}

void RequestRules::know(std::string_view name, Meaning meaning) {
  if (!is_token(name) || name.size() >= kNameBytesMax)
    throw std::invalid_argument("not the name of a header: " + std::string(name));
  by_length_[name.size()].push_back({std::string(name), meaning});
}

const RequestRules::Known* RequestRules::find(std::string_view name) const {
  if (name.size() >= kNameBytesMax) return nullptr;
  for (const Known& known : by_length_[name.size()]) {
    if (equal_ignoring_case(known.name, name)) return &known;
  }
  return nullptr;
}

// What Python's str.strip() takes off a header read as Latin-1: so applications read the names of cookies.
std::string_view stripped(std::string_view text) {
  const auto is_space = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte >= 0x09 && byte <= 0x0d) || (byte >= 0x1c && byte <= 0x20) || byte == 0x85 || byte == 0xa0;
  };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

// RFC 6265 4.2.1. Quotes do not part cookies; a name is compared exactly, and what cannot be read as a pair is no identity.
bool RequestRules::holds_identity(std::string_view cookies) const {
  std::size_t start = 0;
  while (start < cookies.size()) {
    const std::size_t end = std::min(cookies.find(';', start), cookies.size());
    const std::string_view pair = stripped(cookies.substr(start, end - start));
    const std::string_view name = stripped(pair.substr(0, pair.find('=')));
    if (std::find(identity_cookies_.begin(), identity_cookies_.end(), name) != identity_cookies_.end()) return true;
    start = end + 1;
  }
  return false;
}

void RequestRules::note_cache_control(Request& request, Fields fields) {
  request.control = request_control(fields);
  if (request.control.no_store || request.control.malformed) request.bypass = Bypass::no_store;
  request.forced = request.control.no_cache;
}

Request RequestRules::examine(std::string_view method, Fields fields) const {
  Request request;
  const Method kind = method_of(method);
  if (kind != Method::get && kind != Method::head) request.bypass = Bypass::method;
  const auto bypass = [&request](Bypass why) {
    if (request.bypass == Bypass::none) request.bypass = why;
  };
  bool directives = false, cookie = false, header = false;
  unsigned hosts = 0;
  for (const Field& field : fields) {
    const Known* known = find(field.name);
    if (known == nullptr) continue;
    switch (known->meaning) {
      case Meaning::host:
        request.host = field.value;
        ++hosts;
        break;
      case Meaning::cache_control:
      case Meaning::pragma:
        directives = true;
        break;
      case Meaning::content_length:
        if (trimmed(field.value) != "0") bypass(Bypass::body);
        break;
      case Meaning::transfer_encoding:
        bypass(Bypass::body);
        break;
      case Meaning::upgrade:
        bypass(Bypass::upgrade);
        break;
      case Meaning::method_override:
        bypass(Bypass::method_override);
        break;
      case Meaning::range:
        request.range = true;
        if (!options_.ranges || kind != Method::get) bypass(Bypass::range);
        break;
      case Meaning::if_range:
        if (!options_.ranges || kind != Method::get) bypass(Bypass::precondition);
        break;
      case Meaning::precondition:
        bypass(Bypass::precondition);
        break;
      case Meaning::conditional:
        request.conditional = true;
        break;
      case Meaning::origin:
        request.origin = true;
        break;
      case Meaning::credential:
        header = true;
        break;
      case Meaning::cookie:
        cookie = cookie || all_cookies_ || holds_identity(field.value);
        break;
    }
  }
  if (hosts > 1) bypass(Bypass::host);
  if (directives && request.bypass == Bypass::none) note_cache_control(request, fields);
  request.credentialed = header || cookie;
  request.by_cookie_alone = cookie && !header;
  return request;
}

}  // namespace tiercel::http
