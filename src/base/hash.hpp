// Owns: the two digests. `hash64` places keys in tables (XXH3; chosen by us, seeded per process); `digest128` names what a user
// chose and must not collide on purpose (SHA-256, first 128 bits).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace tiercel {

std::uint64_t hash64(std::string_view bytes);
std::uint64_t hash64(std::string_view bytes, std::uint64_t seed);  // for tables whose keys come from outside
std::array<unsigned char, 16> digest128(std::string_view bytes);

}  // namespace tiercel
