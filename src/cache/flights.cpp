#include "cache/flights.hpp"

#include "base/planted.hpp"
#include "base/require.hpp"
#include "cache/flight.hpp"

namespace tiercel {

Flight* Flights::joinable(std::string_view key) const {
  const auto at = joinable_.find(std::string(key));
  return at == joinable_.end() ? nullptr : at->second;
}

void Flights::add(Flight& flight) {
  [[maybe_unused]] const bool added = joinable_.emplace(flight.key(), &flight).second;
  TIERCEL_REQUIRE(added);
}

void Flights::seal(Flight& flight) {
  flight.mark_sealed();
  if (!planted::is(planted::Bug::joins_sealed_flight)) set_aside(flight);
}

void Flights::set_aside(Flight& flight) {
  const auto at = joinable_.find(flight.key());
  if (at == joinable_.end() || at->second != &flight) return;
  joinable_.erase(at);
  apart_.emplace(flight.key(), &flight);
}

void Flights::forget(Flight& flight) {
  const auto at = joinable_.find(flight.key());
  if (at != joinable_.end() && at->second == &flight) {
    joinable_.erase(at);
    return;
  }
  const auto [first, last] = apart_.equal_range(flight.key());
  for (auto apart = first; apart != last; ++apart) {
    if (apart->second != &flight) continue;
    apart_.erase(apart);
    return;
  }
}

Flights::List Flights::of(std::string_view key) const {
  List found;
  if (Flight* flight = joinable(key)) found.push_back(flight);
  if (apart_.empty()) return found;
  const auto [first, last] = apart_.equal_range(std::string(key));
  for (auto apart = first; apart != last; ++apart) found.push_back(apart->second);
  return found;
}

Flights::List Flights::where(const std::function<bool(const Flight&)>& hurt) const {
  List found;
  for (const auto& [key, flight] : joinable_) {
    if (hurt(*flight)) found.push_back(flight);
  }
  for (const auto& [key, flight] : apart_) {
    if (hurt(*flight)) found.push_back(flight);
  }
  return found;
}

}  // namespace tiercel
