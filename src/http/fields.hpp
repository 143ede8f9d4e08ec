// Owns: the words of HTTP fields: tokens, quoted strings, comma lists, delta-seconds and dates. Views only, nothing is copied; every
// function is linear in its input. A field may come in several lines, and all of them count (RFC 9110 5.2, 5.3).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>

namespace tiercel::http {

struct Field {
  std::string_view name, value;
};
using Fields = std::span<const Field>;

// RFC 9111 1.2.2: a delta-seconds larger than we can hold counts as 2^31.
inline constexpr std::int64_t kDeltaSecondsMax = 2147483648;

inline constexpr std::size_t kFieldNameMax = 1024;

bool is_token_char(char c);  // RFC 9110 5.6.2
bool is_token(std::string_view text);
bool equal_ignoring_case(std::string_view a, std::string_view b);  // ASCII only
std::string_view trimmed(std::string_view text);  // RFC 9110 5.6.3: SP and HTAB

// A field name a stored response may carry, and a value without CR, LF or NUL (RFC 9110 5.5).
bool is_storable_field(const Field& field);

// Calls `visit` for each line of the field `name`.
void each_line(Fields fields, std::string_view name, const std::function<void(std::string_view)>& visit);
bool has_field(Fields fields, std::string_view name);
// The only line of the field; nothing when it is absent or there are several.
std::optional<std::string_view> only_line(Fields fields, std::string_view name);

// The elements of a comma list (RFC 9110 5.6.1), trimmed, empty ones left out. Commas within quoted strings do not part.
// False: a quoted string was not closed; the elements after it have been parted at every comma all the same.
bool each_element(std::string_view line, const std::function<void(std::string_view)>& visit);

// RFC 9111 1.2.2: digits and nothing else; saturates at kDeltaSecondsMax.
std::optional<std::int64_t> parse_delta_seconds(std::string_view text);
// RFC 9110 5.6.7: the three forms of HTTP-date, strictly; seconds since the epoch. `now` decides the century of a two-digit year.
std::optional<std::int64_t> parse_date(std::string_view text, std::int64_t now);
// RFC 9110 8.6: all lines and members the same number; nothing: absent or not a length.
struct ContentLength {
  bool present = false;
  std::optional<std::uint64_t> bytes;
};
ContentLength content_length(Fields fields);

}  // namespace tiercel::http
