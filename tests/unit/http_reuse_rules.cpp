// Owns: storing, serving and validating, by the names of the tables in tests/conformance/http.
#include <memory>

#include "http/conditional.hpp"
#include "http/kept.hpp"
#include "http/range.hpp"
#include "http/reuse.hpp"
#include "http/storable.hpp"
#include "http/validate.hpp"
#include "support/http_case.hpp"
#include "support/http_rules.hpp"

namespace tiercel::test {

namespace {

http::Decision decided(const Json& one, http::Fields response) {
  http::ResponseFacts facts;
  facts.status = one.get<int>("status", 200);
  facts.fields = response;
  facts.get = one.get<std::string>("method", "GET") == "GET";
  facts.credentialed = one.get<bool>("credentialed", false);
  facts.delay = one.get<std::int64_t>("delay", 0);
  http::Defaults defaults;
  if (one.has("default")) {
    defaults.given = true;
    defaults.lifetime = one.at("default").real();
    defaults.stale = one.get<double>("default-stale", 0);
  }
  return http::decide(facts, defaults, kCaseNow,
                      {profile_of(one), texts_of(one, "targeted"), one.get<double>("keep", 0)});
}

// What becomes of a response: the reason it is not stored, or how long it is fresh.
Json stored(const Json& one) {
  constexpr const char* kSources[] = {"none", "targeted", "response", "defaults", "heuristic"};
  const http::Decision decision = decided(one, CaseFields(one, "response"));
  if (decision.refusal != http::Refusal::none) return http::sentence_of(decision.refusal);
  Json::Object said{{"fresh", decision.fresh_for}, {"by", kSources[static_cast<std::size_t>(decision.source)]}};
  if (decision.stale_for > 0) said["stale-if-error"] = decision.stale_for;
  if (decision.stale_while_revalidate > 0) said["stale-while-revalidate"] = decision.stale_while_revalidate;
  if (decision.is_public) said["public"] = true;
  if (!decision.vary.empty()) said["vary"] = list_of(decision.vary);
  return said;
}

// What a later request gets of it: `after` seconds on, or in place of a failure.
Json served(const Json& one) {
  constexpr const char* kServes[] = {"hit", "stale", "validate", "miss", "timeout"};
  const CaseFields response(one, "response"), request(one, "request");
  const http::Decision decision = decided(one, response);
  http::Terms terms;
  terms.received = kCaseNow;
  http::set_terms(terms, decision);
  const bool is_stored = decision.refusal == http::Refusal::none;
  const std::int64_t now = kCaseNow + one.get<std::int64_t>("after", 0);
  const http::CacheControl control = http::request_control(request);
  http::Verdict verdict;
  if (one.has("failure")) {
    const auto failure = one.at("failure").text() == "status" ? http::Failure::status : http::Failure::disconnected;
    if (is_stored) verdict = http::in_place_of(failure, control, terms, now, profile_of(one));
  } else {
    verdict = http::may_serve(control, is_stored ? &terms : nullptr, now, profile_of(one));
  }
  return Json::List{kServes[static_cast<std::size_t>(verdict.serve)], http::name_of(verdict.reason), verdict.ttl};
}

Json told(const http::RangeAnswer& answer, std::uint64_t size) {
  if (answer.kind == http::RangeAnswer::Kind::whole) return "whole";
  return http::content_range(answer, size);
}

Json freshened(const Json& one) {
  std::vector<std::unique_ptr<CaseStored>> owned;
  std::vector<http::StoredResponse> responses;
  for (const Json& headers : one.at("stored").list()) {
    owned.push_back(std::make_unique<CaseStored>(Json(Json::Object{{"headers", headers}})));
    responses.push_back(owned.back()->response);
  }
  Json::List places;
  for (const std::size_t place : http::freshened_by(CaseFields(one, "fresh"), responses, kCaseNow))
    places.emplace_back(static_cast<std::int64_t>(place));
  return places;
}

Json head_says(const Json& one) {
  constexpr const char* kWords[] = {"update", "outdated", "nothing"};
  const CaseStored got(one.at("stored"));
  const auto says = http::head_says(one.get<int>("status", 200), CaseFields(one, "head"), got.response);
  return kWords[static_cast<std::size_t>(says)];
}

}  // namespace

std::map<std::string, HttpRule> reuse_rules() {
  return {
      {"stored", stored},
      {"served", served},
      {"heuristically-cacheable",
       [](const Json& one) {
         return Json(http::is_heuristically_cacheable(static_cast<int>(one.at("status").integer())));
       }},
      {"not-modified",
       [](const Json& one) {
         const CaseStored got(one.at("stored"));
         return Json(http::not_modified(CaseFields(one, "request"), got.response, kCaseNow, profile_of(one)));
       }},
      {"in-not-modified", [](const Json& one) { return Json(http::is_in_not_modified(one.at("text").text())); }},
      {"in-partial", [](const Json& one) { return Json(http::is_in_partial(one.at("text").text())); }},
      {"range",
       [](const Json& one) {
         const auto size = static_cast<std::uint64_t>(one.at("size").integer());
         return told(http::parse_range(one.at("text").text(), size), size);
       }},
      {"range-of",
       [](const Json& one) {
         const CaseStored got(one.at("stored"));
         return told(http::range_of(CaseFields(one, "request"), got.response, kCaseNow, profile_of(one)),
                     got.body.size());
       }},
      {"kept",
       [](const Json& one) {
         const CaseFields fields(one, "headers");
         return pairs_of(http::kept_fields(fields));
       }},
      {"revalidation",
       [](const Json& one) {
         const CaseStored got(one.at("stored"));
         return pairs_of(http::revalidation_fields(got.response));
       }},
      {"freshened", freshened},
      {"updated",
       [](const Json& one) {
         const CaseFields stored_fields(one, "stored"), fresh(one, "fresh");
         return pairs_of(http::updated_fields(stored_fields, fresh));
       }},
      {"head-says", head_says},
  };
}

}  // namespace tiercel::test
