#include "simulation/world.hpp"

#include <algorithm>

#include "base/planted.hpp"
#include "cache/scripts.hpp"
#include "entry/record.hpp"

namespace tiercel::sim {

namespace {
constexpr std::uint64_t kStepsMax = 5'000'000;
constexpr std::string_view kRecords = "tiercel:v:";
}  // namespace

World::World(std::uint64_t seed, const RunOptions& options)
    : plan(seed, options.focus),
      chance(seed),
      history(plan, trace, options.expected, options.served),
      network(plan, schedule, chance, redis, trace) {
  trace.on = options.traced;
  trace.wire = options.wire;
  trace.lines_max = options.lines;
  planted::let_others_by(Process::let_others);
  redis.keep_log = false;
  if (plan.rung == Rung::off) redis.refuse_tracking = true;
  if (plan.rung == Rung::resp2) redis.refuse_hello = "ERR unknown command 'HELLO'";
  if (plan.rung == Rung::broadcast) redis.refuse_optin = "ERR syntax error";
  if (plan.rung == Rung::no_scripts)
    redis.refuse_scripts = "NOPERM this user has no permissions to run the 'eval' command";
  redis.after = [this](const test::ModelRedis::Words& command) { watch(command); };
  for (unsigned number = 0; number < plan.processes; ++number)
    processes.push_back(std::make_unique<Process>(*this, number));
}

Report run(std::uint64_t seed, const RunOptions& options) { return World(seed, options).run(seed); }

Report World::run(std::uint64_t seed) {
  for (auto& process : processes) process->start();
  tend();
  if (!plan.calm()) fault_later();
  if (plan.faults.contains(Fault::roll_back)) save_later();
  const bool eventful = go_on(schedule.now() + plan.length);
  if (eventful) calm_down();
  Report report;
  report.seed = seed;
  report.plan = plan.described();
  report.failure = history.failure();
  if (report.failure) report.story = trace.told(report.failure->key);
  for (int rule = 0; rule < kRules; ++rule)
    report.counts[static_cast<std::size_t>(rule)] = history.count(static_cast<Rule>(rule));
  report.operations = history.operations();
  report.loads = history.loads();
  report.faults = faults_done;
  report.digest = history.digest();
  report.calm = plan.calm();
  return report;
}

void World::save_later() {
  redis.save();
  schedule.in(chance.between(10ms, 2s), [this] { save_later(); });
}

// False: the run is at its end, by a failure.
bool World::go_on(Timestamp until) {
  while (!history.failure() && schedule.step(until)) {
    if (schedule.steps() > kStepsMax) history.fail(Rule::storm, "", "the run does not end");
  }
  return !history.failure();
}

// Every so often: Redis' own expiry, and whether an operation takes too long.
void World::tend() {
  if (!network.redis_paused()) {
    redis.set_time(schedule.now());
    redis.expire_due();
    network.carry();
  }
  for (auto& process : processes) process->check_late();
  history.check_stored(schedule.now());
  schedule.in(100ms, [this] { tend(); });
}

// Behind every command of Redis: what has become of the records it names.
void World::watch(const test::ModelRedis::Words& command) {
  if (command.size() > 3 &&
      redis.script_of(command) == script::kExtendTag) {  // its push outdates what loads under the tag
    const std::string tag = command[3].substr(command[3].rfind(':') + 1);
    for (const std::string& key : carriers(tag)) history.disturb(key, schedule.now());
  }
  // An owed invalidation, which may have ended long ago as pending, names no version.
  for (std::size_t at = 1; command[0] == "UNLINK" && at < command.size(); ++at) {
    if (command[at].starts_with(kRecords)) history.forget_versions(command[at].substr(kRecords.size()), schedule.now());
  }
  if (command.size() > 5 && redis.script_of(command) == script::kSwap) watch_swap(command);
  for (const std::size_t at : {1u, 3u}) {
    if (command.size() > at && command[at].starts_with(kRecords)) watch_fill(command[at]);
  }
}

// A new value under a key: a fill, or a store.
void World::watch_fill(const std::string& redis_key) {
  const std::string* bytes = redis.peek(redis_key);
  const std::string before = std::exchange(records_[redis_key], bytes == nullptr ? "" : *bytes);
  if (bytes == nullptr || bytes->size() < kHeaderBytes || (*bytes)[3] != 0 ||
      stamp_bytes(*bytes) == stamp_bytes(before))
    return;
  const std::string key = redis_key.substr(kRecords.size());
  history.filled(key, schedule.now());
  trace.add(schedule.now(), key, "Redis holds a new value");
}

// A lease in the place of a value: it was past its end, or one of its tags had changed, or is to change as soon as Redis takes it.
void World::watch_swap(const test::ModelRedis::Words& command) {
  const std::string& before = records_[command[3]];
  const Result<Header> now = decode_header(std::string_view(command[5]).substr(0, kHeaderBytes));
  const std::string* after = redis.peek(command[3]);
  const bool done = after != nullptr && *after == command[5] && stamp_bytes(before) == command[4];
  if (!done || !now || now->state != RecordState::lease || !serves(before)) return;
  if (std::none_of(processes.begin(), processes.end(), [](const auto& process) { return process->pending() > 0; }))
    history.fail(Rule::discarded, command[3].substr(kRecords.size()), "a lease took the place of a value that served");
}

bool World::serves(const std::string& bytes) const {
  const Result<Record> record = decode_record(bytes);
  if (!record || record->header.state != RecordState::value) return false;
  const Duration clocks_differ =
      plan.calm() ? 100ms : 10s;  // what a process learns over a slow connection is off by half its delay
  const ServerTime soon = ServerTime{std::chrono::microseconds{redis.wall_us()} + clocks_differ};
  if (record->header.usable_until <= soon || plan.faults.contains(Fault::set_clock)) return false;
  return std::all_of(record->tags.begin(), record->tags.end(), [this](const TagStamp& tag) {
    const std::string* known = redis.peek(tag.name.empty() ? "tiercel:g" : "tiercel:t:" + tag.name);
    return known != nullptr && known->size() == kTagRecordBytes && known->starts_with(tag.stamp.view());
  });
}

// ---- the quiet end

void World::calm_down() {
  heal();
  quiet = true;
  plan.failing_loads = plan.odd_loads = plan.slow_loads = plan.lagging_loads = 0;
  if (!go_on(schedule.now() + 9s)) return;  // what was held up or silent shows
  const Timestamp until = schedule.now() + 60s;
  while (schedule.now() < until && !all_well()) {
    if (!go_on(schedule.now() + 250ms)) return;
  }
  if (!all_well()) return history.fail(Rule::convergence, "", "a process does not find its way back to Redis");
  for (const Key& key : plan.keys) source.commit(key.name);
  if (!clear_everything()) return;
  if (!go_on(schedule.now() + plan.settings.staleness + 100ms)) return;
  for (int round = 0; round < 2; ++round) compare_with_source();
}

// Every process has Redis again, and owes it nothing. A breaker that rests is asked to try.
bool World::all_well() {
  bool well = true;
  for (auto& process : processes) {
    if (process->alive() && !process->paused() && process->idle() && process->pending() == 0 &&
        process->redis_state() == "ready")
      continue;
    well = false;
    if (process->alive() && process->idle() && process->redis_state() == "resting")
      read(*process, plan.keys[0], Operation::Kind::ask);
  }
  return well;
}

bool World::clear_everything() {
  bool confirmed = false;
  Operation operation;
  operation.kind = Operation::Kind::invalidate;
  operation.covers = all_keys();
  operation.words = "clear, all being well";
  processes[0]->operate(
      std::move(operation), [](Engine& engine, Timestamp now) { return engine.clear(now); },
      [&confirmed](const Outcome& outcome) { confirmed = outcome.kind == Outcome::Kind::invalidated; });
  if (!go_on(schedule.now() + 1s)) return false;
  if (!confirmed) history.fail(Rule::convergence, "", "clear was not confirmed when all was well again");
  return confirmed;
}

void World::compare_with_source() {
  for (auto& process : processes) {
    for (const Key& key : plan.keys) {
      Operation operation;
      operation.key = key.name;
      operation.words = "load " + key.name + ", all being well";
      OperationIndex index = 0;
      std::optional<Outcome> seen;
      LoadOptions options;
      options.tags = key.tags;
      index = process->operate(
          std::move(operation),
          [&](Engine& engine, Timestamp now) { return engine.get_or_load(key.name, options, now); },
          [&seen](const Outcome& outcome) { seen = outcome; });
      if (!go_on(schedule.now() + 4s)) return;
      if (!seen) return history.fail(Rule::late, key.name, "a load did not end when all was well again");
      history.check_agrees(index, *seen, source.version(key.name));
    }
  }
}

}  // namespace tiercel::sim
