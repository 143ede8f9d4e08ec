// Owns: tags that are known from the result of a load alone, so that their stamps cannot be taken before it. In their place the load takes the stamp of
// the any-tag, which every invalidation of a tag moves first; behind the load the tags' stamps are read, and then the any-tag once more: only if it still
// stands was none of them invalidated meanwhile. Why that suffices: docs/decisions/0014. Part of a Flight.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cache/core.hpp"
#include "cache/tag_fetch.hpp"

namespace tiercel {

class LateTags {
 public:
  // Before the load: the any-tag's stamp. False: Redis takes no more.
  bool before(Core& core, Task& task, Timestamp now);
  // Behind it: the tags' stamps, and then the any-tag's. False: Redis takes no more.
  bool after(Core& core, Task& task, const std::vector<std::string>& tags, Timestamp now);
  // True: the reply was of these questions.
  bool take(Core& core, Step step, const resp::Value& value);

  // The session that tells when any tag changes; 0: none, so that nothing bounds by it how old what is loaded may be.
  std::uint32_t tracked_on() const { return tracked_on_; }
  bool done() const { return outstanding_ == 0 && !tags_.waiting(); }
  // No tag was invalidated since before(), and none of these is being written.
  bool stand() const { return known_ && seen_ && *known_ == *seen_ && tags_.all_known(); }
  std::vector<TagStamp> stamps(Core& core) const { return tags_.captured(core); }

 private:
  bool ask(Core& core, Task& task, Timestamp now);

  TagFetch tags_;
  std::optional<Stamp> known_, seen_;  // of the any-tag: before the load, behind it
  bool behind_ = false;
  std::uint32_t tracked_on_ = 0;
  unsigned outstanding_ = 0;
};

// The any-tag moves before any tag does: submitted in front of them, on the same connection, so that the server does it first. It is moved only where
// there is one: who needs it makes it. False: Redis takes no more.
bool move_any_tag(Core& core, Task& task, Timestamp now, std::size_t index = 0);

}  // namespace tiercel
