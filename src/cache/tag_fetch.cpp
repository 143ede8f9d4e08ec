#include "cache/tag_fetch.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "cache/restarts.hpp"
#include "cache/scripts.hpp"
#include "cache/steps.hpp"

namespace tiercel {

std::string tag_redis_key(const KeySpace& names, std::string_view tag) {
  return tag == kRootTag ? names.root() : names.tag(tag);
}

std::size_t TagFetch::want(std::string_view name, bool capture) {
  for (std::size_t index = 0; index < items_.size(); ++index) {
    if (items_[index].name != name) continue;
    items_[index].capture |= capture;
    return index;
  }
  items_.push_back({std::string(name), std::nullopt, capture, false});
  return items_.size() - 1;
}

bool TagFetch::recall(const Core& core, std::size_t index) {
  if (!core.remote->tracks() || core.remote->tells_late()) return false;  // nobody may have told us of a change yet
  std::optional<TagKnown>& known = items_[index].known;
  known = core.tags.find(items_[index].name);
  if (known && known->local) known.reset();
  items_[index].written = false;
  return known.has_value();
}

bool TagFetch::ask(Core& core, Task& task, std::size_t index, Timestamp now) {
  const std::string key = tag_redis_key(core.names, items_[index].name);
  const std::array<std::string_view, 2> get{"GET", key};
  if (!core.submit(task, ask::step(ask::tag, index), get, now, true)) return false;
  return asked(index);
}

bool TagFetch::asked(std::size_t index) {
  items_[index].asked = true;
  ++outstanding_;
  return true;
}

bool TagFetch::make(Core& core, Task& task, std::size_t index, Timestamp now) {
  if (items_[index].name == kRootTag) return make_root(core, task, index, now);
  const std::string key = core.names.tag(items_[index].name);
  const std::string record = encode_tag({Stamp::roll(core.dice), core.server_now(now) + kTagLifeMin});
  const std::string life = milliseconds(kTagLifeMin);
  const std::array<std::string_view, 6> set{"SET", key, record, "NX", "PX", life};
  if (!core.submit(task, ask::step(ask::tag_made, index), set, now)) return false;
  ++outstanding_;
  return ask(core, task, index, now);
}

bool TagFetch::make_root(Core& core, Task& task, std::size_t index, Timestamp now) {
  const std::string& key = core.names.root();
  const bool distrust = core.settings.after_restart == AfterRestart::distrust;
  const std::string_view server = core.remote->server_id().view();
  if (!core.remote->runs_scripts()) {  // then it is found, or made, and stays as it is
    const std::string record = new_root(core);
    const std::array<std::string_view, 4> set{"SET", key, record, "NX"};
    if (!core.submit(task, ask::step(ask::tag_made, index), set, now)) return false;
    ++outstanding_;
    return ask(core, task, index, now);
  }
  if (!core.run_script(task, ask::step(ask::tag_made, index), script::kRoot, key,
                       {new_root(core), server, distrust ? "1" : "0"}, now))
    return false;
  ++outstanding_;
  const std::array<std::string_view, 2> get{"GET", key};
  return core.read_behind(task, ask::step(ask::tag, index), get, now) && asked(index);
}

void TagFetch::reply(Core& core, Step step, const resp::Value& value) {
  TIERCEL_REQUIRE(outstanding_ > 0 && step.index < items_.size());
  --outstanding_;
  Item& item = items_[step.index];
  if (step.kind == ask::tag_made) {   // made or not: the GET behind it says which stamp counts
    if (item.name == kRootTag && value.type == resp::Value::Type::integer)
      core.restarts.root_answered(core, value.integer);
    return;
  }
  item.known.reset();
  item.written = false;
  if (!value.is_string() || core.pending.outdates_tag(item.name)) return;   // what Redis has is not the truth yet
  item.known = read(core, item, value.text);
  if (!item.known) {
    if (item.name == kRootTag) return;   // of another form, or of another server: nothing is current under it
    const Result<Header> intent =
        decode_header(value.text.substr(0, kHeaderBytes));  // being written: it has no stamp now
    item.written = intent && intent->state == RecordState::intent;
    core.counters.damaged.add(item.written ? 0 : 1);
    return;
  }
  if (core.remote->tracks()) core.tags.learn(item.name, *item.known);
}

std::optional<TagKnown> TagFetch::read(const Core& core, const Item& item, std::string_view bytes) {
  if (item.name == kRootTag) {
    const Result<RootRecord> root = decode_root(bytes);
    if (!root || !core.restarts.believes(core, *root)) return std::nullopt;
    return TagKnown{root->tag.stamp, root->tag.deadline};
  }
  const Result<TagRecord> record = decode_tag(bytes);
  if (!record) return std::nullopt;
  return TagKnown{record->stamp, record->deadline};
}

bool TagFetch::written() const {
  return std::any_of(items_.begin(), items_.end(), [](const Item& item) { return item.capture && item.written; });
}

bool TagFetch::all_known() const {
  return std::all_of(items_.begin(), items_.end(), [](const Item& item) { return item.known.has_value(); });
}

std::vector<TagStamp> TagFetch::captured(Core& core) const {
  std::vector<TagStamp> stamps;
  for (const Item& item : items_) {
    if (item.capture) stamps.push_back({item.name, item.known ? item.known->stamp : Stamp::roll(core.dice)});
  }
  return stamps;
}

}  // namespace tiercel
