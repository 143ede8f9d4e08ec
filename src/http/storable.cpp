// The decision at http.response.start. See storable.hpp.
#include "http/storable.hpp"

#include <algorithm>

#include "http/age.hpp"
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
    case Refusal::not_understood:
      return "it says must-understand, and its status is not known here";
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

bool has_validator(Fields response) { return has_field(response, "etag") || has_field(response, "last-modified"); }

// RFC 9111 5.2.2.3: who understands the status code need not mind the no-store that is there for those who do not.
Refusal refusal_of_directives(const ResponseFacts& response, const CacheControl& control, Profile profile) {
  const bool must_understand = profile == Profile::rfc && control.must_understand;
  if (must_understand && !is_understood(response.status)) return Refusal::not_understood;
  if (control.no_store && !must_understand) return Refusal::no_store;
  if (control.is_private) return Refusal::is_private;
  if (control.no_cache && (profile == Profile::safe || !has_validator(response.fields))) return Refusal::no_cache;
  if (profile == Profile::safe && has_field(response.fields, "set-cookie")) return Refusal::set_cookie;
  return Refusal::none;
}

Refusal refusal_of_message(const ResponseFacts& response, const CacheControl& control, Profile profile) {
  if (!response.get) return Refusal::method;
  if (!is_storable_status(response.status, profile)) return Refusal::status;
  if (has_field(response.fields, "content-range")) return Refusal::status;
  if (response.fields.size() > kStoredFieldsMax) return Refusal::malformed;
  if (control.malformed || !std::all_of(response.fields.begin(), response.fields.end(), is_storable_field))
    return Refusal::malformed;
  if (const ContentLength length = content_length(response.fields); length.present && !length.bytes)
    return Refusal::malformed;
  return refusal_of_directives(response, control, profile);
}

// "Who is asking": nothing that may be one caller's own is stored for the others. What the response says of its lifetime was said by who
// knows to whom it speaks; a default and a guess were not.
Refusal refusal_of_caller(const ResponseFacts& response, bool is_public, const Lifetime& lifetime,
                          const Defaults& defaults) {
  if (response.credentialed && !is_public) return Refusal::credentials;
  if (response.secured && !is_public) return Refusal::asks;
  const bool said = lifetime.source == Source::targeted || lifetime.source == Source::response;
  if (response.asks && !said && lifetime.source != Source::none && !defaults.is_public) return Refusal::asks;
  return Refusal::none;
}

// How long it is fresh, and what may be done with it afterwards (RFC 9111 4.2, 4.2.4; RFC 5861).
Refusal set_terms(Decision& decision, const ResponseFacts& response, const Governing& governing,
                  const Lifetime& lifetime, const Defaults& defaults, std::int64_t now, const StorageRules& rules) {
  const CacheControl& control = governing.control;
  const bool rfc = rules.profile == Profile::rfc;
  decision.age = initial_age(response.fields, now - response.delay, now);
  // A default counts from now: it speaks of this response as it comes, not of its past.
  const double spent = lifetime.source == Source::defaults ? 0.0 : static_cast<double>(decision.age);
  if (lifetime.seconds) decision.fresh_for = *lifetime.seconds - spent;
  decision.validate_always = control.no_cache;
  decision.never_stale = control.must_revalidate || control.proxy_revalidate || control.s_maxage.has_value();
  if (!decision.never_stale && !decision.validate_always) {
    const auto seconds = [](const std::optional<std::int64_t>& said, double otherwise) {
      return said ? static_cast<double>(*said) : otherwise;
    };
    decision.stale_for = seconds(control.stale_if_error, defaults.stale);
    decision.stale_while_revalidate =
        seconds(rfc ? control.stale_while_revalidate : std::nullopt, defaults.stale_while_revalidate);
  }
  const bool of_use = rfc && (has_validator(response.fields) || (!decision.never_stale && !decision.validate_always));
  decision.kept_for = std::max({decision.stale_for, decision.stale_while_revalidate, of_use ? rules.keep : 0.0});
  const bool expired = decision.fresh_for && *decision.fresh_for <= 0;
  return expired && !(rfc && *decision.fresh_for + decision.kept_for > 0) ? Refusal::expired : Refusal::none;
}

Refusal set_vary(Decision& decision, const ResponseFacts& response) {
  Vary vary = parse_vary(response.fields);
  if (vary.any) return Refusal::vary_any;
  if (response.origin) {
    const auto merged = merged_names(vary.names, {"origin"});
    if (!merged) return Refusal::vary_many;
    vary.names = *merged;
  }
  if (vary.names.size() > kVaryNamesMax) return Refusal::vary_many;
  decision.vary = std::move(vary.names);
  return Refusal::none;
}

}  // namespace

bool is_understood(int status) {
  // Of RFC 9110 15 and RFC 6585 those that ask nothing of a cache but the general rules.
  for (const int known :
       {200, 201, 202, 203, 204, 205, 300, 301, 302, 303, 305, 307, 308, 400, 401, 402, 403, 404, 405, 406, 407, 408,
        409, 410, 411, 413, 414, 415, 417, 421, 422, 426, 428, 429, 431, 451, 500, 501, 502, 503, 504, 505, 511}) {
    if (status == known) return true;
  }
  return false;
}

bool is_storable_status(int status, Profile profile) {
  for (const int never : {206, 226, 304, 412, 416}) {
    if (status == never) return false;
  }
  return status >= 200 && status <= (profile == Profile::rfc ? 599 : 299);
}

Decision decide(const ResponseFacts& response, const Defaults& defaults, std::int64_t now, const StorageRules& rules) {
  const Governing governing = governing_control(response.fields, rules.targeted, rules.profile);
  const CacheControl& control = governing.control;
  Decision decision;
  decision.refusal = refusal_of_message(response, control, rules.profile);
  if (decision.refusal != Refusal::none) return decision;
  const Lifetime lifetime = lifetime_of(governing, response.status, response.fields, defaults, now, rules.profile);
  decision.source = lifetime.source;
  // RFC 9111 3.5; must-revalidate, which says nothing of whose response it is, only by the letter.
  const bool said_public =
      control.is_public || control.s_maxage.has_value() || (rules.profile == Profile::rfc && control.must_revalidate);
  decision.is_public = said_public || defaults.is_public;
  decision.refusal =
      refusal_of_caller(response, response.secured ? said_public : decision.is_public, lifetime, defaults);
  if (decision.refusal != Refusal::none) return decision;
  // RFC 9111 3: something must say that it may be stored; no-cache with a validator does, each use being validated.
  if (lifetime.source == Source::none && !(control.no_cache && rules.keep > 0))
    return decision.refusal = Refusal::no_lifetime, decision;
  decision.refusal = set_terms(decision, response, governing, lifetime, defaults, now, rules);
  if (lifetime.source == Source::none) decision.fresh_for = 0;
  if (decision.refusal == Refusal::none) decision.refusal = set_vary(decision, response);
  return decision;
}

}  // namespace tiercel::http
