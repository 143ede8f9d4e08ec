#include "memory/shard.hpp"

#include <algorithm>

namespace tiercel {

Departed::~Departed() {
  for (std::size_t i = 0; i < count_; ++i) release(first_[i]);
}

void Departed::add(const Entry* entry) {
  if (count_ < first_.size()) first_[count_++] = entry;
  else more_.emplace_back(entry);
}

Shard::Shard(std::size_t bytes_max)
    : bytes_max_(bytes_max), index_(nodes_), policy_(nodes_, bytes_max), deadlines_(nodes_) {}

Shard::~Shard() {
  Departed departed;
  clear(departed);
}

EntryRef Shard::find(std::uint32_t hash, std::string_view key, Timestamp now, Departed& departed) {
  const NodeId id = index_.find(hash, key);
  if (id == kNoNode) return {};
  const Entry* const entry = nodes_[id].entry;
  if (now >= entry->usable_until()) {
    ++expired_;
    remove(id, departed);
    return {};
  }
  policy_.used(id);
  retain(entry);
  return EntryRef(entry);
}

EntryRef Shard::peek(std::uint32_t hash, std::string_view key, Timestamp now) const {
  const NodeId id = index_.find(hash, key);
  if (id == kNoNode || now >= nodes_[id].entry->usable_until()) return {};
  retain(nodes_[id].entry);
  return EntryRef(nodes_[id].entry);
}

bool Shard::insert(std::uint32_t hash, EntryRef entry, Timestamp now, Departed& departed) {
  const NodeId held = index_.find(hash, entry->key());
  if (entry->bytes() + (bytes() - entry_bytes_) > bytes_max_) {
    ++refused_;
    if (held != kNoNode) remove(held, departed);
    return false;
  }
  if (held != kNoNode) replace(held, std::move(entry), now, departed);
  else add(hash, std::move(entry), now);
  while (bytes() > bytes_max_ && entries() > 0) {
    ++evicted_;
    remove(policy_.victim(bytes() - bytes_max_), departed);
  }
  policy_.settle();
  return true;
}

void Shard::add(std::uint32_t hash, EntryRef entry, Timestamp now) {
  entry_bytes_ += entry->bytes();
  const NodeId id = nodes_.take();
  nodes_[id].entry = entry.detach();
  nodes_[id].hash = hash;
  index_.insert(id);
  deadlines_.add(id, now);
  policy_.added(id);
}

void Shard::replace(NodeId id, EntryRef entry, Timestamp now, Departed& departed) {
  const Entry* const old = nodes_[id].entry;
  const std::size_t bytes_before = old->bytes();
  entry_bytes_ += entry->bytes();
  entry_bytes_ -= bytes_before;
  deadlines_.remove(id);
  nodes_[id].entry = entry.detach();
  deadlines_.add(id, now);
  policy_.replaced(id, bytes_before);
  departed.add(old);
}

void Shard::remove(NodeId id, Departed& departed) {
  const Entry* const entry = nodes_[id].entry;
  deadlines_.remove(id);
  policy_.removed(id);
  index_.erase(id);
  nodes_.give_back(id);
  entry_bytes_ -= entry->bytes();
  departed.add(entry);
}

bool Shard::erase(std::uint32_t hash, std::string_view key, Departed& departed) {
  const NodeId id = index_.find(hash, key);
  if (id == kNoNode) return false;
  remove(id, departed);
  return true;
}

std::size_t Shard::erase_if(NodeId begin, NodeId count, const std::function<bool(const Entry&)>& doomed,
                            Departed& departed) {
  std::size_t erased = 0;
  for (NodeId id = begin; id < std::min(begin + count, nodes_.end()); ++id) {
    if (nodes_[id].entry == nullptr || !doomed(*nodes_[id].entry)) continue;
    remove(id, departed);
    ++erased;
  }
  return erased;
}

void Shard::collect(NodeId begin, NodeId count, Timestamp now, std::vector<EntryRef>& live) const {
  for (NodeId id = begin; id < std::min(begin + count, nodes_.end()); ++id) {
    const Entry* const entry = nodes_[id].entry;
    if (entry == nullptr || now >= entry->usable_until()) continue;
    retain(entry);
    live.emplace_back(entry);
  }
}

std::size_t Shard::clear(Departed& departed) {
  const std::size_t count = entries();
  for (NodeId id = 0; id < nodes_.end(); ++id) {
    if (nodes_[id].entry != nullptr) departed.add(nodes_[id].entry);
  }
  index_.clear();
  policy_.clear();
  deadlines_.clear();
  nodes_.clear();
  entry_bytes_ = 0;
  return count;
}

void Shard::release_expired(Timestamp now, std::size_t& work, Departed& departed) {
  while (const auto id = deadlines_.next_due(now, work)) {
    ++expired_;
    remove(*id, departed);
  }
}

std::optional<const char*> Shard::broken_invariant() const {
  std::size_t entries = 0, entry_bytes = 0;
  for (NodeId id = 0; id < nodes_.end(); ++id) {
    if (nodes_[id].entry == nullptr) continue;
    ++entries;
    entry_bytes += nodes_[id].entry->bytes();
  }
  if (entries != index_.size()) return "nodes in use are not the entries counted";
  if (entry_bytes != entry_bytes_) return "the entries' bytes are not the bytes counted";
  if (bytes() > bytes_max_ && entries > 0) return "over budget";
  if (!index_.valid()) return "the index does not find what is held";
  if (!policy_.valid(entries, entry_bytes)) return "the policy's lists are not the entries held";
  if (!deadlines_.valid()) return "the wheel's slots are inconsistent";
  return std::nullopt;
}

}  // namespace tiercel
