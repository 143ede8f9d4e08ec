// Owns: what a handshake has found out about a server, and what that server would not give.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "redis/tracking.hpp"

namespace tiercel::redis {

struct ServerFacts {
  std::string version;  // empty: not told
  std::string run_id;  // empty: not permitted
  std::uint64_t client_id = 0;  // 0: not told
  unsigned protocol = 3;  // 2: it does not know HELLO 3, and so pushes nothing
  Tracking tracking = Tracking::off;
  bool answers_probe = true;  // the command in SessionOptions::probe is known and permitted
  std::vector<std::string> script_digests;  // in the order of SessionOptions::scripts; "": not permitted
  // The server's own words, where it gave less than was asked for.
  std::optional<Error> hello_refused, tracking_refused, probe_refused;
};

}  // namespace tiercel::redis
