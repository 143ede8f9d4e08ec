// Owns: storing one value: a SET of the record, or its swap for the lease it was loaded under, then a tracked read of its header behind it. The
// server's answers are OK or 1, our own push, and the header: only when the header shows our stamp do the bytes just written enter memory. Part of
// a task (Flight, StoreTask).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cache/core.hpp"

namespace tiercel {

class Fill {
 public:
  // Whether the server will tell of changes to the entry: it is read back, tracked, behind the write.
  enum class Coherence : std::uint8_t { tracked, by_age };
  struct Times {
    Timestamp as_of, now;
  };

  // The entry as memory and callers see it; requires the tags' stamps. Nothing is sent yet.
  Fill(Core& core, std::string_view key, std::string_view payload, const StoreOptions& options,
       std::vector<TagStamp> stamps, Coherence coherence, Times times);

  // Memory alone: on memory://, or while Redis is away.
  void keep(Core& core, Timestamp now);
  // Whatever stands under the key; a value that names a version does not replace a newer one, nor a write intent. False: Redis cannot be
  // asked now. Requires a value that is not refused.
  bool set(Core& core, Task& task, Timestamp now);
  // Only in the place of the record with this stamp.
  bool swap(Core& core, Task& task, std::string_view expected, Timestamp now);
  void reply(Core& core, Task& task, Step step, const resp::Value& value, Timestamp now);
  // What Redis refused is kept in memory for as long as a load is good without it.
  void keep_by_age(Core& core, Timestamp now);

  bool done() const { return outstanding_ == 0; }
  // Something else stands under the key: nothing was stored, and that is right.
  bool superseded() const { return superseded_; }
  const std::optional<Error>& refused() const { return refused_; }
  const EntryRef& entry() const { return entry_; }

 private:
  bool extend_tags(Core& core, Task& task, Timestamp now);
  bool read_back(Core& core, Task& task, Timestamp now);
  std::string encoded(Core& core, Timestamp now) const;
  Header header(Core& core, Timestamp now) const;

  StoreOptions options_;
  std::vector<TagStamp> stamps_;
  EntryRef entry_;
  std::uint64_t epoch_;  // of tags, when the stamps were handed over
  std::optional<Error> refused_;
  unsigned outstanding_ = 0;
  bool written_ = false, superseded_ = false;
};

// An old record must not outlive the value that is too large to replace it.
void remove_quietly(Core& core, std::string_view key, Timestamp now);
Error too_large(const Core& core, std::string_view key, std::size_t bytes);

}  // namespace tiercel
