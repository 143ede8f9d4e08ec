// Owns: whether a response may be stored (RFC 9111 3), for how long, and why not. Pure: facts in, a named answer out. Where the lifetime
// comes from: freshness.hpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/fields.hpp"
#include "http/freshness.hpp"
#include "http/profile.hpp"

namespace tiercel::http {

enum class Refusal : std::uint8_t {
  none,
  method,  // not an answer to GET
  status,  // not a complete 2xx (RFC 9111 3, 3.3: 206 is not complete); rfc profile: not a complete final response
  not_understood,  // must-understand, and its status code is not (5.2.2.3)
  malformed,  // a header that cannot be read or kept
  no_store,  // RFC 9111 5.2.2.5
  is_private,  // 5.2.2.7: this is a shared cache
  no_cache,  // 5.2.2.4: could only be served after validation
  set_cookie,  // safe profile
  vary_any,  // Vary: *, or not a list of names (4.1)
  vary_many,  // more than kVaryNamesMax names
  credentials,  // the request may tell its caller apart, and nothing says the answer does not (3.5, widened)
  asks,  // the route can tailor its answer to the caller, and only a default speaks for storing it
  no_lifetime,  // nobody said how long
  expired,  // a lifetime of zero, or used up on its way here
};
const char* sentence_of(Refusal refusal);

// How the rules are to be read; the default is what the middleware does without being told.
struct StorageRules {
  Profile profile = Profile::safe;
  std::vector<std::string> targeted = {};  // further targeted fields in lower case, the first first
  double keep =
      0;  // rfc: seconds past its freshness for which a response is kept, to be validated or to stand in for an origin that is away
};

struct ResponseFacts {
  int status = 0;
  Fields fields;
  bool get = true;  // the request's method
  bool credentialed = false;  // the request's headers, by RequestRules
  bool asks = false;  // the route's dependencies may tell callers apart
  bool secured = false;  // ... and one of them is a security scheme: as strict as Authorization (RFC 9111 3.5)
  bool origin = false;
  std::int64_t delay = 0;  // seconds between request and response (RFC 9111 4.2.3)
};

struct Decision {
  Refusal refusal = Refusal::none;
  Source source = Source::none;  // of the lifetime
  bool is_public = false;  // public or s-maxage: credentialed requests may have it
  std::optional<double> fresh_for;  // seconds left from now; nullopt: no expiry
  double stale_for = 0;  // seconds after that, in place of an error (RFC 5861 4)
  double stale_while_revalidate = 0;  // seconds after that, while another is fetched (RFC 5861 3)
  double kept_for = 0;  // seconds after that for which anything may be done with it
  std::int64_t age = 0;  // seconds old already (RFC 9111 4.2.3)
  bool validate_always = false;  // no-cache (5.2.2.4)
  bool never_stale = false;  // must-revalidate, proxy-revalidate, s-maxage (5.2.2.2, 5.2.2.8, 5.2.2.10)
  std::vector<std::string> vary;
};

// `now`: seconds since the epoch.
Decision decide(const ResponseFacts& response, const Defaults& defaults, std::int64_t now,
                const StorageRules& rules = {});

// Whether all that the status code asks of caches is done here (RFC 9110 15).
bool is_understood(int status);
// An answer that no other request can have asked for: interim, partial or about this request's own conditions.
bool is_storable_status(int status, Profile profile);

}  // namespace tiercel::http
