// Owns: asking Redis for a value: one pipeline of tracked GETs for the record and for the tags to capture, then the comparison of its tags'
// stamps. What memory holds already, and may not be served without asking, is compared by its stamp alone: its payload does not travel again (A8).
// What is found enters memory when its reply is read, in wire order, so that a later push takes it out again. A load asks once more
// behind its bid for the key's lease. Part of a task.
#pragma once

#include <optional>
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
    leading,  // the value; the stamps are made with the bid that follows, should it be a miss
  };
  // What stands in Redis under the key, whether it serves or not.
  struct Seen {
    bool exists = false, readable = true;  // readable: its stamp is known, so it can be swapped for something else
    std::string stamp;  // the bytes where a record has its stamp; empty: too short to have one
    std::optional<Header> header;  // nullopt: not a record of ours
  };
  Lookup(std::string key, const std::vector<std::string>& tags, For purpose);

  // False: Redis cannot be asked now.
  bool start(Core& core, Task& task, Timestamp now);
  void reply(Core& core, Task& task, Step step, const resp::Value& value, Timestamp now);
  // Puts `lease` where nothing serves and reads the key behind it; the missing tags to capture are made on the way. False: Redis takes no more.
  bool bid(Core& core, Task& task, std::string_view lease, Duration life, Timestamp now);

  bool done() const { return done_; }
  bool failed() const { return failed_; }  // Redis answered with an error, or took no more questions
  const EntryRef& entry() const { return entry_; }  // null: a miss
  std::vector<TagStamp> captured(Core& core) const { return tags_.captured(core); }
  const Seen& seen() const { return seen_; }
  std::uint32_t tracked_on() const { return tracked_on_; }  // the session that tells of changes to the key; 0: none
  bool tag_written() const { return tags_.written(); }  // a write of a tag to capture is under way
  bool bid_refused() const { return bid_refused_; }  // Redis takes no writes

 private:
  void take_value(Core& core, Task& task, const resp::Value& value, Timestamp now);
  EntryRef decode(Core& core, std::string_view bytes, Timestamp now);
  void check_tags(Core& core, Task& task, Timestamp now);
  void settle(Core& core, Task& task, Timestamp now);
  void begin_pipeline();
  void begin_asking(Core& core, Timestamp now);
  bool ask_stamp(Core& core, Task& task, Timestamp now);
  void take_stamp(Core& core, Task& task, const resp::Value& value, Timestamp now);
  enum class Ask : std::uint8_t { tracked, behind_script, untracked };
  bool ask_value(Core& core, Task& task, Timestamp now, Ask how = Ask::tracked);
  bool send_bid(Core& core, Task& task, std::string_view lease, Duration life, Timestamp now);
  bool tags_agree();

  std::string key_;
  For purpose_;
  TagFetch tags_;
  std::vector<TagStamp> stamps_;  // the record's, the root's included
  EntryRef entry_, held_;  // held: what memory has, to be compared
  Seen seen_;
  Timestamp asked_at_{};
  std::uint64_t changes_ = 0;  // of our own, when it was asked
  std::uint32_t tracked_on_ = 0;
  bool bid_refused_ = false;
  bool value_known_ = false, made_ = false, done_ = false, failed_ = false;
};

}  // namespace tiercel
