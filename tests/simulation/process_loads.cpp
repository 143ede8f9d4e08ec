// A process' loaders and its bytes.
#include <algorithm>

#include "simulation/process.hpp"
#include "simulation/world.hpp"

namespace tiercel::sim {

namespace {
const Error kReset{ErrorCode::away, "connection reset by the simulation", ""};
const Error kRefused{ErrorCode::away, "connection refused by the simulation", ""};
}  // namespace

// ---- loaders

void Process::start_load(FlightId flight, OperationId operation) {
  const auto caller = running_.find(operation);
  Loading loading;
  loading.serial = ++serial_;
  if (caller != running_.end()) loading.caller = caller->second.index;
  loading_[flight] = loading;
  world_.schedule.in(world_.chance.between(0us, 1ms), [this, me = incarnation_, flight, serial = loading.serial] {
    if (me == incarnation_) run(Lane::calls, [this, flight, serial] { begin_loader(flight, serial); });
  });
}

// It reads the source at its beginning or later, and takes its time.
void Process::begin_loader(FlightId flight, std::uint64_t serial) {
  const auto at = loading_.find(flight);
  if (at == loading_.end() || at->second.serial != serial) return;
  Loading& loading = at->second;
  const std::string key = world_.history.operation(loading.caller).key;
  loading.begun = true;
  loading.load = world_.history.begin_load(loading.caller, key, redis_state() != "ready", world_.schedule.now());
  const Plan& plan = world_.plan;
  const bool slow = world_.chance.of(plan.slow_loads);
  const Duration takes = slow ? world_.chance.between(0ms, plan.load_max)
                              : std::min<Duration>(world_.chance.around(plan.load_mean), plan.load_max);
  const Duration reads_after = world_.chance.of(0.5) ? Duration{0} : world_.chance.between(0us, takes);
  world_.schedule.in(reads_after, [this, load = loading.load, key] {
    std::uint64_t version = world_.source.version(key);
    const bool lags = world_.plan.is_versioned(key) && world_.chance.of(world_.plan.lagging_loads);
    if (lags) version -= std::min<std::uint64_t>(version, 1 + world_.chance.below(2));
    world_.history.load_read(load, version);
  });
  world_.schedule.in(takes, [this, me = incarnation_, flight, serial] {
    if (me == incarnation_) run(Lane::calls, [this, flight, serial] { end_loader(flight, serial); });
  });
}

LoadResult Process::result_of(const Loading& loading) {
  const Plan& plan = world_.plan;
  LoadResult result;
  if (world_.chance.of(plan.failing_loads)) result.kind = LoadResult::Kind::failed;
  else if (world_.chance.of(plan.odd_loads))
    result.kind = world_.chance.of(0.5) ? LoadResult::Kind::answer_only : LoadResult::Kind::uncacheable;
  const std::string& key = world_.history.operation(loading.caller).key;
  result.payload = History::payload(loading.load, key) + std::string(world_.chance.below(200), '.');
  for (const Key& other : plan.keys) {
    if (other.name == key) result.store.tags = other.tags;  // for who asked without them
  }
  if (plan.is_versioned(key)) result.store.version = world_.history.version_of(loading.load);
  if (plan.life > Duration{0}) result.store.usable_for = plan.life;
  if (plan.fresh > Duration{0}) result.store.fresh_for = plan.fresh;
  return result;
}

void Process::end_loader(FlightId flight, std::uint64_t serial) {
  const auto at = loading_.find(flight);
  if (at == loading_.end() || at->second.serial != serial) return;
  LoadResult result = result_of(at->second);
  world_.history.end_load(at->second.load, result.kind == LoadResult::Kind::value, world_.schedule.now());
  loading_.erase(at);
  engine_->finish_load(flight, std::move(result), local());
  after_call();
}

void Process::cancel_load(FlightId flight) {
  const auto at = loading_.find(flight);
  if (at == loading_.end()) return;
  if (at->second.begun) world_.history.end_load(at->second.load, false, world_.schedule.now());
  loading_.erase(at);
  if (!world_.chance.of(0.2)) return;
  world_.schedule.in(world_.chance.around(5ms), [this, me = incarnation_, flight] {  // its end was under way: ignored
    if (me != incarnation_) return;
    run(Lane::calls, [this, flight] {
      engine_->finish_load(flight, {}, local());
      after_call();
    });
  });
}

// ---- bytes

void Process::wire_opened(Wire& wire) {
  run(Lane::bytes, [this, &wire] {
    if (wires_[static_cast<std::size_t>(wire.which)] != &wire) return;
    engine_->opened(wire.which, local());
    after_call();
  });
}

void Process::wire_refused(Wire& wire) {
  run(Lane::bytes, [this, &wire] {
    if (wires_[static_cast<std::size_t>(wire.which)] != &wire) return;
    wires_[static_cast<std::size_t>(wire.which)] = nullptr;
    wire.end = nullptr;
    engine_->closed(wire.which, kRefused, local());
    after_call();
  });
}

void Process::wire_ended(Wire& wire) {
  run(Lane::bytes, [this, &wire] {
    if (wires_[static_cast<std::size_t>(wire.which)] != &wire) return;
    wires_[static_cast<std::size_t>(wire.which)] = nullptr;
    if (wire.end != nullptr) world_.network.close(wire);
    engine_->closed(wire.which, kReset, local());
    after_call();
  });
}

void Process::wire_brought(Wire& wire, std::string bytes) {
  run(Lane::bytes, [this, &wire, bytes = std::move(bytes)] { receive(wire, bytes); });
}

void Process::receive(Wire& wire, const std::string& bytes) {
  std::size_t taken = 0;
  while (taken < bytes.size() && engine_ && wires_[static_cast<std::size_t>(wire.which)] == &wire) {
    const std::span<char> buffer = engine_->receive_buffer(wire.which);
    const std::size_t size = std::min(buffer.size(), bytes.size() - taken);
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(taken), size, buffer.begin());
    taken += size;
    engine_->received(wire.which, size, local());
    after_call();
  }
}

}  // namespace tiercel::sim
