// Owns: one input of the fuzz target of the HTTP rules, as a function that the unit tests call too.
//
// The first byte chooses what the rest is taken for; "\n" parts it into lines of a message, the first ":" of a line its name and value.
// Whatever the bytes are: no rule reads outside, hangs or ends; what it gives is consistent with itself. A violation aborts.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "http/conditional.hpp"
#include "http/etag.hpp"
#include "http/invalidation.hpp"
#include "http/kept.hpp"
#include "http/key.hpp"
#include "http/range.hpp"
#include "http/request.hpp"
#include "http/reuse.hpp"
#include "http/storable.hpp"
#include "http/stored.hpp"
#include "http/structured.hpp"
#include "http/tags.hpp"
#include "http/target.hpp"
#include "http/validate.hpp"
#include "http/vary.hpp"

namespace tiercel::test {

inline void must(bool holds) {
  if (!holds) std::abort();
}

inline std::vector<http::Field> lines_of(std::string_view text) {
  std::vector<http::Field> fields;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    const std::size_t colon = line.find(':');
    fields.push_back({line.substr(0, colon), colon == std::string_view::npos ? "" : line.substr(colon + 1)});
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
  return fields;
}

// A whole message, as a response that is stored and validated and as the request that asks for it.
inline void message_input(std::string_view text) {
  constexpr std::int64_t kNow = 784111777;
  static const http::RequestRules rules({"authorization", "cookie"}, {"session"}, false, {true});
  const std::vector<http::Field> fields = lines_of(text);
  const http::Request request = rules.examine("GET", fields);
  for (const http::Profile profile : {http::Profile::safe, http::Profile::rfc}) {
    http::ResponseFacts facts;
    facts.status = 200;
    facts.fields = fields;
    const http::Decision decision = http::decide(facts, {}, kNow, {profile, {"a-cache-control"}, 60});
    http::StoredResponse stored;
    http::set_terms(stored, decision);
    stored.received = kNow;
    stored.fields = http::kept_fields(fields);
    stored.body = text.substr(0, 100);
    must(decision.refusal != http::Refusal::none || stored.age <= http::kDeltaSecondsMax);
    const http::Verdict verdict = http::may_serve(request.control, &stored, kNow + 5, profile);
    must((verdict.serve == http::Serve::hit) == (verdict.reason == http::Reason::fresh));
    must(verdict.serve != http::Serve::stale || (!stored.never_stale && !stored.validate_always));
    must(verdict.serve != http::Serve::hit || !verdict.ttl || *verdict.ttl > 0);
    http::in_place_of(http::Failure::disconnected, request.control, stored, kNow + 5, profile);
    http::not_modified(fields, stored, kNow, profile);
    const http::RangeAnswer range = http::range_of(fields, stored, kNow, profile);
    must(range.kind != http::RangeAnswer::Kind::partial ||
         (range.first <= range.last && range.last < stored.body.size()));
    http::freshened_by(fields, {&stored, 1}, kNow);
    must(http::updated_fields(stored.fields, fields).size() <= 2 * fields.size());
    http::head_says(200, fields, stored);
    if (decision.refusal != http::Refusal::none) continue;
    const std::string at_rest = http::encode(stored);
    if (const auto read = http::decode_response(at_rest)) must(http::encode(*read) == at_rest);
  }
  must(http::response_tags(fields, "http://a").names.size() <= http::kTagNamesMax);
  http::invalidated_groups(fields, "http://a");
  http::other_invalidated({"http", "a", "/b/c", {}}, fields);
  if (const auto names = http::parse_vary(fields).names; names.size() <= http::kVaryNamesMax)
    http::variant_digest(names, fields);
  http::weak_etag_of(fields, text);
  http::forwarded_of({{"x-forwarded-host", "x-forwarded-proto"}}, fields);
}

inline void structured_input(std::string_view text) {
  const auto check = [](const http::SfItem& item) {
    if (item.type != http::SfType::string) return;
    const std::string plain = http::unescaped(item), again = http::sf_string(plain);
    const auto back = http::parse_sf_item(again);
    must(back && http::unescaped(*back) == plain);
  };
  http::parse_sf_list(text, check);
  http::parse_sf_dictionary(text, [&](std::string_view, const http::SfItem& item) { check(item); });
  if (const auto item = http::parse_sf_item(text)) check(*item);
}

inline void words_input(std::string_view text) {
  if (const auto seconds = http::parse_delta_seconds(text)) must(*seconds >= 0 && *seconds <= http::kDeltaSecondsMax);
  http::parse_date(text, 784111777);
  http::each_entity_tag(text, [](const http::EntityTag& tag) { must(!tag.opaque.empty()); });
  const auto range = http::parse_range(text, 10);
  must(range.kind != http::RangeAnswer::Kind::partial || (range.first <= range.last && range.last < 10));
  const http::Uri base{"http", "a", "/b/c", {}};
  if (const auto uri = http::resolved(base, text)) {
    must(uri->path.find("/../") == std::string::npos);
    http::origin_of(uri->scheme, uri->authority);
  }
  http::parse_target(text);
  const std::vector<std::string> ignored{"utm_*", "x"};
  must(http::without_ignored(text, ignored).size() <= text.size());
  const auto key = http::resource_key({"http", text, "", text, text});
  must(!key || http::is_host(text));
}

inline void stored_input(std::string_view bytes) {
  if (const auto response = http::decode_response(bytes)) must(http::encode(*response) == bytes);
  if (const auto variants = http::decode_variants(bytes)) must(http::encode(*variants) == bytes);
}

inline void http_input(std::span<const std::uint8_t> input) {
  if (input.empty()) return;
  const std::string_view text(reinterpret_cast<const char*>(input.data()) + 1, input.size() - 1);
  switch (input[0] % 4) {
    case 0:
      return message_input(text);
    case 1:
      return structured_input(text);
    case 2:
      return words_input(text);
    default:
      return stored_input(text);
  }
}

}  // namespace tiercel::test
