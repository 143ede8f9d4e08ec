#include "memory/deadlines.hpp"

#include <algorithm>
#include <bit>

namespace tiercel {
namespace {

constexpr unsigned kTickBits = 16;
static_assert(Deadlines::kTick.count() == 1 << kTickBits);

std::uint64_t tick_after(Timestamp time) {   // the first tick not before `time`
  const auto micros = std::max<std::int64_t>(time.time_since_epoch().count(), 0);
  return (static_cast<std::uint64_t>(micros) + (1u << kTickBits) - 1) >> kTickBits;
}

std::uint64_t tick_at(Timestamp time) {      // the last tick not behind `time`
  return static_cast<std::uint64_t>(std::max<std::int64_t>(time.time_since_epoch().count(), 0)) >> kTickBits;
}

}  // namespace

Deadlines::Deadlines(Nodes& nodes) : nodes_(nodes) { slots_.fill(kNoNode); }

void Deadlines::add(NodeId id, Timestamp now) {
  Node& node = nodes_[id];
  node.due_before = kNowhere;
  node.due_after = kNoNode;
  if (node.entry->usable_until() == kNever) return;
  if (held_ == 0) at_ = std::max(at_, tick_at(now));   // nobody waits: the wheels may turn without looking
  ++held_;
  link(id, tick_after(node.entry->usable_until()));
}

// The wheel is that of the highest bits in which the deadline differs from now; what lies beyond the last wheel waits
// in its farthest slot and is looked at again from there.
void Deadlines::link(NodeId id, Tick due) {
  constexpr Tick kReach = Tick{1} << (kBits * kWheels);
  due = std::clamp(due, at_, (at_ & ~(kReach - 1)) + kReach - 1);
  const Tick differs = (due ^ at_) | (kSlots - 1);
  const unsigned wheel = (static_cast<unsigned>(std::bit_width(differs)) - 1) / kBits;
  const unsigned slot = static_cast<unsigned>(due >> (wheel * kBits)) % kSlots;
  occupied_[wheel] |= std::uint64_t{1} << slot;

  Node& node = nodes_[id];
  NodeId& head = first(wheel * kSlots + slot);
  node.due_before = kFirst | (wheel * kSlots + slot);
  node.due_after = head;
  if (head != kNoNode) nodes_[head].due_before = id;
  head = id;
}

void Deadlines::remove(NodeId id) {
  Node& node = nodes_[id];
  if (node.due_before == kNowhere) return;
  if (node.due_after != kNoNode) nodes_[node.due_after].due_before = node.due_before;
  if (node.due_before & kFirst) {
    const unsigned slot = node.due_before & ~kFirst;
    first(slot) = node.due_after;
    if (node.due_after == kNoNode) occupied_[slot / kSlots] &= ~(std::uint64_t{1} << (slot % kSlots));
  } else {
    nodes_[node.due_before].due_after = node.due_after;
  }
  node.due_before = kNowhere;
  --held_;
}

// A coarse slot whose time has come (its own slot of the present) goes first: what it holds may be due before anything
// finer.
std::optional<Deadlines::Turn> Deadlines::next_turn() const {
  for (unsigned wheel = 1; wheel < kWheels; ++wheel) {
    const unsigned present = static_cast<unsigned>(at_ >> (wheel * kBits)) % kSlots;
    if (occupied_[wheel] >> present & 1) return Turn{wheel * kSlots + present, at_};
  }
  for (unsigned wheel = 0; wheel < kWheels; ++wheel) {
    if (occupied_[wheel] == 0) continue;
    const unsigned slot = static_cast<unsigned>(std::countr_zero(occupied_[wheel]));
    const Tick round = at_ >> ((wheel + 1) * kBits) << ((wheel + 1) * kBits);
    return Turn{wheel * kSlots + slot, round + (Tick{slot} << (wheel * kBits))};
  }
  return std::nullopt;
}

std::optional<NodeId> Deadlines::next_due(Timestamp now, std::size_t& work) {
  const Tick now_tick = std::max(tick_at(now), at_);
  while (work > 0) {
    const auto turn = next_turn();
    if (!turn || turn->tick > now_tick) {
      at_ = now_tick;  // no slot begins before it, so every node stays where it would be put again
      return std::nullopt;
    }
    at_ = turn->tick;
    const NodeId id = first(turn->slot);
    --work;
    if (turn->slot < kSlots) return id;
    remove(id);
    ++held_;
    link(id, tick_after(nodes_[id].entry->usable_until()));
  }
  return std::nullopt;
}

Timestamp Deadlines::next() const {
  const auto turn = next_turn();
  if (!turn) return kNever;
  return Timestamp{Duration{static_cast<std::int64_t>(turn->tick << kTickBits)}};
}

void Deadlines::clear() {
  slots_.fill(kNoNode);
  occupied_ = {};
  held_ = 0;
}

bool Deadlines::valid() const {
  std::size_t seen = 0;
  for (unsigned slot = 0; slot < slots_.size(); ++slot) {
    const bool occupied = occupied_[slot / kSlots] >> (slot % kSlots) & 1;
    if (occupied != (slots_[slot] != kNoNode)) return false;
    std::uint32_t before = kFirst | slot;
    for (NodeId id = slots_[slot]; id != kNoNode; before = id, id = nodes_[id].due_after) {
      if (nodes_[id].due_before != before || nodes_[id].entry->usable_until() == kNever || ++seen > held_) return false;
    }
  }
  return seen == held_;
}

}  // namespace tiercel
