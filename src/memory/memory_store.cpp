#include "memory/memory_store.hpp"

#include <algorithm>
#include <bit>
#include <mutex>

#include "base/hash.hpp"
#include "base/require.hpp"
#include "memory/shard.hpp"

namespace tiercel {
namespace {

constexpr std::size_t kShardBytesMin = 16u << 20, kShardBytesMax = std::size_t{1} << 30;
constexpr unsigned kShardsUsual = 16;  // more only where a shard would be larger than a 30-bit node number can count
constexpr NodeId kSlice = 256;  // nodes looked at under one lock, by what looks at all

unsigned shards_for(std::size_t bytes_max) {
  const std::size_t fitting = std::clamp<std::size_t>(bytes_max / kShardBytesMin, 1, kShardsUsual);
  return static_cast<unsigned>(std::bit_floor(std::max(fitting, bytes_max / kShardBytesMax)));
}

}  // namespace

// On cache lines of its own, so that one shard's lock does not slow another's.
struct alignas(64) MemoryStore::Guarded {
  mutable std::mutex lock;
  std::optional<Shard> shard;  // always there; built in place because it is neither copied nor moved
};

MemoryStore::MemoryStore(const MemoryOptions& options) : bytes_max_(options.bytes_max), seed_(options.seed) {
  shard_count_ = options.shards != 0 ? options.shards : shards_for(options.bytes_max);
  TIERCEL_REQUIRE(std::has_single_bit(shard_count_));
  shard_shift_ = 64 - static_cast<unsigned>(std::countr_zero(shard_count_));
  shards_ = std::make_unique<Guarded[]>(shard_count_);
  for (unsigned i = 0; i < shard_count_; ++i) shards_[i].shard.emplace(options.bytes_max / shard_count_);
}

MemoryStore::~MemoryStore() = default;

// The highest bits choose the shard, the lowest 32 the place in it.
MemoryStore::Place MemoryStore::place(std::string_view key) const {
  const std::uint64_t hash = hash64(key, seed_);
  return {shards_[shard_count_ == 1 ? 0 : hash >> shard_shift_], static_cast<std::uint32_t>(hash)};
}

// `Departed` stands before the lock in every function, so that it is let go of behind it.

EntryRef MemoryStore::find(std::string_view key, Timestamp now) {
  const Place at = place(key);
  Departed departed;
  const std::lock_guard hold(at.shard.lock);
  return at.shard.shard->find(at.hash, key, now, departed);
}

EntryRef MemoryStore::peek(std::string_view key, Timestamp now) const {
  const Place at = place(key);
  const std::lock_guard hold(at.shard.lock);
  return at.shard.shard->peek(at.hash, key, now);
}

bool MemoryStore::insert(EntryRef entry, Timestamp now) {
  TIERCEL_REQUIRE(entry);
  const Place at = place(entry->key());
  Departed departed;
  const std::lock_guard hold(at.shard.lock);
  return at.shard.shard->insert(at.hash, std::move(entry), now, departed);
}

bool MemoryStore::erase(std::string_view key) {
  const Place at = place(key);
  Departed departed;
  const std::lock_guard hold(at.shard.lock);
  return at.shard.shard->erase(at.hash, key, departed);
}

std::size_t MemoryStore::erase_if(const std::function<bool(const Entry&)>& doomed) {
  std::size_t erased = 0;
  for (unsigned i = 0; i < shard_count_; ++i) {
    Guarded& guarded = shards_[i];
    for (NodeId begin = 0, end = 1; begin < end; begin += kSlice) {
      Departed departed;
      const std::lock_guard hold(guarded.lock);
      erased += guarded.shard->erase_if(begin, kSlice, doomed, departed);
      end = guarded.shard->end();
    }
  }
  return erased;
}

std::size_t MemoryStore::clear() {
  std::size_t cleared = 0;
  for (unsigned i = 0; i < shard_count_; ++i) {
    Departed departed;
    const std::lock_guard hold(shards_[i].lock);
    cleared += shards_[i].shard->clear(departed);
  }
  return cleared;
}

Timestamp MemoryStore::release_expired(Timestamp now, std::size_t entries_max) {
  Timestamp next = kNever;
  for (unsigned i = 0; i < shard_count_; ++i) {
    Departed departed;
    const std::lock_guard hold(shards_[i].lock);
    shards_[i].shard->release_expired(now, entries_max, departed);
    next = std::min(next, shards_[i].shard->next_deadline());
  }
  return next;
}

MemoryUsage MemoryStore::usage() const {
  MemoryUsage usage;
  usage.bytes_max = bytes_max_;
  for (unsigned i = 0; i < shard_count_; ++i) {
    const std::lock_guard hold(shards_[i].lock);
    const Shard& shard = *shards_[i].shard;
    usage.bytes += shard.bytes();
    usage.entries += shard.entries();
    usage.evicted += shard.evicted();
    usage.expired += shard.expired();
    usage.refused += shard.refused();
  }
  return usage;
}

void MemoryStore::visit(Timestamp now, const std::function<void(const EntryRef&)>& visitor) const {
  std::vector<EntryRef> live;
  live.reserve(kSlice);
  for (unsigned i = 0; i < shard_count_; ++i) {
    for (NodeId begin = 0, end = 1; begin < end; begin += kSlice) {
      {
        const std::lock_guard hold(shards_[i].lock);
        shards_[i].shard->collect(begin, kSlice, now, live);
        end = shards_[i].shard->end();
      }
      for (const EntryRef& entry : live) visitor(entry);
      live.clear();
    }
  }
}

std::optional<const char*> MemoryStore::broken_invariant() const {
  for (unsigned i = 0; i < shard_count_; ++i) {
    const std::lock_guard hold(shards_[i].lock);
    if (const auto broken = shards_[i].shard->broken_invariant()) return broken;
  }
  return std::nullopt;
}

}  // namespace tiercel
