// Single ranges. See range.hpp.
#include "http/range.hpp"

#include <algorithm>
#include <limits>
#include <optional>

#include "http/age.hpp"
#include "http/etag.hpp"

namespace tiercel::http {

namespace {

constexpr std::uint64_t kLargest = std::numeric_limits<std::uint64_t>::max();

// Digits and nothing else; larger than any body is as good as infinite.
std::optional<std::uint64_t> position_of(std::string_view text) {
  if (text.empty() || !std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; }))
    return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (value > (kLargest - digit) / 10) return kLargest;
    value = value * 10 + digit;
  }
  return value;
}

// 14.1.2: the last bytes; more than there are means all.
RangeAnswer suffix(std::uint64_t length, std::uint64_t size) {
  if (length == 0) return {RangeAnswer::Kind::unsatisfiable, 0, 0};
  if (size == 0) return {};  // satisfiable, but no Content-Range can say so
  return {RangeAnswer::Kind::partial, size - std::min(length, size), size - 1};
}

// RFC 9110 8.8.2.2: a Last-Modified is strong for a cache when a second and more lay between it and the Date.
bool is_strong_date(std::int64_t modified, const StoredResponse& stored, std::int64_t now) {
  const auto date = date_value(stored.fields, now);
  return date && *date >= modified + 1;
}

bool accepts_bytes(const StoredResponse& stored) {
  bool bytes = false;
  each_line(stored.fields, "accept-ranges", [&](std::string_view line) {
    each_element(line, [&](std::string_view unit) { bytes = bytes || equal_ignoring_case(unit, "bytes"); });
  });
  return bytes;
}

}  // namespace

RangeAnswer parse_range(std::string_view line, std::uint64_t size) {
  line = trimmed(line);
  const std::size_t equals = line.find('=');
  // 14.1: units are compared without case; other units than bytes are not known here.
  if (equals == std::string_view::npos || !equal_ignoring_case(line.substr(0, equals), "bytes")) return {};
  const std::string_view spec = trimmed(line.substr(equals + 1));
  const std::size_t dash = spec.find('-');
  if (dash == std::string_view::npos) return {};
  const auto first = position_of(spec.substr(0, dash));
  const auto last = position_of(spec.substr(dash + 1));
  if (dash == 0) return last ? suffix(*last, size) : RangeAnswer{};
  const bool open = dash + 1 == spec.size();
  if (!first || (!open && (!last || *last < *first))) return {};  // 14.1.1: a comma, a sign, last before first
  if (*first >= size) return {RangeAnswer::Kind::unsatisfiable, 0, 0};
  return {RangeAnswer::Kind::partial, *first, open ? size - 1 : std::min(*last, size - 1)};
}

bool if_range_holds(Fields request, const StoredResponse& stored, std::int64_t now) {
  if (!has_field(request, "if-range")) return true;
  const auto line = only_line(request, "if-range");
  if (!line) return false;
  if (const auto tag = parse_entity_tag(trimmed(*line))) {
    const auto own_line = only_line(stored.fields, "etag");
    const auto own = own_line ? parse_entity_tag(trimmed(*own_line)) : std::nullopt;
    return own && strongly_equal(*tag, *own);
  }
  const auto modified_line = only_line(stored.fields, "last-modified");
  if (!modified_line || trimmed(*modified_line) != trimmed(*line)) return false;
  const auto modified = parse_date(trimmed(*modified_line), now);
  return modified && is_strong_date(*modified, stored, now);
}

RangeAnswer range_of(Fields request, const StoredResponse& stored, std::int64_t now, Profile profile) {
  const auto line = only_line(request, "range");
  if (!line || stored.status != 200) return {};
  if (profile == Profile::safe && !accepts_bytes(stored)) return {};
  if (!if_range_holds(request, stored, now)) return {};
  return parse_range(*line, stored.body.size());
}

std::string content_range(const RangeAnswer& range, std::uint64_t size) {
  if (range.kind == RangeAnswer::Kind::unsatisfiable) return "bytes */" + std::to_string(size);
  return "bytes " + std::to_string(range.first) + "-" + std::to_string(range.last) + "/" + std::to_string(size);
}

bool is_in_partial(std::string_view name) {
  return !equal_ignoring_case(name, "content-length") && !equal_ignoring_case(name, "content-range");
}

}  // namespace tiercel::http
