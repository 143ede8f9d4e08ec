// Owns: what a seed decides about its run before it begins: how many, how fast, how wrong things go.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cache/engine.hpp"
#include "simulation/chance.hpp"

namespace tiercel::sim {

enum class Fault : std::uint8_t {
  cut,          // a connection ends; what was under way is lost, or comes late
  hole,         // nothing passes in one direction for a while
  slow,         // all of one connection comes much later, for a while
  refuse,       // new connections are refused for a while
  pause_redis,  // Redis hangs for a while
  flush,        // Redis forgets everything
  evict,        // Redis forgets a key, perhaps a tag's
  untrack,      // Redis' table of who reads what is full
  full,         // Redis refuses to store for a while
  restart,      // Redis restarts, its data kept
  set_clock,    // Redis' wall clock is set
  forget_scripts,
  pause,  // a process does nothing for a while
  crash,  // a process dies, and a new one comes in its place
  roll_back,  // Redis restarts from a snapshot that is a little old
};
inline constexpr int kFaults = 15;
inline constexpr int kFaultsOfOld = 14;  // which the dice of a plan are thrown for; the others have dice of their own
std::string_view name_of(Fault fault);

// What may be wrong. Those a caller expects are counted; others end the run.
enum class Rule : std::uint8_t {
  stale,  // a value whose load began before an invalidation that was confirmed more than delta ago
  stale_asked,  // the same with delta = 0: Redis was asked
  own_write,  // the same with delta = 0: the invalidation was confirmed by this engine
  window,  // a value of before a commit, read after it, although the write was announced, waited for, and held
  back,  // a hit of an older version than an earlier hit of the same engine
  herd,  // two loads of one key at once where nothing fails
  waiter,  // waited for a fill for longer than a push and two round trips, where nothing fails
  unstored,  // a load that led, where nothing fails, and whose value Redis does not hold then
  idle,  // waited for somebody's load although nobody loaded, where nothing fails
  unheld,  // an announced write that nobody cut short was reported as not held, where nothing fails
  discarded,  // a lease took the place of a value that served
  late,  // did not end within its bound
  outcome,  // ended twice, or as it must not end, or with somebody else's bytes
  convergence,  // after the faults, everything invalidated: a process still holds something old
  storm,  // the run does not end
};
inline constexpr int kRules = 15;
std::string_view name_of(Rule rule);

// How much the server of a run gives: the rungs of the ladder.
enum class Rung : std::uint8_t { optin, broadcast, off, resp2, no_scripts };
inline constexpr int kRungs = 5;
std::string_view name_of(Rung rung);

inline constexpr Duration kPassMax = std::chrono::microseconds{300};  // of Redis' loop over its connections

struct Key {
  std::string name;
  std::vector<std::string> tags;
};

// What a run is to be about, besides what its seed decides.
struct Focus {
  bool versions = false;  // a key whose loads and stores name versions
  bool sets = false;  // values stored without a load
  bool lags = false;  // loads that name a version and read an older one
  bool reads = false;  // most operations load nothing, so what is in memory stays as it is
  std::optional<Duration> staleness;  // instead of the one that the seed would choose
  std::optional<Rung> rung;  // of the server, whatever the seed says
  std::optional<std::set<Fault>> faults;  // these, and no others; none: a calm run
  friend bool operator==(const Focus&, const Focus&) = default;
};

struct Plan {
  Plan(std::uint64_t seed, const Focus& focus);

  std::vector<Key> keys;
  std::vector<std::string> tags;
  unsigned processes, callers;
  Duration length, think;
  EngineSettings settings;
  Duration delay_min, delay_max;  // of the network, one way
  Duration load_mean, load_max;
  double slow_loads, failing_loads, odd_loads;  // shares of loads
  double lagging_loads;  // of those that name a version: they read an older one, as from a replica
  bool may_lag;  // there are such, or have been
  double writes, announced, sets;  // shares of operations, and of writes
  double cancels, reads;  // shares of operations
  Duration life, fresh;  // of values; zero: without end
  Rung rung = Rung::optin;
  std::set<Fault> faults;
  Duration fault_every{};

  // What Redis confirmed may be lost with it, and that is outside the promise.
  bool trusts_restarts() const { return settings.after_restart == AfterRestart::trust; }
  bool late_tags = false;  // of most loads the tags come with the result
  bool is_versioned(std::string_view key) const { return key == "v0"; }
  bool pushes() const { return rung != Rung::off && rung != Rung::resp2; }
  bool leases() const { return rung != Rung::no_scripts; }
  bool calm() const { return faults.empty(); }
  // Whether loads are held to the rules of thrift. Where tags come with the result, some are not stored: not understood yet.
  bool thrifty() const { return calm() && !late_tags; }
  std::string described() const;

 private:
  void aim(const Focus& focus);
};

}  // namespace tiercel::sim
