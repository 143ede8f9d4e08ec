// What is told to the history; the judgements stand in judge.cpp.
#include "simulation/history.hpp"

#include <algorithm>

namespace tiercel::sim {

namespace {
constexpr Duration kDecided = std::chrono::milliseconds{200};  // a load may begin so long after it was decided on

// Whatever is done to a key or tag without an announcement takes away the intents that stand there.
bool overwrites(const Operation& operation) {
  return operation.kind == Operation::Kind::invalidate || operation.kind == Operation::Kind::store;
}
}  // namespace

History::History(const Plan& plan, Trace& trace, std::set<Rule> expected, Histogram* served)
    : plan_(plan), trace_(trace), expected_(std::move(expected)), served_(served) {}

OperationIndex History::begin(Operation operation, Timestamp now) {
  operation.begin = now;
  for (const std::string& key : operation.covers) {
    if (operation.kind != Operation::Kind::conclude) ++story(key).invalidating;  // else from its announcement on
    if (overwrites(operation)) ++story(key).overwriting;
    story(key).disturbed = now;
    if (operation.version == 0) forget_versions(key, now);
    if (trace_.on) trace_.add(now, key, "p" + std::to_string(operation.process) + " begins " + operation.words);
  }
  if (trace_.on && operation.covers.empty())
    trace_.add(now, operation.key, "p" + std::to_string(operation.process) + " begins " + operation.words);
  operations_.push_back(std::move(operation));
  return operations_.size() - 1;
}

void History::end(OperationIndex index, const Outcome& outcome, Timestamp now, Duration paused) {
  Operation& operation = operations_[index];
  if (operation.ended) return fail(Rule::outcome, operation.key, operation.words + " ended twice");
  check_late(index, now, paused);
  operation.ended = true;
  digest_ = digest_ * 1'000'003 + static_cast<std::uint64_t>(outcome.kind) * 31 + index +
            static_cast<std::uint64_t>(now.time_since_epoch().count()) * 7;
  judge_end(operation, outcome, now);
}

void History::leave(OperationIndex index, Timestamp now) {
  Operation& operation = operations_[index];
  if (std::exchange(operation.ended, true)) return;
  if (trace_.on) trace_.add(now, operation.key, "p" + std::to_string(operation.process) + " leaves " + operation.words);
  if (!operation.covers.empty()) end_invalidation(operation, false, now);
  if (operation.kind == Operation::Kind::load) story(operation.key).troubled = now;
}

LoadIndex History::begin_load(OperationIndex caller, std::string_view key, bool away, Timestamp now) {
  const Operation& operation = operations_[caller];
  Load begun;
  begun.key = key;
  begun.engine = operation.engine;
  begun.began = now;
  begun.refresh = operation.refresh;
  loads_.push_back(std::move(begun));
  const LoadIndex load = loads_.size() - 1;
  if (trace_.on) trace_.add(now, key, "p" + std::to_string(operation.process) + " begins load " + std::to_string(load));
  if (away || operation.refresh) story(key).troubled = now;  // a refresh has no lease, and its fill may come first
  else judge_herd(loads_[load], now);
  if (!away) judge_idle(operation, now);
  Story& of_key = story(key);
  loads_[load].first = of_key.running.empty() && of_key.load_ended + kDecided < now;
  of_key.running.push_back(load);
  return load;
}

LoadIndex History::begin_stored(std::string_view key, std::uint64_t version) {
  // By its version alone: a store is not a load, and an invalidation that names none does not order the two.
  Load stored;
  stored.key = key;
  stored.began = Timestamp::max();
  stored.version = version;
  stored.running = stored.first = false;
  loads_.push_back(std::move(stored));
  return loads_.size() - 1;
}

LoadIndex History::begin_set(std::string_view key, std::uint64_t engine, std::uint64_t version) {
  const LoadIndex value = begin_stored(key, version);
  loads_[value].engine = engine;
  loads_[value].set = true;
  return value;
}

void History::end_load(LoadIndex load, bool gave_value, Timestamp now) {
  Load& ended = loads_[load];
  if (!std::exchange(ended.running, false)) return;
  std::erase(story(ended.key).running, load);
  story(ended.key).load_ended = now;
  const bool may_lag = plan_.is_versioned(ended.key) && plan_.may_lag;
  if (!gave_value || ended.refresh || may_lag) story(ended.key).troubled = now;
  else if (plan_.thrifty()) to_be_stored_.emplace_back(now, load);
  if (trace_.on)
    trace_.add(now, ended.key,
               "load " + std::to_string(load) + " ends" +
                   (gave_value ? ", having read version " + std::to_string(ended.version) : " without a value"));
}

// An invalidation that names no version takes the record away, and with it what was known of versions: an older `set` may follow (documented).
void History::forget_versions(const std::string& key, Timestamp now) {
  Story& of_key = story(key);
  of_key.stored = {};
  of_key.own_stored.clear();
  of_key.forgotten = now;
}

// Floors and versions die with the server; by which of them a value is current nobody remembers. Where restarts are trusted, so is what they bring back.
void History::rolled_back(Timestamp now) {
  rolled_back_ = now;
  for (auto& [key, of_key] : stories_) {
    forget_versions(key, now);
    of_key.troubled = now;
    of_key.hits.clear();
    of_key.given.clear();
    of_key.closed = {};
    if (!plan_.trusts_restarts()) continue;
    of_key.invalidated = {};
    of_key.own_invalidated.clear();
    of_key.own_pending.clear();
  }
}

void History::know_version(const Operation& operation, const std::string& key, Timestamp now) {
  Story& of_key = story(key);
  if (of_key.forgotten >= operation.begin) return;  // nobody knows which of the two Redis did first
  of_key.stored.add(now, operation.version);
  of_key.own_stored[operation.engine].add(now, operation.version);
}

void History::confirmed(const Operation& operation, Timestamp now) {
  // Redis may have done it before it lost it; where restarts are distrusted, it holds all the same.
  if (rolled_back_ && operation.begin <= *rolled_back_ && plan_.trusts_restarts()) return;
  const bool names_version = operation.kind == Operation::Kind::invalidate && operation.version > 0;
  for (const std::string& key : operation.covers) {
    Story& of_key = story(key);
    if (names_version) {  // what is not older may stay
      know_version(operation, key, now);
    } else {
      forget_versions(key, now);
      of_key.invalidated.add(now, operation.begin);
      of_key.own_invalidated[operation.engine].add(now, operation.begin);
    }
  }
}

// An announced write drops what was there when it is announced, and again at its end; in between its keys are being invalidated.
void History::end_write(const Operation& operation, const Outcome& outcome, Timestamp now) {
  const bool announced = outcome.kind == Outcome::Kind::announced;
  const bool is_confirmed = outcome.kind == Outcome::Kind::invalidated || outcome.kind == Outcome::Kind::stored ||
                            (announced && !outcome.degraded);
  judge_held(operation, outcome);
  // A full Redis refuses a tag's new stamp: until the tag is dropped instead, the old one is still read there (seed 7312036).
  const bool kept_promise = !plan_.faults.contains(Fault::full);
  if (outcome.kind == Outcome::Kind::pending && operation.version == 0 && kept_promise) {
    for (const std::string& key : operation.covers) story(key).own_pending[operation.engine].add(now, operation.begin);
  }
  const bool lost = rolled_back_ && plan_.trusts_restarts() && operation.closed_since <= rolled_back_;
  if (outcome.held && operation.closed_since && !lost) close_window(operation);
  if (!announced) return end_invalidation(operation, is_confirmed, now);
  if (is_confirmed) confirmed(operation, now);
  if (trace_.on) {
    for (const std::string& key : operation.covers)
      trace_.add(now, key, "p" + std::to_string(operation.process) + " has announced " + operation.words);
  }
}

void History::end_invalidation(const Operation& operation, bool is_confirmed, Timestamp now) {
  if (is_confirmed) confirmed(operation, now);
  for (const std::string& key : operation.covers) {
    Story& of_key = story(key);
    --of_key.invalidating;
    if (overwrites(operation)) {
      --of_key.overwriting;
      of_key.overwritten = now;
    }
    of_key.disturbed = now;
    if (trace_.on)
      trace_.add(now, key,
                 "p" + std::to_string(operation.process) + " ends " + operation.words +
                     (is_confirmed ? ": confirmed" : ": not confirmed"));
  }
}

void History::fail(Rule rule, std::string_view key, std::string text) {
  ++counts_[static_cast<std::size_t>(rule)];
  if (!failure_ && !expected_.contains(rule)) failure_ = Failure{rule, std::string(key), std::move(text)};
}

}  // namespace tiercel::sim
