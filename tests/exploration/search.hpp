// Owns: the search through all schedules of a play, depth first, with what was seen before left out.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "exploration/choice.hpp"
#include "exploration/play.hpp"

namespace tiercel::explore {

struct Bounds {
  std::size_t depth = 200, states = 100'000'000;
  bool reduced = true;  // false: no step is taken alone; the verdict is the same, the states are more
};

struct Found {
  std::size_t states = 0, steps = 0, schedules = 0;  // distinct states; steps tried; schedules led to their end
  std::size_t depth = 0;  // of the longest
  std::size_t cut = 0;  // schedules that were left at the bound of depth
  bool complete = true;  // false: the bound of states came first
  double seconds = 0;
  std::optional<std::string> failure;
  Schedule schedule;  // that failed
};

Found search(const Play& play, const Bounds& bounds);
std::vector<std::string> tell(const Play& play, const Schedule& schedule);

}  // namespace tiercel::explore
