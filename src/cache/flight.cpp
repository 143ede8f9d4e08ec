#include "cache/flight.hpp"

#include <algorithm>

#include "cache/read.hpp"
#include "cache/steps.hpp"

namespace tiercel {

void Flight::start(Core& core, Timestamp now) {
  began_ = now;
  generation_ = core.has_redis() && core.remote->tracks() ? core.remote->generation() : 0;
  if (!core.has_redis() || !core.may_use_redis(now) || core.pending.covers(key_))
    return load(core, core.has_redis(), now);
  core.set_deadline(*this, now);
  if (!lookup_.start(core, *this, now)) return load(core, true, now);
  if (lookup_.done()) found(core, now);
}

void Flight::join(Core& core, OperationId caller) {
  if (!callers_.empty()) core.counters.joined.add();
  callers_.push_back(caller);
}

void Flight::reply(Core& core, Step step, const resp::Value& value, Timestamp now) {
  if (state_ == State::looking) {
    lookup_.reply(core, *this, step, value, now);
    if (lookup_.done()) found(core, now);
  } else if (state_ == State::filling && fill_ && step.kind >= ask::tag_kept) {
    fill_->reply(core, step, value, now);
    if (!fill_->done()) return;
    Outcome outcome;
    outcome.kind = Outcome::Kind::loaded;
    outcome.entry = fill_->entry();
    outcome.error = fill_->refused();
    (fill_->refused() ? core.counters.stores_refused : core.counters.stores).add();
    if (fill_->refused() && !sealed) fill_->keep_by_age(core, now);
    land(core, std::move(outcome));
  }
  // Replies to a look-up given up meanwhile belong to nobody.
}

void Flight::lost(Core& core, Step step, const Error&, Timestamp now) {
  if (state_ == State::looking) return load(core, true, now);
  if (state_ != State::filling || step.kind < ask::tag_kept) return;
  core.pending.add_key(key_);   // the record may or may not have been written
  Outcome outcome;
  outcome.kind = Outcome::Kind::loaded;
  outcome.degraded = true;
  outcome.entry = fill_->entry();
  land(core, std::move(outcome));
}

void Flight::overdue(Core& core, Timestamp now) {
  core.overran(now);
  if (state_ == State::looking) return load(core, true, now);
  if (state_ == State::filling) lost(core, ask::step(ask::written), {ErrorCode::slow, "", ""}, now);
}

void Flight::found(Core& core, Timestamp now) {
  if (!lookup_.entry()) return load(core, lookup_.failed(), now);
  Outcome outcome = hit(lookup_.entry(), false, now);
  count_hit(core, outcome);
  outcome.refresh_wanted = outcome.stale;
  land(core, std::move(outcome));
}

void Flight::load(Core& core, bool degraded, Timestamp now) {
  if (callers_.empty()) {   // nobody's loader to run
    core.seal(*this);
    return core.drop(id);
  }
  deadline = kNever;
  state_ = State::loading;
  degraded_ = degraded;
  load_started_ = now;
  if (!options_.skip_value) core.counters.misses.add();
  core.counters.loads.add();
  stamps_ = degraded || !core.has_redis() ? core.local_stamps(options_.tags) : lookup_.captured(core);
  loader_of_ = callers_.front();
  Event event;
  event.kind = Event::Kind::start_load;
  event.flight = id;
  event.operation = loader_of_;
  core.emit(std::move(event));
}

void Flight::leave(Core& core, OperationId caller, Timestamp) {
  std::erase(callers_, caller);
  if (!callers_.empty() || options_.outlive_callers || state_ == State::filling) return;
  if (state_ == State::loading) {
    Event event;
    event.kind = Event::Kind::cancel_load;
    event.flight = id;
    core.emit(std::move(event));
  }
  core.seal(*this);
  core.drop(id);
}

void Flight::finish_load(Core& core, LoadResult result, Timestamp now) {
  core.load_latency.record(now - load_started_);
  if (result.kind == LoadResult::Kind::failed) return failed(core, now);
  if (result.kind == LoadResult::Kind::not_run && run_next_loader(core, now)) return;
  if (result.kind == LoadResult::Kind::value) return fill(core, std::move(result), now);
  Outcome outcome;
  outcome.kind = Outcome::Kind::loaded;
  if (result.kind == LoadResult::Kind::answer_only) {
    outcome.entry =
        Fill(core, key_, result.payload, result.store, {}, Fill::Coherence::by_age, {load_started_, now}).entry();
  }
  land(core, std::move(outcome));
}

// What became of a caller who has left is not the answer to who still waits: the next one's own loader runs, under the same flight.
bool Flight::run_next_loader(Core& core, Timestamp now) {
  const bool its_caller_left = std::find(callers_.begin(), callers_.end(), loader_of_) == callers_.end();
  if (!its_caller_left || callers_.empty()) return false;
  loader_of_ = callers_.front();
  load_started_ = now;
  core.counters.loads.add();
  Event event;
  event.kind = Event::Kind::start_load;
  event.flight = id;
  event.operation = loader_of_;
  core.emit(std::move(event));
  return true;
}

void Flight::failed(Core& core, Timestamp now) {
  core.counters.load_failures.add();
  if (run_next_loader(core, now)) return;
  Outcome outcome;
  outcome.kind = Outcome::Kind::load_failed;
  land(core, std::move(outcome));
}

void Flight::fill(Core& core, LoadResult result, Timestamp now) {
  result.store.load_cost = now - load_started_;
  const bool to_redis = core.has_redis() && !degraded_ && !sealed && core.may_use_redis(now);
  const auto coherence = to_redis ? Fill::Coherence::tracked : Fill::Coherence::by_age;
  fill_.emplace(core, key_, result.payload, result.store, stamps_, coherence, Fill::Times{load_started_, now});
  state_ = State::filling;
  Outcome outcome;
  outcome.kind = Outcome::Kind::loaded;
  outcome.entry = fill_->entry();
  if (sealed) {
    core.counters.sealed.add();
    return land(core, std::move(outcome));
  }
  if (to_redis && fill_->start(core, *this, now)) return core.set_deadline(*this, now);
  if (!to_redis) fill_->keep(core, now);
  if (fill_->refused()) core.counters.stores_refused.add();
  else if (!core.has_redis()) core.counters.stores.add();
  outcome.degraded = core.has_redis() && !to_redis;
  outcome.error = fill_->refused();
  land(core, std::move(outcome));
}

// Tells every caller; `led` is the one whose loader ran.
void Flight::land(Core& core, Outcome outcome) {
  state_ = State::ended;
  core.seal(*this);
  outcome.flight = id;
  const bool refresh_wanted = outcome.refresh_wanted;
  for (const OperationId caller : callers_) {
    Task* task = core.find_task(caller);
    if (task == nullptr) continue;
    Outcome told = outcome;
    told.led = caller == loader_of_;
    told.refresh_wanted = refresh_wanted && caller == callers_.front();
    const bool has_no_bytes = told.kind == Outcome::Kind::loaded && !told.entry;
    if (has_no_bytes && !told.led) {
      told.kind = Outcome::Kind::run_loader;
      core.counters.loads_uncached.add();
    }
    core.finish(*task, std::move(told));
  }
  callers_.clear();
  core.drop(id);
}

bool Flight::may_be_joined(const Core& core, Timestamp now) const {
  if (!core.has_redis()) return true;
  const bool tracked = generation_ != 0 && generation_ == core.remote->generation();
  const Timestamp as_of = tracked ? std::max(began_, core.remote->watermark()) : began_;
  return as_of >= now - core.settings.staleness;
}

bool Flight::has_tag(std::string_view tag) const {
  return std::any_of(stamps_.begin(), stamps_.end(), [tag](const TagStamp& own) { return own.name == tag; });
}

bool Caller::abandon(Core& core, Timestamp now) {
  if (auto* flight = dynamic_cast<Flight*>(core.find_task(flight_))) flight->leave(core, id, now);
  return true;
}

}  // namespace tiercel
