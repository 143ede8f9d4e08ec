// Owns: what is explored: small plays of two processes and one key, in which each actor does one thing after the other, and what may go wrong
// meanwhile. All orders of all messages are the search's business.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cache/engine.hpp"

namespace tiercel::explore {

enum class Act : std::uint8_t {
  load,  // get_or_load
  load_now,  // get_or_load, fresh="now"
  ask,  // read, fresh="now"
  find,  // a look into memory alone
  invalidate_key,
  invalidate_tag,
  commit,  // the source gets its next version
  announce,  // writing(): its begin
  announce_tag,
  announce_waiting,  // writing(wait=True)
  conclude,  // writing(): its end
};
const char* name_of(Act act);
inline bool invalidates(Act act) {
  return act == Act::invalidate_key || act == Act::invalidate_tag || act == Act::conclude;
}

struct Actor {
  unsigned process = 0;
  std::vector<Act> acts;
};

struct Play {
  std::string name;
  std::vector<Actor> actors;
  bool tagged = false;  // every load carries the tag
  bool warm = false;  // both processes hold the first version in memory when it begins
  unsigned cuts = 0;  // so many connections end, at any moment; time passes behind them
  std::optional<unsigned> cut_of{};  // of this process alone
  unsigned failing_loads = 0;  // so many loads fail
  unsigned leaving = 0;  // so many callers leave before the end
  unsigned forgettings = 0;  // so often Redis forgets its scripts
  unsigned evictions = 0;  // so often Redis drops the tag's record
  std::vector<Duration> pauses{};  // so much time passes, in this order, each at any moment
  Duration op_timeout = std::chrono::seconds{60}, staleness = std::chrono::seconds{60};
  Duration lease_for = std::chrono::seconds{60};
  bool deep = false;  // for `make check`: some minutes

  bool waits_for_time() const;  // some operation may need time to end
  bool writes() const;  // somebody announces a write
};

std::vector<Play> plays();

}  // namespace tiercel::explore
