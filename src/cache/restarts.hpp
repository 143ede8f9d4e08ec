// Owns: which server this process has to do with, and what it means that it is another one than before: a restart, or a failover. The root record names
// the server under which everything was stored; who finds another behind the connection trusts it all the same, or renews the root (`after_restart`).
#pragma once

#include <cstdint>
#include <optional>

#include "base/time.hpp"
#include "entry/record.hpp"

namespace tiercel {

class Core;

class Restarts {
 public:
  // A connection stands. Behind it may be another server than this process was at before.
  void connected(Core& core, const ServerId& server);
  // May what was stored under this root be served? Not where another server gave its stamp, and what that one acknowledged last may be lost.
  bool believes(const Core& core, const RootRecord& root) const;
  // What script::kRoot answered.
  void root_answered(Core& core, std::int64_t answer);

  std::uint64_t count() const { return count_; }
  const std::optional<ServerTime>& last() const { return last_; }  // when one was noticed

 private:
  void met(Core& core, const ServerId& server);

  ServerId server_;  // the last that told
  ServerId noticed_;  // for which it was said
  std::uint64_t count_ = 0;
  std::optional<ServerTime> last_;
  bool hidden_ = false;  // that was said
};

// A root whose stamp is new, given under the server of the present connection.
std::string new_root(Core& core);

}  // namespace tiercel
