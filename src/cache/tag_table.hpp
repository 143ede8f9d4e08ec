// Owns: what this process knows of tags: their current stamps, and the epoch that moves whenever any tag may have changed.
// A hit compares one number, the epoch; only when it moved since the entry was last checked are stamps looked at.
//
// Thread-safe. Writers change the table first and move the epoch after it; readers take the epoch first and look after it: so an
// entry marked current at an epoch was compared with a table no older than that epoch.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "entry/record.hpp"
#include "memory/entry.hpp"

namespace tiercel {

inline constexpr std::size_t kKnownTagsMax = 200'000;

struct TagKnown {
  Stamp stamp;
  ServerTime deadline =
      kServerNever;  // when Redis will forget the tag; kServerNever: it will not, or there is no Redis
  bool local = false;  // not of Redis: made here for what is loaded while Redis is away
};

class TagTable {
 public:
  enum class Check : std::uint8_t { current, changed, unknown };

  std::optional<TagKnown> find(std::string_view tag) const;
  void learn(std::string_view tag, const TagKnown& known);
  // The tag changed or may have: what was known of it is gone. Entries with this tag are looked at again.
  void drop(std::string_view tag);
  void drop_all();

  // Compares the entry's stamps with the table, marking it current if they agree. Cheap if the epoch has not moved since.
  Check check(const Entry& entry) const;
  std::uint64_t epoch() const { return epoch_.load(std::memory_order_acquire); }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  void make_room();

  mutable std::mutex mutex_;
  std::unordered_map<std::string, TagKnown, Hash, std::equal_to<>> known_;
  std::deque<std::string> order_;  // oldest first; forgets when there are too many
  std::atomic<std::uint64_t> epoch_{1};  // entries start at 0: never checked
};

}  // namespace tiercel
