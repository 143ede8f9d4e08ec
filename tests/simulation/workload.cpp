// What callers do: they read, load, write, change their minds.
#include "simulation/world.hpp"

namespace tiercel::sim {

void World::begin_callers(Process& process) {
  for (unsigned caller = 0; caller < plan.callers; ++caller) call_later(process);
}

void World::call_later(Process& process) {
  schedule.in(chance.around(plan.think), [this, &process, me = process.incarnation()] {
    if (me != process.incarnation() || quiet) return;
    process.run(Process::Lane::calls, [this, &process] { call(process); });
  });
}

Process::Ended World::then_next(Process& process) {
  return [this, &process](const Outcome&) { call_later(process); };
}

void World::call(Process& process) {
  const Key& key = plan.keys[chance.below(plan.keys.size())];
  if (chance.of(plan.writes)) return write(process, key);
  if (chance.of(0.005)) return command(process);
  if (!chance.of(plan.reads)) return load(process, key, false);
  static constexpr Operation::Kind kinds[]{Operation::Kind::read, Operation::Kind::ask, Operation::Kind::find};
  read(process, key, chance.one(kinds));
}

// Some readers want it fresher than others.
std::optional<Duration> World::own_delta() {
  if (chance.of(0.8)) return std::nullopt;
  return chance.of(0.5) ? Duration{0} : chance.between(0ms, plan.settings.staleness);
}

void World::load(Process& process, const Key& key, bool refresh) {
  Operation operation;
  operation.key = key.name;
  operation.refresh = refresh;
  operation.words = (refresh ? "refresh " : "load ") + key.name;
  LoadOptions options;
  options.tags_of_result = plan.late_tags && !key.tags.empty() && chance.of(0.8);
  if (!options.tags_of_result) options.tags = key.tags;
  options.skip_value = refresh;
  options.behind = refresh && chance.of(0.5);
  options.early = 1;
  operation.fresh = options.fresh = own_delta();
  options.outlive_callers = chance.of(0.1);
  const OperationIndex index = process.operate(
      std::move(operation), [&](Engine& engine, Timestamp now) { return engine.get_or_load(key.name, options, now); },
      [this, &process, &key, refresh](const Outcome& outcome) {
        if (!refresh) call_later(process);
        if (outcome.refresh_wanted && !quiet && chance.of(0.7)) load(process, key, true);
      });
  if (!refresh && chance.of(plan.cancels)) cancel_later(process, index);
}

void World::read(Process& process, const Key& key, Operation::Kind kind) {
  if (kind == Operation::Kind::find) {
    process.find(key.name, own_delta());
    return call_later(process);
  }
  Operation operation;
  operation.kind = kind;
  operation.key = key.name;
  operation.words = (kind == Operation::Kind::ask ? "read as of now " : "read ") + key.name;
  ReadOptions options;
  operation.fresh = options.fresh = kind == Operation::Kind::ask ? std::optional(Duration{0}) : own_delta();
  if (chance.of(0.3)) options.capture = key.tags;
  process.operate(
      std::move(operation), [&](Engine& engine, Timestamp now) { return engine.read(key.name, options, now); },
      then_next(process));
}

void World::cancel_later(Process& process, OperationIndex index) {
  schedule.in(chance.around(plan.load_mean), [this, &process, index, me = process.incarnation()] {
    if (me != process.incarnation()) return;
    process.run(Process::Lane::calls, [this, &process, index] {
      if (process.cancel(index)) call_later(process);
    });
  });
}

// The user's own command.
void World::command(Process& process) {
  Operation operation;
  operation.kind = Operation::Kind::command;
  operation.words = "PING";
  process.operate(
      std::move(operation),
      [](Engine& engine, Timestamp now) {
        static constexpr std::string_view ping[]{"PING"};
        return engine.command(ping, now);
      },
      then_next(process));
}

}  // namespace tiercel::sim
