// Owns: how far the server's clock is from ours, from the replies to TIME. A reply was made somewhere between its
// command's sending and its arrival, so the middle is wrong by at most half the round trip (Cristian, 1989). A sample
// from a quick round trip is kept against one from a slow one, until drift has made it worse, or until the two
// contradict each other: then the server's clock was set.
#pragma once

#include <optional>

#include "base/time.hpp"

namespace tiercel::redis {

class ServerOffset {
 public:
  bool known() const { return known_; }
  Duration offset() const { return offset_; }
  void forget() { known_ = false; }

  void learn(ServerTime server, Timestamp sent, Timestamp arrived) {
    const Duration half = (arrived - sent) / 2;
    const Duration offset = server.time_since_epoch() - (sent.time_since_epoch() + half);
    const Duration kept_error = error_ + (arrived - learned_) / kDriftShare;
    const Duration apart = offset > offset_ ? offset - offset_ : offset_ - offset;
    if (known_ && half > kept_error && apart <= half + kept_error) return;
    known_ = true;
    offset_ = offset;
    error_ = half;
    learned_ = arrived;
  }

 private:
  static constexpr int kDriftShare = 2000;  // 500 parts in a million, the worst that NTP allows a clock

  bool known_ = false;
  Duration offset_{0};
  Duration error_{0};
  Timestamp learned_{};
};

}  // namespace tiercel::redis
