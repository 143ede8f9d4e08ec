// Owns: points in time and durations. The engine reads no clock; every `now` is handed to it.
//
// Two clocks, never mixed up because they are different types:
//   Timestamp   the process' own clock, monotonic, counting suspended time (CLOCK_BOOTTIME). Deadlines in memory.
//   ServerTime  the Redis server's wall clock, microseconds since the Unix epoch. Deadlines in records at rest.
#pragma once

#include <chrono>
#include <cstdint>

namespace tiercel {

using Duration = std::chrono::microseconds;

struct EngineClock {
  using rep = std::int64_t;
  using period = std::micro;
  using duration = Duration;
  using time_point = std::chrono::time_point<EngineClock, Duration>;
  static constexpr bool is_steady = true;
};
using Timestamp = EngineClock::time_point;

struct ServerClock {
  using rep = std::int64_t;
  using period = std::micro;
  using duration = Duration;
  using time_point = std::chrono::time_point<ServerClock, Duration>;
  static constexpr bool is_steady = false;
};
using ServerTime = ServerClock::time_point;

inline constexpr Timestamp kNever = Timestamp::max();             // no deadline
inline constexpr ServerTime kServerNever = ServerTime{Duration{0}};  // "no deadline" at rest is zero

}  // namespace tiercel
