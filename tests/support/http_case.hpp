// Owns: how messages are written in the tables of tests/conformance/http, read by C++. Python's reading: tests/support/http_case.py.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "http/cache_control.hpp"
#include "http/stored.hpp"
#include "support/json.hpp"

namespace tiercel::test {

inline constexpr std::int64_t kCaseNow = 784111777;  // Sun, 06 Nov 1994 08:49:37 GMT

// Header lines: "Name: value", or [name, value] where the value is long.
class CaseFields {
 public:
  explicit CaseFields(const Json& lines) {
    for (const Json& line : lines.list()) {
      if (line.is_list()) {
        owned_.emplace_back(line.list()[0].text(), line.list()[1].text());
        continue;
      }
      const std::string text = line.text();
      const std::size_t colon = text.find(':');
      const std::size_t value = colon + 1 < text.size() && text[colon + 1] == ' ' ? colon + 2 : colon + 1;
      owned_.emplace_back(text.substr(0, colon), text.substr(value));
    }
    for (const auto& [name, value] : owned_) fields_.push_back({name, value});
  }
  CaseFields(const Json& one, const std::string& name)
      : CaseFields(one.has(name) ? one.at(name) : Json(Json::List{})) {}
  CaseFields(const CaseFields&) = delete;
  CaseFields& operator=(const CaseFields&) = delete;
  operator http::Fields() const { return fields_; }

 private:
  std::vector<std::pair<std::string, std::string>> owned_;
  std::vector<http::Field> fields_;
};

inline http::Profile profile_of(const Json& one) {
  return one.get<std::string>("profile", "safe") == "rfc" ? http::Profile::rfc : http::Profile::safe;
}
inline std::vector<std::string> texts_of(const Json& one, const std::string& name) {
  std::vector<std::string> texts;
  if (one.has(name)) {
    for (const Json& text : one.at(name).list()) texts.push_back(text.text());
  }
  return texts;
}
inline Json list_of(const std::vector<std::string>& texts) { return Json(Json::List(texts.begin(), texts.end())); }
inline Json pairs_of(http::Fields fields) {
  Json::List lines;
  for (const http::Field& field : fields) lines.emplace_back(std::string(field.name) + ": " + std::string(field.value));
  return lines;
}

// A stored response: {"status": 200, "headers": […], "body": "…", "received": seconds}.
struct CaseStored {
  explicit CaseStored(const Json& one) : fields(one, "headers"), body(one.get<std::string>("body", "")) {
    response.status = one.get<int>("status", 200);
    response.received = one.get<std::int64_t>("received", kCaseNow);
    const http::Fields view = fields;
    response.fields.assign(view.begin(), view.end());
    response.body = body;
  }
  CaseFields fields;
  std::string body;
  http::StoredResponse response;
};

// What a Cache-Control says, without what it does not.
inline Json said_by(const http::CacheControl& control) {
  Json::Object said;
  const std::pair<const char*, bool> flags[] = {{"no-store", control.no_store},
                                                {"no-cache", control.no_cache},
                                                {"private", control.is_private},
                                                {"public", control.is_public},
                                                {"must-revalidate", control.must_revalidate},
                                                {"proxy-revalidate", control.proxy_revalidate},
                                                {"only-if-cached", control.only_if_cached},
                                                {"must-understand", control.must_understand},
                                                {"immutable", control.immutable},
                                                {"malformed", control.malformed}};
  for (const auto& [name, set] : flags) {
    if (set) said[name] = true;
  }
  const std::pair<const char*, std::optional<std::int64_t>> numbers[] = {
      {"max-age", control.max_age},
      {"s-maxage", control.s_maxage},
      {"stale-while-revalidate", control.stale_while_revalidate},
      {"stale-if-error", control.stale_if_error},
      {"min-fresh", control.min_fresh},
      {"max-stale", control.max_stale}};
  for (const auto& [name, seconds] : numbers) {
    if (seconds) said[name] = *seconds;
  }
  return said;
}

}  // namespace tiercel::test
