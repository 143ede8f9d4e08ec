// The decision at http.response.start. See storable.hpp.
#include "http/storable.hpp"

#include <algorithm>

#include "http/cache_control.hpp"
#include "http/stored.hpp"
#include "http/vary.hpp"

namespace tiercel::http {

const char* sentence_of(Refusal refusal) {
  switch (refusal) {
    case Refusal::none:
      return "";
    case Refusal::method:
      return "it answers another method than GET";
    case Refusal::status:
      return "it is not a complete 2xx response";
    case Refusal::malformed:
      return "one of its headers is malformed";
    case Refusal::no_store:
      return "it says no-store";
    case Refusal::is_private:
      return "it says private";
    case Refusal::no_cache:
      return "it says no-cache";
    case Refusal::set_cookie:
      return "it sets a cookie";
    case Refusal::vary_any:
      return "it says Vary: *";
    case Refusal::vary_many:
      return "its Vary names too many headers";
    case Refusal::credentials:
      return "the request carries credentials, and the response says neither public nor s-maxage";
    case Refusal::asks:
      return "its route may tell callers apart";
    case Refusal::no_lifetime:
      return "nothing says how long it is fresh";
    case Refusal::expired:
      return "it is not fresh any more";
  }
  return "";
}

namespace {

struct Lifetime {
  Source source = Source::none;
  std::optional<double> seconds;   // nullopt: no expiry
};

// RFC 9111 5.3: anything that is not a date, "0" above all, means expired already.
double expires_in(Fields fields, std::int64_t now) {
  const auto date_line = only_line(fields, "date");
  const std::int64_t date = (date_line ? parse_date(*date_line, now) : std::nullopt).value_or(now);
  std::optional<std::int64_t> expires;
  bool valid = true;
  each_line(fields, "expires", [&](std::string_view line) {
    const auto seconds = parse_date(trimmed(line), now);
    valid = valid && seconds.has_value();
    if (seconds && (!expires || *seconds < *expires)) expires = seconds;
  });
  return valid && expires ? static_cast<double>(*expires - date) : 0.0;
}

// RFC 9111 4.2.1: s-maxage, then max-age, then Expires; ours are asked last.
Lifetime lifetime_of(const CacheControl& control, bool targeted, Fields fields, const Defaults& defaults,
                     std::int64_t now) {
  const Source source = targeted ? Source::targeted : Source::response;
  if (control.s_maxage) return {source, static_cast<double>(*control.s_maxage)};
  if (control.max_age) return {source, static_cast<double>(*control.max_age)};
  if (!targeted && has_field(fields, "expires")) return {source, expires_in(fields, now)};
  if (defaults.given) return {Source::defaults, defaults.lifetime};
  return {};
}

// RFC 9111 4.2.3 without a response delay: the larger of what Age says and what Date shows.
std::int64_t age_of(Fields fields, std::int64_t now) {
  std::int64_t age = 0;
  // 5.1: of several the first counts; one that is not a number is ignored.
  bool first = true;
  each_line(fields, "age", [&](std::string_view line) {
    if (first) age = parse_delta_seconds(trimmed(line.substr(0, line.find(',')))).value_or(0);
    first = false;
  });
  const auto date_line = only_line(fields, "date");
  const auto date = date_line ? parse_date(*date_line, now) : std::nullopt;
  return date ? std::max(age, now - *date) : age;
}

Refusal refusal_of_message(const ResponseFacts& response, const CacheControl& control) {
  if (!response.get) return Refusal::method;
  if (response.status < 200 || response.status > 299 || response.status == 206 || response.status == 226)
    return Refusal::status;
  if (has_field(response.fields, "content-range")) return Refusal::status;
  if (response.fields.size() > kStoredFieldsMax) return Refusal::malformed;
  if (control.malformed || !std::all_of(response.fields.begin(), response.fields.end(), is_storable_field))
    return Refusal::malformed;
  if (const ContentLength length = content_length(response.fields); length.present && !length.bytes)
    return Refusal::malformed;
  if (control.no_store) return Refusal::no_store;
  if (control.is_private) return Refusal::is_private;
  if (control.no_cache) return Refusal::no_cache;
  if (has_field(response.fields, "set-cookie")) return Refusal::set_cookie;
  return Refusal::none;
}

// "Who is asking": nothing that may be one caller's own is stored for the others.
Refusal refusal_of_caller(const ResponseFacts& response, bool is_public, const Lifetime& lifetime,
                          const Defaults& defaults) {
  if (response.credentialed && !is_public) return Refusal::credentials;
  if (response.secured && !is_public) return Refusal::asks;
  if (response.asks && lifetime.source == Source::defaults && !defaults.is_public) return Refusal::asks;
  return Refusal::none;
}

}  // namespace

Decision decide(const ResponseFacts& response, const Defaults& defaults, std::int64_t now) {
  const auto targeted = parse_targeted(response.fields, kTargetedField);
  const CacheControl control = targeted ? *targeted : parse_cache_control(response.fields);
  Decision decision;
  decision.refusal = refusal_of_message(response, control);
  if (decision.refusal != Refusal::none) return decision;
  const Lifetime lifetime = lifetime_of(control, targeted.has_value(), response.fields, defaults, now);
  decision.source = lifetime.source;
  const bool said_public = control.is_public || control.s_maxage.has_value();
  decision.is_public = said_public || defaults.is_public;
  decision.refusal =
      refusal_of_caller(response, response.secured ? said_public : decision.is_public, lifetime, defaults);
  if (decision.refusal != Refusal::none) return decision;
  if (lifetime.source == Source::none) return decision.refusal = Refusal::no_lifetime, decision;

  decision.age = age_of(response.fields, now);
  // A default counts from now: it speaks of this response as it comes, not of its past.
  const double spent = lifetime.source == Source::defaults ? 0.0 : static_cast<double>(decision.age);
  if (lifetime.seconds) decision.fresh_for = *lifetime.seconds - spent;
  if (decision.fresh_for && *decision.fresh_for <= 0) return decision.refusal = Refusal::expired, decision;
  const bool strict =
      control.must_revalidate || control.proxy_revalidate || control.s_maxage.has_value();  // RFC 9111 4.2.4, 5.2.2.10
  if (!strict)
    decision.stale_for = control.stale_if_error ? static_cast<double>(*control.stale_if_error) : defaults.stale;

  Vary vary = parse_vary(response.fields);
  if (vary.any) return decision.refusal = Refusal::vary_any, decision;
  if (response.origin) {
    const auto merged = merged_names(vary.names, {"origin"});
    if (!merged) return decision.refusal = Refusal::vary_many, decision;
    vary.names = *merged;
  }
  if (vary.names.size() > kVaryNamesMax) return decision.refusal = Refusal::vary_many, decision;
  decision.vary = std::move(vary.names);
  return decision;
}

bool is_kept(std::string_view name, Fields response) {
  for (const char* dropped :
       {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "age", "x-cache"}) {
    if (equal_ignoring_case(name, dropped)) return false;
  }
  if (equal_ignoring_case(name, kTargetedField)) return false;
  if (name.size() > 6 && equal_ignoring_case(name.substr(0, 6), "proxy-")) return false;
  bool named = false;  // RFC 9110 7.6.1: Connection names what ends here
  each_line(response, "connection", [&](std::string_view line) {
    each_element(line, [&](std::string_view element) { named = named || equal_ignoring_case(element, name); });
  });
  return !named;
}

}  // namespace tiercel::http
