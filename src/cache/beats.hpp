// Owns: who waits for the session's next heartbeat: reads whose entry memory holds, tracked, but as of too long ago. The heartbeat's reply stands
// behind every push of a change that came before it was sent, so what is still in memory then is as of that sending. One heartbeat serves all who
// asked before it left; asking Redis for each key is for what memory does not hold.
#pragma once

#include <cstdint>
#include <deque>
#include <string_view>
#include <utility>

#include "base/time.hpp"

namespace tiercel {

class Core;
class Task;

class Beats {
 public:
  // Whether a heartbeat is all that the key needs. Requires that Redis may be used.
  bool serves(Core& core, std::string_view key, Timestamp now) const;
  // Task::beaten is called when the watermark has reached `now`, or when the connection is lost; its deadline is set.
  void wait(Core& core, Task& task, Timestamp now);

  void heard(Core& core, Timestamp now);  // the watermark has moved
  void lost(Core& core, Timestamp now);  // no heartbeat will come

 private:
  std::deque<std::pair<Timestamp, std::uint64_t>> waiting_;  // since when, and which task
};

}  // namespace tiercel
