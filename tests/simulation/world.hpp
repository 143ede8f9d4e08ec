// Owns: a run: what one seed makes of engines, a network, a model of Redis, callers and faults, and the report on it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "simulation/history.hpp"
#include "simulation/network.hpp"
#include "simulation/process.hpp"
#include "stats/histogram.hpp"

namespace tiercel::sim {

struct RunOptions {
  std::set<Rule> expected;  // counted, and not the end of the run
  Focus focus;
  Histogram* served = nullptr;        // how long ago each value served had been outdated goes in here
  bool traced = false, wire = false;
  std::size_t lines = 40;  // of the story
};

struct Report {
  std::uint64_t seed = 0;
  std::string plan, story;  // the story: of the key that failed, if the run was traced
  std::optional<Failure> failure;
  std::array<std::uint64_t, kRules> counts{};
  std::size_t operations = 0, loads = 0, faults = 0;
  std::uint64_t digest = 0;
  bool calm = false;
};

Report run(std::uint64_t seed, const RunOptions& options);

struct World {
  World(std::uint64_t seed, const RunOptions& options);

  Report run(std::uint64_t seed);
  void begin_callers(Process& process);
  static std::uint64_t engine_id(unsigned process, std::uint64_t incarnation) { return process + incarnation * 100; }
  void say(std::string text) { trace.add(schedule.now(), "", std::move(text)); }

  Plan plan;
  Schedule schedule;
  Chance chance;
  test::ModelRedis redis;
  Source source;
  Trace trace;
  History history;
  Network network;
  std::vector<std::unique_ptr<Process>> processes;
  bool quiet = false;
  bool a_find_waits = false;  // in the middle, see Process::let_others
  std::size_t faults_done = 0;

 private:
  // workload.cpp
  void call_later(Process& process);
  void call(Process& process);
  void load(Process& process, const Key& key, bool refresh);
  void read(Process& process, const Key& key, Operation::Kind kind);
  void write(Process& process, const Key& key);
  void store(Process& process, const Key& key);
  void set(Process& process, const Key& key);
  struct Announced {
    std::set<std::string> covers;
    OperationId writing;
    bool waited;
    Timestamp announced_at;
  };
  void announce(Process& process, const Key& key);
  void commit_later(Process& process, const Key& key, const Announced& write);
  void commit(Process& process, const Key& key, const Announced& write);
  std::optional<Duration> own_delta();
  void command(Process& process);
  void invalidate(Process& process, const Key& key);
  void cancel_later(Process& process, OperationIndex index);
  Process::Ended then_next(Process& process);
  std::set<std::string> carriers(const std::string& tag) const;
  std::set<std::string> all_keys() const;

  // faults.cpp
  void fault_later();
  void do_fault(Fault fault);
  void fault_of_network(Fault fault);
  void fault_of_redis(Fault fault);
  void set_clock();
  void roll_back();
  void save_later();
  void heal();

  // world.cpp
  void tend();
  void watch(const test::ModelRedis::Words& command);
  void watch_fill(const std::string& redis_key);
  void watch_swap(const test::ModelRedis::Words& command);
  bool serves(const std::string& bytes) const;
  bool go_on(Timestamp until);
  void calm_down();
  bool all_well();
  bool clear_everything();
  void compare_with_source();

  Duration clock_off_{0};
  std::map<std::string, std::string> records_;  // as last seen in Redis
};

}  // namespace tiercel::sim
