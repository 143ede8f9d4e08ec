// Owns: L1. A sharded store of entries under a byte budget, thread-safe; no call takes a lock beyond one shard's, none calls out.
// Which entry leaves is the eviction policy's business (memory/policy.hpp); when one has expired is decided by `now`, which the caller brings.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "base/time.hpp"
#include "memory/entry.hpp"

namespace tiercel {

struct MemoryOptions {
  std::size_t bytes_max = 64u << 20;   // keys, values and overhead, exactly accounted; never exceeded by more than 1 %
  unsigned shards = 0;                 // 0: chosen
};

struct MemoryUsage {
  std::size_t bytes = 0, bytes_max = 0, entries = 0;
  std::uint64_t evicted = 0, expired = 0, refused = 0;   // refused: larger than a shard's budget
};

class MemoryStore {
 public:
  explicit MemoryStore(const MemoryOptions& options);
  ~MemoryStore();

  // The entry unless absent or past `usable_until`. Counts as a use.
  EntryRef find(std::string_view key, Timestamp now);
  // The same without counting as a use.
  EntryRef peek(std::string_view key, Timestamp now) const;
  // Puts the entry in place of any of its key. False if it is too large; the old one is gone all the same.
  bool insert(EntryRef entry, Timestamp now);
  bool erase(std::string_view key);
  // Erases those for which `doomed` says so, shard by shard; returns their number. `doomed` must not call the store.
  std::size_t erase_if(const std::function<bool(const Entry&)>& doomed);
  std::size_t clear();
  // Frees expired entries, at most `entries_max` of them; says when to come back (kNever: nothing is due).
  Timestamp release_expired(Timestamp now, std::size_t entries_max = 1024);
  MemoryUsage usage() const;
  // Visits live entries shard by shard (a copy of the references; no lock is held during the visit).
  void visit(Timestamp now, const std::function<void(const EntryRef&)>& visitor) const;

 private:
  struct Shard;
  std::unique_ptr<Shard[]> shards_;
  unsigned shard_count_;
};

}  // namespace tiercel
