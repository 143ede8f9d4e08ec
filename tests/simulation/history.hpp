// Owns: what was done, and the judgement over it. Every operation is told here when it begins and when it ends; what breaks the promise of the
// guide to consistency is noted under its rule.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cache/engine.hpp"
#include "simulation/plan.hpp"
#include "simulation/timeline.hpp"
#include "simulation/trace.hpp"
#include "stats/histogram.hpp"

namespace tiercel::sim {

struct Operation {
  enum class Kind : std::uint8_t { load, read, ask, find, store, invalidate, announce, conclude, connect, command };
  Kind kind = Kind::load;
  unsigned process = 0;
  std::uint64_t engine = 0;  // which incarnation
  std::string key;
  std::set<std::string> covers;  // an invalidation, a write: keys
  std::optional<Duration> fresh;  // a read's own delta
  bool pattern = false;  // an invalidation that needs scans
  std::uint64_t version = 0;  // a store; an invalidation that names one; a commit under an announced write
  std::optional<Timestamp> closed_since;  // the end of an announced write that was waited for: its commit
  std::optional<Timestamp> announced_at;  // the end of an announced write: the beginning of its announcement
  bool refresh = false;
  std::string words;  // for the trace

  Timestamp begin{};
  Duration paused_before{0};  // how long its process had been paused when it began
  bool ended = false;
};
using OperationIndex = std::size_t;

struct Load {
  std::string key;
  std::uint64_t engine = 0;
  Timestamp began{};
  std::uint64_t version = 0;  // what it read
  bool refresh = false, running = true;
  bool first = true;  // no other of the key ran when it began: those that began behind it lead nothing
  bool set = false;  // stored without a load, and without a version: the last writer wins
  Timestamp set_ended = Timestamp::max();
  bool set_lost = false;  // nobody knows whether Redis did it: its engine owes to remove it
};
using LoadIndex = std::size_t;

struct Failure {
  Rule rule;
  std::string key, text;
};

class History {
 public:
  History(const Plan& plan, Trace& trace, std::set<Rule> expected, Histogram* served);

  OperationIndex begin(Operation operation, Timestamp now);
  void end(OperationIndex index, const Outcome& outcome, Timestamp now, Duration paused);
  void leave(OperationIndex index, Timestamp now);  // cancelled, or its process died: no end is owed
  void check_stored(Timestamp now);  // the loads that have ended long enough ago
  void check_late(OperationIndex index, Timestamp now, Duration paused);
  const Operation& operation(OperationIndex index) const { return operations_[index]; }

  // `away`: its engine is without Redis.
  LoadIndex begin_load(OperationIndex caller, std::string_view key, bool away, Timestamp now);
  void load_read(LoadIndex load, std::uint64_t version) { loads_[load].version = version; }
  std::uint64_t version_of(LoadIndex load) const { return loads_[load].version; }
  // A value that is stored without a load.
  LoadIndex begin_stored(std::string_view key, std::uint64_t version);
  LoadIndex begin_set(std::string_view key, std::uint64_t engine, std::uint64_t version);
  void end_set(LoadIndex value, bool lost, Timestamp now) {
    loads_[value].set_ended = now;
    loads_[value].set_lost = lost;
  }
  void end_load(LoadIndex load, bool gave_value, Timestamp now);
  static std::string payload(LoadIndex load, std::string_view key) {
    return std::string(key) + "|" + std::to_string(load) + "|";
  }
  void forget_versions(const std::string& key, Timestamp now);  // Redis has dropped its record
  void rolled_back(Timestamp now);  // Redis has lost what it confirmed of late
  void disturb(const std::string& key, Timestamp now) { story(key).disturbed = now; }
  void filled(std::string_view key, Timestamp now) { story(key).fills.push_back(now); }  // Redis holds a new value

  void fail(Rule rule, std::string_view key, std::string text);
  // As of the last, quiet phase: what is read is what the source has.
  void check_agrees(OperationIndex index, const Outcome& outcome, std::uint64_t version);

  const std::optional<Failure>& failure() const { return failure_; }
  std::uint64_t count(Rule rule) const { return counts_[static_cast<std::size_t>(rule)]; }
  std::size_t operations() const { return operations_.size(); }
  std::size_t loads() const { return loads_.size(); }
  std::uint64_t digest() const { return digest_; }  // of all ends, in order: equal for equal seeds

 private:
  struct Story {  // of a key
    Timeline<Timestamp> invalidated;  // confirmed: when; when it had begun
    Timeline<std::uint64_t> stored;  // confirmed: when; its version
    std::map<std::uint64_t, Timeline<Timestamp>> own_invalidated;  // by engine
    std::map<std::uint64_t, Timeline<Timestamp>>
        own_pending;  // not confirmed: its own engine knows of them all the same
    std::map<std::uint64_t, Timeline<std::uint64_t>> own_stored, hits;
    struct Given {
      Timestamp begin;
      std::uint64_t version;
    };
    std::vector<Given> given;  // to readers
    Timeline<std::uint64_t> closed;  // commits whose window was closed: when, which version
    std::vector<Timestamp> fills;
    std::vector<LoadIndex> running;
    unsigned invalidating = 0, overwriting = 0;  // overwriting: what takes an intent away
    Timestamp load_ended{}, overwritten{};
    Timestamp forgotten{};  // last: an invalidation that names no version
    Timestamp disturbed{}, troubled{};  // last: an invalidation, a load that gave no value
  };

  Story& story(std::string_view key) { return stories_[std::string(key)]; }
  void judge_end(const Operation& operation, const Outcome& outcome, Timestamp now);
  void judge_value(const Operation& operation, const Outcome& outcome, Timestamp now);
  void judge_freshness(const Operation& operation, const Outcome& outcome, const Load& load);
  void judge_window(const Operation& operation, std::uint64_t version);
  void close_window(const Operation& operation);
  void judge_waiter(const Operation& operation, const Outcome& outcome, Timestamp now);
  void judge_herd(const Load& load, Timestamp now);
  void judge_idle(const Operation& operation, Timestamp now);
  void judge_held(const Operation& operation, const Outcome& outcome);
  void judge_set(const Operation& operation, const Outcome& outcome, const Load& value);
  std::optional<LoadIndex> load_of(const Operation& operation, const Entry& entry);
  void know_version(const Operation& operation, const std::string& key, Timestamp now);
  void confirmed(const Operation& operation, Timestamp now);
  void end_write(const Operation& operation, const Outcome& outcome, Timestamp now);
  void end_invalidation(const Operation& operation, bool confirmed, Timestamp now);
  Duration bound(const Operation& operation) const;

  const Plan& plan_;
  Trace& trace_;
  std::set<Rule> expected_;
  std::vector<Operation> operations_;
  std::vector<Load> loads_;
  std::deque<std::pair<Timestamp, LoadIndex>> to_be_stored_;  // ended, and when
  std::map<std::string, Story> stories_;
  std::array<std::uint64_t, kRules> counts_{};
  std::optional<Failure> failure_;
  Histogram* served_;  // how stale each value was that was served; may be absent
  std::optional<Timestamp> rolled_back_;
  std::uint64_t digest_ = 0;
};

}  // namespace tiercel::sim
