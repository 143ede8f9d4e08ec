// Owns: the promise as relations between what began and what was confirmed, so that they are part of a state: two ways to one state have the same past as
// far as it matters. A value is named by its load; each load knows which invalidations had begun before it, each operation which were confirmed.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cache/engine.hpp"
#include "exploration/play.hpp"

namespace tiercel::explore {

using Set = std::uint8_t;  // of the play's invalidations

struct Load {
  std::uint64_t version = 0;  // of the source, when it began
  Set begun = 0;  // invalidations that had begun before it
  bool running = true;
  bool announced = false;  // a write was announced when it began
  bool quiet = false;  // nothing was being invalidated since its first caller came
};

struct Running {  // an operation
  Act act = Act::load;
  unsigned process = 0;
  unsigned invalidation = 0;  // if it is one
  Set begun = 0, confirmed = 0;  // before it began
  Set settled = 0;  // confirmed for longer than `staleness` before it began
  Set own = 0;  // confirmed by its own process before it began
  std::uint64_t closed = 0;  // the newest version committed before it began, under an announcement that was waited for
  std::uint64_t seen = 0;  // the newest version its process had hit before it began
};

class Judge {
 public:
  explicit Judge(const Play& play) : play_(play) {}

  Running begin(Act act, unsigned process, unsigned invalidation, Duration elapsed);
  void end(const Running& running, const Outcome& outcome, Duration elapsed);
  void commit(bool window_closed) {
    ++version_;
    if (window_closed) closed_ = version_;
  }
  std::string begin_load(unsigned process, const Running* caller);  // its name, which is its payload
  void end_load(const std::string& name) { loads_.at(name).running = false; }
  // A value that serves whoever comes next, in Redis or in memory.
  void stands(std::string_view payload, const char* where);
  void fail(std::string what) {
    if (!failure_) failure_ = std::move(what);
  }

  const std::optional<std::string>& failure() const { return failure_; }
  std::uint64_t version() const { return version_; }
  const std::map<std::string, Load>& loads() const { return loads_; }
  void describe(std::string& out) const;  // for the digest
  static void describe(const Running& running, std::string& out);

 private:
  void judge_value(const Running& running, const Outcome& outcome);
  void judge_single_flight(const Load& load);

  const Play& play_;
  std::uint64_t version_ = 1, closed_ = 0;
  Set begun_ = 0, confirmed_ = 0;
  std::array<Set, 2> own_{};
  std::array<Duration, 8> confirmed_at_{};
  std::array<std::uint64_t, 2> hit_{};  // the newest version hit, by process
  std::array<unsigned, 2> loaded_{};
  unsigned announced_ = 0;  // writes: announced, their end not called
  std::map<std::string, Load> loads_;
  std::optional<std::string> failure_;
};

}  // namespace tiercel::explore
