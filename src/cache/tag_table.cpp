#include "cache/tag_table.hpp"

namespace tiercel {

std::optional<TagKnown> TagTable::find(std::string_view tag) const {
  const std::lock_guard lock(mutex_);
  const auto at = known_.find(tag);
  if (at == known_.end()) return std::nullopt;
  return at->second;
}

void TagTable::learn(std::string_view tag, const TagKnown& known) {
  const std::lock_guard lock(mutex_);
  const auto at = known_.find(tag);
  if (at != known_.end()) {
    const bool same = at->second.stamp == known.stamp;
    at->second = known;
    if (same) return;
    epoch_.fetch_add(1, std::memory_order_release);
    return;
  }
  make_room();
  known_.emplace(std::string(tag), known);
  order_.emplace_back(tag);
}

void TagTable::drop(std::string_view tag) {
  const std::lock_guard lock(mutex_);
  const auto at = known_.find(tag);
  if (at != known_.end()) known_.erase(at);   // its place in order_ is skipped later
  epoch_.fetch_add(1, std::memory_order_release);
}

void TagTable::drop_all() {
  const std::lock_guard lock(mutex_);
  known_.clear();
  order_.clear();
  epoch_.fetch_add(1, std::memory_order_release);
}

TagTable::Check TagTable::check(const Entry& entry) const {
  if (entry.tags_count() == 0) return Check::current;
  const std::uint64_t seen = epoch();
  if (entry.tags_current_at.load(std::memory_order_relaxed) == seen) return Check::current;
  const std::lock_guard lock(mutex_);
  for (const TagStamp& tag : entry.tags()) {
    const auto at = known_.find(tag.name);
    if (at == known_.end()) return Check::unknown;
    if (at->second.stamp != tag.stamp) return Check::changed;
  }
  entry.tags_current_at.store(seen, std::memory_order_relaxed);
  return Check::current;
}

void TagTable::make_room() {
  // Forgetting a tag is safe: entries checked before keep their mark until the epoch moves, then the tag is asked for again.
  while (order_.size() >= kKnownTagsMax) {
    known_.erase(order_.front());
    order_.pop_front();
  }
}

}  // namespace tiercel
