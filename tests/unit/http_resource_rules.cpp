// Owns: what names resources, by the names of the tables in tests/conformance/http.
#include "http/cache_status.hpp"
#include "http/invalidation.hpp"
#include "http/key.hpp"
#include "http/request.hpp"
#include "http/tags.hpp"
#include "http/target.hpp"
#include "http/uri.hpp"
#include "support/http_case.hpp"
#include "support/http_rules.hpp"

namespace tiercel::test {

namespace {

const http::RequestRules& plain_rules() {
  static const http::RequestRules rules({"authorization", "cookie"}, {}, true);
  return rules;
}
const http::RequestRules& range_rules() {
  static const http::RequestRules rules({"authorization", "cookie"}, {}, true, {true});
  return rules;
}

http::Uri uri_of(const std::string& text) {
  const auto parts = http::parse_uri_reference(text);
  http::Uri uri{std::string(*parts->scheme), std::string(parts->authority.value_or("")), std::string(parts->path), {}};
  if (parts->query) uri.query = std::string(*parts->query);
  return uri;
}

Json request(const Json& one) {
  const CaseFields fields(one, "headers");
  const auto& rules = one.get<bool>("ranges", false) ? range_rules() : plain_rules();
  const http::Request seen = rules.examine(one.get<std::string>("method", "GET"), fields);
  if (seen.bypass != http::Bypass::none) return http::sentence_of(seen.bypass);
  Json::List said;
  if (seen.forced) said.emplace_back("forced");
  if (seen.credentialed) said.emplace_back("credentialed");
  if (seen.conditional) said.emplace_back("conditional");
  if (seen.range) said.emplace_back("range");
  return said;
}

Json target(const Json& one) {
  const std::string text = one.at("text").text();
  const auto found = http::parse_target(text);
  if (!found) return nullptr;
  if (found->form == http::RequestTarget::Form::asterisk) return Json::List{"asterisk"};
  if (found->form == http::RequestTarget::Form::origin) return Json::List{"origin", found->path, found->query};
  return Json::List{"absolute", found->scheme, found->authority, found->path, found->query};
}

Json forwarded(const Json& one) {
  const http::Trusted trusted{texts_of(one, "trusted")};
  const CaseFields fields(one, "headers");
  const http::Forwarded found = http::forwarded_of(trusted, fields);
  return Json::List{found.host, found.scheme, !found.digest.empty()};
}

Json key(const Json& one) {
  const std::string scheme = one.get<std::string>("scheme", "http"), host = one.get<std::string>("host", "a.example"),
                    root = one.get<std::string>("root_path", ""), path = one.get<std::string>("path", "/"),
                    query = one.get<std::string>("query", "");
  http::Target target{scheme, host, root, path, query};
  target.profile = profile_of(one);
  return http::resource_key(target);
}

Json told(const http::TagNames& tags) {
  if (tags.fault != http::TagFault::none) return http::sentence_of(tags.fault);
  return list_of(tags.names);
}

Json others(const Json& one) {
  Json::List found;
  for (const http::Uri& uri : http::other_invalidated(uri_of(one.at("target").text()), CaseFields(one, "headers")))
    found.emplace_back(uri.text());
  return found;
}

Json status(const Json& one) {
  constexpr const char* kWords[] = {"hit",  "bypass",  "method", "uri-miss", "vary-miss",
                                    "miss", "request", "stale",  "partial"};
  const std::string forward = one.get<std::string>("fwd", "hit"), key = one.get<std::string>("key", ""),
                    detail = one.get<std::string>("detail", "");
  http::CacheStatus status;
  for (std::size_t i = 0; i < std::size(kWords); ++i) {
    if (forward == kWords[i]) status.forward = static_cast<http::Forward>(i);
  }
  if (one.has("fwd-status")) status.forward_status = static_cast<int>(one.at("fwd-status").integer());
  if (one.has("ttl")) status.ttl = one.at("ttl").integer();
  status.stored = one.get<bool>("stored", false);
  status.collapsed = one.get<bool>("collapsed", false);
  status.key = key;
  status.detail = detail;
  return http::appended_cache_status(one.get<std::string>("before", ""),
                                     http::cache_status(status, one.get<std::string>("cache", "Tiercel")));
}

}  // namespace

std::map<std::string, HttpRule> resource_rules() {
  return {
      {"request", request},
      {"target", target},
      {"host", [](const Json& one) { return Json(http::is_host(one.at("text").text())); }},
      {"forwarded", forwarded},
      {"without-ignored",
       [](const Json& one) { return Json(http::without_ignored(one.at("text").text(), texts_of(one, "ignored"))); }},
      {"key", key},
      {"resolved",
       [](const Json& one) {
         const auto found = http::resolved(uri_of(one.at("base").text()), one.at("text").text());
         return found ? Json(found->text()) : Json(nullptr);
       }},
      {"without-dots", [](const Json& one) { return Json(http::without_dot_segments(one.at("text").text())); }},
      {"origin",
       [](const Json& one) { return Json(http::origin_of(one.at("scheme").text(), one.at("authority").text())); }},
      {"invalidates",
       [](const Json& one) {
         return Json(
             http::invalidates(http::method_of(one.at("method").text()), static_cast<int>(one.at("status").integer())));
       }},
      {"others-invalidated", others},
      {"tags",
       [](const Json& one) { return told(http::response_tags(CaseFields(one, "headers"), "http://a.example")); }},
      {"groups-invalidated",
       [](const Json& one) { return told(http::invalidated_groups(CaseFields(one, "headers"), "http://a.example")); }},
      {"cache-status", status},
  };
}

}  // namespace tiercel::test
