// What callers do: they read, load, write, change their minds.
#include "entry/key.hpp"
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

void World::load(Process& process, const Key& key, bool refresh) {
  Operation operation;
  operation.key = key.name;
  operation.refresh = refresh;
  operation.words = (refresh ? "refresh " : "load ") + key.name;
  LoadOptions options;
  options.tags = key.tags;
  options.skip_value = refresh;
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
    process.find(key.name);
    return call_later(process);
  }
  Operation operation;
  operation.kind = kind;
  operation.key = key.name;
  operation.words = (kind == Operation::Kind::ask ? "read, asking Redis, " : "read ") + key.name;
  ReadOptions options;
  options.skip_memory = kind == Operation::Kind::ask;
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

// ---- writers: the source first, then, a little later, the cache

std::set<std::string> World::carriers(const std::string& tag) const {
  std::set<std::string> keys;
  for (const Key& key : plan.keys) {
    if (std::find(key.tags.begin(), key.tags.end(), tag) != key.tags.end()) keys.insert(key.name);
  }
  return keys;
}

std::set<std::string> World::all_keys() const {
  std::set<std::string> keys;
  for (const Key& key : plan.keys) keys.insert(key.name);
  return keys;
}

void World::write(Process& process, const Key& key) {
  const bool stores = plan.is_versioned(key.name) && chance.of(0.6);
  source.commit(key.name);
  trace.add(schedule.now(), key.name, "the source has version " + std::to_string(source.version(key.name)));
  schedule.in(
      chance.of(0.5) ? 0us : chance.between(0us, 3ms), [this, &process, &key, stores, me = process.incarnation()] {
        if (me != process.incarnation()) return;
        process.run(Process::Lane::calls,
                    [this, &process, &key, stores] { stores ? store(process, key) : invalidate(process, key); });
      });
}

void World::store(Process& process, const Key& key) {
  Operation operation;
  operation.kind = Operation::Kind::store;
  operation.key = key.name;
  operation.version = source.version(key.name);
  operation.words = "store version " + std::to_string(operation.version) + " of " + key.name;
  StoreOptions options;
  options.tags = key.tags;
  options.version = operation.version;
  if (plan.life > Duration{0}) options.usable_for = plan.life;
  const LoadIndex value = history.begin_stored(key.name, operation.version, schedule.now());
  process.operate(
      std::move(operation),
      [&](Engine& engine, Timestamp now) {
        return engine.store(key.name, History::payload(value, key.name), options, now);
      },
      then_next(process));
}

// By key, tag, pattern, or everything: whatever covers the key. What else it covers is invalidated too, for no reason.
void World::invalidate(Process& process, const Key& key) {
  Operation operation;
  operation.kind = Operation::Kind::invalidate;
  operation.key = key.name;
  operation.covers = {key.name};
  Process::Call call;
  const std::uint64_t way = chance.below(100);
  if (way < 30 && !key.tags.empty()) {
    const std::string tag = key.tags[chance.below(key.tags.size())];
    operation.covers = carriers(tag);
    operation.words = "invalidate tag " + tag;
    call = [tag](Engine& engine, Timestamp now) { return engine.invalidate({}, {&tag, 1}, now); };
  } else if (way < 45) {
    const std::string pattern = chance.of(0.5) ? key.name.substr(0, 1) + "[" + key.name.substr(1) + "]" : "k*";
    for (const std::string& other : all_keys()) {
      if (glob_match(pattern, other)) operation.covers.insert(other);
    }
    if (!glob_match(pattern, key.name)) operation.covers.erase(key.name);
    operation.pattern = true;
    operation.words = "invalidate pattern " + pattern;
    call = [pattern](Engine& engine, Timestamp now) { return engine.invalidate_matching(pattern, now); };
  } else if (way < 50) {
    operation.covers = all_keys();
    operation.words = "clear";
    call = [](Engine& engine, Timestamp now) { return engine.clear(now); };
  } else {
    operation.words = "invalidate key " + key.name;
    call = [name = key.name](Engine& engine, Timestamp now) { return engine.invalidate({&name, 1}, {}, now); };
  }
  process.operate(std::move(operation), call, then_next(process));
}

}  // namespace tiercel::sim
