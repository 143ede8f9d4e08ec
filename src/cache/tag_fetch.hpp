// Owns: asking Redis for the stamps of tags, and making those that do not exist yet. Part of a task (Lookup, Fill).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cache/core.hpp"

namespace tiercel {

// The root stamp is a tag with an empty name: every record carries it, and clear() changes it.
inline constexpr std::string_view kRootTag{};
inline constexpr Duration kTagLifeMin = std::chrono::hours{24};  // and at least twice the longest life filled under it

std::string tag_redis_key(const KeySpace& names, std::string_view tag);

class TagFetch {
 public:
  struct Item {
    std::string name;
    std::optional<TagKnown> known;  // nullopt once asked: there is no such tag
    bool capture = false;  // its stamp is wanted for a fill: made if missing
    bool asked = false;
    bool written = false;  // a write of it is under way, so it has no stamp
  };

  // The item of this name, added if it is new.
  std::size_t want(std::string_view name, bool capture);
  // What the process knows already, without asking. False if it knows nothing.
  bool recall(const Core& core, std::size_t index);
  bool ask(Core& core, Task& task, std::size_t index, Timestamp now);
  // Makes the tag unless another process does so first, and asks which stamp it has.
  bool make(Core& core, Task& task, std::size_t index, Timestamp now);
  void reply(Core& core, Step step, const resp::Value& value);

  bool written() const;  // one of those to capture
  bool all_known() const;
  bool waiting() const { return outstanding_ > 0; }
  Item& item(std::size_t index) { return items_[index]; }
  std::vector<Item>& items() { return items_; }
  // The stamps of all items to capture. One that could not be had is a stamp of its own, which matches nothing: stored under it, stale.
  std::vector<TagStamp> captured(Core& core) const;

 private:
  bool make_root(Core& core, Task& task, std::size_t index, Timestamp now);
  bool asked(std::size_t index);
  static std::optional<TagKnown> read(const Core& core, const Item& item, std::string_view bytes);

  std::vector<Item> items_;
  unsigned outstanding_ = 0;
};

}  // namespace tiercel
