// Owns: what the engine counts, under the names of EngineStats. Each counter may be added to from any thread: one
// relaxed atomic addition, no order promised between counters. What only one thread ever adds to shares cache lines
// with its like; `hits`, which every thread adds to, has a line of its own, so that a hit does not take the owner's
// line away.
#pragma once

#include <atomic>
#include <cstdint>

namespace tiercel {

class Counter {
 public:
  void add(std::uint64_t amount = 1) { value_.fetch_add(amount, std::memory_order_relaxed); }
  std::uint64_t get() const { return value_.load(std::memory_order_relaxed); }
  operator std::uint64_t() const { return get(); }  // NOLINT(google-explicit-constructor)

 private:
  std::atomic<std::uint64_t> value_{0};
};

struct Counters {
  alignas(64) Counter hits;
  alignas(64) Counter redis_hits;
  Counter misses, stale_hits, outage_hits;
  Counter loads, load_failures, joined, loads_uncached;
  Counter stores, stores_refused, invalidations, pending_overflows;
  Counter damaged, oversized, decode_failures, verify_failures, sealed, verified;
  Counter pushes, flushes, redis_timeouts, redis_errors, reconnects;
  Counter redis_commands, redis_bytes_in, redis_bytes_out, redis_writes;
};

}  // namespace tiercel
