// Owns: when to leave Redis alone. After `overruns_max` operations in a row past their budget it rests; when the rest is over one
// operation tries, and its end decides. Pure: time is an argument.
#pragma once

#include <atomic>

#include "base/time.hpp"

namespace tiercel {

class Breaker {
 public:
  Breaker(unsigned overruns_max, Duration rest) : overruns_max_(overruns_max), rest_(rest) {}

  // May an operation use Redis at `now`? After a rest the first to ask tries; others wait for its end.
  bool allows(Timestamp now) {
    if (state_ == State::closed) return true;
    if (now < rest_until_) return false;
    state_ = State::trying;
    rest_until_ = now + rest_;  // a trial whose caller has left decides nothing; then the next one tries
    return true;
  }
  void answered() {
    state_ = State::closed;
    overruns_ = 0;
  }
  // True if this overrun opened the breaker.
  bool overran(Timestamp now) {
    if (state_ == State::resting) return false;
    if (state_ == State::closed && ++overruns_ < overruns_max_) return false;
    const bool opened = state_ == State::closed;
    state_ = State::resting;
    rest_until_ = now + rest_;
    return opened;
  }
  bool resting() const { return state_ != State::closed; }  // any thread
  Timestamp rest_until() const { return rest_until_; }

 private:
  enum class State : unsigned char { closed, resting, trying };
  unsigned overruns_max_;
  Duration rest_;
  std::atomic<State> state_ = State::closed;
  unsigned overruns_ = 0;
  Timestamp rest_until_{};
};

}  // namespace tiercel
