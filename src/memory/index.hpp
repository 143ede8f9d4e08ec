// Owns: who is where: key to node. Linear hashing (Litwin, VLDB 1980): buckets are split one at a time as entries come,
// so the table is never rehashed as a whole. A doubling table stops its shard for milliseconds at a quarter of a
// million entries and holds both copies meanwhile; this one does neither. Chains run through the nodes; full hashes are
// compared before keys.
#pragma once

#include <string_view>

#include "memory/nodes.hpp"

namespace tiercel {

class Index {
 public:
  explicit Index(Nodes& nodes) : nodes_(nodes) {}

  NodeId find(std::uint32_t hash, std::string_view key) const {
    if (buckets_count_ == 0) return kNoNode;
    for (NodeId id = heads_[bucket_of(hash)]; id != kNoNode;) {
      const Node& node = nodes_[id];
      if (node.hash == hash && node.entry->key() == key) return id;
      id = node.chain;
    }
    return kNoNode;
  }
  void insert(NodeId id);  // requires that its key is not in
  void erase(NodeId id);  // requires that it is in
  std::size_t size() const { return entries_; }
  std::size_t buckets_count() const { return buckets_count_; }
  std::size_t bytes() const { return heads_.bytes(); }
  void clear();
  // For the validator: every node reachable from the bucket its hash names, their number as counted.
  bool valid() const;

 private:
  // The lowest bits that name a bucket there is: those of the finished doubling, one more where the split has passed.
  std::size_t bucket_of(std::uint32_t hash) const {
    const std::size_t bucket = hash & mask_;
    return bucket < buckets_count_ ? bucket : bucket & (mask_ >> 1);
  }
  void add_bucket();

  Nodes& nodes_;
  Chunked<NodeId, 128> heads_;
  std::size_t buckets_count_ = 0, mask_ = 0, entries_ = 0;
};

}  // namespace tiercel
