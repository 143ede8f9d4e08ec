// Owns: the replies that are owed, in the order in which they will come. A ring that grows by doubling: no allocation
// per command.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/require.hpp"
#include "base/time.hpp"
#include "redis/session.hpp"

namespace tiercel::redis {

struct Slot {
  enum class Kind : std::uint8_t {
    command,  // of the listener
    hello,
    select,
    auth,
    name,
    id,
    tracking,
    broadcast,
    probe,
    info,
    time,
    ping,
    script,
    kill,  // of the handshake
    heartbeat,
  };
  Kind kind = Kind::command;
  bool caching_owed = false;  // CLIENT CACHING YES went before it, and its reply has not come yet
  bool caching_refused = false;  // ... and was an error: the command was read untracked
  ReplyToken token;
  Timestamp sent;
};

class Slots {
 public:
  bool empty() const { return count_ == 0; }
  std::size_t size() const { return count_; }
  // Each slot's own number, for who must find it again while its reply is owed.
  std::uint64_t next_number() const { return popped_ + count_; }
  Slot& numbered(std::uint64_t number) {
    TIERCEL_REQUIRE(number >= popped_ && number < next_number());
    return ring_[(first_ + (number - popped_)) & (ring_.size() - 1)];
  }
  Slot& front() {
    TIERCEL_REQUIRE(count_ > 0);
    return ring_[first_];
  }
  void push(const Slot& slot) {
    if (count_ == ring_.size()) grow();
    ring_[(first_ + count_) & (ring_.size() - 1)] = slot;
    ++count_;
  }
  Slot pop() {
    const Slot slot = front();
    first_ = (first_ + 1) & (ring_.size() - 1);
    --count_;
    ++popped_;
    return slot;
  }

 private:
  void grow() {
    std::vector<Slot> larger(ring_.empty() ? 16 : ring_.size() * 2);
    for (std::size_t i = 0; i < count_; ++i) larger[i] = ring_[(first_ + i) & (ring_.size() - 1)];
    ring_ = std::move(larger);
    first_ = 0;
  }

  std::vector<Slot> ring_;  // its size is 0 or a power of two
  std::size_t first_ = 0;
  std::size_t count_ = 0;
  std::uint64_t popped_ = 0;
};

}  // namespace tiercel::redis
