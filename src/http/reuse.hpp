// Owns: whether what is stored may answer a request (RFC 9111 4, 4.2, 5.2.1; RFC 5861), with or without asking the application again.
//
// That the stored response was selected by the request (key, Vary, "Who is asking") is settled before; what remains is time. In the safe
// profile no request may reach past the cache except by no-cache and no-store, and nothing stale is given but in place of an error.
#pragma once

#include <cstdint>
#include <optional>

#include "http/cache_control.hpp"
#include "http/profile.hpp"
#include "http/storable.hpp"
#include "http/stored.hpp"

namespace tiercel::http {

enum class Serve : std::uint8_t {
  hit,  // fresh
  stale,  // by leave of `reason`
  validate,  // ask the application, with the stored response's validators if it has any
  miss,  // nothing stored that could be validated
  timeout,  // 504: only-if-cached, and nothing that may be given (5.2.1.7)
};

enum class Reason : std::uint8_t {
  fresh,
  nothing_stored,
  request_no_store,  // 5.2.1.5
  request_no_cache,  // 5.2.1.4, 5.4
  request_max_age,  // 5.2.1.1
  request_min_fresh,  // 5.2.1.3
  response_no_cache,  // 5.2.2.4
  expired,  // 4.2
  max_stale,  // 5.2.1.2
  stale_while_revalidate,  // RFC 5861 3: another is to be fetched behind it
  stale_if_error,  // RFC 5861 4
  disconnected,  // 4.2.4
};
const char* name_of(Reason reason);

struct Verdict {
  Serve serve = Serve::miss;
  Reason reason = Reason::nothing_stored;
  std::optional<std::int64_t>
      ttl;  // seconds of freshness left, below zero when stale (RFC 9211 2.4); nothing: no expiry, or nothing stored
};

// `stored`: null if nothing is. `request`: request_control().
Verdict may_serve(const CacheControl& request, const Terms* stored, std::int64_t now, Profile profile);

enum class Failure : std::uint8_t {
  status,  // 500, 502, 503 or 504 (RFC 5861 4)
  disconnected,  // it raised, or could not be asked
};
bool is_error_status(int status);
// What is stored in place of a failure: `stale`, or `miss` where the failure is the answer.
Verdict in_place_of(Failure failure, const CacheControl& request, const Terms& stored, std::int64_t now,
                    Profile profile);

// What the decision says of reuse, for what is stored by it. A lifetime of less than a second counts as one: the entry's own deadline is exact.
void set_terms(Terms& terms, const Decision& decision);

}  // namespace tiercel::http
