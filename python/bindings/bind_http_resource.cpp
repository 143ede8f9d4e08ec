// Owns: `_core.HttpResource`, what names resources rule by rule, for the tests that go over the RFCs' tables.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "http/cache_status.hpp"
#include "http/invalidation.hpp"
#include "http/tags.hpp"
#include "http/target.hpp"
#include "http_rule.hpp"

namespace tiercel::python {

using namespace nb::literals;

namespace {

struct HttpResource {};

nb::object request(const std::string& method, nb::handle headers, bool ranges) {
  static const http::RequestRules plain({"authorization", "cookie"}, {}, true);
  static const http::RequestRules with_ranges({"authorization", "cookie"}, {}, true, {true});
  const http::Request seen = (ranges ? with_ranges : plain).examine(method, HeaderList(headers));
  nb::list said;
  if (seen.bypass != http::Bypass::none) return nb::str(http::sentence_of(seen.bypass));
  if (seen.forced) said.append("forced");
  if (seen.credentialed) said.append("credentialed");
  if (seen.conditional) said.append("conditional");
  if (seen.range) said.append("range");
  return said;
}

nb::object target(const nb::bytes& text) {
  const auto found = http::parse_target(text_of(text));
  if (!found) return nb::none();
  const nb::object path = to_bytes(found->path), query = to_bytes(found->query);
  if (found->form == http::RequestTarget::Form::asterisk) return nb::make_tuple("asterisk");
  if (found->form == http::RequestTarget::Form::origin) return nb::make_tuple("origin", path, query);
  return nb::make_tuple("absolute", to_bytes(found->scheme), to_bytes(found->authority), path, query);
}

nb::object forwarded(const std::vector<std::string>& trusted, nb::handle headers) {
  const HeaderList fields(headers);
  const http::Forwarded found = http::forwarded_of({trusted}, fields);
  return nb::make_tuple(to_bytes_or_none(found.host), to_bytes_or_none(found.scheme), to_bytes(found.digest));
}

nb::object key(const std::string& scheme, const nb::bytes& host, const std::string& root_path, const nb::bytes& path,
               const nb::bytes& query, const std::string& profile, const nb::bytes& forwarded) {
  http::Target target{scheme, text_of(host), root_path, text_of(path), text_of(query)};
  target.profile = profile_named(profile);
  target.forwarded = text_of(forwarded);
  return to_bytes_or_none(http::resource_key(target));
}

http::Uri uri_of(const nb::bytes& text) {
  const auto parts = http::parse_uri_reference(text_of(text));
  if (!parts || !parts->scheme) throw nb::value_error("not an absolute URI");
  http::Uri uri{std::string(*parts->scheme), std::string(parts->authority.value_or("")), std::string(parts->path), {}};
  if (parts->query) uri.query = std::string(*parts->query);
  return uri;
}

nb::list others_invalidated(const nb::bytes& target, nb::handle headers) {
  nb::list found;
  for (const http::Uri& uri : http::other_invalidated(uri_of(target), HeaderList(headers)))
    found.append(to_bytes(uri.text()));
  return found;
}

nb::object told(const http::TagNames& tags) {
  return nb::make_tuple(to_list(tags.names), sentence_or_none(http::sentence_of(tags.fault)));
}

nb::object cache_status(const std::string& forward, std::optional<int> forward_status, std::optional<std::int64_t> ttl,
                        bool stored, bool collapsed, const nb::bytes& key, const nb::bytes& detail,
                        const nb::bytes& before, const nb::bytes& cache) {
  constexpr const char* kWords[] = {"hit",  "bypass",  "method", "uri-miss", "vary-miss",
                                    "miss", "request", "stale",  "partial"};
  http::CacheStatus status;
  for (std::size_t i = 0; i < std::size(kWords); ++i) {
    if (forward == kWords[i]) status.forward = static_cast<http::Forward>(i);
  }
  status.forward_status = forward_status;
  status.ttl = ttl;
  status.stored = stored;
  status.collapsed = collapsed;
  status.key = text_of(key);
  status.detail = text_of(detail);
  return to_bytes(http::appended_cache_status(text_of(before), http::cache_status(status, text_of(cache))));
}

void bind_uris(nb::class_<HttpResource>& resource) {
  resource
      .def_static("resolved",
                  [](const nb::bytes& base, const nb::bytes& reference) {
                    const auto found = http::resolved(uri_of(base), text_of(reference));
                    return found ? to_bytes(found->text()) : nb::none();
                  })
      .def_static("without_dots",
                  [](const nb::bytes& path) { return to_bytes(http::without_dot_segments(text_of(path))); })
      .def_static("origin",
                  [](const std::string& scheme, const nb::bytes& authority) {
                    return to_bytes_or_none(http::origin_of(scheme, text_of(authority)));
                  })
      .def_static("invalidates", [](const std::string& method,
                                    int status) { return http::invalidates(http::method_of(method), status); })
      .def_static("others_invalidated", &others_invalidated);
}

}  // namespace

void bind_http_resource(nb::module_& m) {
  nb::class_<HttpResource> resource(m, "HttpResource");
  bind_uris(resource);
  resource.def_static("request", &request)
      .def_static("target", &target)
      .def_static("is_host", [](const nb::bytes& text) { return http::is_host(text_of(text)); })
      .def_static("forwarded", &forwarded)
      .def_static("without_ignored",
                  [](const nb::bytes& query, const std::vector<std::string>& ignored) {
                    return to_bytes(http::without_ignored(text_of(query), ignored));
                  })
      .def_static("key", &key)
      .def_static("tags",
                  [](nb::handle headers, const std::string& origin) {
                    return told(http::response_tags(HeaderList(headers), origin));
                  })
      .def_static("groups_invalidated",
                  [](nb::handle headers, const std::string& origin) {
                    return told(http::invalidated_groups(HeaderList(headers), origin));
                  })
      .def_static("cache_status", &cache_status, nb::kw_only(), "forward"_a, "forward_status"_a.none(), "ttl"_a.none(),
                  "stored"_a, "collapsed"_a, "key"_a, "detail"_a, "before"_a, "cache"_a);
}

}  // namespace tiercel::python
