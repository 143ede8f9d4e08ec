// Owns: which request headers select a response (RFC 9111 4.1), and the name of one selection.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/fields.hpp"

namespace tiercel::http {

inline constexpr std::size_t kVaryNamesMax = 16;
inline constexpr std::size_t kVariantsMax = 64;

struct Vary {
  bool any = false;                 // "*", or not a list of field names: matches nothing, ever
  std::vector<std::string> names;   // lower case, sorted, each once
};
Vary parse_vary(Fields response);
// The names of both; nothing when they are more than kVaryNamesMax.
std::optional<std::vector<std::string>> merged_names(const std::vector<std::string>& a,
                                                     const std::vector<std::string>& b);

// 16 bytes that name the values which `request` has for `names`: of each its name, the number of its lines, and every line with its length.
std::string variant_digest(const std::vector<std::string>& names, Fields request);

}  // namespace tiercel::http
