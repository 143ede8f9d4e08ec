// How a run begins and how it ends: everything is carried until nothing moves.
#include <algorithm>

#include "exploration/world.hpp"

namespace tiercel::explore {

namespace {
constexpr int kStepsMax = 2'000;
constexpr int kWaitsMax = 200;  // for time, one deadline after the other
}  // namespace

void World::prepare() {
  for (const auto& party : parties_) party->connect();
  settle();
  for (const auto& party : parties_) {
    if (play_.warm) probe(*party);
  }
  story_.clear();
}

// False: nothing moves.
bool World::settle_step() {
  for (const auto& wire : wires_) {
    if (wire->may_serve()) return serve(*wire), true;
  }
  for (const auto& party : parties_) {
    if (party->wire != nullptr && party->wire->may_deliver()) return party->deliver(), true;
  }
  for (const auto& party : parties_) {
    if (party->wire != nullptr && party->wire->client->closed) return party->lose_connection(), true;
  }
  for (const auto& party : parties_) {
    if (party->loading() > 0) return party->finish_load(0, LoadResult::Kind::value), true;
  }
  return false;
}

void World::settle() {
  for (int steps = 0; settle_step(); ++steps) {
    examine();
    if (steps > kStepsMax) return judge_.fail("the processes and Redis talk without end");
  }
}

bool World::all_ended() const {
  return std::all_of(parties_.begin(), parties_.end(), [](const auto& party) { return party->idle(); });
}

void World::pass_time() {
  const Timestamp next = std::min(parties_[0]->next_deadline(), parties_[1]->next_deadline());
  if (next != kNever && next > server_now()) elapsed_ = next - Timestamp{std::chrono::seconds{1000}};
  redis_.set_time(server_now());
  redis_.expire_due();
  collect();
  for (const auto& party : parties_) {
    if (party->timers_due()) party->run_timers();
  }
  settle();
}

void World::probe(Party& party) {
  probed_.reset();
  probing_ = party.number;
  party.operate(Act::load_now, 0, 0);
  settle();
  for (int waits = 0; play_.waits_for_time() && !probed_ && waits < kWaitsMax; ++waits) pass_time();
  probing_.reset();
  if (!probed_ || !probed_->entry) return judge_.fail("asked when all was well, " + party.letter() + " gave nothing");
  const auto load = judge_.loads().find(std::string(probed_->entry->payload()));
  if (load != judge_.loads().end() && load->second.version != judge_.version())
    judge_.fail("asked when all was well, " + party.letter() + " gave version " + std::to_string(load->second.version) +
                " of " + std::to_string(judge_.version()));
}

void World::conclude() {
  if (!all_ended() && !play_.waits_for_time()) return judge_.fail("an operation waits, and nothing is under way");
  const auto well = [this] {
    return all_ended() &&
           std::all_of(parties_.begin(), parties_.end(), [](const auto& party) { return party->well(); });
  };
  if (play_.waits_for_time()) settle();
  for (int waits = 0; play_.waits_for_time() && !well(); ++waits) {
    if (waits > kWaitsMax) return judge_.fail("an operation does not end, or a process does not come back");
    pass_time();
  }
  for (const auto& party : parties_) probe(*party);
}

}  // namespace tiercel::explore
