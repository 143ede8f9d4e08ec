#include "memory/policy.hpp"

#include <algorithm>
#include <cmath>

namespace tiercel {
namespace {

constexpr double kWindowShare = 0.01, kGuardedShare = 0.80;            // at the start; of all, of main
constexpr double kStep = 0.0625, kStepDecay = 0.98, kRestart = 0.05;   // climbing, as in [2] and in Caffeine
constexpr unsigned kTransfersMax = 1000;                               // entries moved by one settle()
constexpr unsigned kWarm = 6;                                          // from this frequency on, chance may admit

std::size_t share(double part, std::size_t whole) {
  return static_cast<std::size_t>(part * static_cast<double>(whole));
}

}  // namespace

Policy::Policy(Nodes& nodes, std::size_t bytes_max)
    : nodes_(nodes),
      bytes_max_(bytes_max),
      window_max_(share(kWindowShare, bytes_max)),
      guarded_max_(share(kGuardedShare, bytes_max - window_max_)),
      step_(kStep * static_cast<double>(bytes_max)) {}

// ---- what happens to entries

void Policy::added(NodeId id) {
  ++entries_;
  ++misses_;
  sketch_.fit(entries_);
  sketch_.count(nodes_[id].hash);
  if (weight(id) > window_max_) link_oldest(id, Segment::window);
  else link_newest(id, Segment::window);
}

void Policy::used(NodeId id) {
  ++hits_;
  sketch_.count(nodes_[id].hash);
  const auto segment = static_cast<Segment>(nodes_[id].segment);
  if (segment == Segment::probation) guard(id);
  else if (list(segment).newest != id) move(id, segment);
}

void Policy::replaced(NodeId id, std::size_t bytes_before) {
  List& home = list(static_cast<Segment>(nodes_[id].segment));
  home.bytes += weight(id);
  home.bytes -= bytes_before;
  used(id);
  demote_unguarded();
}

void Policy::removed(NodeId id) {
  unlink(id);
  --entries_;
}

// Out of probation; who overflows the guarded part returns to it.
void Policy::guard(NodeId id) {
  if (weight(id) > guarded_max_) return move(id, Segment::probation);
  move(id, Segment::guarded);
  demote_unguarded();
}

void Policy::demote_unguarded() {
  while (list(Segment::guarded).bytes > guarded_max_) move(list(Segment::guarded).oldest, Segment::probation);
}

// ---- who leaves

NodeId Policy::victim(std::size_t excess) {
  ++evictions_;
  while (condemned_ == 0 && list(Segment::window).bytes > window_max_) {
    const NodeId candidate = list(Segment::window).oldest;
    move(candidate, Segment::probation);
    if (!admits(candidate, excess)) return candidate;
  }
  condemned_ -= std::min<std::size_t>(condemned_, 1);
  for (const Segment segment : {Segment::probation, Segment::guarded, Segment::window}) {
    if (list(segment).oldest != kNoNode) return list(segment).oldest;
  }
  TIERCEL_REQUIRE(false);   // nobody is in
  return kNoNode;
}

// Whether the candidate, at the new end of probation, is worth more than all whose bytes it takes. If so they are
// condemned, from the old end of probation and then of the guarded part, but only as many as the excess demands: what a
// small newcomer pushes out of the window may be large, and is to be priced by what it keeps from others, not by what
// is missing at the moment.
bool Policy::admits(NodeId candidate, std::size_t excess) {
  const unsigned worth = sketch_.frequency(nodes_[candidate].hash);
  chance_ ^= chance_ << 13, chance_ ^= chance_ >> 17, chance_ ^= chance_ << 5;  // xorshift32 (Marsaglia, 2003)
  const bool lucky = worth >= kWarm && chance_ % 128 == 0;
  std::size_t freed = 0, victims = 0, price = 0;
  for (const Segment segment : {Segment::probation, Segment::guarded}) {
    for (NodeId id = list(segment).oldest; id != kNoNode && id != candidate; id = nodes_[id].newer) {
      price += lucky ? 1 : sketch_.frequency(nodes_[id].hash);
      if (price >= worth) return false;
      if (freed < excess) ++victims;
      freed += weight(id);
      if (freed + weight(id) / 2 >= weight(candidate)) {  // to the nearest victim: 9 % larger is not twice as dear
        condemned_ = victims;
        return true;
      }
    }
  }
  return false;  // all together would not do
}

// ---- upkeep

void Policy::settle() {
  condemned_ = 0;
  demote_overflow();
  if (hits_ + misses_ >= sketch_.sample()) end_sample();
  if (adjustment_ != 0) climb();
}

// With room to spare nobody competes: what falls out of the window is on probation.
void Policy::demote_overflow() {
  while (list(Segment::window).bytes > window_max_) move(list(Segment::window).oldest, Segment::probation);
}

void Policy::end_sample() {
  if (evictions_ > 0) {
    const double hit_ratio = static_cast<double>(hits_) / static_cast<double>(hits_ + misses_);
    const double change = hit_ratio - hit_ratio_before_;
    adjustment_ = change >= 0 ? step_ : -step_;
    const double restart = std::copysign(kStep * static_cast<double>(bytes_max_), adjustment_);
    step_ = std::abs(change) >= kRestart ? restart : kStepDecay * adjustment_;
    hit_ratio_before_ = hit_ratio;
  }
  hits_ = misses_ = evictions_ = 0;
}

void Policy::climb() {
  const auto quota = static_cast<std::size_t>(std::abs(adjustment_));
  if (adjustment_ > 0) widen(std::min(quota, guarded_max_));
  else narrow(std::min(quota, window_max_ - std::min<std::size_t>(window_max_, 1)));
}

// Moves so many bytes of the limit from the guarded part to the window, and the entries to fill it, eldest first. What
// is left of the quota because entries are not divisible is given back; a cut-off transfer goes on at the next
// settle().
void Policy::widen(std::size_t quota) {
  guarded_max_ -= quota;
  window_max_ += quota;
  unsigned moved = 0;
  demote_unguarded();
  for (; moved < kTransfersMax; ++moved) {
    NodeId id = list(Segment::probation).oldest;
    if (id == kNoNode || weight(id) > quota) id = list(Segment::guarded).oldest;
    if (id == kNoNode || weight(id) > quota) break;
    quota -= weight(id);
    move(id, Segment::window);
  }
  guarded_max_ += quota;
  window_max_ -= quota;
  adjustment_ = moved == kTransfersMax ? static_cast<double>(quota) : 0;
}

void Policy::narrow(std::size_t quota) {
  guarded_max_ += quota;
  window_max_ -= quota;
  unsigned moved = 0;
  for (; moved < kTransfersMax; ++moved) {
    const NodeId id = list(Segment::window).oldest;
    if (id == kNoNode || weight(id) > quota) break;
    quota -= weight(id);
    move(id, Segment::probation);
  }
  guarded_max_ -= quota;
  window_max_ += quota;
  adjustment_ = moved == kTransfersMax ? -static_cast<double>(quota) : 0;
}

void Policy::clear() {
  sketch_.clear();
  lists_ = {};
  entries_ = condemned_ = 0;
  hits_ = misses_ = evictions_ = 0;
  adjustment_ = 0;
}

// ---- lists

void Policy::unlink(NodeId id) {
  const Node& node = nodes_[id];
  List& home = list(static_cast<Segment>(node.segment));
  if (node.older == kNoNode) home.oldest = node.newer;
  else nodes_[node.older].newer = node.newer;
  if (node.newer == kNoNode) home.newest = node.older;
  else nodes_[node.newer].older = node.older;
  home.bytes -= weight(id);
}

void Policy::link_newest(NodeId id, Segment segment) {
  List& home = list(segment);
  Node& node = nodes_[id];
  node.segment = static_cast<unsigned>(segment) & 3;
  node.older = home.newest;
  node.newer = kNoNode;
  if (home.newest == kNoNode) home.oldest = id;
  else nodes_[home.newest].newer = id & kNoNode;
  home.newest = id;
  home.bytes += weight(id);
}

void Policy::link_oldest(NodeId id, Segment segment) {
  List& home = list(segment);
  Node& node = nodes_[id];
  node.segment = static_cast<unsigned>(segment) & 3;
  node.older = kNoNode;
  node.newer = home.oldest & kNoNode;
  if (home.oldest == kNoNode) home.newest = id;
  else nodes_[home.oldest].older = id;
  home.oldest = id;
  home.bytes += weight(id);
}

void Policy::move(NodeId id, Segment segment) {
  unlink(id);
  link_newest(id, segment);
}

bool Policy::valid(std::size_t entries, std::size_t entry_bytes) const {
  std::size_t seen = 0, seen_bytes = 0;
  for (unsigned segment = 0; segment < lists_.size(); ++segment) {
    std::size_t bytes = 0;
    NodeId older = kNoNode;
    for (NodeId id = lists_[segment].oldest; id != kNoNode; older = id, id = nodes_[id].newer) {
      if (nodes_[id].segment != segment || nodes_[id].older != older || ++seen > entries) return false;
      bytes += weight(id);
    }
    if (lists_[segment].newest != older || lists_[segment].bytes != bytes) return false;
    seen_bytes += bytes;
  }
  return seen == entries && seen_bytes == entry_bytes && entries_ == entries &&
         window_max_ + guarded_max_ <= bytes_max_ && list(Segment::guarded).bytes <= guarded_max_;
}

}  // namespace tiercel
