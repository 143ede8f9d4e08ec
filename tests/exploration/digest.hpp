// Owns: 128 bits that stand for a state, or for all that one process was ever told.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/hash.hpp"

namespace tiercel::explore {

struct Digest {
  std::uint64_t high = 0, low = 0;
  friend bool operator==(const Digest&, const Digest&) = default;

  void add(std::string_view bytes) {
    high = hash64(bytes, high + 0x9e3779b97f4a7c15ULL);
    low = hash64(bytes, low ^ 0xbf58476d1ce4e5b9ULL);
  }
};

struct DigestHash {
  std::size_t operator()(const Digest& digest) const { return digest.low; }
};

}  // namespace tiercel::explore
