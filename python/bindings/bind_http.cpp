// Owns: `_core.HttpRules`, what the middleware of tiercel.fastapi asks of C++. A hit is one call: a scope in, two messages out.
#include <algorithm>

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bind.hpp"
#include "cache_core.hpp"
#include "entry/key.hpp"
#include "http/conditional.hpp"
#include "http/kept.hpp"
#include "http/vary.hpp"
#include "http_messages.hpp"
#include "http_request.hpp"
#include "http_rule.hpp"
#include "outcome.hpp"

namespace tiercel::python {

using namespace nb::literals;

namespace {

std::string_view view_of(const nb::bytes& bytes) { return {bytes.c_str(), bytes.size()}; }
nb::bytes bytes_of(std::string_view text) { return nb::bytes(text.data(), text.size()); }

// Borrowed values of a scope; what is missing is empty.
class ScopeReader {
 public:
  explicit ScopeReader(nb::handle scope) : scope_(scope) {
    if (!PyDict_Check(scope.ptr())) throw nb::type_error("scope: expected a dict");
  }
  nb::handle object(nb::handle key) const {
    PyObject* value = PyDict_GetItemWithError(scope_.ptr(), key.ptr());
    if (value == nullptr && PyErr_Occurred()) nb::raise_python_error();
    return value;
  }
  // False: not text in UTF-8.
  bool text(nb::handle key, std::string_view& out) const {
    const nb::handle value = object(key);
    out = {};
    if (!value.is_valid()) return true;
    Py_ssize_t length = 0;
    const char* text = PyUnicode_AsUTF8AndSize(value.ptr(), &length);
    if (text == nullptr) return PyErr_Clear(), false;
    out = {text, static_cast<std::size_t>(length)};
    return true;
  }
  std::string_view bytes(nb::handle key) const {
    const nb::handle value = object(key);
    if (!value.is_valid() || !PyBytes_Check(value.ptr())) return {};
    return {PyBytes_AS_STRING(value.ptr()), static_cast<std::size_t>(PyBytes_GET_SIZE(value.ptr()))};
  }

 private:
  nb::handle scope_;
};

class HttpRules {
 public:
  HttpRules(nb::object cache, const std::vector<std::string>& credential_headers,
            std::optional<std::vector<std::string>> identity_cookies, bool mark, bool head)
      : cache_(std::move(cache)),
        core_(nb::inst_check(cache_) && nb::isinstance<CacheCore>(cache_) ? nb::cast<CacheCore*>(cache_) : nullptr),
        all_cookies_(!identity_cookies),
        rules_(credential_headers, identity_cookies.value_or(std::vector<std::string>{}), all_cookies_),
        head_(head),
        messages_(mark) {
    const char* names[] = {"method",   "headers",      "scheme", "root_path",
                           "raw_path", "query_string", "path",   "tiercel.http"};
    for (std::size_t i = 0; i < std::size(names); ++i) words_[i] = nb::steal(PyUnicode_InternFromString(names[i]));
  }

  // The two messages of a hit in L1, or what there is to know of the request.
  nb::object find(nb::handle scope) {
    HttpRequest request;
    std::vector<http::Field> fields;
    nb::object headers;  // what `fields` points into
    read(scope, request, fields, headers);
    if (request.looks() && !request.facts.forced && core_ != nullptr) {
      if (nb::object messages = hit(request, fields); messages.is_valid()) return messages;
    }
    for (const http::Field& field : fields) request.headers.add(field.name, field.value);
    place(ScopeReader(scope), request);
    return nb::cast(std::move(request));
  }

  // The same of bytes that came by another way: messages, the key of the variant to look for, or None: no response for this request.
  nb::object answer(HttpRequest& request, const nb::bytes& payload, const char* word) {
    const std::string_view bytes = view_of(payload);
    if (const auto variants = http::decode_variants(bytes)) {
      return bytes_of(http::variant_key(request.key, http::variant_digest(variants->names, request.headers.view())));
    }
    const auto response = http::decode_response(bytes);
    if (!response || !may_have(request, response->is_public, response->head)) return nb::none();
    const std::int64_t now = wall_seconds();
    if (request.facts.conditional && http::not_modified(request.headers.view(), *response, now))
      return messages_.not_modified(*response, now);
    return messages_.of_response(*response, request.method == http::Method::head, word, now);
  }

  bool all_cookies() const { return all_cookies_; }

 private:
  void read(nb::handle scope, HttpRequest& request, std::vector<http::Field>& fields, nb::object& headers) {
    const ScopeReader reader(scope);
    std::string_view method, path;
    if (!reader.text(words_[0], method)) throw nb::value_error("scope: the method is not text");
    if (!read_headers(reader.object(words_[1]), fields, headers)) nb::raise_python_error();
    request.method = http::method_of(method);
    request.facts = rules_.examine(method, fields);
    if (request.method == http::Method::head && !head_ && request.looks()) request.facts.bypass = http::Bypass::method;
    if (!reader.text(words_[6], path)) request.facts.bypass = http::Bypass::path;
    request.path = path;
    if (request.looks()) name(reader, request);
  }

  void place(const ScopeReader& reader, HttpRequest& request) {
    std::string_view root_path;
    reader.text(words_[3], root_path);
    request.place = http::below_root(request.path, root_path);
    const std::string_view raw = reader.bytes(words_[4]);
    if (raw.find('%') != std::string_view::npos) request.raw_place = http::below_root(raw, root_path);
  }

  // How many caches are further out: each has left its note.
  unsigned level(const ScopeReader& reader) const {
    const nb::handle note = reader.object(words_[7]);
    return note.is_valid() ? nb::cast<unsigned>(note.attr("depth")) : 0;
  }

  void name(const ScopeReader& reader, HttpRequest& request) {
    http::Target target;
    target.path = request.path;
    target.level = level(reader);
    target.host = request.facts.host;
    target.scheme = "http";
    bool text = true;
    if (reader.object(words_[2]).is_valid()) text = reader.text(words_[2], target.scheme);
    text = reader.text(words_[3], target.root_path) && text;
    target.raw_path = reader.bytes(words_[4]);
    if (target.raw_path.empty())
      target.raw_path =
          request.path;  // a server that keeps the bytes to itself: then the application has them not either
    target.query = reader.bytes(words_[5]);
    auto key = text ? http::resource_key(target) : std::nullopt;
    if (key) request.key = canonical_key(*key);
    else request.facts.bypass = text ? http::Bypass::host : http::Bypass::path;
  }

  // Who has it stored for others, and may this caller have it?
  bool may_have(HttpRequest& request, bool is_public, bool head) const {
    if (request.facts.credentialed && !is_public) return request.would_hit = true, false;
    return request.method != http::Method::head || head;
  }

  nb::object hit(HttpRequest& request, http::Fields fields) {
    EntryRef entry = core_->find(request.key);
    if (!entry || entry->facts().codec != CodecId::http) return {};
    if (http::kind_of(entry->payload()) == http::StoredKind::variants) {
      const auto variants = http::decode_variants(entry->payload());
      if (!variants) return {};
      entry = core_->find(canonical_key(http::variant_key(request.key, http::variant_digest(variants->names, fields))));
      if (!entry || entry->facts().codec != CodecId::http) return {};
    } else if (request.facts.origin) {
      return {};  // as if every response said Vary: Origin
    }
    return of_entry(request, fields, entry);
  }

  nb::object of_entry(HttpRequest& request, http::Fields fields, const EntryRef& entry) {
    const std::int64_t now = wall_seconds();
    const bool head = request.method == http::Method::head;
    if (request.facts.credentialed || request.facts.conditional || head) {
      const auto response = http::decode_response(entry->payload());
      if (!response || !may_have(request, response->is_public, response->head)) return {};
      if (request.facts.conditional && http::not_modified(fields, *response, now))
        return messages_.not_modified(*response, now);
    }
    return messages_.of_entry(entry, head, now);
  }

  nb::object cache_;
  CacheCore* core_;
  bool all_cookies_;
  http::RequestRules rules_;
  bool head_;
  HttpMessages messages_;
  nb::object words_[8];
};

HttpDecision decide(const HttpRequest& request, int status, nb::handle headers, bool given,
                    std::optional<double> lifetime, double stale, bool is_public, bool asks, bool secured) {
  std::vector<http::Field> fields;
  nb::object keep;
  if (!read_headers(headers, fields, keep)) nb::raise_python_error();
  http::ResponseFacts facts;
  facts.status = status;
  facts.fields = fields;
  facts.get = request.method == http::Method::get;
  facts.credentialed = request.facts.credentialed;
  facts.asks = asks;
  facts.secured = secured;
  facts.origin = request.facts.origin;
  HttpDecision made;
  made.status = status;
  made.received = wall_seconds();
  made.length = http::content_length(fields);
  made.decision = http::decide(facts, {given, lifetime, stale, is_public}, made.received);
  if (made.decision.refusal == http::Refusal::none) {
    for (const http::Field& field : http::kept_fields(fields)) made.kept.add(field.name, field.value);
  }
  return made;
}

// Where the response goes: None (no room), or (key, index, seconds the index lives or None, digest); key and nothing else: no variants.
nb::object place(const HttpRequest& request, const HttpDecision& made, std::optional<nb::bytes> stored,
                 const nb::list& reserved) {
  std::optional<http::Variants> index;
  if (stored) index = http::decode_variants(view_of(*stored));
  std::vector<http::Variant> waiting;
  for (const nb::handle item : reserved) {
    const auto pair = nb::cast<nb::tuple>(item);
    waiting.push_back({std::string(view_of(nb::cast<nb::bytes>(pair[0]))), nb::cast<std::int64_t>(pair[1])});
  }
  const std::int64_t now = made.received;
  std::int64_t until = 0;
  if (made.decision.fresh_for)
    until = now + static_cast<std::int64_t>(*made.decision.fresh_for + made.decision.stale_for) + 1;
  const auto placement = http::place(index, waiting, made.decision.vary, request.headers.view(), until, now);
  if (placement.refused) return nb::none();
  if (!placement.index) return nb::make_tuple(bytes_of(request.key), nb::none(), nb::none(), nb::none(), 0);
  const std::int64_t deadline = http::deadline_of(*placement.index);
  const nb::object lives = deadline == 0 ? nb::none() : nb::object(nb::float_(static_cast<double>(deadline - now)));
  return nb::make_tuple(bytes_of(http::variant_key(request.key, placement.digest)),
                        bytes_of(http::encode(*placement.index)), lives, bytes_of(placement.digest), until);
}

nb::object tag_list(const std::optional<std::vector<std::string>>& tags) {
  if (!tags) return nb::none();
  nb::list list;
  for (const std::string& tag : *tags) list.append(nb::str(tag.data(), tag.size()));
  return list;
}

std::optional<double> seconds_or_none(const HttpDecision& made) { return made.decision.fresh_for; }

void bind_request(nb::module_& m) {
  nb::class_<HttpRequest>(m, "HttpRequest")
      .def_prop_ro("bypass", [](const HttpRequest& r) { return sentence_or_none(http::sentence_of(r.facts.bypass)); })
      .def_prop_ro("looks", &HttpRequest::looks)
      .def_prop_ro("unsafe", [](const HttpRequest& r) { return r.method == http::Method::unsafe; })
      .def_prop_ro("head", [](const HttpRequest& r) { return r.method == http::Method::head; })
      .def_prop_ro("forced", [](const HttpRequest& r) { return r.facts.forced; })
      .def_prop_ro("origin", [](const HttpRequest& r) { return r.facts.origin; })
      .def_prop_ro("credentialed", [](const HttpRequest& r) { return r.facts.credentialed; })
      .def_prop_ro("by_cookie_alone", [](const HttpRequest& r) { return r.facts.by_cookie_alone; })
      .def_prop_ro("key", [](const HttpRequest& r) { return bytes_of(r.key); })
      .def_ro("path", &HttpRequest::path)
      .def_ro("would_hit", &HttpRequest::would_hit)
      .def_prop_ro("tags", [](const HttpRequest& r) { return tag_list(http::stored_tags(r.place)); })
      .def_prop_ro("unsafe_tags",
                   [](const HttpRequest& r) { return tag_list(http::unsafe_tags(r.place, r.raw_place)); });
}

void bind_decision(nb::module_& m) {
  nb::class_<HttpDecision>(m, "HttpDecision")
      .def_prop_ro("refusal",
                   [](const HttpDecision& d) { return sentence_or_none(http::sentence_of(d.decision.refusal)); })
      .def_prop_ro("bypassed",
                   [](const HttpDecision& d) {
                     return d.decision.refusal == http::Refusal::asks ||
                            d.decision.refusal == http::Refusal::credentials;
                   })
      .def_prop_ro("fresh_for", &seconds_or_none)
      .def_prop_ro("stale_for", [](const HttpDecision& d) { return d.decision.stale_for; })
      .def_prop_ro("is_public", [](const HttpDecision& d) { return d.decision.is_public; })
      .def_prop_ro("vary", [](const HttpDecision& d) { return tag_list(d.decision.vary); })
      // Bytes the response says it has; None: it does not say.
      .def_prop_ro("length", [](const HttpDecision& d) { return d.length.bytes; })
      .def(
          "add",
          [](HttpDecision& d, const nb::bytes& name, const nb::bytes& value) {
            d.kept.add(view_of(name), view_of(value));
          },
          "name"_a, "value"_a)
      .def(
          "encode",
          [](const HttpDecision& d, const nb::bytes& body, bool head, bool reset_age) {
            return bytes_of(d.encode(view_of(body), head, reset_age));
          },
          "body"_a, "head"_a, "reset_age"_a = false);
}

}  // namespace

void bind_http(nb::module_& m) {
  bind_request(m);
  bind_decision(m);
  bind_http_reading(m);
  bind_http_reuse(m);
  bind_http_resource(m);
  nb::class_<HttpRules>(m, "HttpRules")
      .def(nb::init<nb::object, const std::vector<std::string>&, std::optional<std::vector<std::string>>, bool, bool>(),
           "cache"_a.none(), nb::kw_only(), "credential_headers"_a, "identity_cookies"_a.none(), "mark"_a = true,
           "head"_a = true)
      .def("find", &HttpRules::find, "scope"_a)
      .def("answer", &HttpRules::answer, "request"_a, "payload"_a, "word"_a = "HIT")
      .def_prop_ro("all_cookies", &HttpRules::all_cookies);
  m.def("http_decide", &decide, "request"_a, "status"_a, "headers"_a, nb::kw_only(), "given"_a, "lifetime"_a.none(),
        "stale"_a = 0.0, "is_public"_a = false, "asks"_a = false, "secured"_a = false);
  m.def("http_place", &place, "request"_a, "decision"_a, "stored"_a.none(), "reserved"_a);
  // The stamps of both; of a tag in both the first, which are the older.
  m.def(
      "http_joined",
      [](const Captured& first, const Captured& second) {
        Captured joined = first;
        for (const TagStamp& stamp : second.stamps) {
          const bool known = std::any_of(first.stamps.begin(), first.stamps.end(),
                                         [&](const TagStamp& one) { return one.name == stamp.name; });
          if (!known) joined.stamps.push_back(stamp);
        }
        return joined;
      },
      "first"_a, "second"_a);
}

}  // namespace tiercel::python
