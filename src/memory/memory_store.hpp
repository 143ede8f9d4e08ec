// Owns: L1. A sharded store of entries under a byte budget, thread-safe; no call takes a lock beyond one shard's, none
// calls out. Which entry leaves is the eviction policy's business (memory/policy.hpp); when one has expired is decided
// by `now`, which the caller brings.
//
// The budget: `bytes_max` is divided among the shards once and for all, so no insertion ever looks at another shard,
// and the whole can not exceed it. Shards are therefore few: at least 16 MiB each, so that the largest value (8 MiB)
// fits beside others. What counts: entries as allocated, nodes, index and frequency sketch; an empty store counts
// nothing. Entries that were evicted while somebody still reads them no longer count.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "base/time.hpp"
#include "memory/entry.hpp"

namespace tiercel {

struct MemoryOptions {
  std::size_t bytes_max = 64u << 20;  // keys, values and overhead, exactly accounted; never exceeded by more than 1 %
  unsigned shards = 0;  // 0: chosen; else a power of two
  std::uint64_t seed = 0;  // of the hash: from the dice, so that nobody outside can choose keys that collide
};

struct MemoryUsage {
  std::size_t bytes = 0, bytes_max = 0, entries = 0;
  std::uint64_t evicted = 0, expired = 0, refused = 0;  // refused: larger than a shard's budget
};

class MemoryStore {
 public:
  explicit MemoryStore(const MemoryOptions& options);
  ~MemoryStore();

  // The entry unless absent or past `usable_until`. Counts as a use.
  EntryRef find(std::string_view key, Timestamp now);
  // The same without counting as a use.
  EntryRef peek(std::string_view key, Timestamp now) const;
  // Puts the entry in place of any of its key. False if it is too large; the old one is gone all the same. (True is no
  // promise that it stays: when the budget is spent, the policy may find it worth less than what it would displace.)
  bool insert(EntryRef entry, Timestamp now);
  bool erase(std::string_view key);
  // Erases those for which `doomed` says so, slice by slice; returns their number. `doomed` must not call the store. An
  // entry that another thread inserts meanwhile may or may not be asked about.
  std::size_t erase_if(const std::function<bool(const Entry&)>& doomed);
  std::size_t clear();
  // Frees expired entries, at most `entries_max` of them; says when to come back (kNever: nothing is due). With 0 it
  // only says.
  Timestamp release_expired(Timestamp now, std::size_t entries_max = 1024);
  MemoryUsage usage() const;
  // Visits live entries slice by slice (a copy of the references; no lock is held during the visit).
  void visit(Timestamp now, const std::function<void(const EntryRef&)>& visitor) const;

  // For tests: the first internal invariant that does not hold. Looks at everything.
  std::optional<const char*> broken_invariant() const;

 private:
  struct Guarded;
  struct Place {
    Guarded& shard;
    std::uint32_t hash;
  };
  Place place(std::string_view key) const;

  std::unique_ptr<Guarded[]> shards_;
  unsigned shard_count_, shard_shift_;
  std::size_t bytes_max_;
  std::uint64_t seed_;
};

}  // namespace tiercel
