#include "base/hash.hpp"

#include <algorithm>

#include <openssl/evp.h>

#include "base/require.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace tiercel {

std::uint64_t hash64(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }
std::uint64_t hash64(std::string_view bytes, std::uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

std::array<unsigned char, 16> digest128(std::string_view bytes) {
  std::array<unsigned char, 32> whole{};
  unsigned int length = 0;
  const int done = EVP_Digest(bytes.data(), bytes.size(), whole.data(), &length, EVP_sha256(), nullptr);
  TIERCEL_REQUIRE(done == 1 && length == whole.size());
  static_cast<void>(done);
  std::array<unsigned char, 16> first{};
  std::copy_n(whole.begin(), first.size(), first.begin());
  return first;
}

}  // namespace tiercel
