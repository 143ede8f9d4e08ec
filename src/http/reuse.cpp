// Reuse of what is stored. See reuse.hpp.
#include "http/reuse.hpp"

#include <algorithm>
#include <cmath>

namespace tiercel::http {

const char* name_of(Reason reason) {
  switch (reason) {
    case Reason::fresh:
      return "fresh";
    case Reason::nothing_stored:
      return "nothing-stored";
    case Reason::request_no_store:
      return "request-no-store";
    case Reason::request_no_cache:
      return "request-no-cache";
    case Reason::request_max_age:
      return "request-max-age";
    case Reason::request_min_fresh:
      return "request-min-fresh";
    case Reason::response_no_cache:
      return "response-no-cache";
    case Reason::expired:
      return "expired";
    case Reason::max_stale:
      return "max-stale";
    case Reason::stale_while_revalidate:
      return "stale-while-revalidate";
    case Reason::stale_if_error:
      return "stale-if-error";
    case Reason::disconnected:
      return "disconnected";
  }
  return "";
}

namespace {

std::optional<std::int64_t> left_of(const Terms& stored, std::int64_t now) {
  if (!stored.lifetime) return std::nullopt;
  return *stored.lifetime - current_age(stored, now);
}

bool may_be_stale(const Terms& stored) { return !stored.never_stale && !stored.validate_always; }

// Why the application must be asked; `fresh`: it need not.
Reason reason_to_ask(const CacheControl& request, const Terms& stored, std::int64_t now, Profile profile) {
  if (request.no_cache) return Reason::request_no_cache;
  if (stored.validate_always) return Reason::response_no_cache;
  const auto left = left_of(stored, now);
  const bool stale = left && *left <= 0;
  if (profile == Profile::safe) {
    if (!stale) return Reason::fresh;
    return may_be_stale(stored) && -*left < stored.stale_while_revalidate ? Reason::stale_while_revalidate
                                                                          : Reason::expired;
  }
  // 5.2.1.1: max-age asks for no stale response either, unless max-stale is there too; that lifts no limit on age.
  // Ages are whole seconds, rounded down: one that equals the limit has passed it, and max-age=0 always asks.
  if (request.max_age && current_age(stored, now) >= *request.max_age) return Reason::request_max_age;
  if (request.min_fresh && left && *left < *request.min_fresh) return Reason::request_min_fresh;
  if (!stale) return Reason::fresh;
  if (!may_be_stale(stored)) return Reason::expired;
  if (request.max_stale && -*left <= *request.max_stale) return Reason::max_stale;
  const bool wants_fresh = request.max_age.has_value();
  return !wants_fresh && -*left < stored.stale_while_revalidate ? Reason::stale_while_revalidate : Reason::expired;
}

Serve serve_for(Reason reason) {
  if (reason == Reason::fresh) return Serve::hit;
  return reason == Reason::max_stale || reason == Reason::stale_while_revalidate ? Serve::stale : Serve::validate;
}

}  // namespace

Verdict may_serve(const CacheControl& request, const Terms* stored, std::int64_t now, Profile profile) {
  Verdict verdict;
  if (stored != nullptr) verdict.ttl = left_of(*stored, now);
  if (request.no_store || request.malformed) {
    verdict.reason = Reason::request_no_store;
  } else if (stored != nullptr) {
    verdict.reason = reason_to_ask(request, *stored, now, profile);
    verdict.serve = serve_for(verdict.reason);
  }
  const bool asks = verdict.serve == Serve::miss || verdict.serve == Serve::validate;
  if (asks && request.only_if_cached && profile == Profile::rfc) verdict.serve = Serve::timeout;
  return verdict;
}

bool is_error_status(int status) { return status == 500 || status == 502 || status == 503 || status == 504; }

Verdict in_place_of(Failure failure, const CacheControl& request, const Terms& stored, std::int64_t now,
                    Profile profile) {
  Verdict verdict{Serve::miss, Reason::expired, left_of(stored, now)};
  if (stored.validate_always) verdict.reason = Reason::response_no_cache;
  const std::int64_t staleness = verdict.ttl ? -*verdict.ttl : -kDeltaSecondsMax;
  const bool fresh = staleness < 0;
  if (stored.validate_always || (!fresh && stored.never_stale)) return verdict;
  std::int64_t window = stored.stale_if_error;
  if (profile == Profile::rfc) window = std::max(window, request.stale_if_error.value_or(0));
  if (window > 0 && staleness < window) return {Serve::stale, Reason::stale_if_error, verdict.ttl};
  if (failure == Failure::disconnected && profile == Profile::rfc)
    return {Serve::stale, Reason::disconnected, verdict.ttl};
  return verdict;
}

void set_terms(Terms& terms, const Decision& decision) {
  const auto whole = [](double seconds) {
    return static_cast<std::int64_t>(std::clamp(std::ceil(seconds), 0.0, static_cast<double>(kDeltaSecondsMax)));
  };
  terms.age = decision.source == Source::defaults ? 0 : decision.age;
  terms.lifetime.reset();
  if (decision.fresh_for) terms.lifetime = whole(*decision.fresh_for + static_cast<double>(terms.age));
  terms.stale_while_revalidate = whole(decision.stale_while_revalidate);
  terms.stale_if_error = whole(decision.stale_for);
  terms.validate_always = decision.validate_always;
  terms.never_stale = decision.never_stale;
}

}  // namespace tiercel::http
