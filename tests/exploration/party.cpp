#include "exploration/party.hpp"

#include <algorithm>
#include <iterator>

namespace tiercel::explore {

namespace {

EngineSettings settings_of(const Play& play) {
  EngineSettings settings;
  settings.memory_bytes_max = 1u << 16;
  settings.redis = RedisTarget{};
  settings.connections_max = 1;
  settings.op_timeout = play.op_timeout;
  settings.staleness = play.staleness;
  settings.lease_for = play.lease_for;
  return settings;
}

const Error kLost{ErrorCode::away, "connection reset by the exploration", ""};

std::string told(const Outcome& outcome, const Judge& judge) {
  if (outcome.entry) {
    const std::string load(outcome.entry->payload());
    const auto at = judge.loads().find(load);
    const std::string version = at == judge.loads().end() ? "?" : std::to_string(at->second.version);
    return "version " + version + " of load " + load + (outcome.from_memory ? ", from memory" : "");
  }
  using enum Outcome::Kind;
  switch (outcome.kind) {
    case miss:
      return "a miss";
    case invalidated:
      return "confirmed";
    case announced:
      return "announced";
    case pending:
      return "pending";
    case load_failed:
      return "the load failed";
    default:
      return "number " + std::to_string(static_cast<int>(outcome.kind));
  }
}

}  // namespace

Party::Party(unsigned which, const Play& play, Judge& judge, Host& host)
    : number(which),
      play_(play),
      judge_(judge),
      host_(host),
      engine_(settings_of(play), Dice::Seed{which + 1, 2, 3, 4}) {}

// Everything that the engine is ever told goes through here.
void Party::input(std::string_view what, const std::function<void()>& call) {
  ticks_ += Duration{1};
  told_.add(what);
  told_.add(std::to_string(now().time_since_epoch().count()));
  call();
  while (auto event = engine_.next_event()) take(*event);
  flush();
}

void Party::connect() {
  input("connect", [this] { engine_.connect(now()); });
}

OperationId Party::operate(Act act, unsigned invalidation, OperationId writing) {
  const Running running = judge_.begin(act, number, invalidation, host_.elapsed());
  OperationId id = 0;
  if (act == Act::find) {
    input(name_of(act), [&] { find(running); });
    return 0;
  }
  input(name_of(act), [&] {
    id = call(act, writing);
    if (id != 0) running_[id] = running;
  });
  return running_.contains(id) ? id : 0;
}

OperationId Party::call(Act act, OperationId writing) {
  const std::vector<std::string> key{std::string(kKey)}, tag{std::string(kTag)}, none;
  switch (act) {
    case Act::load:
    case Act::load_now: {
      LoadOptions options;
      if (play_.tagged) options.tags = tag;
      if (act == Act::load_now) options.fresh = Duration{0};
      return engine_.get_or_load(kKey, options, now());
    }
    case Act::ask: {
      ReadOptions options;
      options.fresh = Duration{0};
      return engine_.read(kKey, options, now());
    }
    case Act::invalidate_key:
      return engine_.invalidate(key, none, now());
    case Act::invalidate_tag:
      return engine_.invalidate(none, tag, now());
    case Act::announce:
      return engine_.begin_writing(key, none, {}, now());
    case Act::announce_tag:
      return engine_.begin_writing(none, tag, {}, now());
    case Act::announce_waiting:
      return engine_.begin_writing(key, none, {.strict = true, .wait = true}, now());
    case Act::conclude:
      return engine_.end_writing(writing, now());
    default:
      return 0;
  }
}

void Party::find(const Running& running) {
  Outcome outcome;
  outcome.entry = engine_.find(kKey, now());
  outcome.from_memory = true;
  if (outcome.entry) outcome.kind = Outcome::Kind::hit;
  host_.note("  " + letter() + "'s find: " + told(outcome, judge_));
  judge_.end(running, outcome, host_.elapsed());
  visible = true;
}

void Party::leave(OperationId operation) {
  running_.erase(operation);
  input("leave", [&] { engine_.cancel(operation, now()); });
}

void Party::finish_load(std::size_t index, LoadResult::Kind kind) {
  const auto at = std::next(loading_.begin(), static_cast<std::ptrdiff_t>(index));
  const auto [flight, name] = *at;
  end_load(flight);
  LoadResult result;
  result.kind = kind;
  result.payload = name;
  input(kind == LoadResult::Kind::value ? "loaded" + name : "failed" + name,
        [&, id = flight] { engine_.finish_load(id, result, now()); });
}

void Party::deliver() {
  const std::string message = wire->take();
  const Wire* reading = wire;
  input(message, [&] {
    std::size_t taken = 0;
    while (taken < message.size() && wire == reading) {
      const std::span<char> buffer = engine_.receive_buffer(Connection::tracked);
      const std::size_t size = std::min(buffer.size(), message.size() - taken);
      std::copy_n(message.begin() + static_cast<std::ptrdiff_t>(taken), size, buffer.begin());
      taken += size;
      engine_.received(Connection::tracked, size, now());
    }
  });
}

void Party::lose_connection() {
  wire->end_at_process();
  wire = nullptr;
  input("lost", [this] { engine_.closed(Connection::tracked, kLost, now()); });
}

void Party::run_timers() {
  input("timers", [this] { engine_.advance(now()); });
}

// ---- what the engine wants

void Party::take(Event& event) {
  switch (event.kind) {
    case Event::Kind::open:
      wire = &host_.connected(*this);
      engine_.opened(Connection::tracked, now());
      break;
    case Event::Kind::close:
      if (wire != nullptr) wire->end_at_process();
      wire = nullptr;
      break;
    case Event::Kind::finished: {
      const auto at = running_.find(event.operation);
      if (at == running_.end()) break;  // connect, or who has left
      const Running running = at->second;
      running_.erase(at);
      visible = true;
      host_.note("  " + letter() + "'s " + name_of(running.act) + " ends: " + told(event.outcome, judge_));
      judge_.end(running, event.outcome, host_.elapsed());
      host_.ended(*this, event.operation, running, event.outcome);
      break;
    }
    case Event::Kind::start_load:
      start_load(event);
      break;
    case Event::Kind::cancel_load:
      end_load(event.flight);
      break;
    case Event::Kind::notice:
      host_.note("  " + letter() + " says: " + event.text);
      break;
  }
}

void Party::start_load(const Event& event) {
  const auto caller = running_.find(event.operation);
  end_load(event.flight);
  const std::string name = judge_.begin_load(number, caller == running_.end() ? nullptr : &caller->second);
  loading_[event.flight] = name;
  visible = true;
  host_.note("  " + letter() + " begins load " + name + " and reads version " +
             std::to_string(judge_.loads().at(name).version));
}

void Party::end_load(FlightId flight) {
  const auto at = loading_.find(flight);
  if (at == loading_.end()) return;
  judge_.end_load(at->second);
  loading_.erase(at);
  visible = true;
}

void Party::flush() {
  const std::string out(engine_.output(Connection::tracked));
  if (out.empty()) return;
  engine_.sent(Connection::tracked, out.size());
  if (wire != nullptr) wire->send(out);
}

// ---- looking

bool Party::well() const {
  const EngineStats stats = engine_.stats();
  return stats.redis_state == "ready" && stats.pending == 0;
}

const std::string& Party::load_name(std::size_t index) const {
  return std::next(loading_.begin(), static_cast<std::ptrdiff_t>(index))->second;
}

std::string Party::stands_in_memory() {
  const auto seen = engine_.look(kKey, now());
  if (!seen || !seen->serves || !seen->tracked) return {};
  const EntryRef entry = engine_.find(kKey, now());
  return entry ? std::string(entry->payload()) : std::string{};
}

void Party::describe(std::string& out) const {
  out.append(reinterpret_cast<const char*>(&told_), sizeof told_);
  for (const auto& [id, running] : running_) {
    out += std::to_string(id);
    Judge::describe(running, out);
  }
}

}  // namespace tiercel::explore
