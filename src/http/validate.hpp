// Owns: validation of what is stored with the application (RFC 9111 4.3): what to ask with, which stored response a 304 speaks of, and what
// becomes of it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "http/stored.hpp"

namespace tiercel::http {

// 4.3.1: the conditional headers of the request that asks, in the stored response's own words; none: it has no validator.
std::vector<Field> revalidation_fields(const StoredResponse& stored);

// 4.3.4: the places in `stored`, newest first, of those that a 304 with the headers `fresh` freshens. Strong validators name all that have
// the same; a weak one the newest that matches; none at all the only one stored, if that has none either.
std::vector<std::size_t> freshened_by(Fields fresh, std::span<const StoredResponse> stored, std::int64_t now);

// 3.2: the stored fields with those of a 304 in the place of their namesakes. What says how the body is to be read stays, and what is about
// the connection is not taken. Views of both.
std::vector<Field> updated_fields(Fields stored, Fields fresh);

// 4.3.5: what a 200 answer to HEAD says of the response stored for GET.
enum class HeadSays : std::uint8_t {
  update,  // the same one: its fields may be updated
  outdated,  // another: what is stored is to be considered stale
  nothing,  // not a 200
};
HeadSays head_says(int status, Fields head, const StoredResponse& stored);

}  // namespace tiercel::http
