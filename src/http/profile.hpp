// Owns: the two documented ways to read the RFCs. Every rule that differs between them takes the profile as an argument.
#pragma once

#include <cstdint>

namespace tiercel::http {

enum class Profile : std::uint8_t {
  safe,  // nothing a response did not ask for: no guesses at freshness, no Set-Cookie at rest, stale only in place of an error
  rfc,  // what RFC 9111 lets a shared cache do
};

}  // namespace tiercel::http
