// Owns: chance. xoshiro256** (Blackman and Vigna, 2018), seeded from outside: the driver asks getrandom, a test gives a seed.
// Not thread-safe: an engine has one, used by its owner.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace tiercel {

class Dice {
 public:
  using Seed = std::array<std::uint64_t, 4>;

  explicit Dice(const Seed& seed) : state_(seed) {
    if ((seed[0] | seed[1] | seed[2] | seed[3]) == 0) state_[0] = 1;  // the all-zero state is a fixed point
  }
  // A seed for tests, spread by splitmix64.
  explicit Dice(std::uint64_t seed) {
    for (auto& word : state_) {
      seed += 0x9e3779b97f4a7c15ULL;
      std::uint64_t z = seed;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
      z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
      word = z ^ (z >> 31);
    }
  }

  std::uint64_t next() {
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }
  // In (0, 1]: safe to take the logarithm of.
  double unit() { return (static_cast<double>(next() >> 11) + 1.0) * 0x1.0p-53; }

 private:
  std::array<std::uint64_t, 4> state_{};
};

}  // namespace tiercel
