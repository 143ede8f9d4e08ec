// Owns: a part of L1 under its own budget: the nodes, and the three that look after them: the index (where is it), the
// policy (who leaves) and the wheel (who expires). Accounts every byte allocated for them. Not thread-safe: MemoryStore
// puts a lock before it.
//
// Who leaves is not freed here: its reference goes into `Departed`, which the caller lets go of behind the lock,
// because giving back 8 MiB, or 10,000 small entries, is no work to keep a lock for.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "memory/deadlines.hpp"
#include "memory/index.hpp"
#include "memory/policy.hpp"

namespace tiercel {

class Departed {
 public:
  Departed() = default;
  Departed(const Departed&) = delete;
  Departed& operator=(const Departed&) = delete;
  ~Departed();
  void add(const Entry* entry);  // takes over the reference

 private:
  std::array<const Entry*, 16> first_;
  std::size_t count_ = 0;
  std::vector<EntryRef> more_;
};

class Shard {
 public:
  explicit Shard(std::size_t bytes_max);
  ~Shard();
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  EntryRef find(std::uint32_t hash, std::string_view key, Timestamp now, Departed& departed);
  EntryRef peek(std::uint32_t hash, std::string_view key, Timestamp now) const;
  bool insert(std::uint32_t hash, EntryRef entry, Timestamp now, Departed& departed);
  bool erase(std::uint32_t hash, std::string_view key, Departed& departed);
  // Those doomed among `count` nodes from `begin` on.
  std::size_t erase_if(NodeId begin, NodeId count, const std::function<bool(const Entry&)>& doomed, Departed& departed);
  // Appends the live ones among `count` nodes from `begin` on.
  void collect(NodeId begin, NodeId count, Timestamp now, std::vector<EntryRef>& live) const;
  NodeId end() const { return nodes_.end(); }
  std::size_t clear(Departed& departed);
  void release_expired(Timestamp now, std::size_t& work, Departed& departed);
  Timestamp next_deadline() const { return deadlines_.next(); }

  std::size_t bytes() const { return entry_bytes_ + nodes_.bytes() + index_.bytes() + policy_.bytes(); }
  std::size_t entries() const { return index_.size(); }
  std::uint64_t evicted() const { return evicted_; }
  std::uint64_t expired() const { return expired_; }
  std::uint64_t refused() const { return refused_; }
  // The first invariant that does not hold, for tests.
  std::optional<const char*> broken_invariant() const;

 private:
  void remove(NodeId id, Departed& departed);
  void replace(NodeId id, EntryRef entry, Timestamp now, Departed& departed);
  void add(std::uint32_t hash, EntryRef entry, Timestamp now);

  const std::size_t bytes_max_;
  Nodes nodes_;
  Index index_;
  Policy policy_;
  Deadlines deadlines_;
  std::size_t entry_bytes_ = 0;
  std::uint64_t evicted_ = 0, expired_ = 0, refused_ = 0;
};

}  // namespace tiercel
