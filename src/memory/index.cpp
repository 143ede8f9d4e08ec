#include "memory/index.hpp"

namespace tiercel {

void Index::insert(NodeId id) {
  ++entries_;
  if (entries_ * 4 > buckets_count_ * 3) add_bucket();  // three entries to four buckets: 1.4 nodes looked at per hit
  Node& node = nodes_[id];
  NodeId& first = heads_[bucket_of(node.hash)];
  node.chain = first;
  first = id;
}

void Index::erase(NodeId id) {
  const Node& node = nodes_[id];
  NodeId* link = &heads_[bucket_of(node.hash)];
  while (*link != id) link = &nodes_[*link].chain;
  *link = node.chain;
  --entries_;
}

void Index::clear() {
  heads_.clear();
  buckets_count_ = mask_ = entries_ = 0;
}

// Splits the bucket whose turn it is: of its entries, those whose next hash bit is set move to the new one.
void Index::add_bucket() {
  const std::size_t added = buckets_count_;
  if (added == heads_.size()) heads_.grow();
  ++buckets_count_;
  if (added > mask_) mask_ = mask_ * 2 + 1;
  heads_[added] = kNoNode;
  if (added == 0) return;
  NodeId* link = &heads_[added & (mask_ >> 1)];
  while (*link != kNoNode) {
    const NodeId id = *link;
    Node& node = nodes_[id];
    if ((node.hash & mask_) != added) {
      link = &node.chain;
      continue;
    }
    *link = node.chain;
    node.chain = heads_[added];
    heads_[added] = id;
  }
}

bool Index::valid() const {
  std::size_t seen = 0;
  for (std::size_t bucket = 0; bucket < buckets_count_; ++bucket) {
    for (NodeId id = heads_[bucket]; id != kNoNode; id = nodes_[id].chain) {
      const Node& node = nodes_[id];
      if (node.entry == nullptr || bucket_of(node.hash) != bucket || find(node.hash, node.entry->key()) != id)
        return false;
      if (++seen > entries_) return false;
    }
  }
  return seen == entries_;
}

}  // namespace tiercel
