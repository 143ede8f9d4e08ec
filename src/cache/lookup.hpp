// Owns: asking Redis for a value: one pipeline of tracked GETs for the record and for the tags to capture, then the comparison of its tags'
// stamps. What is found enters memory when its reply is read, in wire order, so that a later push takes it out again. Part of a task.
#pragma once

#include <string>
#include <vector>

#include "cache/core.hpp"
#include "cache/tag_fetch.hpp"

namespace tiercel {

class Lookup {
 public:
  enum class For : std::uint8_t {
    reading,  // the value alone
    loading,  // the value, and should it be a miss, the stamps a fill needs: those of `tags` and the root's
    storing,  // these stamps alone
  };
  Lookup(std::string key, const std::vector<std::string>& tags, For purpose);

  // False: Redis cannot be asked now.
  bool start(Core& core, Task& task, Timestamp now);
  void reply(Core& core, Task& task, Step step, const resp::Value& value, Timestamp now);

  bool done() const { return done_; }
  bool failed() const { return failed_; }  // Redis answered with an error, or took no more questions
  const EntryRef& entry() const { return entry_; }  // null: a miss
  std::vector<TagStamp> captured(Core& core) const { return tags_.captured(core); }

 private:
  void take_value(Core& core, Task& task, const resp::Value& value, Timestamp now);
  EntryRef decode(Core& core, std::string_view bytes, Timestamp now);
  void check_tags(Core& core, Task& task, Timestamp now);
  void settle(Core& core, Task& task, Timestamp now);
  bool tags_agree();
  bool root_is_current(const Core& core) const;

  std::string key_;
  For purpose_;
  TagFetch tags_;
  std::vector<TagStamp> stamps_;  // the record's, the root's included
  EntryRef entry_;
  Timestamp asked_at_{};
  bool value_known_ = false, made_ = false, done_ = false, failed_ = false;
};

}  // namespace tiercel
