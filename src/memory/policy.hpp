// Owns: who leaves when the budget is spent. W-TinyLFU with an adaptive window:
//
//   [1] G. Einziger, R. Friedman, B. Manes: TinyLFU, a highly efficient cache admission policy. ACM Transactions on
//       Storage, 2017.
//   [2] G. Einziger, O. Eytan, R. Friedman, B. Manes: Adaptive software cache management. Middleware 2018.
//   [3] G. Einziger, O. Eytan, R. Friedman, B. Manes: Lightweight robust size aware cache management. ACM TOS, 2022.
//
// New entries live in a small *window*, an LRU list, where bursts are served. What falls out of it becomes a candidate
// for the *main* part, and enters only if it was asked for more often than those who would have to leave for it; how
// often anybody was asked for is estimated by a small aging sketch, which also remembers what is not held. So a scan
// passes through the window and leaves the main part alone, and a key once popular loses its place when the counters
// are halved. Main is itself in two: who came in is on *probation*, who is used there again becomes *guarded*, up to
// four fifths of main; victims come from the old end of probation.
//
// How large the window should be depends on the traffic: frequency wants 1 %, recency up to 80 %. It is found by
// climbing [2]: every ten accesses per entry the hit ratio is compared with that of the period before; the window goes
// on growing or shrinking while it pays, else it turns round; steps decay until the traffic changes.
//
// Sizes: everything is measured in bytes. A candidate must beat the sum of the frequencies of all victims whose bytes
// it needs ([3], "aggregated victims", with early pruning): a large value displaces a hundred small ones only if it is
// asked for more than they together. A value larger than the window goes to its old end, so that it does not sweep the
// window out on its way.
//
// Someone who knows the hash could keep a key out by making its rivals popular; a candidate that was itself asked for
// often is admitted by chance, 1 in 128, against that.
//
// Not thread-safe: the shard's lock is held by the caller. Chance is a fixed sequence: the same calls give the same
// victims.
#pragma once

#include <array>
#include <cstdint>

#include "memory/nodes.hpp"
#include "memory/sketch.hpp"

namespace tiercel {

class Policy {
 public:
  Policy(Nodes& nodes, std::size_t bytes_max);

  void added(NodeId id);  // a new entry
  void used(NodeId id);  // a hit
  void replaced(NodeId id, std::size_t bytes_before);  // another entry under the same key; counts as a use
  void removed(NodeId id);
  // Who is to go, when `excess` bytes are to be freed; the caller removes it, then asks again while there is excess.
  // Requires that somebody is in.
  NodeId victim(std::size_t excess);
  // After an insertion and its evictions: bounded upkeep.
  void settle();
  void clear();

  std::size_t bytes() const { return sketch_.bytes(); }  // what the policy itself costs, beyond the nodes
  std::size_t window_bytes_max() const { return window_max_; }
  // For the validator: the three lists hold what the counts say, linked both ways.
  bool valid(std::size_t entries, std::size_t entry_bytes) const;

 private:
  struct List {
    NodeId oldest = kNoNode, newest = kNoNode;
    std::size_t bytes = 0;
  };

  List& list(Segment segment) { return lists_[static_cast<unsigned>(segment)]; }
  const List& list(Segment segment) const { return lists_[static_cast<unsigned>(segment)]; }
  std::size_t weight(NodeId id) const { return nodes_[id].entry->bytes(); }
  void unlink(NodeId id);
  void link_newest(NodeId id, Segment segment);
  void link_oldest(NodeId id, Segment segment);
  void move(NodeId id, Segment segment);
  void guard(NodeId id);
  bool admits(NodeId candidate, std::size_t excess);
  void demote_unguarded();
  void demote_overflow();
  void end_sample();
  void climb();
  void widen(std::size_t quota);
  void narrow(std::size_t quota);

  Nodes& nodes_;
  Sketch sketch_;
  std::array<List, 3> lists_;
  const std::size_t bytes_max_;
  std::size_t entries_ = 0, condemned_ = 0;  // condemned: victims of an admitted candidate still to go
  std::size_t window_max_, guarded_max_;
  std::size_t hits_ = 0, misses_ = 0, evictions_ = 0;  // of the present sample
  double hit_ratio_before_ = 0, step_, adjustment_ = 0;
  std::uint32_t chance_ = 0x9e3779b9;
};

}  // namespace tiercel
