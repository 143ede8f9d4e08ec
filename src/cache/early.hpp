// Owns: when an entry is refreshed before it expires: XFetch (Vattani, Chiera, Lowenstein, "Optimal Probabilistic Cache Stampede Prevention", VLDB
// 2015): at a hit, where now - cost * beta * ln(u) >= the soft deadline. -ln(u) is drawn once for each entry that a process makes, not at each hit: a
// hit then compares the one time point it compares anyway (Entry::due), and all hits of a process agree (docs/decisions/0030).
#pragma once

#include <algorithm>
#include <cmath>

#include "base/dice.hpp"
#include "base/time.hpp"

namespace tiercel {

// So long before its soft deadline, times beta, an entry that took `cost` to load is refreshed. Exponentially distributed, its mean is the cost.
inline Duration head_start(Duration cost, Dice& dice) {
  if (cost <= Duration{0}) return Duration{0};
  constexpr double kMost = 3.6e9;  // an hour: an entry keeps less
  return Duration{
      static_cast<Duration::rep>(std::min(kMost, static_cast<double>(cost.count()) * -std::log(dice.unit())))};
}

}  // namespace tiercel
