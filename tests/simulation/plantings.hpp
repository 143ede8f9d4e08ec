// Owns: the planted bugs of src/base/planted.hpp as the simulation must catch them: what each breaks, and by which rules it is seen. A bug that is
// met by another rule than its own is not caught: what it breaks would go unseen if that other rule were mended.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/planted.hpp"
#include "simulation/plan.hpp"

namespace tiercel::sim {

struct Planting {
  planted::Bug bug;
  std::string_view breaks;
  std::set<Rule> seen_by;
  Focus focus{};  // of the runs that it is hunted in
  std::string_view name() const { return planted::kNames[static_cast<std::size_t>(bug)]; }
};

// Every bug but none, in the order of their enumeration.
const std::vector<Planting>& plantings();

// The beginning of its row in the table of docs/internals/proof.md: the bug, what it breaks, the rules.
std::string row_of(const Planting& planting);

}  // namespace tiercel::sim
