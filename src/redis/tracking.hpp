// Owns: the names of the ladder's rungs: how a server tells of changes to what was read from it. What each costs: docs/guides/consistency.md.
#pragma once

#include <cstdint>
#include <string_view>

namespace tiercel::redis {

enum class Tracking : std::uint8_t {
  optin,  // of each key that was read with `tracked`; before the replies to commands that the server runs later
  broadcast,  // of every key under our prefixes; at the end of the server's pass over its connections, so perhaps behind replies of that pass
  off,  // of nothing
};

enum class TrackingWish : std::uint8_t {
  automatic,  // the best that the server has and permits
  optin,
  broadcast,
  off,
};

constexpr std::string_view name_of(Tracking tracking) {
  return tracking == Tracking::optin ? "optin" : tracking == Tracking::broadcast ? "broadcast" : "off";
}

}  // namespace tiercel::redis
