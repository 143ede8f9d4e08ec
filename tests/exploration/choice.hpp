// Owns: one step of a schedule: who does what next.
#pragma once

#include <cstdint>
#include <vector>

namespace tiercel::explore {

struct Choice {
  enum class Kind : std::uint8_t {
    act,  // the next act of an actor
    leave,  // the caller that this actor is goes away
    finish_load,  // of process who / 8, its load number who % 8
    fail_load,
    deliver,  // the next message of a wire to its process
    serve,  // the next command of a wire to Redis
    cut,  // the process loses the connection
    vanish,  // and Redis too: what was under way to it is lost
    timers,  // of a process: they are due
    time,  // passes
    expire,  // Redis removes what is past its deadline
    evict,  // Redis drops the tag's record
    forget,  // Redis forgets its scripts
  };
  Kind kind = Kind::act;
  std::uint8_t who = 0;
};
using Schedule = std::vector<Choice>;

}  // namespace tiercel::explore
