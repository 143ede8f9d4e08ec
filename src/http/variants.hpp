// Owns: where the next response of a resource goes: under its own key, or as one of at most kVariantsMax variants behind an index.
// The names in an index only grow while it lives: a response without Vary does not push aside the variants beside it, which is what CORS
// middlewares would do that say `Vary: Origin` only when asked with one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "http/stored.hpp"

namespace tiercel::http {

struct Placement {
  bool refused = false;  // too many names or variants
  std::optional<Variants> index;  // nothing: the response goes under the resource's key itself
  std::string digest;  // of the variant, with an index
};

// `stored`: the index as last seen; `reserved`: variants on their way into it. `until`: of the response, 0 for no expiry.
Placement place(const std::optional<Variants>& stored, const std::vector<Variant>& reserved,
                const std::vector<std::string>& vary, Fields request, std::int64_t until, std::int64_t now);
// The latest of its variants' deadlines; 0: one has none.
std::int64_t deadline_of(const Variants& index);

}  // namespace tiercel::http
