// Owns: a write that announces itself: an intent on each of its keys and tags from before the commit until after it or the rollback. Who reads them
// meanwhile loads without storing. It lives from begin to end, is renewed like a lease, and never puts a value back.
#pragma once

#include <string>
#include <vector>

#include "cache/core.hpp"

namespace tiercel {

class WritingTask final : public Task {
 public:
  WritingTask(Core& core, std::vector<std::string> keys, std::vector<std::string> tags, WritingOptions options);

  void start(Core& core, Timestamp now);
  bool ends() const { return state_ == State::ending; }
  // After commit or rollback; `end` is the operation whose end tells how it went.
  void end(Core& core, OperationId end, Timestamp now);

  void reply(Core& core, Step step, const resp::Value& value, Timestamp now) override;
  void lost(Core& core, Step step, const Error& why, Timestamp now) override;
  void overdue(Core& core, Timestamp now) override;
  // Begun, it stays until its end: the caller who leaves has that done too.
  bool abandon(Core& core, Timestamp now) override;

 private:
  enum class State : std::uint8_t { beginning, settling, holding, ending };

  std::size_t count() const { return keys_.size() + tags_.size(); }
  std::string redis_key(const Core& core, std::size_t index) const;
  void forget_locally(Core& core);
  void send_begin(Core& core, std::size_t index, Timestamp now);
  std::size_t answers() const { return count() + (tags_.empty() ? 0 : 1); }  // the any-tag's
  void send_any(Core& core, std::size_t index, Timestamp now);
  void send_end(Core& core, std::size_t index, Timestamp now);
  void announce(Core& core, Timestamp now);
  void begun(Core& core, Timestamp now);
  void settle(Core& core, Timestamp now);
  void renew(Core& core, Timestamp now);
  void hold(Core& core, bool confirmed, Timestamp now);
  void refuse(Core& core, Error why, Timestamp now);
  void finish_end(Core& core);

  std::vector<std::string> keys_, tags_;
  WritingOptions options_;
  Stamp token_;
  OperationId end_ = 0;
  unsigned outstanding_ = 0;
  bool held_ = true;  // throughout, by all that Redis has answered
  std::uint64_t restarts_ = 0;  // noticed before it began
  Timestamp settled_at_{};
  std::optional<Error> error_;
  State state_ = State::beginning;
};

}  // namespace tiercel
