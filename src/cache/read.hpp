// Owns: the read of one key that memory does not serve at once. What memory holds of too long ago is looked at again behind a heartbeat; what it
// does not hold is asked of Redis. Ends as hit or miss; a Redis that does not answer in time is a miss marked `degraded`.
#pragma once

#include "cache/core.hpp"
#include "cache/lookup.hpp"

namespace tiercel {

class ReadTask final : public Task {
 public:
  ReadTask(std::string key, ReadOptions options)
      : key_(std::move(key)),
        lookup_(key_, options.capture, options.capture.empty() ? Lookup::For::reading : Lookup::For::loading),
        options_(std::move(options)) {}

  void start(Core& core, Timestamp now);
  void reply(Core& core, Step step, const resp::Value& value, Timestamp now) override;
  void lost(Core& core, Step step, const Error& why, Timestamp now) override;
  void overdue(Core& core, Timestamp now) override;
  void beaten(Core& core, Timestamp now) override;

 private:
  void look(Core& core, Timestamp now);
  void end(Core& core, Timestamp now);

  std::string key_;
  Timestamp begun_{};
  Lookup lookup_;
  ReadOptions options_;
};

// A miss without asking Redis: on memory:// the plain truth, else `degraded`.
Outcome local_miss(Core& core, const std::vector<std::string>& capture);
Outcome hit(const EntryRef& entry, bool from_memory, Timestamp now);
// Whether who was given it as a hit is to refresh it; an early refresh is wanted of one caller in this process.
bool wants_refresh(Core& core, const Entry& entry, double early, Timestamp now);
void count_hit(Core& core, const Outcome& outcome);  // a stale one is a hit too

}  // namespace tiercel
