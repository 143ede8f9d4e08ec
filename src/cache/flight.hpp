// Owns: one load of one key for all callers of this process: look in Redis, load, fill. Whoever comes while it flies joins it; whoever leaves
// harms nobody. An invalidation of its key or of one of its tags seals it: who had joined keeps the answer, nothing is stored, later callers
// start another.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cache/core.hpp"
#include "cache/fill.hpp"
#include "cache/lookup.hpp"

namespace tiercel {

class Flight final : public Task {
 public:
  Flight(std::string key, LoadOptions options)
      : key_(std::move(key)),
        options_(std::move(options)),
        lookup_(key_, options_.tags, options_.skip_value ? Lookup::For::storing : Lookup::For::loading) {}

  void start(Core& core, Timestamp now);
  void join(Core& core, OperationId caller);
  void leave(Core& core, OperationId caller, Timestamp now);
  void finish_load(Core& core, LoadResult result, Timestamp now);

  void reply(Core& core, Step step, const resp::Value& value, Timestamp now) override;
  void lost(Core& core, Step step, const Error& why, Timestamp now) override;
  void overdue(Core& core, Timestamp now) override;

  const std::string& key() const { return key_; }
  bool has_tag(std::string_view tag) const;
  // May a reader that begins at `now` take its answer? Not if it began so long ago that it could have missed a change.
  bool may_be_joined(const Core& core, Timestamp now) const;
  bool loading() const { return state_ == State::loading; }
  bool sealed = false;

 private:
  enum class State : std::uint8_t { looking, loading, filling, ended };

  void found(Core& core, Timestamp now);
  void load(Core& core, bool degraded, Timestamp now);
  void fill(Core& core, LoadResult result, Timestamp now);
  void land(Core& core, Outcome outcome);
  bool run_next_loader(Core& core, Timestamp now);
  void failed(Core& core, Timestamp now);

  std::string key_;
  LoadOptions options_;
  Lookup lookup_;
  std::optional<Fill> fill_;
  std::vector<OperationId> callers_;  // in the order they came
  OperationId loader_of_ = 0;  // whose loader runs
  std::vector<TagStamp> stamps_;
  Timestamp began_{}, load_started_{};
  std::uint32_t generation_ = 0;  // of the session when it began
  State state_ = State::looking;
  bool degraded_ = false;  // Redis was not asked or did not answer: nothing is stored there
};

// A caller of get_or_load: its place in a flight.
class Caller final : public Task {
 public:
  explicit Caller(FlightId flight) : flight_(flight) {}
  void reply(Core&, Step, const resp::Value&, Timestamp) override {}
  void lost(Core&, Step, const Error&, Timestamp) override {}
  void overdue(Core&, Timestamp) override {}
  bool abandon(Core& core, Timestamp now) override;

 private:
  FlightId flight_;
};

}  // namespace tiercel
