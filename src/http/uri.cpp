// References and their resolution. See uri.hpp.
#include "http/uri.hpp"

#include <algorithm>

#include "http/fields.hpp"

namespace tiercel::http {

namespace {

bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_scheme(std::string_view text) {
  return !text.empty() && is_alpha(text.front()) && std::all_of(text.begin(), text.end(), [](char c) {
    return is_alpha(c) || is_digit(c) || c == '+' || c == '-' || c == '.';
  });
}

std::string lowered(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

// 5.2.3
std::string merged(const Uri& base, std::string_view path) {
  if (!base.authority.empty() && base.path.empty()) return std::string("/").append(path);
  const std::size_t slash = base.path.rfind('/');
  return std::string(base.path, 0, slash == std::string::npos ? 0 : slash + 1).append(path);
}

std::optional<std::string> owned(const std::optional<std::string_view>& text) {
  return text ? std::optional<std::string>(*text) : std::nullopt;
}

}  // namespace

std::optional<UriReference> parse_uri_reference(std::string_view text) {
  if (!std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; })) return std::nullopt;
  UriReference uri;
  if (const std::size_t hash = text.find('#'); hash != std::string_view::npos) {
    uri.fragment = text.substr(hash + 1);
    text = text.substr(0, hash);
  }
  if (const std::size_t mark = text.find('?'); mark != std::string_view::npos) {
    uri.query = text.substr(mark + 1);
    text = text.substr(0, mark);
  }
  const std::size_t colon = text.find(':');
  if (colon != std::string_view::npos && text.substr(0, colon).find('/') == std::string_view::npos) {
    if (!is_scheme(text.substr(0, colon))) return std::nullopt;  // 4.2: a first segment with a colon is no path
    uri.scheme = text.substr(0, colon);
    text = text.substr(colon + 1);
  }
  if (text.starts_with("//")) {
    const std::size_t end = std::min(text.find('/', 2), text.size());
    uri.authority = text.substr(2, end - 2);
    text = text.substr(end);
  }
  uri.path = text;
  return uri;
}

std::string without_dot_segments(std::string_view path) {
  std::string out;
  out.reserve(path.size());
  const auto drop_last = [&out] {
    const std::size_t slash = out.find_last_of('/');
    out.resize(slash == std::string::npos ? 0 : slash);
  };
  while (!path.empty()) {
    if (path.starts_with("../")) path.remove_prefix(3);  // 2A
    else if (path.starts_with("./") || path.starts_with("/./")) path.remove_prefix(2);  // 2A, 2B
    else if (path == "/.") path = "/";
    else if (path.starts_with("/../")) drop_last(), path.remove_prefix(3);  // 2C
    else if (path == "/..") drop_last(), path = "/";
    else if (path == "." || path == "..") path = {};  // 2D
    else {
      const std::size_t end = std::min(path.find('/', 1), path.size());  // 2E
      out.append(path.substr(0, end));
      path.remove_prefix(end);
    }
  }
  return out;
}

std::string Uri::text() const {
  std::string text = scheme + "://" + authority + path;
  if (query) text.append("?").append(*query);
  return text;
}

std::optional<Uri> resolved(const Uri& base, std::string_view reference) {
  const auto r = parse_uri_reference(reference);
  if (!r) return std::nullopt;
  if (r->scheme) {
    if (!r->authority) return std::nullopt;  // 5.2.2 allows it; no http URI is written so (RFC 9110 4.2.1)
    return Uri{lowered(*r->scheme), std::string(*r->authority), without_dot_segments(r->path), owned(r->query)};
  }
  Uri target{base.scheme, base.authority, {}, owned(r->query)};
  if (r->authority) {
    target.authority = *r->authority;
    target.path = without_dot_segments(r->path);
  } else if (r->path.empty()) {
    target.path = base.path;
    if (!r->query) target.query = base.query;
  } else {
    target.path = without_dot_segments(r->path.starts_with('/') ? std::string(r->path) : merged(base, r->path));
  }
  return target;
}

namespace {

bool is_ipv6_literal(std::string_view host) {  // RFC 3986 3.2.2, loosely: brackets around hex digits, colons and dots
  if (host.size() < 4 || host.front() != '[' || host.back() != ']') return false;
  const std::string_view inside = host.substr(1, host.size() - 2);
  const auto is_part = [](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':' || c == '.';
  };
  return inside.find(':') != std::string_view::npos && std::all_of(inside.begin(), inside.end(), is_part);
}

bool is_name(std::string_view host) {  // 3.2.2 without sub-delims, which no host that answers is named with
  return !host.empty() && std::all_of(host.begin(), host.end(), [](char c) {
    return is_alpha(c) || is_digit(c) || std::string_view("-._~%").find(c) != std::string_view::npos;
  });
}

}  // namespace

std::optional<Authority> parse_authority(std::string_view text) {
  if (text.size() > 255) return std::nullopt;
  Authority authority;
  const std::size_t bracket = text.starts_with('[') ? text.find(']') : std::string_view::npos;
  const std::size_t colon = text.find(':', bracket == std::string_view::npos ? 0 : bracket);
  authority.host = text.substr(0, colon);
  if (colon != std::string_view::npos) authority.port = text.substr(colon + 1);
  const bool host = text.starts_with('[') ? is_ipv6_literal(authority.host) : is_name(authority.host);
  const bool port = authority.port.size() <= 5 && std::all_of(authority.port.begin(), authority.port.end(), is_digit);
  return host && port ? std::optional(authority) : std::nullopt;
}

std::optional<std::string> origin_of(std::string_view scheme, std::string_view authority) {
  const bool https = equal_ignoring_case(scheme, "https");
  const auto parsed = parse_authority(authority);
  if (!parsed || (!https && !equal_ignoring_case(scheme, "http"))) return std::nullopt;
  std::string_view port = parsed->port;
  while (port.size() > 1 && port.front() == '0') port.remove_prefix(1);
  std::string origin = std::string(https ? "https://" : "http://").append(lowered(parsed->host));
  if (!port.empty() && port != (https ? "443" : "80")) origin.append(":").append(port);
  return origin;
}

}  // namespace tiercel::http
