// Owns: the tags that headers name: Cache-Groups and Cache-Group-Invalidation (RFC 9875), Surrogate-Key (parted by spaces), Cache-Tag (parted
// by commas). What cannot become a tag is not passed over in silence: a response nobody could purge by all its names is not stored.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "http/fields.hpp"

namespace tiercel::http {

inline constexpr std::size_t kTagNameBytesMax = 1024;
inline constexpr std::size_t kTagNamesMax = 64;

enum class TagFault : std::uint8_t {
  none,
  long_name,  // more than kTagNameBytesMax bytes
  many,  // more than kTagNamesMax tags
  odd_name,  // bytes other than printable ASCII
};
const char* sentence_of(TagFault fault);

struct TagNames {
  TagFault fault = TagFault::none;
  std::vector<std::string> names;  // each once, in order of first mention
};
// Of a response to be stored. A member of Cache-Groups is two tags: its name, and the group of `origin` (origin_of()) by this name, which
// alone Cache-Group-Invalidation purges. An invalid Cache-Groups is absent (RFC 9875 2, RFC 9651 4.2).
TagNames response_tags(Fields response, std::string_view origin);
// What Cache-Group-Invalidation names, for the answer to an unsafe request (RFC 9875 3). `many`: everything of the origin is to be dropped;
// names too long for a tag are on no stored response and left out.
TagNames invalidated_groups(Fields response, std::string_view origin);

std::string group_tag(std::string_view origin, std::string_view name);

}  // namespace tiercel::http
