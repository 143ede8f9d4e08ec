// Owns: one value in memory: immutable, reference-counted, one allocation for its facts, key, tags and payload.
// A reader that holds an EntryRef may use it after it was evicted or invalidated; nothing it points to changes.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.hpp"
#include "entry/record.hpp"

namespace tiercel {

// What a reader must know besides the bytes. Times are of this process' clock.
struct EntryFacts {
  Stamp stamp;
  std::uint64_t version = 0;
  Timestamp fresh_until = kNever;
  Timestamp usable_until = kNever;
  Timestamp as_of{};              // from here on the entry could have missed a change
  std::uint32_t generation = 0;   // of the session that tracks it; 0: tracked by nobody
  Duration load_cost{0};
  CodecId codec = CodecId::raw;
  bool has_version = false;
};

class Entry;
void release(const Entry* entry) noexcept;
void retain(const Entry* entry) noexcept;

// A counted reference. Copying is thread-safe; one EntryRef object is not to be shared between threads.
class EntryRef {
 public:
  EntryRef() = default;
  explicit EntryRef(const Entry* adopted) : entry_(adopted) {}   // takes over one reference
  EntryRef(const EntryRef& other) : entry_(other.entry_) { if (entry_) retain(entry_); }
  EntryRef(EntryRef&& other) noexcept : entry_(std::exchange(other.entry_, nullptr)) {}
  EntryRef& operator=(EntryRef other) noexcept { std::swap(entry_, other.entry_); return *this; }
  ~EntryRef() { if (entry_) release(entry_); }

  explicit operator bool() const { return entry_ != nullptr; }
  const Entry* operator->() const { return entry_; }
  const Entry& operator*() const { return *entry_; }
  const Entry* get() const { return entry_; }

 private:
  const Entry* entry_ = nullptr;
};

class Entry {
 public:
  static EntryRef make(std::string_view key, const EntryFacts& facts, std::span<const TagStamp> tags, std::string_view payload);

  const EntryFacts& facts() const { return facts_; }
  std::string_view key() const;
  std::string_view payload() const;
  std::size_t tags_count() const;
  std::vector<TagStamp> tags() const;      // decoded; only looked at when a tag has changed
  std::size_t bytes() const;               // of the whole allocation, as accounted

  // The tag epoch in which this entry's tags were last found current. The only thing of an entry that changes.
  mutable std::atomic<std::uint64_t> tags_current_at{0};
  // ... private members are the implementer's (memory/entry.cpp); a flexible tail holds key, tags and payload
 private:
  EntryFacts facts_;
};

}  // namespace tiercel
