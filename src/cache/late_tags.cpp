#include "cache/late_tags.hpp"

#include <array>

#include "cache/steps.hpp"

namespace tiercel {

namespace {

std::string new_any_tag(Core& core) { return encode_tag({Stamp::roll(core.dice), kServerNever}); }

}  // namespace

bool move_any_tag(Core& core, Task& task, Timestamp now, std::size_t index) {
  const std::string record = new_any_tag(core);
  const std::array<std::string_view, 4> set{"SET", core.names.any_tag(), record, "XX"};
  return core.submit(task, ask::step(ask::any_moved, index), set, now);
}

bool LateTags::before(Core& core, Task& task, Timestamp now) {
  known_.reset();
  behind_ = false;
  tracked_on_ = 0;
  const std::string record = new_any_tag(core);
  const std::array<std::string_view, 4> set{"SET", core.names.any_tag(), record, "NX"};
  if (!core.submit(task, ask::step(ask::any_made), set, now)) return false;
  ++outstanding_;
  return ask(core, task, now);
}

bool LateTags::after(Core& core, Task& task, const std::vector<std::string>& tags, Timestamp now) {
  behind_ = true;
  seen_.reset();
  for (const std::string& tag : tags) {
    const std::size_t index = tags_.want(tag, true);
    if (!tags_.recall(core, index) && !tags_.make(core, task, index, now)) return false;
  }
  return ask(core, task, now);
}

// Tracked: a load whose tags are not known yet is not to be joined once any of them may have changed.
bool LateTags::ask(Core& core, Task& task, Timestamp now) {
  const std::array<std::string_view, 2> get{"GET", core.names.any_tag()};
  if (!core.submit(task, ask::step(ask::any_seen), get, now, true)) return false;
  ++outstanding_;
  return true;
}

bool LateTags::take(Core& core, Step step, const resp::Value& value) {
  if (step.kind != ask::any_seen && step.kind != ask::any_made) {
    if (!behind_ || (step.kind != ask::tag && step.kind != ask::tag_made)) return false;
    tags_.reply(core, step, value);
    return true;
  }
  outstanding_ -= outstanding_ > 0 ? 1 : 0;
  if (step.kind == ask::any_made || !value.is_string()) return true;
  const Result<TagRecord> record = decode_tag(value.text);
  if (!record) return true;
  (behind_ ? seen_ : known_) = record->stamp;
  tracked_on_ = core.remote->tracks() ? core.remote->generation() : 0;
  return true;
}

}  // namespace tiercel
