// Owns: one range of bytes out of a complete stored response (RFC 9110 14): which it is, and what is said of it. Several ranges, and
// whatever cannot be read as one, are answered with the whole: a server may ignore Range (14.2), and none was ever attacked by that.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "http/profile.hpp"
#include "http/stored.hpp"

namespace tiercel::http {

struct RangeAnswer {
  enum class Kind : std::uint8_t {
    whole,  // as if Range were not there
    partial,  // 206 with the bytes first to last
    unsatisfiable,  // 416
  };
  Kind kind = Kind::whole;
  std::uint64_t first = 0, last = 0;
};

// `line`: the value of Range. `size`: of the complete body.
RangeAnswer parse_range(std::string_view line, std::uint64_t size);
// If-Range (13.1.5): the same entity tag by strong comparison, or exactly the same Last-Modified, itself strong. True without one.
bool if_range_holds(Fields request, const StoredResponse& stored, std::int64_t now);
// What a GET is answered with, its other preconditions (conditional.hpp) being settled. safe: ranges are served only of responses that said
// `Accept-Ranges: bytes`.
RangeAnswer range_of(Fields request, const StoredResponse& stored, std::int64_t now, Profile profile);

// Content-Range (14.4), of a 206 and of a 416.
std::string content_range(const RangeAnswer& range, std::uint64_t size);
// What of a stored response a 206 repeats (15.3.7): all but its length.
bool is_in_partial(std::string_view name);

}  // namespace tiercel::http
