// Owns: what a response is stored under, and the tags by which an unsafe request drops it.
//
// Key: profile generation, scheme, lower-cased Host with port, root_path, raw_path bytes, query bytes, all verbatim but for the host; parted
// by spaces, which none of them can contain; behind the profile, what trusted proxies said, by its digest. What is not printable ASCII is named by its digest as a whole. The leading "~http" keeps
// these keys apart from all that decorated functions make: their keys begin with the user's prefix. An application routes by the decoded
// path: where something in front of the cache has rewritten it, and only there, it is part of the key.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/profile.hpp"

namespace tiercel::http {

// The profile and the generation of its rules: other rules, other keys.
inline constexpr std::string_view kSafeGeneration = "s1", kRfcGeneration = "r1";
inline constexpr std::size_t kPathSegmentsMax = 32;

struct Target {
  std::string_view scheme, host, root_path, raw_path, query;
  std::string_view path = {};  // decoded; empty: nothing but raw_path is known
  unsigned level = 0;  // caches further out on the way of this request: each keeps what passes at its place
  Profile profile = Profile::safe;
  std::string_view forwarded = {};  // names what trusted proxies said (target.hpp); empty: none is trusted
};
// Nothing: the host is not one (RFC 3986 3.2.2), and the response must not be stored under it.
std::optional<std::string> resource_key(const Target& target);
// The key of one variant of the resource.
std::string variant_key(std::string_view resource_key, std::string_view variant_digest);

// By decoded path, whatever host and query: percent-encodings of one path must not escape an invalidation. Trailing and repeated
// slashes do not count. A stored response carries `stored_tags`: its own path, and each path it lies under.
// Nothing: deeper than kPathSegmentsMax; such a response is not stored.
std::optional<std::vector<std::string>> stored_tags(std::string_view path);
// What an unsafe request to `path` invalidates: the path, the path above it, everything below. Where an encoded slash makes the bytes
// of the path (`raw_path`, may be empty) part elsewhere, the path above by their parting too.
std::vector<std::string> unsafe_tags(std::string_view path, std::string_view raw_path = {});
// `path` without the `root_path` that a server or a mount has put before it: one resource, one name.
std::string_view below_root(std::string_view path, std::string_view root_path);
// RFC 3986 2.1; what is no percent-encoding stays as it is.
std::string percent_decoded(std::string_view text);

}  // namespace tiercel::http
