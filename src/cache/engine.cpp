// The composition: the only place where the cache meets its concrete sessions.
#include "cache/engine.hpp"

#include <algorithm>
#include <mutex>

#include "cache/command.hpp"
#include "cache/core.hpp"
#include "cache/flight.hpp"
#include "cache/invalidate.hpp"
#include "cache/link.hpp"
#include "cache/read.hpp"
#include "cache/store.hpp"
#include "cache/tag_fetch.hpp"

namespace tiercel {

namespace {

redis::SessionOptions session_options(const EngineSettings& settings, Connection which) {
  redis::SessionOptions options;
  options.user = settings.redis->user;
  options.password = settings.redis->password;
  options.database = settings.redis->database;
  options.client_name = settings.redis->client_name;
  options.tracking = which == Connection::tracked;
  options.value_bytes_max = settings.value_bytes_max + (1u << 17);   // the record's header and tags
  if (which == Connection::tracked) options.heartbeat_every = settings.staleness / 3;
  return options;
}

}  // namespace

struct Engine::Impl {
  Impl(EngineSettings settings, const Dice::Seed& seed) : core(std::move(settings), seed) {
    if (!core.has_redis()) return;
    tracked = std::make_unique<Link>(core, Connection::tracked, session_options(core.settings, Connection::tracked));
    core.remote = tracked.get();
    if (core.settings.connections_max > 1) {
      raw = std::make_unique<Link>(core, Connection::raw, session_options(core.settings, Connection::raw));
    }
  }

  Link& link(Connection connection) { return connection == Connection::raw && raw ? *raw : *tracked; }
  Link& raw_link() { return link(Connection::raw); }

  void start(Link& link, Timestamp now) {
    using State = redis::Session::State;
    const State state = link.session.state();
    if (state == State::idle || state == State::failed || state == State::ended) link.session.start(now);
  }
  void publish_state();

  Core core;
  std::unique_ptr<Link> tracked, raw;
  std::uint64_t bytes_in = 0, bytes_out = 0;

  struct Shown {   // what stats() tells of the owner's state, from any thread
    std::string state, error, version;
    bool tracking = false;
    std::uint64_t pending = 0, overflows = 0, writes = 0, bytes_in = 0, bytes_out = 0;
  };
  mutable std::mutex shown_mutex;
  Shown shown;
};

namespace {

// Around every call of the owner: time for the links, and afterwards their wishes, the dead tasks, what stats() shows.
template <class Impl>
class Turn {
 public:
  Turn(Impl& impl, Timestamp now) : impl_(impl) {
    if (impl_.tracked) impl_.tracked->set_now(now);
    if (impl_.raw) impl_.raw->set_now(now);
  }
  ~Turn() {
    if (impl_.tracked) impl_.tracked->pump();
    if (impl_.raw) impl_.raw->pump();
    impl_.core.bury();
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  Impl& impl_;
};

const char* state_name(const Link& link, const Breaker& breaker) {
  using State = redis::Session::State;
  switch (link.session.state()) {
    case State::ready: return breaker.resting() ? "resting" : "ready";
    case State::opening:
    case State::handshaking: return link.session.last_error() ? "away" : "connecting";
    case State::failed: return "failed";
    case State::waiting: return "away";
    case State::idle:
    case State::ended: return "closed";
  }
  return "closed";
}

}  // namespace

Engine::Engine(EngineSettings settings, const Dice::Seed& seed) : impl_(std::make_unique<Impl>(std::move(settings), seed)) {
  impl_->publish_state();
}

Engine::~Engine() = default;

// ---- any thread

EntryRef Engine::find(std::string_view key, Timestamp now) {
  EntryRef entry = impl_->core.usable_entry(key, now, true);
  if (!entry || now >= entry->facts().fresh_until) return {};
  impl_->core.counters.hits.add();
  return entry;
}

void Engine::forget(std::string_view key) { impl_->core.memory.erase(key); }
void Engine::count_decode_failure() { impl_->core.counters.decode_failures.add(); }
void Engine::count_verify_failure() { impl_->core.counters.verify_failures.add(); }
const EngineSettings& Engine::settings() const { return impl_->core.settings; }

// ---- operations

OperationId Engine::connect(Timestamp now) {
  const Turn turn(*impl_, now);
  Core& core = impl_->core;
  if (!core.has_redis()) {
    Outcome outcome;
    outcome.kind = Outcome::Kind::ready;
    const OperationId id = core.next_id();
    core.finish_now(id, std::move(outcome));
    return id;
  }
  auto& task = core.add<ConnectTask>(*impl_->tracked);
  impl_->start(*impl_->tracked, now);
  task.start(core, now);
  return task.id;
}

OperationId Engine::read(std::string_view key, ReadOptions options, Timestamp now) {
  TIERCEL_REQUIRE(is_canonical_key(key));
  const Turn turn(*impl_, now);
  Core& core = impl_->core;
  if (!options.skip_memory || !core.has_redis()) {
    if (const EntryRef entry = core.usable_entry(key, now, true)) {
      const OperationId id = core.next_id();
      Outcome outcome = hit(entry, true, now);
      (outcome.stale ? core.counters.stale_hits : core.counters.hits).add();
      core.finish_now(id, std::move(outcome));
      return id;
    }
  }
  if (!core.may_use_redis(now) || core.pending.covers(key)) {
    const OperationId id = core.next_id();
    core.finish_now(id, local_miss(core, options.capture));
    return id;
  }
  auto& task = core.add<ReadTask>(std::string(key), std::move(options));
  const OperationId id = task.id;
  task.start(core, now);
  return id;
}

OperationId Engine::get_or_load(std::string_view key, LoadOptions options, Timestamp now) {
  TIERCEL_REQUIRE(is_canonical_key(key));
  const Turn turn(*impl_, now);
  Core& core = impl_->core;
  const auto flying = core.flights.find(std::string(key));
  Flight* flight = flying == core.flights.end() ? nullptr : flying->second;
  if (!options.skip_value) {
    if (const EntryRef entry = core.usable_entry(key, now, true)) {
      Outcome outcome = hit(entry, true, now);
      outcome.refresh_wanted = outcome.stale && flight == nullptr;
      (outcome.stale ? core.counters.stale_hits : core.counters.hits).add();
      const OperationId id = core.next_id();
      core.finish_now(id, std::move(outcome));
      return id;
    }
  }
  const bool joins = flight != nullptr && !options.skip_value && flight->may_be_joined(core, now);
  if (!joins) {
    if (flight != nullptr) core.seal(*flight);
    flight = &core.add<Flight>(std::string(key), std::move(options));
    core.flights.emplace(key, flight);
  }
  auto& caller = core.add<Caller>(flight->id);
  const OperationId id = caller.id;
  flight->join(core, id);
  if (!joins) flight->start(core, now);
  return id;
}

void Engine::finish_load(FlightId id, LoadResult result, Timestamp now) {
  const Turn turn(*impl_, now);
  auto* flight = dynamic_cast<Flight*>(impl_->core.find_task(id));
  if (flight != nullptr && flight->loading()) flight->finish_load(impl_->core, std::move(result), now);
}

OperationId Engine::store(std::string_view key, std::string payload, StoreOptions options, Timestamp now) {
  TIERCEL_REQUIRE(is_canonical_key(key) && options.tags.size() <= kTagsMax);
  const Turn turn(*impl_, now);
  auto& task = impl_->core.add<StoreTask>(std::string(key), std::move(payload), std::move(options));
  const OperationId id = task.id;
  task.start(impl_->core, now);
  return id;
}

OperationId Engine::invalidate(std::span<const std::string> keys, std::span<const std::string> tags, Timestamp now) {
  const Turn turn(*impl_, now);
  auto& task = impl_->core.add<InvalidateTask>(std::vector<std::string>(keys.begin(), keys.end()),
                                               std::vector<std::string>(tags.begin(), tags.end()));
  const OperationId id = task.id;
  task.start(impl_->core, now);
  return id;
}

OperationId Engine::invalidate_matching(std::string_view pattern, Timestamp now) {
  const Turn turn(*impl_, now);
  auto& task = impl_->core.add<MatchingTask>(std::string(pattern));
  const OperationId id = task.id;
  task.start(impl_->core, now);
  return id;
}

OperationId Engine::clear(Timestamp now) {
  const std::string root(kRootTag);
  return invalidate({}, {&root, 1}, now);
}

OperationId Engine::command(std::span<const std::string_view> arguments, Timestamp now) {
  const Turn turn(*impl_, now);
  Core& core = impl_->core;
  if (!core.has_redis()) {
    Outcome outcome;
    outcome.kind = Outcome::Kind::error;
    outcome.error = Error{ErrorCode::away, "there is no Redis behind memory://", "give a redis:// URL to send raw commands"};
    const OperationId id = core.next_id();
    core.finish_now(id, std::move(outcome));
    return id;
  }
  Link& link = impl_->raw_link();
  auto& task = core.add<CommandTask>(std::vector<std::string>(arguments.begin(), arguments.end()), link, link);
  const OperationId id = task.id;
  impl_->start(link, now);
  task.start(core, now);
  return id;
}

OperationId Engine::scan(std::string_view pattern, Timestamp now) {
  const Turn turn(*impl_, now);
  auto& task = impl_->core.add<ScanTask>(std::string(pattern));
  const OperationId id = task.id;
  task.start(impl_->core, now);
  return id;
}

void Engine::cancel(OperationId operation, Timestamp now) {
  const Turn turn(*impl_, now);
  Task* task = impl_->core.find_task(operation);
  if (task == nullptr) return;
  task->abandoned = true;
  if (task->abandon(impl_->core, now)) impl_->core.drop(operation);
}

void Engine::disconnect(Timestamp now) {
  const Turn turn(*impl_, now);
  if (impl_->tracked) impl_->tracked->session.end(now);
  if (impl_->raw) impl_->raw->session.end(now);
  impl_->publish_state();
}

// ---- bytes and time

std::span<char> Engine::receive_buffer(Connection connection) { return impl_->link(connection).session.receive_buffer(); }

void Engine::received(Connection connection, std::size_t bytes, Timestamp now) {
  const Turn turn(*impl_, now);
  impl_->bytes_in += bytes;
  impl_->link(connection).session.received(bytes, now);
  impl_->publish_state();
}

std::string_view Engine::output(Connection connection) const { return impl_->link(connection).session.output(); }

void Engine::sent(Connection connection, std::size_t bytes) {
  impl_->bytes_out += bytes;
  impl_->link(connection).session.sent(bytes);
}

void Engine::opened(Connection connection, Timestamp now) {
  const Turn turn(*impl_, now);
  impl_->link(connection).session.opened(now);
  impl_->publish_state();
}

void Engine::closed(Connection connection, const Error& why, Timestamp now) {
  const Turn turn(*impl_, now);
  impl_->link(connection).session.closed(why, now);
  impl_->publish_state();
}

void Engine::advance(Timestamp now) {
  const Turn turn(*impl_, now);
  Core& core = impl_->core;
  core.expire_tasks(now);
  if (impl_->tracked) impl_->tracked->session.advance(now);
  if (impl_->raw) impl_->raw->session.advance(now);
  if (core.release_due <= now) core.release_due = core.memory.release_expired(now);
  if (!core.pending.empty()) core.may_use_redis(now);
  impl_->publish_state();
}

std::optional<Timestamp> Engine::next_deadline() const {
  Core& core = impl_->core;
  std::optional<Timestamp> next = core.next_task_deadline();
  const auto sooner = [&next](std::optional<Timestamp> other) {
    if (other && (!next || *other < *next)) next = other;
  };
  if (impl_->tracked) sooner(impl_->tracked->session.next_deadline());
  if (impl_->raw) sooner(impl_->raw->session.next_deadline());
  if (core.release_due != kNever) sooner(core.release_due);
  const bool may_replay = !core.pending.empty() && impl_->tracked && impl_->tracked->ready();
  if (may_replay) sooner(std::max(core.replay_not_before, core.breaker.resting() ? core.breaker.rest_until() : Timestamp{}));
  return next;
}

std::optional<Event> Engine::next_event() { return impl_->core.next_event(); }

// ---- stats

void Engine::Impl::publish_state() {
  Shown now;
  if (tracked) {
    now.state = state_name(*tracked, core.breaker);
    if (!tracked->ready() && tracked->session.last_error()) now.error = tracked->session.last_error()->message();
    now.version = tracked->session.server_version();
    now.tracking = tracked->tracks();
    now.writes = tracked->session.writes() + (raw ? raw->session.writes() : 0);
  } else {
    now.state = "none";
  }
  now.pending = core.pending.size();
  now.overflows = core.pending.overflows();
  now.bytes_in = bytes_in;
  now.bytes_out = bytes_out;
  const std::lock_guard lock(shown_mutex);
  shown = std::move(now);
}

}  // namespace tiercel
