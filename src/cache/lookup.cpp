#include "cache/lookup.hpp"

#include <array>

#include "base/planted.hpp"
#include "cache/early.hpp"
#include "cache/scripts.hpp"
#include "cache/steps.hpp"

namespace tiercel {

namespace {

constexpr std::string_view kHeadEnd = "81";  // the header, and the root's stamp, which is the first of the tags

}  // namespace

Lookup::Lookup(std::string key, const std::vector<std::string>& tags, For purpose)
    : key_(std::move(key)), purpose_(purpose) {
  const bool capture = purpose != For::reading;
  tags_.want(kRootTag, capture);
  for (const std::string& tag : tags) tags_.want(tag, capture);
}

bool Lookup::start(Core& core, Task& task, Timestamp now) {
  begin_pipeline();
  if (purpose_ == For::storing) value_known_ = true;
  else if (!ask_stamp(core, task, now)) return false;
  for (std::size_t index = 0; index < tags_.items().size(); ++index) {
    if (!tags_.recall(core, index) && !tags_.ask(core, task, index, now)) return false;
  }
  settle(core, task, now);
  return true;
}

bool Lookup::ask_stamp(Core& core, Task& task, Timestamp now) {
  if (core.remote->tracks()) held_ = core.memory.peek(key_, now);
  if (!held_) return ask_value(core, task, now);
  begin_asking(core, now);
  const std::string record = core.names.value(key_);
  const std::array<std::string_view, 4> getrange{"GETRANGE", record, "0", kHeadEnd};
  return core.submit(task, ask::step(ask::stamp), getrange, now, true);
}

bool Lookup::ask_value(Core& core, Task& task, Timestamp now, Ask how) {
  begin_asking(core, now);
  held_ = {};
  const std::string record = core.names.value(key_);
  const std::array<std::string_view, 2> get{"GET", record};
  if (how == Ask::behind_script) return core.read_behind(task, ask::step(ask::value), get, now);
  return core.submit(task, ask::step(ask::value), get, now, how == Ask::tracked);
}

void Lookup::begin_asking(Core& core, Timestamp now) {
  asked_at_ = now;
  changes_ = core.changes();
  value_known_ = done_ = false;
  tracked_on_ = 0;
  entry_ = {};
  seen_ = {};
}

void Lookup::begin_pipeline() {
  failed_ = bid_refused_ = false;
  for (TagFetch::Item& item : tags_.items()) item.asked = false;
}

bool Lookup::bid(Core& core, Task& task, std::string_view lease, Duration life, Timestamp now) {
  begin_pipeline();
  for (std::size_t index = 0; index < tags_.items().size(); ++index) {
    if (!tags_.item(index).capture || tags_.recall(core, index)) continue;
    if (!tags_.make(core, task, index, now)) return false;
  }
  const bool by_script = seen_.exists && seen_.readable;
  if (!send_bid(core, task, lease, life, now)) return false;
  if (planted::is(planted::Bug::untracked_wait)) return ask_value(core, task, now, Ask::untracked);
  return ask_value(core, task, now, by_script ? Ask::behind_script : Ask::tracked);
}

bool Lookup::send_bid(Core& core, Task& task, std::string_view lease, Duration life, Timestamp now) {
  const std::string record = core.names.value(key_);
  const std::string px = milliseconds(life);
  if (seen_.exists && seen_.readable)
    return core.run_script(task, ask::step(ask::bid), script::kSwap, record, {seen_.stamp, lease, px}, now);
  if (seen_.exists) {
    const std::array<std::string_view, 2> unlink{"UNLINK", record};
    if (!core.submit(task, ask::step(ask::bid), unlink, now)) return false;
  }
  const std::array<std::string_view, 6> set{"SET", record, lease, "NX", "PX", px};
  return core.submit(task, ask::step(ask::bid), set, now);
}

void Lookup::reply(Core& core, Task& task, Step step, const resp::Value& value, Timestamp now) {
  if (step.kind == ask::bid) {
    bid_refused_ = value.is_error();
    core.counters.redis_errors.add(bid_refused_ ? 1 : 0);
    return;
  }
  if (value.is_error() && !failed_) {
    core.counters.redis_errors.add();
    failed_ = true;
  }
  if (step.kind == ask::value) {
    take_value(core, task, value, now);
  } else if (step.kind == ask::stamp) {
    take_stamp(core, task, value, now);
  } else {
    tags_.reply(core, step, value);
  }
  settle(core, task, now);
}

void Lookup::take_value(Core& core, Task& task, const resp::Value& value, Timestamp now) {
  core.redis_latency.record(now - asked_at_);
  value_known_ = true;
  if (!value.is_error() && core.remote->tracks()) tracked_on_ = core.remote->generation();
  if (value.type == resp::Value::Type::oversized) {
    core.counters.oversized.add();
    seen_ = {.exists = true, .readable = false, .stamp = {}, .header = {}};
  }
  if (value.is_error()) core.counters.damaged.add(value.text.starts_with("WRONGTYPE") ? 1 : 0);
  if (!value.is_string()) return;
  if (core.pending.outdates(key_)) {  // an invalidation that went ahead was refused: what Redis has is not the truth
    failed_ = true;
    return;
  }
  entry_ = decode(core, value.text, now);
  if (entry_) check_tags(core, task, now);
}

// The same stamp is the same record: what memory holds of it is good as of the question. Another one is asked for in full.
void Lookup::take_stamp(Core& core, Task& task, const resp::Value& value, Timestamp now) {
  core.redis_latency.record(now - asked_at_);
  value_known_ = true;
  if (!value.is_error() && core.remote->tracks()) tracked_on_ = core.remote->generation();
  if (!value.is_string() || value.text.empty()) return;
  if (core.pending.outdates(key_)) {
    failed_ = true;
    return;
  }
  const Result<Header> head = decode_header(value.text.substr(0, kHeaderBytes));
  const std::optional<Stamp> root = root_stamp(value.text);
  const bool same = head && head->state == RecordState::value && root &&
                    (head->stamp == held_->stamp() || planted::is(planted::Bug::stamp_unchecked));
  if (!same) {
    begin_pipeline();
    failed_ |= !ask_value(core, task, now);
    return;
  }
  seen_ = {.exists = true, .readable = true, .stamp = std::string(stamp_bytes(value.text)), .header = *head};
  EntryFacts facts = held_->facts();
  facts.as_of = asked_at_;
  facts.generation = core.remote->tracks() ? core.remote->generation() : 0;
  stamps_ = held_->tags();
  entry_ = Entry::make(key_, facts, stamps_, held_->payload());
  stamps_.insert(stamps_.begin(), {std::string(kRootTag), *root});
  core.counters.verified.add();
  check_tags(core, task, now);
}

EntryRef Lookup::decode(Core& core, std::string_view bytes, Timestamp now) {
  const Result<Header> head = decode_header(bytes.substr(0, kHeaderBytes));
  seen_ = {.exists = true, .readable = true, .stamp = std::string(stamp_bytes(bytes)), .header = {}};
  if (head) seen_.header = *head;
  // What scripts write has no checksum: an intent, whose tokens stand behind the header, and the floor it leaves.
  if (head && (head->state == RecordState::intent || head->state == RecordState::floor)) return {};
  const Result<Record> record = decode_record(bytes);
  if (!record) {
    core.counters.damaged.add();
    seen_.header.reset();
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
  facts.head_start = head_start(header.load_cost, core.dice);
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
    const bool believed = planted::is(planted::Bug::mismatch_believed) && item.known;
    const bool agrees = believed || (tags_.recall(core, index) && item.known->stamp == tag.stamp);
    if (!agrees) failed_ |= !tags_.ask(core, task, index, now);
  }
  // In wire order: a push that follows takes it out again. Its tags are looked at before it is served from memory.
  if (core.root_is_current(stamps_)) core.put_in_memory(entry_, now);
}

bool Lookup::tags_agree() {
  for (const TagStamp& tag : stamps_) {
    const TagFetch::Item& item = tags_.item(tags_.want(tag.name, false));
    if (!item.known && planted::is(planted::Bug::missing_tag_current)) continue;
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
  if (!entry_ && !failed_ && !made_ && purpose_ != For::leading) {
    made_ = true;
    for (std::size_t index = 0; index < tags_.items().size(); ++index) {
      const TagFetch::Item& item = tags_.item(index);
      if (item.capture && !item.known) failed_ |= !tags_.make(core, task, index, now);
    }
    if (tags_.waiting()) return;
  }
  if (entry_ && !core.remote->tracks() &&
      changes_ == core.changes()) {  // without pushes it is good for as long as its as-of allows
    entry_->tags_current_at.store(core.tags.epoch(), std::memory_order_relaxed);
    core.put_in_memory(entry_, now);
  }
  done_ = true;
}

}  // namespace tiercel
