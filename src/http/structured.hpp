// Owns: structured fields (RFC 9651, which is RFC 8941 with dates and display strings), parsed strictly: one fault anywhere and the whole
// field is none. Values are views into the field; only a string with escapes is ever copied.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "http/fields.hpp"

namespace tiercel::http {

enum class SfType : std::uint8_t { integer, decimal, string, token, bytes, boolean, date, display, inner_list };

struct SfItem {
  SfType type = SfType::boolean;
  std::int64_t number = 1;  // integer, date: itself; decimal: in thousandths; boolean: 0 or 1
  std::string_view text;  // string, bytes, display: between the delimiters, escapes and all; token, inner list: itself
};

// Each visits what it reads as it reads it: where the answer is false, forget what was visited.
bool parse_sf_list(std::string_view text, const std::function<void(const SfItem&)>& visit);
bool parse_sf_dictionary(std::string_view text, const std::function<void(std::string_view, const SfItem&)>& visit);
std::optional<SfItem> parse_sf_item(std::string_view text);

// The lines of a field as one (RFC 9651 4.2: joined by a comma; here empty lines add nothing).
std::string joined_lines(Fields fields, std::string_view name);
// The characters of a string item.
std::string unescaped(const SfItem& string);
// A string item (RFC 9651 4.1.6). What a string cannot hold, all but printable ASCII, becomes a question mark.
std::string sf_string(std::string_view text);

}  // namespace tiercel::http
