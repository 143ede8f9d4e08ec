#include "cache/invalidate.hpp"

#include <algorithm>
#include <array>

#include "base/planted.hpp"
#include "cache/late_tags.hpp"
#include "cache/lease.hpp"
#include "cache/scripts.hpp"
#include "cache/steps.hpp"
#include "cache/tag_fetch.hpp"
#include "entry/big_endian.hpp"
#include "redis/errors.hpp"

namespace tiercel {

namespace {

constexpr std::size_t kUnlinkKeysMax = 512;
constexpr std::size_t kUnlinksMax = 8, kOthersMax = 512;  // of one invalidation that are under way at a time
constexpr std::size_t kIndexMax = 65'535;                  // of a step
constexpr Duration kPerName{5};  // what it takes to look after each name, while nothing is heard of Redis

Error overloaded() { return {ErrorCode::slow, "too much is waiting for Redis", ""}; }
Error away() {
  return {ErrorCode::away, "Redis is away", "the invalidation is kept and sent before Redis is used again"};
}
Error overdue_error() { return {ErrorCode::slow, "Redis did not answer within op_timeout", ""}; }

}  // namespace

void InvalidateTask::start(Core& core, Timestamp now) {
  core.counters.invalidations.add();
  if (!core.has_redis()) keep_floors(core, now);
  for (const std::string& key : keys_) removed_ += core.memory.peek(key, now) ? 1 : 0;
  forget_locally(core);
  if (!core.has_redis()) return end(core);
  if (!core.may_use_redis(now)) return give_up(core, away());
  removed_ = 0;
  core.wake_at(*this, now + core.settings.op_timeout + kPerName * (keys_.size() + tags_.size()));
  if (!send_some(core, now)) return give_up(core, overloaded());
  if (outstanding_ == 0) end(core);
}

// As in Redis: with a version, what is newer stays, and nothing older is stored for a while; without one, versions are forgotten.
void InvalidateTask::keep_floors(Core& core, Timestamp now) {
  if (version_) std::erase_if(keys_, [&](const std::string& key) { return core.holds_newer(key, *version_, now); });
  for (const std::string& key : keys_) {
    if (version_) core.floors.raise(key, *version_, now + floor_for(core), now);
    else core.floors.forget(key);
  }
}

void InvalidateTask::replay(Core& core, Timestamp now) {
  at_once_ = true;
  core.pending.sent(keys_, tags_);
  core.set_deadline(*this, now);
  if (!send_some(core, now)) return give_up(core, overloaded());
  if (outstanding_ == 0) end(core);
}

std::size_t InvalidateTask::window() const {
  if (at_once_) return keys_.size() + tags_.size() + 1;  // and the any-tag
  return keys_sent_ < keys_.size() && !version_ ? kUnlinksMax : kOthersMax;
}

// The root stands in every record from before its load on: for it the any-tag need not move.
bool InvalidateTask::moves_any_tag() const {
  return std::any_of(tags_.begin(), tags_.end(), [](const std::string& tag) { return tag != kRootTag; });
}

bool InvalidateTask::send_some(Core& core, Timestamp now) {
  while (!all_sent() && outstanding_ < window()) {
    if (!send_next(core, now)) return false;
    ++outstanding_;
  }
  return true;
}

bool InvalidateTask::send_next(Core& core, Timestamp now) {
  if (keys_sent_ == keys_.size() && !any_sent_) {
    any_sent_ = true;
    if (moves_any_tag()) return move_any_tag(core, *this, now);
  }
  if (keys_sent_ == keys_.size()) return send_tag(core, tags_sent_++, now);
  return version_ ? send_floor(core, keys_sent_++, now) : send_keys(core, now);
}

bool InvalidateTask::send_floor(Core& core, std::size_t index, Timestamp now) {
  Header floor;
  floor.state = RecordState::floor;
  floor.has_version = true;
  floor.version = *version_;
  floor.usable_until = core.server_now(now) + floor_for(core);
  std::string version;
  write_u64(version, *version_);
  floor.stamp = Stamp::roll(core.dice);
  return core.run_script(*this, ask::step(ask::floored, index), script::kFloor, core.names.value(keys_[index]),
                         {encode_record(floor, {}, {}, {}), milliseconds(floor_for(core)), version}, now);
}

bool InvalidateTask::send_keys(Core& core, Timestamp now) {
  const std::size_t first = keys_sent_;
  keys_sent_ = std::min(keys_.size(), first + kUnlinkKeysMax);
  std::vector<std::string> names;
  for (std::size_t at = first; at < keys_sent_; ++at) names.push_back(core.names.value(keys_[at]));
  std::vector<std::string_view> arguments{"UNLINK"};
  arguments.insert(arguments.end(), names.begin(), names.end());
  return core.submit(*this, ask::step(ask::removed, first / kUnlinkKeysMax), arguments, now);
}

bool InvalidateTask::send_tag(Core& core, std::size_t index, Timestamp now) {
  const std::string key = tag_redis_key(core.names, tags_[index]);
  const bool root = tags_[index] == kRootTag;
  Stamp stamp = Stamp::roll(core.dice);
  if (planted::is(planted::Bug::tag_by_clock))
    stamp.bytes = {static_cast<unsigned char>(core.server_now(now).time_since_epoch() / std::chrono::seconds{1})};
  const std::string record = root ? new_root(core) : encode_tag({stamp, core.server_now(now) + kTagLifeMin});
  const std::string life = milliseconds(kTagLifeMin);
  const std::array<std::string_view, 5> set{"SET", key, record, "PX", life};
  return core.submit(*this, ask::step(ask::tag_moved, index), std::span(set).first(root ? 3 : 5), now);
}

void InvalidateTask::reply(Core& core, Step step, const resp::Value& value, Timestamp now) {
  --outstanding_;
  if (value.is_error()) {
    refused(core, step, value, now);
  } else if ((step.kind == ask::removed || step.kind == ask::floored) && value.type == resp::Value::Type::integer) {
    removed_ += static_cast<std::uint64_t>(std::max<std::int64_t>(0, value.integer));
  }
  if (!all_sent()) {
    core.set_deadline(*this, now);
    if (!send_some(core, now)) return give_up(core, overloaded());
  }
  if (outstanding_ == 0 && std::exchange(any_refused_, false)) drop_tags(core, now);
  if (outstanding_ == 0) end(core);
}

// A tag may have moved although the any-tag had not: it moves again behind it.
void InvalidateTask::drop_tags(Core& core, Timestamp now) {
  std::vector<std::string> names{core.names.any_tag()};
  for (const std::string& tag : tags_) names.push_back(tag_redis_key(core.names, tag));
  for (std::size_t index = 0; index < names.size(); ++index) {
    const std::array<std::string_view, 2> unlink{"UNLINK", names[index]};
    const Step step = index == 0 ? ask::step(ask::any_dropped) : ask::step(ask::tag_dropped, index - 1);
    if (core.submit(*this, step, unlink, now)) ++outstanding_;
    else error_ = overloaded();
  }
}

// A full Redis still deletes: a missing tag is stale, so that invalidates too.
void InvalidateTask::refused(Core& core, Step step, const resp::Value& value, Timestamp now) {
  core.counters.redis_errors.add();
  const bool known = tags_.size() <= kIndexMax;  // else it is not said which it was
  const bool full = value.text.starts_with("OOM");
  if (full && step.kind == ask::any_moved) any_refused_ = true;
  if (full && any_refused_) return;
  if (full && step.kind == ask::tag_moved && known) {
    const std::string key = tag_redis_key(core.names, tags_[step.index]);
    const std::array<std::string_view, 2> unlink{"UNLINK", key};
    if (core.submit(*this, ask::step(ask::tag_dropped, step.index), unlink, now)) {
      ++outstanding_;
      return;
    }
  }
  error_ = redis::classify(value.text);
}

void InvalidateTask::lost(Core& core, Step, const Error& why, Timestamp) { give_up(core, why); }

void InvalidateTask::overdue(Core& core, Timestamp now) {
  core.overran(now);
  give_up(core, overdue_error());
}

void InvalidateTask::forget_locally(Core& core) {
  if (planted::is(planted::Bug::own_write_unseen)) return;
  for (const std::string& key : keys_) core.key_changed(key);
  for (const std::string& tag : tags_) core.tag_changed(tag);
  if (!tags_.empty()) core.any_tag_changed();
}

void InvalidateTask::end(Core& core) {
  if (error_) return give_up(core, *error_);
  if (at_once_) core.pending.ended(keys_, tags_);
  forget_locally(core);
  Outcome outcome;
  outcome.kind = Outcome::Kind::invalidated;
  outcome.count = removed_;
  core.finish(*this, std::move(outcome));
}

void InvalidateTask::give_up(Core& core, Error why) {
  if (at_once_) core.pending.ended(keys_, tags_);
  for (const std::string& key : keys_) {
    if (!version_) core.pending.add_key(key);
    else core.pending.add_floor(key, *version_);
    if (version_) core.floors.raise(key, *version_, core.present + floor_for(core), core.present);
  }
  for (const std::string& tag : tags_) core.pending.add_tag(tag);
  forget_locally(core);  // a read that went ahead may have brought the old value back
  Outcome outcome;
  outcome.kind = Outcome::Kind::pending;
  outcome.count = removed_;
  outcome.degraded = true;
  outcome.error = std::move(why);
  core.finish(*this, std::move(outcome));
}

void MatchingTask::start(Core& core, Timestamp now) {
  core.counters.invalidations.add(replayed_ ? 0 : 1);
  removed_ = core.keys_changed_matching(pattern_);
  if (!core.has_redis()) return end(core);
  if (!replayed_ && !core.may_use_redis(now)) return give_up(core, away());
  removed_ = 0;
  if (!scan(core, now)) give_up(core, overloaded());
}

bool MatchingTask::scan(Core& core, Timestamp now) {
  const std::string match = core.names.match(pattern_);
  const std::array<std::string_view, 6> arguments{"SCAN", cursor_, "MATCH", match, "COUNT", "512"};
  if (!core.submit(*this, ask::step(ask::scanned), arguments, now)) return false;
  ++outstanding_;
  core.set_deadline(*this, now);
  return true;
}

void MatchingTask::reply(Core& core, Step step, const resp::Value& value, Timestamp now) {
  --outstanding_;
  core.set_deadline(*this, now);
  if (value.is_error()) {
    core.counters.redis_errors.add();
    return give_up(core, redis::classify(value.text));
  }
  if (step.kind == ask::scanned) {
    if (!take_page(core, value, now)) return give_up(core, overloaded());
  } else if (value.type == resp::Value::Type::integer) {
    removed_ += static_cast<std::uint64_t>(std::max<std::int64_t>(0, value.integer));
  }
  if (scanned_all_ && outstanding_ == 0) end(core);
}

bool MatchingTask::take_page(Core& core, const resp::Value& page, Timestamp now) {
  if (page.type != resp::Value::Type::array || page.items.size() != 2) return false;
  std::vector<std::string_view> arguments{"UNLINK"};
  for (const resp::Value& key : page.items[1].items) {
    const auto named = core.names.parse(key.text);
    if (named && named->kind == KeySpace::Kind::value) arguments.push_back(key.text);
  }
  if (arguments.size() > 1) {
    if (!core.submit(*this, ask::step(ask::removed), arguments, now)) return false;
    ++outstanding_;
  }
  cursor_ = page.items[0].text;
  scanned_all_ = cursor_ == "0";
  return scanned_all_ || scan(core, now);
}

void MatchingTask::lost(Core& core, Step, const Error& why, Timestamp) { give_up(core, why); }

void MatchingTask::overdue(Core& core, Timestamp now) {
  core.overran(now);
  give_up(core, overdue_error());
}

// Not if the pattern was invalidated once more since this scan began: what was stored behind its cursor is not done yet.
bool MatchingTask::stands_for_pending(const Core& core) const {
  const auto at = core.replaying.find(pattern_);
  return at != core.replaying.end() && at->second == id;
}

void MatchingTask::end(Core& core) {
  core.keys_changed_matching(pattern_);
  if (replayed_ && stands_for_pending(core)) {
    core.replaying.erase(pattern_);
    core.pending.remove_pattern(pattern_);
  }
  Outcome outcome;
  outcome.kind = Outcome::Kind::invalidated;
  outcome.count = removed_;
  core.finish(*this, std::move(outcome));
}

void MatchingTask::give_up(Core& core, Error why) {
  if (!replayed_ || stands_for_pending(core)) core.replaying.erase(pattern_);
  core.pending.add_pattern(pattern_);
  core.keys_changed_matching(pattern_);
  Outcome outcome;
  outcome.kind = Outcome::Kind::pending;
  outcome.count = removed_;
  outcome.degraded = true;
  outcome.error = std::move(why);
  core.finish(*this, std::move(outcome));
}

}  // namespace tiercel
