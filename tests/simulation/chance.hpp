// Owns: the simulation's dice, and the ways in which it throws them.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "base/dice.hpp"
#include "base/time.hpp"

namespace tiercel::sim {

class Chance {
 public:
  explicit Chance(std::uint64_t seed) : dice_(seed) {}

  std::uint64_t below(std::uint64_t bound) { return dice_.next() % bound; }
  bool of(double share) { return dice_.unit() <= share; }
  Duration between(Duration least, Duration most) {
    return least + Duration{static_cast<std::int64_t>(below(static_cast<std::uint64_t>((most - least).count() + 1)))};
  }
  // Mostly short, at times long.
  Duration around(Duration mean) {
    return Duration{static_cast<std::int64_t>(-std::log(dice_.unit()) * static_cast<double>(mean.count()))};
  }
  template <class T, std::size_t count>
  const T& one(const T (&choices)[count]) {
    return choices[below(count)];
  }
  Dice::Seed seed() { return {dice_.next(), dice_.next(), dice_.next(), dice_.next()}; }

 private:
  Dice dice_;
};

}  // namespace tiercel::sim
