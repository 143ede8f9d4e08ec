// Owns: the flights of a process: one that may be joined for each key, and those apart that are sealed and still under way. Both hear of changes.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace tiercel {

class Flight;

class Flights {
 public:
  using List = std::vector<Flight*>;

  Flight* joinable(std::string_view key) const;  // null: none
  void add(Flight& flight);  // joinable from now on. Requires that no other of its key is
  void set_aside(Flight& flight);  // nobody joins it any more
  void seal(Flight& flight);  // the same, and what it is loading by now is not to be stored
  void forget(Flight& flight);  // it has ended
  List of(std::string_view key) const;
  List where(const std::function<bool(const Flight&)>& hurt) const;

 private:
  std::unordered_map<std::string, Flight*> joinable_;
  std::unordered_multimap<std::string, Flight*> apart_;
};

}  // namespace tiercel
