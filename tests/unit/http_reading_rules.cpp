// Owns: the reading of fields, by the names of the tables in tests/conformance/http.
#include "http/age.hpp"
#include "http/cache_control.hpp"
#include "http/etag.hpp"
#include "http/fields.hpp"
#include "http/structured.hpp"
#include "http/vary.hpp"
#include "support/http_case.hpp"
#include "support/http_rules.hpp"

namespace tiercel::test {

namespace {

Json told(const http::SfItem& item) {
  constexpr const char* kTypes[] = {"integer", "decimal", "string",  "token",     "bytes",
                                    "boolean", "date",    "display", "inner-list"};
  const char* type = kTypes[static_cast<std::size_t>(item.type)];
  switch (item.type) {
    case http::SfType::boolean:
      return Json::List{type, item.number != 0};
    case http::SfType::integer:
    case http::SfType::date:
      return Json::List{type, item.number};
    case http::SfType::decimal:
      return Json::List{type, static_cast<double>(item.number) / 1000};
    case http::SfType::string:
      return Json::List{type, http::unescaped(item)};
    case http::SfType::token:
    case http::SfType::bytes:
    case http::SfType::display:
    case http::SfType::inner_list:
      return Json::List{type, item.text};
  }
  return nullptr;
}

Json told(const http::EntityTag& tag) { return (tag.weak ? "W/" : "") + std::string(tag.opaque); }

Json sf_list(const Json& one) {
  Json::List members;
  const std::string text = one.at("text").text();
  const bool valid = http::parse_sf_list(text, [&](const http::SfItem& item) { members.push_back(told(item)); });
  return valid ? Json(members) : Json(nullptr);
}

Json sf_dictionary(const Json& one) {
  Json::List members;
  const std::string text = one.at("text").text();
  const bool valid = http::parse_sf_dictionary(
      text, [&](std::string_view key, const http::SfItem& item) { members.push_back(Json::List{key, told(item)}); });
  return valid ? Json(members) : Json(nullptr);
}

Json elements(const Json& one) {
  Json::List found;
  const std::string text = one.at("text").text();
  const bool closed = http::each_element(text, [&](std::string_view element) { found.emplace_back(element); });
  if (!closed) found.insert(found.begin(), Json(nullptr));
  return found;
}

Json length(const Json& one) {
  const CaseFields fields(one, "headers");
  const http::ContentLength length = http::content_length(fields);
  if (!length.present) return nullptr;
  return length.bytes ? Json(*length.bytes) : Json("invalid");
}

Json governing(const Json& one) {
  const CaseFields fields(one, "headers");
  const http::Governing found = http::governing_control(fields, texts_of(one, "targeted"), profile_of(one));
  Json said = said_by(found.control);
  if (found.targeted) said.object()["targeted"] = true;
  return said;
}

Json vary(const Json& one) {
  const CaseFields fields(one, "headers");
  const http::Vary found = http::parse_vary(fields);
  return found.any ? Json("*") : list_of(found.names);
}

Json etags(const Json& one) {
  Json::List found;
  const std::string text = one.at("text").text();
  http::each_entity_tag(text, [&](const http::EntityTag& tag) { found.push_back(told(tag)); });
  return found;
}

Json etag_comparison(const Json& one) {
  const std::string a_text = one.at("a").text(), b_text = one.at("b").text();
  const auto a = http::parse_entity_tag(a_text), b = http::parse_entity_tag(b_text);
  return Json::List{http::strongly_equal(*a, *b), http::weakly_equal(*a, *b)};
}

}  // namespace

std::map<std::string, HttpRule> reading_rules() {
  return {
      {"delta-seconds", [](const Json& one) { return Json(http::parse_delta_seconds(one.at("text").text())); }},
      {"date",
       [](const Json& one) {
         return Json(http::parse_date(one.at("text").text(), one.get<std::int64_t>("now", kCaseNow)));
       }},
      {"elements", elements},
      {"content-length", length},
      {"cache-control", [](const Json& one) { return said_by(http::parse_cache_control(CaseFields(one, "headers"))); }},
      {"request-control", [](const Json& one) { return said_by(http::request_control(CaseFields(one, "headers"))); }},
      {"targeted",
       [](const Json& one) {
         const auto control = http::parse_targeted(CaseFields(one, "headers"), http::kTargetedField);
         return control ? said_by(*control) : Json(nullptr);
       }},
      {"governing", governing},
      {"sf-item",
       [](const Json& one) {
         const std::string text = one.at("text").text();
         const auto item = http::parse_sf_item(text);
         return item ? told(*item) : Json(nullptr);
       }},
      {"sf-list", sf_list},
      {"sf-dictionary", sf_dictionary},
      {"sf-string", [](const Json& one) { return Json(http::sf_string(one.at("text").text())); }},
      {"vary", vary},
      {"same-variant",
       [](const Json& one) {
         const auto names = texts_of(one, "names");
         return Json(http::variant_digest(names, CaseFields(one, "a")) ==
                     http::variant_digest(names, CaseFields(one, "b")));
       }},
      {"initial-age",
       [](const Json& one) {
         const std::int64_t now = one.get<std::int64_t>("now", kCaseNow);
         return Json(http::initial_age(CaseFields(one, "headers"), now - one.get<std::int64_t>("delay", 0), now));
       }},
      {"current-age",
       [](const Json& one) {
         return Json(http::current_age(one.at("initial").integer(), 1000, 1000 + one.at("after").integer()));
       }},
      {"etag",
       [](const Json& one) {
         const std::string text = one.at("text").text();
         const auto tag = http::parse_entity_tag(text);
         return tag ? told(*tag) : Json(nullptr);
       }},
      {"etags", etags},
      {"etag-comparison", etag_comparison},
      {"weak-etag",
       [](const Json& one) { return Json(http::weak_etag_of(CaseFields(one, "headers"), one.at("body").text())); }},
  };
}

}  // namespace tiercel::test
