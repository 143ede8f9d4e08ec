// Owns: what Cache-Control says (RFC 9111 5.2), in a message's own field and in a targeted one (RFC 9213). Where a message is in doubt,
// the reading that stores less wins: an unusable number is a lifetime of zero (9111 4.2.1), `private="x"` is private (5.2.2.7).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "http/fields.hpp"
#include "http/profile.hpp"

namespace tiercel::http {

inline constexpr std::string_view kTargetedField = "tiercel-cache-control";
inline constexpr std::string_view kCdnField = "cdn-cache-control";  // RFC 9213 3.1

struct CacheControl {
  bool no_store = false, no_cache = false, is_private = false, is_public = false;
  bool must_revalidate = false, proxy_revalidate = false, only_if_cached = false;
  bool must_understand = false;  // 5.2.2.3
  bool immutable = false;  // RFC 8246 2
  std::optional<std::int64_t> max_age, s_maxage, stale_while_revalidate, stale_if_error;  // seconds
  std::optional<std::int64_t> min_fresh, max_stale;  // of requests; `max-stale` alone is kDeltaSecondsMax (5.2.1.2)
  bool present = false;  // at least one directive, known or not
  bool malformed = false;  // a quoted string was not closed: nothing it says can be relied on
};

// Of all lines of Cache-Control. The first of repeated numbers counts (RFC 9111 4.2.1).
CacheControl parse_cache_control(Fields fields);
// A request's: where it has no Cache-Control, `Pragma: no-cache` is one (5.4).
CacheControl request_control(Fields request);
// Of a targeted field: a structured dictionary, strictly. Nothing: absent, empty or invalid, and then as if it were not there (RFC 9213 2.2).
std::optional<CacheControl> parse_targeted(Fields fields, std::string_view name);

// The first field that has something to say to this cache (RFC 9213 2.2): ours, those of `targets` in their order, CDN-Cache-Control in the
// rfc profile, Cache-Control.
struct Governing {
  CacheControl control;
  bool targeted = false;  // then Expires says nothing either
};
Governing governing_control(Fields response, std::span<const std::string> targets, Profile profile);

}  // namespace tiercel::http
