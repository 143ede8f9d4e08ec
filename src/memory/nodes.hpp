// Owns: the nodes of one shard: for each entry held, 32 bytes that the index, the policy and the wheel share, so that
// one entry costs one cache line of bookkeeping. Nodes have numbers instead of addresses (half the size). Not
// thread-safe: the shard's lock is held by the caller.
#pragma once

#include <cstdint>

#include "base/require.hpp"
#include "memory/chunked.hpp"
#include "memory/entry.hpp"

namespace tiercel {

using NodeId = std::uint32_t;
inline constexpr NodeId kNoNode = (1u << 30) - 1;  // numbers have 30 bits

enum class Segment : std::uint32_t { window, probation, guarded };

struct Node {
  const Entry* entry;  // owns one reference; nullptr: the node is free
  std::uint32_t hash;
  NodeId chain;  // next in the index' bucket, or in the free list
  NodeId older;  // policy: towards the victim
  std::uint32_t newer : 30;  // policy: away from it
  std::uint32_t segment : 2;
  std::uint32_t due_before, due_after;  // wheel: neighbours in a slot (deadlines.hpp)
};
static_assert(sizeof(Node) == 32);

class Nodes {
 public:
  Node& operator[](NodeId id) { return nodes_[id]; }
  const Node& operator[](NodeId id) const { return nodes_[id]; }

  NodeId take() {
    if (free_ == kNoNode) grow();
    const NodeId id = free_;
    free_ = nodes_[id].chain;
    return id;
  }
  void give_back(NodeId id) {
    nodes_[id].entry = nullptr;
    nodes_[id].chain = free_;
    free_ = id;
  }
  NodeId end() const { return static_cast<NodeId>(nodes_.size()); }  // numbers in use are below this
  std::size_t bytes() const { return nodes_.bytes(); }
  void clear() {
    nodes_.clear();
    free_ = kNoNode;
  }

 private:
  void grow() {
    const NodeId first = end();
    nodes_.grow();
    TIERCEL_REQUIRE(end() < kNoNode);
    for (NodeId id = end(); id-- > first;) give_back(id);  // so that the lowest is taken first
  }

  Chunked<Node, 32> nodes_;
  NodeId free_ = kNoNode;
};

}  // namespace tiercel
