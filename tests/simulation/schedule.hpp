// Owns: virtual time, and what happens when. What is due at the same instant happens in the order in which it was asked for.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <vector>

#include "base/time.hpp"

namespace tiercel::sim {

using namespace std::chrono_literals;

class Schedule {
 public:
  using Action = std::function<void()>;

  Timestamp now() const { return now_; }
  void at(Timestamp when, Action what) {
    due_.push_back({std::max(when, now_), ++order_, std::move(what)});
    std::push_heap(due_.begin(), due_.end(), later);
  }
  void in(Duration wait, Action what) { at(now_ + wait, std::move(what)); }
  // False: nothing is due until then, and then is now.
  bool step(Timestamp until) {
    if (due_.empty() || due_.front().when > until) {
      now_ = std::max(now_, until);
      return false;
    }
    std::pop_heap(due_.begin(), due_.end(), later);
    const Due next = std::move(due_.back());
    due_.pop_back();
    now_ = next.when;
    ++steps_;
    next.what();
    return true;
  }
  std::uint64_t steps() const { return steps_; }

 private:
  struct Due {
    Timestamp when;
    std::uint64_t order;
    Action what;
  };
  static bool later(const Due& one, const Due& other) {
    return one.when != other.when ? one.when > other.when : one.order > other.order;
  }

  Timestamp now_{1'000s};
  std::uint64_t order_ = 0, steps_ = 0;
  std::vector<Due> due_;
};

}  // namespace tiercel::sim
