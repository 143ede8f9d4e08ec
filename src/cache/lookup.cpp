#include "cache/lookup.hpp"

#include <array>

#include "cache/steps.hpp"

namespace tiercel {

Lookup::Lookup(std::string key, const std::vector<std::string>& tags, For purpose)
    : key_(std::move(key)), purpose_(purpose) {
  const bool capture = purpose != For::reading;
  tags_.want(kRootTag, capture);
  for (const std::string& tag : tags) tags_.want(tag, capture);
}

bool Lookup::start(Core& core, Task& task, Timestamp now) {
  asked_at_ = now;
  if (purpose_ != For::storing) {
    const std::string record = core.names.value(key_);
    const std::array<std::string_view, 2> get{"GET", record};
    if (!core.submit(task, ask::step(ask::value), get, now, true)) return false;
  } else {
    value_known_ = true;
  }
  for (std::size_t index = 0; index < tags_.items().size(); ++index) {
    if (!tags_.recall(core, index) && !tags_.ask(core, task, index, now)) return false;
  }
  settle(core, task, now);
  return true;
}

void Lookup::reply(Core& core, Task& task, Step step, const resp::Value& value, Timestamp now) {
  if (value.is_error() && !failed_) {
    core.counters.redis_errors.add();
    failed_ = true;
  }
  if (step.kind == ask::value) {
    take_value(core, task, value, now);
  } else {
    tags_.reply(core, step, value);
  }
  settle(core, task, now);
}

void Lookup::take_value(Core& core, Task& task, const resp::Value& value, Timestamp now) {
  core.redis_latency.record(now - asked_at_);
  value_known_ = true;
  if (value.type == resp::Value::Type::oversized) core.counters.oversized.add();
  if (value.is_error()) core.counters.damaged.add(value.text.starts_with("WRONGTYPE") ? 1 : 0);
  if (!value.is_string()) return;
  if (core.pending.covers(key_)) {  // an invalidation that went ahead was refused: what Redis has is not the truth
    failed_ = true;
    return;
  }
  entry_ = decode(core, value.text, now);
  if (entry_) check_tags(core, task, now);
}

EntryRef Lookup::decode(Core& core, std::string_view bytes, Timestamp now) {
  const Result<Record> record = decode_record(bytes);
  if (!record) {
    core.counters.damaged.add();
    return {};
  }
  const Header& header = record->header;
  if (header.state != RecordState::value) return {};
  const Duration offset = core.remote->server_offset();
  const auto local = [offset](ServerTime at) {
    return at == kServerNever ? kNever : Timestamp{at.time_since_epoch() - offset};
  };
  EntryFacts facts;
  facts.stamp = header.stamp;
  facts.version = header.version;
  facts.has_version = header.has_version;
  facts.fresh_until = local(header.fresh_until);
  facts.usable_until = local(header.usable_until);
  facts.as_of = asked_at_;
  facts.generation = core.remote->tracks() ? core.remote->generation() : 0;
  facts.load_cost = header.load_cost;
  facts.codec = header.codec;
  if (now >= facts.usable_until) return {};

  stamps_ = record->tags;
  std::vector<TagStamp> own;
  for (const TagStamp& tag : stamps_) {
    if (tag.name != kRootTag) own.push_back(tag);
  }
  return Entry::make(key_, facts, own, record->payload);
}

// Asks for the tags of the record that the process does not know, and once more for those that differ: a mismatch is believed only
// after the tag was read behind the record.
void Lookup::check_tags(Core& core, Task& task, Timestamp now) {
  for (const TagStamp& tag : stamps_) {
    const std::size_t index = tags_.want(tag.name, false);
    TagFetch::Item& item = tags_.item(index);
    if (item.asked) continue;  // in the same pipeline, so behind the record
    const bool agrees = tags_.recall(core, index) && item.known->stamp == tag.stamp;
    if (!agrees) failed_ |= !tags_.ask(core, task, index, now);
  }
  // In wire order: a push that follows takes it out again. Its tags are looked at before it is served from memory.
  if (root_is_current(core)) core.put_in_memory(entry_, now);
}

bool Lookup::root_is_current(const Core& core) const {
  const auto root = core.remote->tracks() ? core.tags.find(kRootTag) : std::nullopt;
  if (!root) return false;
  for (const TagStamp& tag : stamps_) {
    if (tag.name == kRootTag) return tag.stamp == root->stamp;
  }
  return false;
}

bool Lookup::tags_agree() {
  for (const TagStamp& tag : stamps_) {
    const TagFetch::Item& item = tags_.item(tags_.want(tag.name, false));
    if (!item.known || item.known->stamp != tag.stamp) return false;  // missing is stale
  }
  return true;
}

void Lookup::settle(Core& core, Task& task, Timestamp now) {
  if (done_ || !value_known_ || tags_.waiting()) return;
  if (entry_ && (failed_ || !tags_agree())) {
    const EntryRef held = core.memory.peek(key_, now);
    if (held.get() == entry_.get()) core.memory.erase(key_);
    entry_ = {};
  }
  if (!entry_ && !failed_ && !made_) {
    made_ = true;
    for (std::size_t index = 0; index < tags_.items().size(); ++index) {
      const TagFetch::Item& item = tags_.item(index);
      if (item.capture && !item.known) failed_ |= !tags_.make(core, task, index, now);
    }
    if (tags_.waiting()) return;
  }
  if (entry_ && !core.remote->tracks()) {  // without pushes it is good for as long as its as-of allows
    entry_->tags_current_at.store(core.tags.epoch(), std::memory_order_relaxed);
    core.put_in_memory(entry_, now);
  }
  done_ = true;
}

}  // namespace tiercel
