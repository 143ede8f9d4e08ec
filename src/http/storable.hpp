// Owns: whether a response may be stored, for how long, and why not. Pure: facts in, a named answer out.
//
// Where freshness comes from; the first that says something decides:
//   1. the targeted field Tiercel-Cache-Control (RFC 9213 2.2: Cache-Control and Expires are then ignored)
//   2. the response's Cache-Control or Expires (RFC 9111 4.2.1, 5.2.2, 5.3)
//   3. the policy beside the route   4. a path rule   5. cache_ttl
// 3 to 5 come in as `Defaults`: they supply a lifetime where the response names none, and never lift what it forbids.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/fields.hpp"

namespace tiercel::http {

inline constexpr std::string_view kTargetedField = "tiercel-cache-control";

enum class Refusal : std::uint8_t {
  none,
  method,           // not an answer to GET
  status,           // not a complete 2xx (RFC 9111 3, 3.3: 206 is not complete)
  malformed,        // a header that cannot be read or kept
  no_store,         // RFC 9111 5.2.2.5
  is_private,       // 5.2.2.7: this is a shared cache
  no_cache,         // 5.2.2.4: could only be served after validation
  set_cookie,       // safe profile
  vary_any,         // Vary: *, or not a list of names (4.1)
  vary_many,        // more than kVaryNamesMax names
  credentials,      // the request may tell its caller apart, and nothing says the answer does not (3.5, widened)
  asks,             // the route can tailor its answer to the caller, and only a default speaks for storing it
  no_lifetime,      // nobody said how long
  expired,          // a lifetime of zero, or used up on its way here
};
const char* sentence_of(Refusal refusal);

struct Defaults {
  bool given = false;                     // a policy, a rule or cache_ttl applies
  std::optional<double> lifetime;         // seconds; nullopt: no expiry
  double stale = 0;                       // how long past it the response may stand in for an error
  bool is_public = false;                 // public=True of the policy
};

struct ResponseFacts {
  int status = 0;
  Fields fields;
  bool get = true;                        // the request's method
  bool credentialed = false;              // the request's headers, by RequestRules
  bool asks = false;                      // the route's dependencies may tell callers apart
  bool secured = false;  // ... and one of them is a security scheme: as strict as Authorization (RFC 9111 3.5)
  bool origin = false;
};

enum class Source : std::uint8_t { none, targeted, response, defaults };

struct Decision {
  Refusal refusal = Refusal::none;
  Source source = Source::none;  // of the lifetime
  bool is_public = false;  // public or s-maxage: credentialed requests may have it
  std::optional<double> fresh_for;  // seconds left from now; nullopt: no expiry
  double stale_for = 0;  // seconds after that
  std::int64_t age = 0;  // seconds old already (RFC 9111 4.2.3)
  std::vector<std::string> vary;
};

// `now`: seconds since the epoch.
Decision decide(const ResponseFacts& response, const Defaults& defaults, std::int64_t now);

// What of a response is kept: not what is about this connection (RFC 9111 3.1), nor our own marks.
bool is_kept(std::string_view name, Fields response);

}  // namespace tiercel::http
