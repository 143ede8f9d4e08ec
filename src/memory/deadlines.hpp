// Owns: who expires when. A hierarchical timer wheel (Varghese and Lauck, SOSP 1987, scheme 7): six wheels of 64 slots,
// ticks of 65.5 ms, each wheel's slot as long as the whole wheel below. Adding and removing cost a few links; an entry
// moves to a finer wheel at most five times in its life; empty stretches are skipped by a bitmap. A deadline is rounded
// up to its tick: memory is released at most a tick late, and never early (whether an entry may still be *served* is
// not asked here but of its own deadline). Not thread-safe: the shard's lock is held by the caller.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/time.hpp"
#include "memory/nodes.hpp"

namespace tiercel {

class Deadlines {
 public:
  explicit Deadlines(Nodes& nodes);

  // Requires that the node is not in. kNever is not kept, but may be removed.
  void add(NodeId id, Timestamp now);
  void remove(NodeId id);
  // The next node whose tick has come, still in; it or a coarse node moved to its finer wheel costs one of `work`.
  // nullopt: nothing is due, or no work is left.
  std::optional<NodeId> next_due(Timestamp now, std::size_t& work);
  // When next_due() has something to do; kNever: nobody has a deadline.
  Timestamp next() const;
  void clear();
  bool valid() const;

  static constexpr Duration kTick{1 << 16};

 private:
  static constexpr unsigned kBits = 6, kSlots = 1u << kBits, kWheels = 6;
  static constexpr std::uint32_t kNowhere = ~0u,
                                 kFirst = 1u << 31;  // in due_before: not in; the first of the slot in the low bits
  using Tick = std::uint64_t;

  struct Turn {
    unsigned slot;
    Tick tick;
  };  // a slot over all wheels, and when its time comes
  std::optional<Turn> next_turn() const;
  void link(NodeId id, Tick due);
  NodeId& first(unsigned slot) { return slots_[slot]; }

  Nodes& nodes_;
  Tick at_ = 0;  // everything before was handed out
  std::size_t held_ = 0;
  std::array<std::uint64_t, kWheels> occupied_{};  // bit s: slot s of the wheel is not empty
  std::array<NodeId, std::size_t{kWheels} * kSlots> slots_;
};

}  // namespace tiercel
