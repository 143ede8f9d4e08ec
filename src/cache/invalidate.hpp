// Owns: invalidation of keys, tags, patterns and everything. What is named leaves this process' memory when the call is made and again when Redis
// has confirmed it; flights of it are sealed. What Redis did not confirm is kept as pending.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cache/core.hpp"

namespace tiercel {

// Keys by UNLINK, or by a floor where a version is named; tags by a new stamp: one pipeline whatever stands behind a tag. What is more than one
// write takes goes in several, each to be answered within op_timeout.
class InvalidateTask final : public Task {
 public:
  InvalidateTask(std::vector<std::string> keys, std::vector<std::string> tags,
                 std::optional<std::uint64_t> version = {})
      : keys_(std::move(keys)), tags_(std::move(tags)), version_(version) {}

  void start(Core& core, Timestamp now);
  // Sends it without asking whether Redis may be used, and all at once: the way of pending ones, which everything behind them relies on.
  void replay(Core& core, Timestamp now);
  void reply(Core& core, Step step, const resp::Value& value, Timestamp now) override;
  void lost(Core& core, Step step, const Error& why, Timestamp now) override;
  void overdue(Core& core, Timestamp now) override;
  bool abandon(Core&, Timestamp) override { return false; }

 private:
  void keep_floors(Core& core, Timestamp now);
  bool send_some(Core& core, Timestamp now);
  bool send_next(Core& core, Timestamp now);
  bool moves_any_tag() const;
  bool all_sent() const { return keys_sent_ == keys_.size() && tags_sent_ == tags_.size(); }
  std::size_t window() const;
  bool send_keys(Core& core, Timestamp now);
  bool send_floor(Core& core, std::size_t index, Timestamp now);
  bool send_tag(Core& core, std::size_t index, Timestamp now);
  void drop_tags(Core& core, Timestamp now);
  void forget_locally(Core& core);
  void refused(Core& core, Step step, const resp::Value& value, Timestamp now);
  void end(Core& core);
  void give_up(Core& core, Error why);

  std::vector<std::string> keys_, tags_;
  std::optional<std::uint64_t> version_;
  std::uint64_t removed_ = 0;
  std::size_t keys_sent_ = 0, tags_sent_ = 0;
  bool at_once_ = false, any_sent_ = false;
  unsigned outstanding_ = 0;
  bool any_refused_ = false;  // Redis is full: all tags are dropped behind the any-tag
  std::optional<Error> error_;
};

// Keys by SCAN and UNLINK in batches; the whole takes as long as it takes, each answer is to come within op_timeout.
class MatchingTask final : public Task {
 public:
  MatchingTask(std::string pattern, bool replayed = false) : pattern_(std::move(pattern)), replayed_(replayed) {}

  void start(Core& core, Timestamp now);
  void reply(Core& core, Step step, const resp::Value& value, Timestamp now) override;
  void lost(Core& core, Step step, const Error& why, Timestamp now) override;
  void overdue(Core& core, Timestamp now) override;
  bool abandon(Core&, Timestamp) override { return false; }

 private:
  bool scan(Core& core, Timestamp now);
  bool stands_for_pending(const Core& core) const;
  bool take_page(Core& core, const resp::Value& page, Timestamp now);
  void end(Core& core);
  void give_up(Core& core, Error why);

  std::string pattern_;
  std::string cursor_ = "0";
  std::uint64_t removed_ = 0;
  unsigned outstanding_ = 0;
  bool replayed_, scanned_all_ = false;
};

}  // namespace tiercel
