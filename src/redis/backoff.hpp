// Owns: how long to wait before the next attempt to connect. Full jitter (Brooker, "Exponential Backoff And Jitter",
// 2015): anywhere between nothing and a limit that doubles, so that the clients of a restarted server do not come back
// together.
#pragma once

#include <algorithm>

#include "base/dice.hpp"
#include "base/time.hpp"

namespace tiercel::redis {

class Backoff {
 public:
  Backoff(Duration min, Duration max) : min_(min), max_(std::max(min, max)), limit_(min) {}

  Duration next(Dice& dice) {
    const Duration limit = limit_;
    limit_ = limit > max_ / 2 ? max_ : limit * 2;
    return share(limit, dice.unit());
  }
  // Only an operator can mend it: between half and all of the longest.
  Duration longest(Dice& dice) const { return share(max_, 0.5 + dice.unit() / 2); }
  void reset() { limit_ = min_; }

 private:
  static Duration share(Duration whole, double part) {
    return Duration{static_cast<Duration::rep>(static_cast<double>(whole.count()) * part)};
  }

  Duration min_, max_, limit_;
};

}  // namespace tiercel::redis
