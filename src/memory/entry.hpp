// Owns: one value in memory: immutable, reference-counted, one allocation for its facts, key, tags and payload.
// A reader that holds an EntryRef may use it after it was evicted or invalidated; nothing it points to changes.
//
// Layout: 64 bytes of fixed facts, then key, [version], [soft deadline], [load cost], [tags], payload, each optional part
// only where it is used. The key follows the facts at once, so that a look-up reads one or two neighbouring cache lines. Nothing
// of the index, the policy or the wheel lives here: an entry may outlive its store, and be in two of them.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.hpp"
#include "entry/record.hpp"
#include "memory/allocation.hpp"

namespace tiercel {

// What a reader must know besides the bytes. Times are of this process' clock.
struct EntryFacts {
  Stamp stamp;
  std::uint64_t version = 0;
  Timestamp fresh_until = kNever;
  Timestamp usable_until = kNever;
  Timestamp as_of{};  // from here on the entry could have missed a change
  std::uint32_t generation = 0;  // of the session that tracks it; 0: tracked by nobody
  Duration load_cost{0};  // kept saturated at 2^32 - 1 us, as at rest
  Duration head_start{
      0};  // so long before the soft deadline it is refreshed early, at beta 1; kept saturated at 35 min
  bool early_claimed = false;  // that was decided
  CodecId codec = CodecId::raw;
  bool has_version = false;
};

class Entry;
inline void release(const Entry* entry) noexcept;
inline void retain(const Entry* entry) noexcept;

// A counted reference. Copying is thread-safe; one EntryRef object is not to be shared between threads.
class EntryRef {
 public:
  EntryRef() = default;
  explicit EntryRef(const Entry* adopted) : entry_(adopted) {}  // takes over one reference
  EntryRef(const EntryRef& other) : entry_(other.entry_) {
    if (entry_) retain(entry_);
  }
  EntryRef(EntryRef&& other) noexcept : entry_(std::exchange(other.entry_, nullptr)) {}
  EntryRef& operator=(EntryRef other) noexcept {
    std::swap(entry_, other.entry_);
    return *this;
  }
  ~EntryRef() {
    if (entry_) release(entry_);
  }

  explicit operator bool() const { return entry_ != nullptr; }
  const Entry* operator->() const { return entry_; }
  const Entry& operator*() const { return *entry_; }
  const Entry* get() const { return entry_; }
  const Entry* detach() noexcept { return std::exchange(entry_, nullptr); }  // hands its one reference to the caller

 private:
  const Entry* entry_ = nullptr;
};

class Entry {
 public:
  // Requires a key of at most 65,535 bytes, tags within the limits of records, and less than 4 GiB in all.
  static EntryRef make(std::string_view key, const EntryFacts& facts, std::span<const TagStamp> tags,
                       std::string_view payload);

  Entry(const Entry&) = delete;
  Entry& operator=(const Entry&) = delete;

  EntryFacts facts() const;  // put together on the way; single facts below are cheaper
  const Stamp& stamp() const { return stamp_; }
  Timestamp usable_until() const { return usable_until_; }
  Timestamp fresh_until() const;
  // When a refresh of it is due, on the way of early refresh weighted by `beta` (0: none): its soft deadline, or sooner while nobody has claimed
  // the early refresh.
  Timestamp due(double beta) const;
  bool is_early(Timestamp now,
                double beta) const;  // whether due by its head start, claimed or not, or past its soft deadline
  bool claim_early() const;  // true for one caller: the refresh is his
  Timestamp as_of() const { return as_of_; }
  std::uint32_t generation() const { return generation_; }
  CodecId codec() const { return codec_; }

  std::string_view key() const { return {tail(), key_bytes_}; }
  std::string_view payload() const { return {tail() + payload_at_, payload_bytes_}; }
  std::size_t tags_count() const;
  std::vector<TagStamp> tags() const;  // decoded; only looked at when a tag has changed
  std::size_t bytes() const { return allocated_bytes(requested_bytes()); }  // of the whole allocation, as accounted

  // The tag epoch in which this entry's tags were last found current. This, and who has claimed its refresh, are all that changes of an entry.
  mutable std::atomic<std::uint64_t> tags_current_at{0};

 private:
  friend void release(const Entry* entry) noexcept;
  friend void retain(const Entry* entry) noexcept;
  enum Part : std::uint8_t { kVersion = 1, kFreshUntil = 2, kLoadCost = 4, kTags = 8 };
  static constexpr std::uint32_t kClaimed = 1u << 31;
  Duration head_start(std::uint32_t early) const { return Duration{early & ~kClaimed}; }

  Entry(const EntryFacts& facts, std::size_t key_bytes, std::size_t payload_at, std::size_t payload_bytes,
        std::uint8_t parts);
  const char* tail() const { return reinterpret_cast<const char*>(this + 1); }
  const char* part(Part wanted) const;  // where an optional part begins
  std::size_t requested_bytes() const { return sizeof(Entry) + payload_at_ + payload_bytes_; }
  void destroy() const noexcept;

  mutable std::atomic<std::uint32_t> references_{1};
  std::uint32_t generation_;
  Timestamp as_of_, usable_until_;
  Stamp stamp_;
  mutable std::atomic<std::uint32_t> early_;  // the head start in microseconds, and kClaimed
  std::uint32_t payload_bytes_;
  std::uint32_t payload_at_;  // in the tail
  std::uint16_t key_bytes_;
  std::uint8_t parts_;
  CodecId codec_;
};
static_assert(sizeof(Entry) == 64, "the facts of an entry are one cache line long");

inline void retain(const Entry* entry) noexcept { entry->references_.fetch_add(1, std::memory_order_relaxed); }
inline void release(const Entry* entry) noexcept {
  if (entry->references_.fetch_sub(1, std::memory_order_acq_rel) == 1) entry->destroy();
}

}  // namespace tiercel
