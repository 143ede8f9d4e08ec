#include "cache/store.hpp"

#include "cache/steps.hpp"

namespace tiercel {

void StoreTask::start(Core& core, Timestamp now) {
  if (!core.has_redis() && options_.version && core.holds_newer(key_, *options_.version, now)) {
    return refuse(core, {ErrorCode::superseded, "a newer version is there", "it was kept"});
  }
  core.key_changed(key_);
  if (!core.has_redis()) return keep_locally(core, now);
  if (!core.may_use_redis(now)) {
    if (options_.version && core.floors.above(key_, *options_.version, now))
      return refuse(core, {ErrorCode::superseded, "a newer version is known", "Redis will hear of it"});
    core.pending.add_key(key_);
    return keep_locally(core, now);
  }
  core.set_deadline(*this, now);
  if (options_.captured) return fill(core, std::move(*options_.captured), now);
  if (!stamps_.start(core, *this, now)) return give_up(core, {ErrorCode::slow, "too much is waiting for Redis", ""});
  if (stamps_.done()) fill(core, stamps_.captured(core), now);
}

void StoreTask::reply(Core& core, Step step, const resp::Value& value, Timestamp now) {
  if (!fill_) {
    stamps_.reply(core, *this, step, value, now);
    if (stamps_.done()) fill(core, stamps_.captured(core), now);
    return;
  }
  if (step.kind == ask::written) core.key_changed(key_);   // the reply comes first, the push after it
  fill_->reply(core, *this, step, value, now);
  if (!fill_->done()) return;
  if (fill_->superseded())
    return refuse(
        core, {ErrorCode::superseded, "a newer version is known, or a write is under way", "what Redis has was kept"});
  if (fill_->refused()) {
    core.pending.add_key(key_);
    core.counters.stores_refused.add();
  } else {
    core.counters.stores.add();
  }
  Outcome outcome;
  outcome.kind = fill_->refused() ? Outcome::Kind::not_stored : Outcome::Kind::stored;
  outcome.error = fill_->refused();
  core.finish(*this, std::move(outcome));
}

void StoreTask::lost(Core& core, Step, const Error& why, Timestamp) { give_up(core, why); }

void StoreTask::overdue(Core& core, Timestamp now) {
  core.overran(now);
  give_up(core, {ErrorCode::slow, "Redis did not answer within op_timeout", ""});
}

void StoreTask::fill(Core& core, std::vector<TagStamp> stamps, Timestamp now) {
  fill_.emplace(core, key_, payload_, options_, std::move(stamps), Fill::Coherence::tracked, Fill::Times{now, now});
  payload_.clear();
  if (fill_->refused()) {
    remove_quietly(core, key_, now);
    return refuse(core, *fill_->refused());
  }
  if (!fill_->set(core, *this, now)) give_up(core, {ErrorCode::slow, "too much is waiting for Redis", ""});
}

void StoreTask::keep_locally(Core& core, Timestamp now) {
  std::vector<TagStamp> stamps =
      options_.captured && !core.has_redis() ? std::move(*options_.captured) : core.local_stamps(options_.tags);
  Fill fill(core, key_, payload_, options_, std::move(stamps), Fill::Coherence::by_age, {now, now});
  fill.keep(core, now);
  Outcome outcome;
  const bool stored = !core.has_redis() && !fill.refused();
  outcome.kind = stored ? Outcome::Kind::stored : Outcome::Kind::not_stored;
  outcome.degraded = core.has_redis();
  outcome.error = fill.refused();
  if (!stored && !outcome.error)
    outcome.error = Error{ErrorCode::away, "Redis is away", "kept in this process for a moment only"};
  (stored ? core.counters.stores : core.counters.stores_refused).add();
  core.finish(*this, std::move(outcome));
}

void StoreTask::refuse(Core& core, Error why) {
  core.counters.stores_refused.add();
  Outcome outcome;
  outcome.kind = Outcome::Kind::not_stored;
  outcome.error = std::move(why);
  core.finish(*this, std::move(outcome));
}

void StoreTask::give_up(Core& core, Error why) {
  core.pending.add_key(key_);
  core.key_changed(key_);
  core.counters.stores_refused.add();
  Outcome outcome;
  outcome.kind = Outcome::Kind::not_stored;
  outcome.degraded = true;
  outcome.error = std::move(why);
  core.finish(*this, std::move(outcome));
}

}  // namespace tiercel
