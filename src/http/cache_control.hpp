// Owns: what Cache-Control says (RFC 9111 5.2), in a message's own field and in a targeted one (RFC 9213). Where a message is in doubt,
// the reading that stores less wins: an unusable number is a lifetime of zero (9111 4.2.1), `private="x"` is private (5.2.2.7).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "http/fields.hpp"

namespace tiercel::http {

struct CacheControl {
  bool no_store = false, no_cache = false, is_private = false, is_public = false;
  bool must_revalidate = false, proxy_revalidate = false, only_if_cached = false;
  std::optional<std::int64_t> max_age, s_maxage, stale_while_revalidate, stale_if_error;  // seconds
  bool present = false;  // at least one directive, known or not
  bool malformed = false;  // a quoted string was not closed: nothing it says can be relied on
};

// Of all lines of Cache-Control. The first of repeated numbers counts (RFC 9111 4.2.1).
CacheControl parse_cache_control(Fields fields);
// Of a targeted field: an RFC 8941 dictionary, strictly. Nothing: absent, empty or invalid, and then as if it were not there (RFC 9213 2.2).
std::optional<CacheControl> parse_targeted(Fields fields, std::string_view name);

}  // namespace tiercel::http
