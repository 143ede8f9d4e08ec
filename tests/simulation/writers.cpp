// What writers do: the source first, then, a little later, the cache; or the cache is told before.
#include <algorithm>

#include "entry/key.hpp"
#include "simulation/world.hpp"

namespace tiercel::sim {

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
  if (chance.of(plan.announced)) return announce(process, key);
  const bool stores = chance.of(plan.is_versioned(key.name) ? 0.6 : plan.sets);
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
  if (!plan.is_versioned(key.name)) return set(process, key);
  Operation operation;
  operation.kind = Operation::Kind::store;
  operation.key = key.name;
  operation.version = source.version(key.name);
  operation.words = "store version " + std::to_string(operation.version) + " of " + key.name;
  StoreOptions options;
  options.tags = key.tags;
  options.version = operation.version;
  if (plan.life > Duration{0}) options.usable_for = plan.life;
  const LoadIndex value = history.begin_stored(key.name, operation.version);
  history.disturb(key.name, schedule.now());
  process.operate(
      std::move(operation),
      [&](Engine& engine, Timestamp now) {
        return engine.store(key.name, History::payload(value, key.name), options, now);
      },
      [this, &process, &key](const Outcome&) {
        history.disturb(key.name, schedule.now());
        call_later(process);
      });
}

// A store without a version.
void World::set(Process& process, const Key& key) {
  Operation operation;
  operation.kind = Operation::Kind::store;
  operation.key = key.name;
  operation.covers = {key.name};
  operation.words = "set " + key.name;
  StoreOptions options;
  options.tags = key.tags;
  if (plan.life > Duration{0}) options.usable_for = plan.life;
  const LoadIndex value = history.begin_set(key.name, process.engine_id(), source.version(key.name));
  process.operate(
      std::move(operation),
      [&](Engine& engine, Timestamp now) {
        return engine.store(key.name, History::payload(value, key.name), options, now);
      },
      [this, &process, value](const Outcome& outcome) {
        history.end_set(value, outcome.degraded, schedule.now());
        call_later(process);
      });
}

// ---- writes that announce themselves: intents, the commit (or none), their end

void World::announce(Process& process, const Key& key) {
  const bool by_tag = !key.tags.empty() && chance.of(0.4);
  const std::vector<std::string> keys{key.name}, tags{by_tag ? key.tags[0] : ""};
  WritingOptions options{.strict = chance.of(0.5), .wait = chance.of(0.4)};
  Operation operation;
  operation.kind = Operation::Kind::announce;
  operation.key = key.name;
  operation.covers = by_tag ? carriers(tags[0]) : std::set<std::string>{};
  operation.covers.insert(key.name);
  operation.words = "writing " + key.name + (by_tag ? " and tag " + tags[0] : "") + (options.wait ? ", waiting" : "");
  const auto covers = operation.covers;
  auto writing = std::make_shared<OperationId>(0);
  const Timestamp announced_at = schedule.now();
  process.operate(
      std::move(operation),
      [=](Engine& engine, Timestamp now) {
        *writing = engine.begin_writing(keys, std::span(tags).first(by_tag ? 1 : 0), options, now);
        return *writing;
      },
      [this, &process, &key, covers, writing, waited = options.wait, announced_at](const Outcome& outcome) {
        if (outcome.kind != Outcome::Kind::announced) return call_later(process);  // nothing is committed
        commit_later(process, key, {covers, *writing, waited, announced_at});
      });
}

void World::commit_later(Process& process, const Key& key, const Announced& write) {
  schedule.in(chance.around(chance.of(0.9) ? 3ms : 500ms), [=, this, &process, &key, me = process.incarnation()] {
    if (me == process.incarnation())
      process.run(Process::Lane::calls, [=, this, &process, &key] { commit(process, key, write); });
  });
}

void World::commit(Process& process, const Key& key, const Announced& write) {
  Operation operation;
  operation.kind = Operation::Kind::conclude;
  operation.key = key.name;
  operation.covers = write.covers;
  operation.announced_at = write.announced_at;
  operation.words = "the end of writing " + key.name;
  if (chance.of(0.8)) {  // else rolled back
    operation.version = source.commit(key.name);
    if (write.waited) operation.closed_since = schedule.now();
    trace.add(schedule.now(), key.name, "the source has version " + std::to_string(operation.version));
  }
  schedule.in(chance.of(0.5) ? 0us : chance.between(0us, 3ms), [=, this, &process, me = process.incarnation()] {
    if (me != process.incarnation()) return;
    process.run(Process::Lane::calls, [=, this, &process] {
      process.operate(
          operation, [&](Engine& engine, Timestamp now) { return engine.end_writing(write.writing, now); },
          then_next(process));
    });
  });
}

// ---- invalidations

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
  } else if (plan.is_versioned(key.name) && chance.of(0.7)) {
    operation.version = source.version(key.name);
    operation.words = "invalidate key " + key.name + " below version " + std::to_string(operation.version);
    call = [name = key.name, version = operation.version](Engine& engine, Timestamp now) {
      return engine.invalidate({&name, 1}, {}, now, version);
    };
  } else {
    operation.words = "invalidate key " + key.name;
    call = [name = key.name](Engine& engine, Timestamp now) { return engine.invalidate({&name, 1}, {}, now); };
  }
  process.operate(std::move(operation), call, then_next(process));
}

}  // namespace tiercel::sim
