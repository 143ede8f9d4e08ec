// Owns: how long a response is fresh, and who said so (RFC 9111 4.2.1, 4.2.2). The first that says something decides:
//   1. a targeted field (RFC 9213 2.2: Cache-Control and Expires are then ignored)
//   2. the response's Cache-Control or Expires   3. the policy beside the route   4. a path rule   5. cache_ttl
//   6. in the rfc profile, a tenth of the time since Last-Modified
// 3 to 5 come in as `Defaults`: they supply a lifetime where the response names none, and never lift what it forbids.
#pragma once

#include <cstdint>
#include <optional>

#include "http/cache_control.hpp"
#include "http/fields.hpp"
#include "http/profile.hpp"

namespace tiercel::http {

struct Defaults {
  bool given = false;                     // a policy, a rule or cache_ttl applies
  std::optional<double> lifetime;         // seconds; nullopt: no expiry
  double stale = 0;                       // how long past it the response may stand in for an error
  bool is_public = false;                 // public=True of the policy
  double stale_while_revalidate = 0;      // how long past it the response may be given while another is fetched
};

enum class Source : std::uint8_t { none, targeted, response, defaults, heuristic };

struct Lifetime {
  Source source = Source::none;
  std::optional<double>
      seconds;  // since the response was generated, but of defaults: since it came; nullopt: no expiry
};

// RFC 9110 15.1: status codes whose responses may be guessed fresh.
bool is_heuristically_cacheable(int status);

// What `governing` says is fresh for; `status` and `now` are the response's.
Lifetime lifetime_of(const Governing& governing, int status, Fields response, const Defaults& defaults,
                     std::int64_t now, Profile profile);

}  // namespace tiercel::http
