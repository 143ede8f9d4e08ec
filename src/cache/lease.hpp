// Owns: the right to fill one key once: its bytes, its renewal while the loader runs, its end. Part of a Flight. What stands under the key
// decides, not what was answered to a command: see docs/internals/protocol.md.
#pragma once

#include <algorithm>
#include <optional>
#include <string>

#include "cache/core.hpp"
#include "cache/lookup.hpp"

namespace tiercel {

// How long a version stays a floor: no load that began before it may still run then.
inline Duration floor_for(const Core& core) {
  return std::max<Duration>(std::chrono::seconds{60}, core.settings.load_max);
}

class Lease {
 public:
  explicit Lease(Core& core);

  // A bid for the key by this lease, in the place of what was seen. It carries on the version below which nothing is to be stored.
  std::string bid(Core& core, const Lookup::Seen& over, Timestamp now);
  Duration bid_life(Core& core, Timestamp now) const { return life(core, core.settings.lease_for, now); }
  bool is_ours(const Lookup::Seen& seen) const { return seen.stamp == stamp_.view(); }

  // While it is held. False: Redis cannot be asked now.
  bool renew(Core& core, Task& task, std::string_view key, Timestamp now);
  bool renewing() const { return outstanding_ > 0; }
  void answer_lost() { outstanding_ -= outstanding_ > 0 ? 1 : 0; }
  // A reply to the renewal. False: the lease is lost.
  bool take(Step step, const resp::Value& value);

  // Its ends, but for the fill. Nobody waits for their answers.
  void release(Core& core, std::string_view key, Timestamp now);
  void pass(Core& core, std::string_view key, Timestamp now);

  std::string_view stamp() const { return stamp_.view(); }
  bool admits(const std::optional<std::uint64_t>& version) const { return !floor_ || !version || *version >= *floor_; }

 private:
  std::string bytes(Core& core, RecordState state, Duration state_for, Timestamp now) const;
  Duration life(Core& core, Duration state_for, Timestamp now) const;  // of the record: a floor outlives its lease

  Stamp stamp_;
  std::optional<std::uint64_t> floor_;
  ServerTime floor_until_ = kServerNever;
  Duration load_cost_{0};
  unsigned outstanding_ = 0;
};

// How long another's lease is waited for, from what was seen of it.
Duration patience(const Core& core, const Header& lease);

}  // namespace tiercel
