#include "exploration/world.hpp"

#include <algorithm>

#include "entry/key.hpp"
#include "entry/record.hpp"

namespace tiercel::explore {

namespace {

using Kind = Choice::Kind;
const KeySpace kNames("tiercel");

std::uint8_t number(std::size_t value) { return static_cast<std::uint8_t>(value); }

}  // namespace

World::World(const Play& play, bool traced)
    : play_(play),
      traced_(traced),
      judge_(play),
      cuts_left_(play.cuts),
      failing_left_(play.failing_loads),
      leaving_left_(play.leaving),
      evictions_left_(play.evictions),
      forgettings_left_(play.forgettings) {
  redis_.keep_log = false;
  Party::Host& host = *this;
  for (unsigned process = 0; process < parties_.size(); ++process)
    parties_[process] = std::make_unique<Party>(process, play_, judge_, host);
  unsigned invalidations = 0;
  for (const Actor& actor : play_.actors) {
    acting_.push_back({.invalidations_before = invalidations});
    invalidations += static_cast<unsigned>(std::count_if(actor.acts.begin(), actor.acts.end(), invalidates));
  }
  prepare();
}

// ---- what may happen next

bool World::ready_to_act(std::size_t actor) const {
  return acting_[actor].waits == 0 && acting_[actor].next < play_.actors[actor].acts.size();
}

bool World::may_leave(std::size_t actor) const {
  if (leaving_left_ == 0 || acting_[actor].waits == 0) return false;
  const Act act = play_.actors[actor].acts[acting_[actor].next - 1];
  return act == Act::load || act == Act::load_now;
}

bool World::may_cut(const Wire& wire) const {
  return wire.open_here && cuts_left_ > 0 && play_.cut_of.value_or(wire.process) == wire.process;
}

std::vector<Choice> World::choices() const {
  std::vector<Choice> all;
  const auto may = [&all](Kind kind, std::size_t who) { all.push_back({kind, number(who)}); };
  for (std::size_t actor = 0; actor < acting_.size(); ++actor) {
    if (ready_to_act(actor)) may(Kind::act, actor);
    if (may_leave(actor)) may(Kind::leave, actor);
  }
  for (const auto& party : parties_) {
    for (std::size_t load = 0; load < party->loading(); ++load) {
      may(Kind::finish_load, party->number * 8 + load);
      if (failing_left_ > 0) may(Kind::fail_load, party->number * 8 + load);
    }
    if (party->timers_due()) may(Kind::timers, party->number);
  }
  for (std::size_t wire = 0; wire < wires_.size(); ++wire) {
    const Wire& each = *wires_[wire];
    if (each.may_deliver()) may(Kind::deliver, wire);
    if (each.may_serve()) may(Kind::serve, wire);
    if (may_cut(each)) may(Kind::cut, wire);
    if (!each.open_here && each.may_serve()) may(Kind::vanish, wire);
  }
  if (pauses_done_ < play_.pauses.size() && cuts_left_ == 0) may(Kind::time, 0);
  if (pauses_done_ > 0 && redis_.has_expired()) may(Kind::expire, 0);
  if (evictions_left_ > 0 && redis_.peek(kNames.tag(kTag)) != nullptr) may(Kind::evict, 0);
  if (forgettings_left_ > 0) may(Kind::forget, 0);
  return all;
}

// Nothing happens in this process before a message reaches it.
bool World::dormant(unsigned process) const {
  const Party& party = *parties_[process];
  if (party.loading() > 0 || party.timers_due()) return false;
  for (std::size_t actor = 0; actor < acting_.size(); ++actor) {
    if (play_.actors[actor].process != process) continue;
    if (ready_to_act(actor) || may_leave(actor)) return false;
  }
  return true;
}

// A message is taken by a process that can do nothing else: what others do before or after is the same to it, and to them. And a command is run by
// Redis while nobody else can send one.
std::optional<Choice> World::sufficient() const {
  if (cuts_left_ > 0 || evictions_left_ > 0 || forgettings_left_ > 0 || pauses_done_ < play_.pauses.size() ||
      (pauses_done_ > 0 && redis_.has_expired()))
    return {};
  for (std::size_t wire = 0; wire < wires_.size(); ++wire) {
    if (wires_[wire]->may_deliver() && dormant(wires_[wire]->process)) return Choice{Kind::deliver, number(wire)};
  }
  std::optional<std::size_t> sends;
  for (std::size_t wire = 0; wire < wires_.size(); ++wire) {
    const Wire& each = *wires_[wire];
    if (each.may_serve() && (sends || !each.open_here)) return {};
    if (each.may_serve()) sends = wire;
  }
  if (!sends) return {};
  const Party& other = *parties_[1 - wires_[*sends]->process];
  const bool hears = other.wire != nullptr && other.wire->may_deliver();
  if (hears || !dormant(other.number)) return {};
  return Choice{Kind::serve, number(*sends)};
}

// ---- doing it

void World::apply(Choice choice) {
  repeat(choice);
  examine();
}

void World::repeat(Choice choice) {
  note(traced_ ? in_words(choice) : std::string{});
  for (const auto& party : parties_) party->visible = false;
  switch (choice.kind) {
    case Kind::act:
      act(choice.who);
      break;
    case Kind::leave:
      --leaving_left_;
      parties_[play_.actors[choice.who].process]->leave(std::exchange(acting_[choice.who].waits, 0));
      break;
    case Kind::finish_load:
      parties_[choice.who / 8]->finish_load(choice.who % 8, LoadResult::Kind::value);
      break;
    case Kind::fail_load:
      --failing_left_;
      parties_[choice.who / 8]->finish_load(choice.who % 8, LoadResult::Kind::failed);
      break;
    case Kind::deliver:
      parties_[wires_[choice.who]->process]->deliver();
      break;
    case Kind::serve:
      serve(*wires_[choice.who]);
      break;
    case Kind::cut:
      --cuts_left_;
      parties_[wires_[choice.who]->process]->lose_connection();
      if (wires_[choice.who]->up.empty()) wires_[choice.who]->end_at_redis(redis_);
      break;
    case Kind::vanish:
      wires_[choice.who]->end_at_redis(redis_);
      break;
    case Kind::timers:
      parties_[choice.who]->run_timers();
      break;
    case Kind::time:
      elapsed_ += play_.pauses[pauses_done_++];
      redis_.set_time(server_now());
      break;
    case Kind::expire:
      redis_.expire_due();
      collect();
      break;
    case Kind::evict:
      --evictions_left_;
      redis_.remove(kNames.tag(kTag));
      collect();
      break;
    case Kind::forget:
      --forgettings_left_;
      redis_.forget_scripts();
      break;
  }
}

void World::act(std::size_t index) {
  const Actor& actor = play_.actors[index];
  Acting& acting = acting_[index];
  const std::size_t at = acting.next++;
  const Act act = actor.acts[at];
  const auto begin = actor.acts.begin();
  if (act == Act::commit) return judge_.commit(at > 0 && actor.acts[at - 1] == Act::announce_waiting);
  const unsigned invalidation =
      acting.invalidations_before +
      static_cast<unsigned>(std::count_if(begin, begin + static_cast<std::ptrdiff_t>(at), invalidates));
  acting.waits = parties_[actor.process]->operate(act, invalidation, acting.writing);
}

void World::ended(Party& party, OperationId operation, const Running& running, const Outcome& outcome) {
  if (probing_ && party.number == *probing_) probed_ = outcome;
  for (std::size_t index = 0; index < acting_.size(); ++index) {
    Acting& acting = acting_[index];
    if (play_.actors[index].process != party.number || acting.waits != operation) continue;
    acting.waits = 0;
    const bool begins =
        running.act == Act::announce || running.act == Act::announce_tag || running.act == Act::announce_waiting;
    if (begins) acting.writing = operation;
    if (begins && outcome.kind == Outcome::Kind::error) acting.next = play_.actors[index].acts.size();
  }
}

Wire& World::connected(Party& party) {
  wires_.push_back(std::make_unique<Wire>(party.number, redis_.connect()));
  return *wires_.back();
}

void World::serve(Wire& wire) {
  wire.serve(redis_, server_now());
  collect();
}

void World::collect() {
  for (const auto& wire : wires_) wire->collect();
}

// ---- the state

void World::examine() {
  examine_redis();
  for (const auto& party : parties_) {
    const bool told_all = party->wire != nullptr && party->wire->up.empty() && party->wire->down.empty();
    if (!told_all || party->wire->client->closed) continue;
    const std::string payload = party->stands_in_memory();
    if (!payload.empty()) judge_.stands(payload, party->number == 0 ? "the memory of A" : "the memory of B");
  }
}

// A value whose tags are those of Redis serves whoever comes next.
void World::examine_redis() {
  const std::string* bytes = redis_.peek(kNames.value(kKey));
  if (bytes == nullptr) return;
  const auto record = decode_record(*bytes);
  if (!record || record->header.state != RecordState::value) return;
  for (const TagStamp& tag : record->tags) {
    const std::string* now = redis_.peek(tag.name.empty() ? kNames.root() : kNames.tag(tag.name));
    const auto current = now != nullptr ? decode_tag(*now) : Result<TagRecord>{Error{ErrorCode::damaged, "", ""}};
    if (!current || current->stamp != tag.stamp) return;
  }
  judge_.stands(record->payload, "Redis");
}

Digest World::digest() const {
  std::string words;
  words.reserve(2048);
  words += std::to_string(elapsed_.count());
  words += {static_cast<char>(pauses_done_),  static_cast<char>(cuts_left_),      static_cast<char>(failing_left_),
            static_cast<char>(leaving_left_), static_cast<char>(evictions_left_), static_cast<char>(forgettings_left_)};
  for (const Acting& acting : acting_) {
    words += static_cast<char>(acting.next);
    words += std::to_string(acting.waits) + "," + std::to_string(acting.writing);
  }
  judge_.describe(words);
  for (const auto& party : parties_) party->describe(words);
  for (const auto& wire : wires_) {
    words += {wire->open_here ? 'o' : '-', wire->open_there ? 'o' : '-', static_cast<char>(wire->up.size())};
    for (const std::string& message : wire->down) {
      words += std::to_string(message.size());
      words += message;
    }
  }
  redis_.describe(words);
  Digest digest;
  digest.add(words);
  return digest;
}

}  // namespace tiercel::explore
