#include "cache/writing.hpp"

#include <algorithm>
#include <array>

#include "base/planted.hpp"
#include "cache/fill.hpp"
#include "cache/late_tags.hpp"
#include "cache/lease.hpp"
#include "cache/scripts.hpp"
#include "cache/steps.hpp"
#include "cache/tag_fetch.hpp"
#include "entry/big_endian.hpp"
#include "redis/errors.hpp"

namespace tiercel {

namespace {

constexpr std::size_t kAtBegin = 0, kAtEnd = 1;  // when the any-tag is moved

std::string as_bytes(ServerTime time) {
  std::string out;
  write_u64(out, static_cast<std::uint64_t>(time.time_since_epoch().count()));
  return out;
}

Error away() {
  return {ErrorCode::away, "Redis is away, so the write cannot be announced", "commit with strict=False, or not now"};
}

}  // namespace

WritingTask::WritingTask(Core& core, std::vector<std::string> keys, std::vector<std::string> tags,
                         WritingOptions options)
    : keys_(std::move(keys)), tags_(std::move(tags)), options_(options), token_(Stamp::roll(core.dice)) {}

std::string WritingTask::redis_key(const Core& core, std::size_t index) const {
  return index < keys_.size() ? core.names.value(keys_[index]) : tag_redis_key(core.names, tags_[index - keys_.size()]);
}

void WritingTask::forget_locally(Core& core) {
  for (const std::string& key : keys_) core.key_changed(key);
  for (const std::string& tag : tags_) core.tag_changed(tag);
  if (!tags_.empty()) core.any_tag_changed();
}

// ---- begin

void WritingTask::start(Core& core, Timestamp now) {
  core.written.add(keys_, tags_);
  if (planted::is(planted::Bug::restoring_rollback)) {
    auto& before = planted::kept_for<std::vector<EntryRef>>()[this] = {};
    for (const std::string& key : keys_) before.push_back(core.memory.peek(key, now));
  }
  restarts_ = core.restarts.count();
  if (!core.has_redis()) core.keep_floors(keys_, now);
  forget_locally(core);
  if (!core.has_redis() || count() == 0) return hold(core, true, now);
  if (!core.may_use_redis(now)) return options_.strict ? refuse(core, away(), now) : hold(core, false, now);
  core.set_deadline(*this, now);
  send_any(core, kAtBegin, now);
  announce(core, now);
  if (outstanding_ < answers()) refuse(core, {ErrorCode::slow, "too much is waiting for Redis", ""}, now);
}

void WritingTask::announce(Core& core, Timestamp now) {
  for (std::size_t index = 0; index < count(); ++index) send_begin(core, index, now);
}

// A load whose tags are not known yet may find the intent gone when it looks for their stamps.
void WritingTask::send_any(Core& core, std::size_t index, Timestamp now) {
  if (!tags_.empty() && move_any_tag(core, *this, now, index)) ++outstanding_;
}

void WritingTask::send_begin(Core& core, std::size_t index, Timestamp now) {
  if (planted::is(planted::Bug::intent_of_one) && state_ == State::beginning && index < keys_.size())
    remove_quietly(core, keys_[index], now);
  const ServerTime until = core.server_now(now) + core.settings.lease_for;
  Header header;
  header.state = RecordState::intent;
  header.stamp = Stamp::roll(core.dice);
  header.fresh_until = header.usable_until = until;
  const std::string intent = encode_record(header, {}, {}, {}).substr(0, kHeaderBytes);
  const std::string mine = std::string(token_.view()) + as_bytes(until);
  const std::string life = milliseconds(core.settings.lease_for);
  if (core.run_script(*this, ask::step(ask::announced, index), script::kIntentBegin, redis_key(core, index),
                      {intent, mine, life, as_bytes(core.server_now(now)),
                       as_bytes(core.server_now(now) + floor_for(core)), milliseconds(floor_for(core))},
                      now))
    ++outstanding_;
}

void WritingTask::begun(Core& core, Timestamp now) {
  forget_locally(core);  // a read that went ahead may have brought the old value back
  if (error_) return options_.strict ? refuse(core, *error_, now) : hold(core, false, now);
  if (!options_.wait) return hold(core, true, now);
  state_ = State::settling;  // until no other process serves from memory what it has not heard of yet
  settled_at_ = now + core.settings.staleness;
  core.wake_at(*this, std::min(settled_at_, now + core.settings.lease_for / 3));
}

void WritingTask::settle(Core& core, Timestamp now) {
  if (now >= settled_at_) return held_ || !options_.strict ? hold(core, held_, now) : refuse(core, away(), now);
  renew(core, now);
  core.wake_at(*this, std::min(settled_at_, now + core.settings.lease_for / 3));
}

void WritingTask::renew(Core& core, Timestamp now) {
  if (!core.may_use_redis(now)) {
    held_ = false;
    return;
  }
  outstanding_ = 0;
  announce(core, now);
}

void WritingTask::hold(Core& core, bool confirmed, Timestamp now) {
  state_ = State::holding;
  held_ = confirmed;
  outstanding_ = 0;
  error_.reset();
  if (core.has_redis()) core.wake_at(*this, now + core.settings.lease_for / 3);
  Outcome outcome;
  outcome.kind = Outcome::Kind::announced;
  outcome.degraded = !confirmed;
  if (!abandoned) core.finish_now(id, std::move(outcome));
}

void WritingTask::refuse(Core& core, Error why, Timestamp now) {
  core.written.remove(keys_, tags_);
  for (std::size_t index = 0; core.has_redis() && core.remote->ready() && index < count(); ++index) {
    core.run_script_and_forget(script::kIntentEnd, redis_key(core, index),
                               {token_.view(), as_bytes(core.server_now(now)), "", "0", Stamp::roll(core.dice).view()},
                               now);
  }
  Outcome outcome;
  outcome.kind = Outcome::Kind::error;
  outcome.error = std::move(why);
  core.finish(*this, std::move(outcome));
}

// ---- end

void WritingTask::end(Core& core, OperationId end, Timestamp now) {
  end_ = end;
  const bool begun = state_ == State::holding;
  state_ = State::ending;
  outstanding_ = 0;
  error_.reset();
  core.written.remove(keys_, tags_);
  forget_locally(core);
  if (!begun) held_ = false;
  if (!core.has_redis() || count() == 0) return finish_end(core);
  if (!core.may_use_redis(now)) {
    error_ = Error{ErrorCode::away, "Redis is away", "the invalidation is kept and sent before Redis is used again"};
    return finish_end(core);
  }
  core.set_deadline(*this, now);
  send_any(core, kAtEnd, now);
  for (std::size_t index = 0; index < count(); ++index) send_end(core, index, now);
  if (outstanding_ < answers()) {
    error_ = Error{ErrorCode::slow, "too much is waiting for Redis", ""};
    finish_end(core);
  }
}

void WritingTask::send_end(Core& core, std::size_t index, Timestamp now) {
  std::string next, life = "0";
  if (index >= keys_.size()) {
    next = encode_tag({Stamp::roll(core.dice), core.server_now(now) + kTagLifeMin});
    life = milliseconds(kTagLifeMin);
  }
  if (core.run_script(*this, ask::step(ask::withdrawn, index), script::kIntentEnd, redis_key(core, index),
                      {token_.view(), as_bytes(core.server_now(now)), next, life, Stamp::roll(core.dice).view()}, now))
    ++outstanding_;
}

void WritingTask::finish_end(Core& core) {
  if (error_) {
    for (const std::string& key : keys_) core.pending.add_key(key);
    for (const std::string& tag : tags_) core.pending.add_tag(tag);
  }
  forget_locally(core);
  Outcome outcome;
  outcome.kind = error_ ? Outcome::Kind::pending : Outcome::Kind::invalidated;
  // What stands in a server that was restarted may have come back with its snapshot, and have been gone before.
  outcome.held = held_ && !error_ && restarts_ == core.restarts.count();
  outcome.degraded = error_.has_value();
  outcome.error = error_;
  if (planted::is(planted::Bug::restoring_rollback)) {
    for (const EntryRef& entry : planted::kept_for<std::vector<EntryRef>>()[this]) {
      if (entry) core.put_in_memory(entry, core.present);
    }
    planted::kept_for<std::vector<EntryRef>>().erase(this);
  }
  core.finish_now(end_, std::move(outcome));
  core.drop(id);
}

// ---- what comes back

void WritingTask::reply(Core& core, Step step, const resp::Value& value, Timestamp now) {
  const bool of_begin = step.kind == ask::announced;
  if (of_begin && state_ == State::ending) {  // a renewal that was under way, and may have found its token gone
    held_ = held_ && !value.is_error() && value.integer == 1;
    return;
  }
  const bool of_any_tag = step.kind == ask::any_moved;
  if (of_any_tag && step.index == kAtBegin && state_ != State::beginning) return;
  outstanding_ -= outstanding_ > 0 ? 1 : 0;
  if (value.is_error()) {
    core.counters.redis_errors.add();
    error_ = redis::classify(value.text);
    if (of_begin && state_ != State::beginning) held_ = false;
  } else if (of_begin && value.integer < 0) {
    error_ = Error{ErrorCode::refused, "too many writes of the same key or tag at once", "let some of them end"};
  } else if (state_ != State::beginning && !of_any_tag) {
    held_ = held_ && value.integer == 1;
  }
  if (outstanding_ > 0) return;
  if (state_ == State::beginning) begun(core, now);
  else if (state_ == State::ending) finish_end(core);
}

void WritingTask::lost(Core& core, Step, const Error& why, Timestamp now) {
  held_ = false;
  if (state_ == State::holding || state_ == State::settling) return;
  error_ = why;
  if (state_ == State::beginning) begun(core, now);
  else finish_end(core);
}

void WritingTask::overdue(Core& core, Timestamp now) {
  const Error slow{ErrorCode::slow, "Redis did not answer within op_timeout", ""};
  switch (state_) {
    case State::settling:
      return settle(core, now);
    case State::holding:
      renew(core, now);
      return core.wake_at(*this, now + core.settings.lease_for / 3);
    case State::beginning:
    case State::ending:
      core.overran(now);
      error_ = slow;
      return state_ == State::beginning ? begun(core, now) : finish_end(core);
  }
}

bool WritingTask::abandon(Core& core, Timestamp now) {
  if (state_ == State::ending) return false;
  end(core, core.next_id(), now);  // nobody is told
  return false;
}

}  // namespace tiercel
