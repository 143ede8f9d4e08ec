#include "simulation/process.hpp"

#include <algorithm>
#include <cmath>

#include "simulation/world.hpp"

namespace tiercel::sim {

Process::Process(World& world, unsigned number)
    : world_(world),
      number_(number),
      clock_offset_(world.chance.between(-500s, 5'000s)),
      clock_rate_(1 + (static_cast<double>(world.chance.below(401)) - 200) / 1e6) {}

Process::~Process() = default;

Timestamp Process::local() const {
  const double passed = static_cast<double>(world_.schedule.now().time_since_epoch().count()) * clock_rate_;
  return Timestamp{Duration{static_cast<std::int64_t>(passed)} + clock_offset_};
}

Timestamp Process::global(Timestamp local_time) const {
  const double passed = static_cast<double>((local_time - clock_offset_).time_since_epoch().count()) / clock_rate_;
  return Timestamp{Duration{static_cast<std::int64_t>(std::ceil(passed))}};
}

void Process::start() {
  ++incarnation_;
  engine_ = std::make_unique<Engine>(world_.plan.settings, world_.chance.seed());
  timer_at_ = kNever;
  run(Lane::calls, [this] { connect(); });
  if (!world_.plan.calm()) world_.begin_callers(*this);  // else when it is connected
}

void Process::connect() {
  Operation operation;
  operation.kind = Operation::Kind::connect;
  operation.words = "connect";
  operate(
      std::move(operation), [](Engine& engine, Timestamp now) { return engine.connect(now); },
      [this](const Outcome&) {
        if (world_.plan.calm()) world_.begin_callers(*this);
      });
}

void Process::crash(Duration down) {
  if (!alive() || in_find_) return;
  world_.trace.add(world_.schedule.now(), "", "p" + std::to_string(number_) + " dies");
  for (auto& wire : wires_) {
    if (wire != nullptr) world_.network.abandon(*std::exchange(wire, nullptr));
  }
  for (const auto& [id, running] : running_) world_.history.leave(running.index, world_.schedule.now());
  for (const auto& [flight, loading] : loading_) {
    if (loading.begun) world_.history.end_load(loading.load, false, world_.schedule.now());
  }
  running_.clear();
  loading_.clear();
  for (auto& lane : lanes_) lane.clear();
  flush_due_ = false;
  ++incarnation_;  // what was scheduled for the dead one is not done
  if (paused()) wake();
  engine_.reset();
  world_.schedule.in(down, [this] { start(); });
}

std::uint64_t Process::engine_id() const { return World::engine_id(number_, incarnation_); }

// ---- asleep and awake

Duration Process::paused_in_all() const {
  return paused_sum_ + (paused() ? world_.schedule.now() - paused_since_ : Duration{0});
}

void Process::pause(Duration duration) {
  if (!alive() || paused()) return;
  world_.trace.add(world_.schedule.now(), "", "p" + std::to_string(number_) + " sleeps");
  paused_since_ = world_.schedule.now();
  paused_until_ = paused_since_ + duration;
  world_.schedule.at(paused_until_, [this, me = incarnation_] {
    if (me == incarnation_ && paused()) wake();
  });
}

void Process::wake() {
  world_.trace.add(world_.schedule.now(), "", "p" + std::to_string(number_) + " is awake");
  paused_sum_ += world_.schedule.now() - paused_since_;
  paused_until_ = {};
  for (const Lane lane : {Lane::bytes, Lane::timers, Lane::calls}) {
    world_.schedule.in(world_.chance.between(0us, 3ms), [this, me = incarnation_, lane] {
      if (me == incarnation_) drain(lane);
    });
  }
}

void Process::drain(Lane lane) {
  auto& waiting = lanes_[static_cast<std::size_t>(lane)];
  while (!paused() && !waiting.empty()) {
    const std::function<void()> next = std::move(waiting.front());
    waiting.pop_front();
    next();
  }
}

void Process::run(Lane lane, std::function<void()> what) {
  if (!alive()) return;
  auto& waiting = lanes_[static_cast<std::size_t>(lane)];
  if (paused() || !waiting.empty()) waiting.push_back(std::move(what));
  else what();
}

// ---- operations

OperationIndex Process::operate(Operation operation, const Call& call, Ended ended) {
  operation.process = number_;
  operation.engine = engine_id();
  operation.paused_before = paused_in_all();
  const OperationIndex index = world_.history.begin(std::move(operation), world_.schedule.now());
  const OperationId id = call(*engine_, local());
  running_[id] = {index, std::move(ended)};
  after_call();
  return index;
}

void Process::find(const std::string& key, std::optional<Duration> fresh) {
  Operation operation;
  operation.kind = Operation::Kind::find;
  operation.key = key;
  operation.words = "find " + key;
  operation.fresh = fresh;
  operation.process = number_;
  operation.engine = engine_id();
  operation.paused_before = paused_in_all();
  const OperationIndex index = world_.history.begin(std::move(operation), world_.schedule.now());
  Outcome outcome;
  finding_ = this;
  outcome.entry = engine_->find(key, local(), fresh);
  finding_ = nullptr;
  outcome.from_memory = true;
  if (outcome.entry) outcome.kind = Outcome::Kind::hit;
  world_.history.end(index, outcome, world_.schedule.now(), paused_in_all());
}

// Its thread was taken off its core between two reads. Only where bugs are planted: one of them is to read in the wrong order.
void Process::let_others() {
  Process* process = std::exchange(finding_, nullptr);
  if (process == nullptr || process->world_.a_find_waits || !process->world_.chance.of(0.5)) return;
  World& world = process->world_;
  const Timestamp until = world.schedule.now() + world.chance.around(40ms);
  process->in_find_ = world.a_find_waits = true;
  while (!world.history.failure() && world.schedule.step(until)) continue;
  process->in_find_ = world.a_find_waits = false;
}

bool Process::cancel(OperationIndex index) {
  const auto at =
      std::find_if(running_.begin(), running_.end(), [index](const auto& item) { return item.second.index == index; });
  if (at == running_.end()) return false;
  const OperationId id = at->first;
  world_.history.leave(index, world_.schedule.now());
  running_.erase(at);
  engine_->cancel(id, local());
  after_call();
  return true;
}

void Process::check_late() {
  if (!alive() || paused()) return;
  for (const auto& [id, running] : running_)
    world_.history.check_late(running.index, world_.schedule.now(), paused_in_all());
}

// ---- what the engine wants

void Process::after_call() {
  take_events();
  flush_soon();
  set_timer();
}

void Process::take_events() {
  const std::uint64_t me = incarnation_;
  while (me == incarnation_ && engine_) {
    std::optional<Event> event = engine_->next_event();
    if (!event) return;
    take(*event);
  }
}

void Process::take(Event& event) {
  Wire*& wire = wires_[static_cast<std::size_t>(event.connection)];
  switch (event.kind) {
    case Event::Kind::open:
      wire = &world_.network.open(*this, event.connection);
      break;
    case Event::Kind::close:
      if (wire != nullptr) world_.network.close(*std::exchange(wire, nullptr));
      break;
    case Event::Kind::finished:
      finish(event);
      break;
    case Event::Kind::start_load:
      start_load(event.flight, event.operation);
      break;
    case Event::Kind::cancel_load:
      cancel_load(event.flight);
      break;
    case Event::Kind::notice:
      world_.trace.add(world_.schedule.now(), "", "p" + std::to_string(number_) + " says: " + event.text);
      break;
  }
}

void Process::finish(Event& event) {
  const auto at = running_.find(event.operation);
  if (at == running_.end())
    return world_.history.fail(Rule::outcome, "", "an operation ended that nobody has begun, or that had ended");
  const bool bridged = event.outcome.kind == Outcome::Kind::hit && event.outcome.degraded;
  if (bridged && redis_state() == "ready")
    world_.history.fail(Rule::outcome, "", "an answer as of an outage, and Redis can be used");
  const Running running = std::move(at->second);
  running_.erase(at);
  world_.history.end(running.index, event.outcome, world_.schedule.now(), paused_in_all());
  if (!running.ended) return;
  world_.schedule.in(0us, [this, me = incarnation_, ended = running.ended, outcome = event.outcome] {
    if (me == incarnation_) run(Lane::calls, [ended, outcome] { ended(outcome); });
  });
}

// Bytes are written once per tick of the loop: at once, or when others have been added.
void Process::flush_soon() {
  if (!engine_ || flush_due_) return;
  if (world_.chance.of(0.5)) return flush();
  flush_due_ = true;
  world_.schedule.in(world_.chance.between(0us, 300us), [this, me = incarnation_] {
    if (me != incarnation_) return;
    run(Lane::timers, [this] {
      flush_due_ = false;
      flush();
    });
  });
}

void Process::flush() {
  for (const Connection which : {Connection::tracked, Connection::raw}) {
    Wire* wire = wires_[static_cast<std::size_t>(which)];
    if (wire == nullptr || (which == Connection::raw && world_.plan.settings.connections_max < 2)) continue;
    const std::string out(engine_->output(which));
    if (out.empty()) continue;
    engine_->sent(which, out.size());
    world_.network.send(*wire, out);
  }
}

void Process::set_timer() {
  if (!engine_) return;
  const auto next = engine_->next_deadline();
  if (!next) return;
  const Timestamp due = std::max(global(*next), world_.schedule.now()) + world_.chance.between(1us, 1ms);
  if (due >= timer_at_) return;
  timer_at_ = due;
  world_.schedule.at(due, [this, me = incarnation_, due] {
    if (me != incarnation_ || due != timer_at_) return;
    timer_at_ = kNever;
    run(Lane::timers, [this] {
      engine_->advance(local());
      after_call();
    });
  });
}

}  // namespace tiercel::sim
