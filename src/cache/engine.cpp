// The composition: the only place where the cache meets its concrete sessions.
#include "cache/engine.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>

#include "cache/command.hpp"
#include "cache/core.hpp"
#include "cache/flight.hpp"
#include "cache/invalidate.hpp"
#include "cache/link.hpp"
#include "cache/read.hpp"
#include "cache/scripts.hpp"
#include "cache/store.hpp"
#include "cache/tag_fetch.hpp"
#include "cache/writing.hpp"

namespace tiercel {

namespace {

redis::SessionOptions session_options(const EngineSettings& settings, const KeySpace& names, Connection which) {
  redis::SessionOptions options;
  options.user = settings.redis->user;
  options.password = settings.redis->password;
  options.database = settings.redis->database;
  options.client_name = settings.redis->client_name;
  options.tracking = which == Connection::tracked ? settings.tracking : redis::TrackingWish::off;
  options.prefixes = {names.value(""), names.tag(""), names.root(), names.any_tag()};
  if (which == Connection::tracked) options.probe = {"EVAL", std::string(script::kProbe), "1", names.root()};
  options.value_bytes_max = settings.value_bytes_max + (1u << 17);   // the record's header and tags
  if (which == Connection::tracked) {
    options.heartbeat_every = settings.staleness / 3;
    options.scripts.assign(script::kAll.begin(), script::kAll.end());
  }
  return options;
}

}  // namespace

struct Engine::Impl {
  Impl(EngineSettings settings, const Dice::Seed& seed) : core(std::move(settings), seed) {
    if (!core.has_redis()) return;
    tracked = std::make_unique<Link>(core, Connection::tracked,
                                     session_options(core.settings, core.names, Connection::tracked));
    core.remote = tracked.get();
    if (core.settings.connections_max > 1) {
      raw = std::make_unique<Link>(core, Connection::raw, session_options(core.settings, core.names, Connection::raw));
    }
  }

  Link& link(Connection connection) { return connection == Connection::raw && raw ? *raw : *tracked; }
  Link& raw_link() { return link(Connection::raw); }

  void start(Link& link, Timestamp now) {
    using State = redis::Session::State;
    const State state = link.session.state();
    if (state == State::idle || state == State::failed || state == State::ended) link.session.start(now);
  }
  void publish_state();     // the words; only when they have changed
  void publish_numbers();

  Core core;
  std::unique_ptr<Link> tracked, raw;

  struct Shown {   // what stats() tells of the owner's state, from any thread
    std::string state, error, version;
    std::string tracking = "off";
    unsigned protocol = 0;
    bool scripts = true;
    bool identified = false;
  };
  mutable std::mutex shown_mutex;
  Shown shown;
  const char* shown_state = nullptr;
  std::uint64_t shown_changes = 0;
  std::atomic<bool> shown_late{false};  // connected, and not told of changes before later answers
  std::atomic<std::uint64_t> shown_pending{0}, shown_overflows{0}, shown_writes{0}, shown_restarts{0};
  std::atomic<std::int64_t> shown_restarted_at{0};
};

namespace {

// Around every call of the owner: time for the links, and afterwards their wishes, the dead tasks, what stats() shows.
template <class Impl>
class Turn {
 public:
  Turn(Impl& impl, Timestamp now) : impl_(impl) {
    impl_.core.present = now;
    if (impl_.tracked) impl_.tracked->set_now(now);
    if (impl_.raw) impl_.raw->set_now(now);
  }
  ~Turn() {
    if (impl_.tracked) impl_.tracked->pump();
    if (impl_.raw) impl_.raw->pump();
    impl_.core.bury();
    impl_.publish_numbers();
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  Impl& impl_;
};

const char* state_name(const Link& link, const Breaker& breaker) {
  using State = redis::Session::State;
  switch (link.session.state()) {
    case State::ready:
      return breaker.resting() ? "resting" : "ready";
    case State::opening:
    case State::handshaking:
      return link.session.last_error() ? "away" : "connecting";
    case State::failed:
      return "failed";
    case State::waiting:
      return "away";
    case State::idle:
    case State::ended:
      return "closed";
  }
  return "closed";
}

}  // namespace

Engine::Engine(EngineSettings settings, const Dice::Seed& seed)
    : impl_(std::make_unique<Impl>(std::move(settings), seed)) {
  impl_->publish_state();
}

Engine::~Engine() = default;

// ---- any thread

EntryRef Engine::find(std::string_view key, Timestamp now, std::optional<Duration> fresh, double early) {
  EntryRef entry = impl_->core.usable_entry(key, now, true, impl_->core.since(now, fresh));
  if (!entry || now >= entry->due(early)) return {};
  impl_->core.counters.hits.add();
  return entry;
}

std::optional<Seen> Engine::look(std::string_view key, Timestamp now) const { return impl_->core.look(key, now); }
void Engine::forget(std::string_view key) { impl_->core.memory.erase(key); }
void Engine::forget_tag(std::string_view tag) { tag == kRootTag ? forget_all() : impl_->core.tags.drop(tag); }
void Engine::forget_matching(std::string_view pattern) { impl_->core.forget_matching(pattern); }

void Engine::forget_all() {
  impl_->core.memory.clear();
  impl_->core.tags.drop_all();
}

void Engine::expect_changes(Timestamp now) {
  if (!impl_->shown_late.load(std::memory_order_acquire)) return;
  std::atomic<std::int64_t>& from = impl_->core.believed_from;
  const std::int64_t wanted = now.time_since_epoch().count();
  for (std::int64_t held = from.load(); held < wanted && !from.compare_exchange_weak(held, wanted);) {}
}

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
  bool outage = false;
  if (const EntryRef entry =
          core.usable_entry(key, now, true, core.since(now, options.fresh), options.fresh ? nullptr : &outage)) {
    const OperationId id = core.next_id();
    Outcome outcome = hit(entry, true, now);
    outcome.degraded = outage;
    count_hit(core, outcome);
    core.finish_now(id, std::move(outcome));
    return id;
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
  Flight* flight = core.flights.joinable(key);
  if (!options.skip_value) {
    bool outage = false;
    if (const EntryRef entry =
            core.usable_entry(key, now, true, core.since(now, options.fresh), options.fresh ? nullptr : &outage)) {
      Outcome outcome = hit(entry, true, now);
      outcome.degraded = outage;
      outcome.refresh_wanted = flight == nullptr && wants_refresh(core, *entry, options.early, now);
      count_hit(core, outcome);
      const OperationId id = core.next_id();
      core.finish_now(id, std::move(outcome));
      return id;
    }
  }
  const bool joins = flight != nullptr && !options.skip_value && flight->may_be_joined(core, now, options.fresh);
  if (!joins) {
    if (flight != nullptr) core.flights.set_aside(*flight);
    flight = &core.add<Flight>(std::string(key), std::move(options));
    core.flights.add(*flight);
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

OperationId Engine::begin_writing(std::span<const std::string> keys, std::span<const std::string> tags,
                                  WritingOptions options, Timestamp now) {
  const Turn turn(*impl_, now);
  auto& task = impl_->core.add<WritingTask>(impl_->core, std::vector<std::string>(keys.begin(), keys.end()),
                                            std::vector<std::string>(tags.begin(), tags.end()), options);
  const OperationId id = task.id;
  task.start(impl_->core, now);
  return id;
}

OperationId Engine::end_writing(OperationId writing, Timestamp now) {
  const Turn turn(*impl_, now);
  Core& core = impl_->core;
  auto* task = dynamic_cast<WritingTask*>(core.find_task(writing));
  if (task == nullptr || task->ends()) return 0;
  const OperationId id = core.next_id();
  task->end(core, id, now);
  return id;
}

OperationId Engine::invalidate(std::span<const std::string> keys, std::span<const std::string> tags, Timestamp now,
                               std::optional<std::uint64_t> version) {
  const Turn turn(*impl_, now);
  auto& task = impl_->core.add<InvalidateTask>(std::vector<std::string>(keys.begin(), keys.end()),
                                               std::vector<std::string>(tags.begin(), tags.end()), version);
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
    outcome.error =
        Error{ErrorCode::away, "there is no Redis behind memory://", "give a redis:// URL to send raw commands"};
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

std::span<char> Engine::receive_buffer(Connection connection) {
  return impl_->link(connection).session.receive_buffer();
}

void Engine::received(Connection connection, std::size_t bytes, Timestamp now) {
  const Turn turn(*impl_, now);
  impl_->core.counters.redis_bytes_in.add(bytes);
  impl_->link(connection).session.received(bytes, now);
  impl_->publish_state();
}

std::string_view Engine::output(Connection connection) const { return impl_->link(connection).session.output(); }

void Engine::sent(Connection connection, std::size_t bytes) {
  impl_->core.counters.redis_bytes_out.add(bytes);
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
  if (core.release_due <= now) {
    const Timestamp next = core.memory.release_expired(now);
    core.release_due = next == kNever ? kNever : std::max(next, now + std::chrono::milliseconds{1});
  }
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
  if (may_replay)
    sooner(std::max(core.replay_not_before, core.breaker.resting() ? core.breaker.rest_until() : Timestamp{}));
  return next;
}

std::optional<Event> Engine::next_event() { return impl_->core.next_event(); }

// ---- stats

namespace {

EngineStats::Latency latency_of(const Histogram& histogram) {
  return {histogram.count(), histogram.mean_us(), histogram.quantile_us(0.5), histogram.quantile_us(0.99),
          histogram.max_us()};
}

void read_counters(const Counters& from, EngineStats& to) {
  to.hits = from.hits;
  to.redis_hits = from.redis_hits;
  to.misses = from.misses;
  to.stale_hits = from.stale_hits;
  to.outage_hits = from.outage_hits;
  to.loads = from.loads;
  to.load_failures = from.load_failures;
  to.joined = from.joined;
  to.loads_uncached = from.loads_uncached;
  to.stores = from.stores;
  to.stores_refused = from.stores_refused;
  to.invalidations = from.invalidations;
  to.damaged = from.damaged;
  to.oversized = from.oversized;
  to.decode_failures = from.decode_failures;
  to.verify_failures = from.verify_failures;
  to.sealed = from.sealed;
  to.pushes = from.pushes;
  to.flushes = from.flushes;
  to.redis_timeouts = from.redis_timeouts;
  to.redis_errors = from.redis_errors;
  to.reconnects = from.reconnects;
  to.redis_commands = from.redis_commands;
  to.redis_bytes_in = from.redis_bytes_in;
  to.redis_bytes_out = from.redis_bytes_out;
}

}  // namespace

EngineStats Engine::stats() const {
  EngineStats stats;
  const Core& core = impl_->core;
  read_counters(core.counters, stats);
  stats.redis_latency = latency_of(core.redis_latency);
  stats.load_latency = latency_of(core.load_latency);
  const MemoryUsage usage = core.memory.usage();
  stats.l1_bytes = usage.bytes;
  stats.l1_bytes_max = usage.bytes_max;
  stats.l1_entries = usage.entries;
  stats.l1_evicted = usage.evicted;
  stats.l1_expired = usage.expired;
  const std::lock_guard lock(impl_->shown_mutex);
  const Impl::Shown& shown = impl_->shown;
  stats.redis_state = shown.state;
  stats.redis_error = shown.error;
  stats.redis_version = shown.version;
  stats.tracking = shown.tracking;
  stats.identified = shown.identified;
  stats.restarts = impl_->shown_restarts.load(std::memory_order_relaxed);
  stats.restarted_at = static_cast<double>(impl_->shown_restarted_at.load(std::memory_order_relaxed)) / 1e6;
  stats.protocol = shown.protocol;
  stats.scripts = shown.scripts;
  stats.pending = impl_->shown_pending.load(std::memory_order_relaxed);
  stats.pending_overflows = impl_->shown_overflows.load(std::memory_order_relaxed);
  stats.redis_writes = impl_->shown_writes.load(std::memory_order_relaxed);
  return stats;
}

void Engine::Impl::publish_numbers() {
  shown_pending.store(core.pending.size(), std::memory_order_relaxed);
  shown_overflows.store(core.pending.overflows(), std::memory_order_relaxed);
  shown_restarts.store(core.restarts.count(), std::memory_order_relaxed);
  const ServerTime restarted = core.restarts.last().value_or(ServerTime{});
  shown_restarted_at.store(restarted.time_since_epoch().count(), std::memory_order_relaxed);
  if (tracked)
    shown_writes.store(tracked->session.writes() + (raw ? raw->session.writes() : 0), std::memory_order_relaxed);
}

void Engine::Impl::publish_state() {
  const char* state = tracked ? state_name(*tracked, core.breaker) : "none";
  const std::uint64_t changes = tracked ? tracked->changes() : 0;
  if (state == shown_state && changes == shown_changes) return;
  shown_state = state;
  shown_changes = changes;
  Shown now;
  now.state = state;
  if (tracked) {
    if (!tracked->ready() && tracked->session.last_error()) now.error = tracked->session.last_error()->message();
    now.version = tracked->session.server_version();
    now.tracking = name_of(tracked->session.tracking());
    now.protocol = tracked->ready() ? tracked->session.facts().protocol : 0;
    now.scripts = tracked->runs_scripts();
    const bool told_in_time = tracked->session.tracking() == redis::Tracking::optin;
    shown_late.store(tracked->ready() && !told_in_time, std::memory_order_release);
    now.identified = tracked->server_id().known();
  }
  const std::lock_guard lock(shown_mutex);
  shown = std::move(now);
}

}  // namespace tiercel
