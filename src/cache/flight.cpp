#include "cache/flight.hpp"

#include <algorithm>
#include <array>

#include "cache/read.hpp"
#include "cache/steps.hpp"

namespace tiercel {

namespace {

constexpr unsigned kRoundsMax = 64;  // of bids and wake-ups; then the loader runs without a lease
constexpr unsigned kOtherLeasesMax = 2;  // that came and brought no value
constexpr Duration kPollFirst =
    std::chrono::milliseconds{10};  // where the server does not tell of changes; doubled ...
constexpr unsigned kPollDoublings = 4;  // ... up to 160 ms, and anywhere between half and five quarters of that
constexpr Duration kLeaseSlack = std::chrono::milliseconds{20};  // clocks differ by half a round trip

// So long nobody else is elected: its load is not slower than last time by more than half.
Duration refresh_life(const Core& core, const std::optional<Header>& seen) {
  const Duration known = seen ? seen->load_cost : Duration{0};
  return std::clamp(known + known / 2, core.settings.lease_for,
                    std::max(core.settings.lease_for, core.settings.load_max));
}

}  // namespace

// ---- looking

void Flight::start(Core& core, Timestamp now) {
  as_of_ = now;
  if (core.written.covers(key_, options_.tags)) return load_beside_a_write(core, now);
  if (!core.has_redis() || !core.may_use_redis(now) || core.pending.covers(key_)) return load(core, Store::memory, now);
  if (options_.skip_value || !core.beats.serves(core, key_, now)) return look(core, now);
  state_ = State::listening;
  core.beats.wait(core, *this, now);
}

// Memory holds what was good some time ago; the heartbeat says whether it still is.
void Flight::beaten(Core& core, Timestamp now) {
  if (state_ != State::listening) return;
  if (const EntryRef entry = core.usable_entry(key_, now, false, as_of_)) return land_hit(core, entry, true, now);
  if (!core.may_use_redis(now) || core.pending.covers(key_)) return load(core, Store::memory, now);
  look(core, now);
}

void Flight::look(Core& core, Timestamp now) {
  state_ = State::looking;
  core.set_deadline(*this, now);
  if (options_.skip_value && !stamp_any_tag(core, now)) return load(core, Store::memory, now);
  if (!lookup_.start(core, *this, now)) return load(core, Store::memory, now);
  if (lookup_.done()) found(core, now);
}

// In front of what decides that it loads, so that its answer has come by then. False: Redis takes no more.
bool Flight::stamp_any_tag(Core& core, Timestamp now) {
  if (!options_.tags_of_result) return true;
  late_.emplace();
  return late_->before(core, *this, now);
}

// What it loads may be older than the write that is under way: only who is here by now shares it.
void Flight::load_beside_a_write(Core& core, Timestamp now) {
  core.flights.set_aside(*this);
  load(core, Store::nowhere, now);
}

void Flight::join(Core& core, OperationId caller) {
  if (!callers_.empty()) core.counters.joined.add();
  callers_.push_back(caller);
}

void Flight::reply(Core& core, Step step, const resp::Value& value, Timestamp now) {
  if (step.kind == ask::renewed || step.kind == ask::lease_seen) return take_renewal(core, step, value);
  if (late_ && late_->take(core, step, value)) {
    if (state_ == State::stamping && late_->done()) stamped(core, now);
    return;
  }
  if (state_ == State::electing && step.kind == ask::elected) return take_election(core, value, now);
  if (state_ == State::looking || state_ == State::bidding) {
    if (step.kind == ask::value || step.kind == ask::stamp) moved_ = false;
    lookup_.reply(core, *this, step, value, now);
    if (lookup_.done()) found(core, now);
  } else if (state_ == State::filling && fill_ && step.kind >= ask::tag_kept) {
    fill_->reply(core, *this, step, value, now);
    if (fill_->done()) filled(core, now);
  }
  // Replies to a look-up given up meanwhile belong to nobody.
}

void Flight::lost(Core& core, Step step, const Error&, Timestamp now) {
  if (lease_ && (step.kind == ask::renewed || step.kind == ask::lease_seen)) return lease_->answer_lost();
  if (state_ <= State::bidding) return load(core, Store::memory, now);
  if (state_ == State::stamping) return stamped(core, now);
  if (state_ != State::filling || step.kind < ask::tag_kept) return;
  // It may have been stored or not. Either is right: it was stored only where its lease stood.
  Outcome outcome;
  outcome.kind = Outcome::Kind::loaded;
  outcome.degraded = true;
  outcome.entry = fill_->entry();
  land(core, std::move(outcome));
}

void Flight::overdue(Core& core, Timestamp now) {
  if (state_ == State::waiting) return woken(core, now);
  if (state_ == State::loading) return look_after(core, now);
  core.overran(now);
  if (state_ == State::bidding) give_back(core, now);  // behind the bid, on the same connection
  if (state_ <= State::bidding) return load(core, Store::memory, now);
  if (state_ == State::stamping) return stamped(core, now);
  if (state_ == State::filling) lost(core, ask::step(ask::written), {ErrorCode::slow, "", ""}, now);
}

void Flight::found(Core& core, Timestamp now) {
  // From here on the server tells of changes to the key: not where nothing stands, for what removes nothing is pushed to nobody.
  generation_ = lookup_.seen().exists ? lookup_.tracked_on() : 0;
  if (planted::is(planted::Bug::stamp_after_load) && result_) {
    stamps_ = lookup_.captured(core);
    return fill(core, now);
  }
  if (lookup_.failed() || lookup_.bid_refused()) return load(core, Store::memory, now);
  if (!lookup_.entry()) return decide(core, now);
  if (options_.skip_value) return refresh(core, now);
  land_hit(core, lookup_.entry(), false, now);
}

void Flight::land_hit(Core& core, const EntryRef& entry, bool from_memory, Timestamp now) {
  Outcome outcome = hit(entry, from_memory, now);
  count_hit(core, outcome);
  outcome.refresh_wanted = !options_.skip_value && wants_refresh(core, *entry, options_.early, now);
  land(core, std::move(outcome));
}

// The value goes on serving, and is replaced if it still stands when the load has ended.
void Flight::refresh(Core& core, Timestamp now) {
  const Lookup::Seen& seen = lookup_.seen();
  expected_ = seen.stamp;
  if (seen.header && seen.header->has_version) stands_ = seen.header->version;
  if (lookup_.tag_written()) return load_beside_a_write(core, now);
  if (!core.remote->runs_scripts()) {  // the old value can only go, and not while it is good
    const bool good = options_.behind && now < lookup_.entry()->facts().fresh_until;
    return good ? land_hit(core, lookup_.entry(), false, now) : load(core, Store::nowhere, now);
  }
  if (!options_.behind) return load(core, Store::over_value, now);
  // Refreshed by another since it was decided.
  if (options_.early > 0 && !lookup_.entry()->is_early(now, options_.early))
    return land_hit(core, lookup_.entry(), false, now);
  // Elections save work and carry no correctness: the swap does.
  state_ = State::electing;
  core.set_deadline(*this, now);
  const std::string key = core.names.refresh(key_);
  const std::string life = milliseconds(refresh_life(core, seen.header));
  const Stamp token = Stamp::roll(core.dice);
  const std::array<std::string_view, 6> set{"SET", key, token.view(), "NX", "PX", life};
  if (!core.submit(*this, ask::step(ask::elected), set, now)) load(core, Store::over_value, now);
}

void Flight::take_election(Core& core, const resp::Value& value, Timestamp now) {
  if (value.is_null()) {  // another refreshes it
    core.refresh_rests.rest(key_, now + core.settings.lease_for, now);
    return land_hit(core, lookup_.entry(), false, now);
  }
  load(core, Store::over_value, now);
}

// ---- bidding and waiting

// Whether a lease, a pass or an intent stands there. One that claims to last for longer than any is given is of a clock that was set back.
bool Flight::holds(const Core& core, const Lookup::Seen& seen, Timestamp now) const {
  if (!seen.header) return false;
  const RecordState state = seen.header->state;
  if (state != RecordState::lease && state != RecordState::pass && state != RecordState::intent) return false;
  const ServerTime until = seen.header->fresh_until, at = core.server_now(now);
  const Duration longest = 2 * std::max(core.settings.lease_for, core.settings.pass_for) + std::chrono::seconds{1};
  return until > at && until <= at + longest;
}

// Nothing that serves stands under the key: what does, decides.
void Flight::decide(Core& core, Timestamp now) {
  const Lookup::Seen& seen = lookup_.seen();
  if (lookup_.tag_written()) {
    if (state_ == State::bidding) give_back(core, now);
    return load_beside_a_write(core, now);
  }
  if (lease_ && lease_->is_ours(seen)) {
    expected_ = lease_->stamp();
    return load(core, Store::under_lease, now);
  }
  if (seen.stamp != waited_for_) ++rounds_;
  if (rounds_ > kRoundsMax) return load(core, Store::nowhere, now);
  if (!holds(core, seen, now)) return bid(core, now);
  if (seen.header->state == RecordState::intent) return load_beside_a_write(core, now);
  if (options_.skip_value) return bid(core, now);
  if (seen.header->state == RecordState::pass) return load(core, Store::nowhere, now);
  wait(core, *seen.header, now);
}

void Flight::bid(Core& core, Timestamp now) {
  if (!core.remote->runs_scripts()) return load(core, Store::memory, now);
  state_ = State::bidding;
  generation_ = 0;
  as_of_ = now;
  lease_.emplace(core);
  const std::string lease = lease_->bid(core, lookup_.seen(), now);
  core.set_deadline(*this, now);
  if (stamp_any_tag(core, now) && lookup_.bid(core, *this, lease, lease_->bid_life(core, now), now)) return;
  give_back(core, now);
  load(core, Store::memory, now);
}

void Flight::wait(Core& core, const Header& lease, Timestamp now) {
  state_ = State::waiting;
  const std::string& stamp = lookup_.seen().stamp;
  if (patient_until_ == kNever) patient_until_ = now + patience(core, lease);
  if (!waited_for_.empty() && waited_for_ != stamp) ++other_leases_;
  waited_for_ = stamp;
  if (now >= patient_until_ || other_leases_ > kOtherLeasesMax) return load(core, Store::nowhere, now);
  Timestamp until = std::min(patient_until_, now + (lease.fresh_until - core.server_now(now)) + kLeaseSlack);
  if (!core.remote->tracks()) until = std::min(until, now + next_poll(core));
  core.wait_for(key_, id);
  core.wake_at(*this, until);
  // The push that would end the wait came between the lease's reply and those of the tags.
  if (moved_) woken(core, now);
}

// With jitter, so that those who began to wait together do not ask together.
Duration Flight::next_poll(Core& core) {
  const Duration usual = kPollFirst * (1u << std::min(polls_++, kPollDoublings));
  return Duration{static_cast<Duration::rep>(static_cast<double>(usual.count()) * (0.5 + 0.75 * core.dice.unit()))};
}

void Flight::woken(Core& core, Timestamp now) {
  if (state_ != State::waiting) return;
  moved_ = false;
  generation_ = 0;  // what was pushed is tracked no more
  core.stop_waiting(key_, id);
  if (!core.may_use_redis(now) || core.pending.covers(key_)) return load(core, Store::memory, now);
  if (now >= patient_until_) return load(core, Store::nowhere, now);
  look(core, now);
}

// ---- loading

void Flight::load(Core& core, Store store, Timestamp now) {
  if (callers_.empty()) {  // nobody's loader to run
    if (store == Store::under_lease) give_back(core, now);
    core.flights.forget(*this);
    return core.drop(id);
  }
  deadline = kNever;
  state_ = State::loading;
  store_ = store;
  if (!stores_in_redis()) as_of_ = now;
  // Its key alone does not tell of changes to tags that are not known yet.
  if (options_.tags_of_result && !(late_ && late_->tracked_on() == generation_)) generation_ = 0;
  if (store == Store::under_lease && core.remote->tells_late()) generation_ = 0;
  if (!options_.skip_value) core.counters.misses.add();
  if (stores_in_redis()) stamps_ = lookup_.captured(core);
  else if (store == Store::memory) stamps_ = core.local_stamps(options_.tags);
  start_loader(core, now);
}

// Memory has something that came while this loaded. Which of the two read the source later nobody knows: hits do not go back behind it.
bool Flight::is_overtaken(Core& core, Timestamp now) const {
  const EntryRef held = core.memory.peek(key_, now);
  return held && held->stamp() != stood_ && core.tags.check(*held) == TagTable::Check::current;
}

void Flight::start_loader(Core& core, Timestamp now) {
  loader_of_ = callers_.front();
  load_started_ = now;
  const EntryRef held = core.memory.peek(key_, now);
  stood_ = held ? held->stamp() : Stamp{};
  core.counters.loads.add();
  Event event;
  event.kind = Event::Kind::start_load;
  event.flight = id;
  event.operation = loader_of_;
  core.emit(std::move(event));
  look_again(core, now);
}

// While it loads: the lease is renewed. A load that takes for longer than load_max may never end, so nobody joins it any more.
void Flight::look_after(Core& core, Timestamp now) {
  if (now >= load_started_ + core.settings.load_max) return core.flights.set_aside(*this);
  const bool leads = store_ == Store::under_lease && !outdated_ && !planted::is(planted::Bug::no_renewal);
  if (leads && !lease_->renewing() && core.may_use_redis(now)) lease_->renew(core, *this, key_, now);
  look_again(core, now);
}

void Flight::look_again(Core& core, Timestamp now) {
  const Timestamp end = load_started_ + core.settings.load_max;
  core.wake_at(*this, store_ == Store::under_lease ? std::min(end, now + core.settings.lease_for / 3) : end);
}

void Flight::take_renewal(Core& core, Step step, const resp::Value& value) {
  if (!lease_ || lease_->take(step, value) || state_ != State::loading) return;
  core.flights.seal(*this);  // another's lease, or an invalidation, stands there now
}

bool Flight::sealed_by_push(const Core& core) const {
  if (state_ == State::bidding || state_ == State::waiting || outlasts_pushes(core)) return false;
  return !(may_yet_store() && lease_ && lease_->renewing());
}

bool Flight::outlasts_pushes(const Core& core) const {
  return core.remote->tells_late() && may_yet_store() && store_ == Store::under_lease;
}

// Where it stands no more, nothing happens.
void Flight::give_back(Core& core, Timestamp now) {
  if (planted::is(planted::Bug::lease_kept)) return;
  const bool holds_one = state_ == State::bidding || store_ == Store::under_lease;
  if (lease_ && holds_one && core.remote->ready()) lease_->release(core, key_, now);
}

void Flight::leave(Core& core, OperationId caller, Timestamp now) {
  std::erase(callers_, caller);
  if (!callers_.empty() || options_.outlive_callers || state_ == State::stamping || state_ == State::filling) return;
  if (state_ == State::waiting) core.stop_waiting(key_, id);
  if (state_ == State::bidding || state_ == State::loading) give_back(core, now);
  if (state_ == State::loading) {
    Event event;
    event.kind = Event::Kind::cancel_load;
    event.flight = id;
    core.emit(std::move(event));
  }
  core.flights.forget(*this);
  core.drop(id);
}

void Flight::finish_load(Core& core, LoadResult result, Timestamp now) {
  core.load_latency.record(now - load_started_);
  deadline = kNever;
  if (result.kind == LoadResult::Kind::failed) return failed(core, now);
  if (result.kind == LoadResult::Kind::not_run && run_next_loader(core, now)) return;
  if (result.kind == LoadResult::Kind::value) {
    result.store.load_cost = now - load_started_;
    result_ = std::move(result);
    if (planted::is(planted::Bug::stamp_after_load) && stores_in_redis()) return look(core, now);
    if (!take_tags(core, now)) return;
    return state_ == State::stamping ? stamped(core, now) : fill(core, now);
  }
  rest_if_behind(core, now);
  if (store_ == Store::under_lease && core.remote->ready()) lease_->pass(core, key_, now);
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
  start_loader(core, now);
  return true;
}

// What stands goes on serving: the source is not asked again at once.
void Flight::rest_if_behind(Core& core, Timestamp now) {
  if (options_.behind) core.refresh_rests.rest(key_, now + core.settings.pass_for, now);
}

void Flight::failed(Core& core, Timestamp now) {
  core.counters.load_failures.add();
  if (run_next_loader(core, now)) return;
  rest_if_behind(core, now);
  if (store_ == Store::under_lease && core.remote->ready()) lease_->pass(core, key_, now);
  Outcome outcome;
  outcome.kind = Outcome::Kind::load_failed;
  land(core, std::move(outcome));
}

// ---- filling

// The tags that came with the result are the flight's from now on. False: their stamps are being asked for.
bool Flight::take_tags(Core& core, Timestamp now) {
  std::vector<std::string> late;
  for (std::string& tag : result_->store.tags) {
    const bool is_new = std::find(options_.tags.begin(), options_.tags.end(), tag) == options_.tags.end();
    if (!options_.tags_of_result || !is_new) continue;
    late.push_back(tag);
    options_.tags.push_back(std::move(tag));
  }
  if (late.empty() || outdated_ || store_ == Store::nowhere) return true;
  if (options_.tags.size() > kTagsMax || core.written.covers(key_, late)) {
    pass(core, now);
    return true;
  }
  if (!stores_in_redis() || !core.may_use_redis(now)) {  // a change of any of them by this process has outdated it
    add_stamps(core.local_stamps(late));
    return true;
  }
  TIERCEL_REQUIRE(late_);  // all ways to the right to store lead over it
  state_ = State::stamping;
  core.set_deadline(*this, now);
  if (!late_->after(core, *this, late, now)) pass(core, now);
  return outdated_ || late_->done();
}

// It is answered and stored nowhere.
void Flight::pass(Core& core, Timestamp now) {
  outdated_ = true;
  if (store_ == Store::under_lease && core.remote->ready()) lease_->pass(core, key_, now);
  lease_.reset();  // a pass is not given back
}

void Flight::stamped(Core& core, Timestamp now) {
  if (outdated_) give_back(core, now);
  else if (!late_->done() || !late_->stand()) pass(core, now);
  else add_stamps(late_->stamps(core));
  fill(core, now);
}

void Flight::add_stamps(const std::vector<TagStamp>& stamps) {
  stamps_.insert(stamps_.end(), stamps.begin(), stamps.end());
}

void Flight::fill(Core& core, Timestamp now) {
  LoadResult& result = *result_;
  deadline = kNever;
  const bool to_redis = stores_in_redis() && !outdated_ && core.may_use_redis(now);
  const auto coherence = to_redis ? Fill::Coherence::tracked : Fill::Coherence::by_age;
  fill_.emplace(core, key_, result.payload, result.store, stamps_, coherence, Fill::Times{as_of_, now});
  state_ = State::filling;
  Outcome outcome;
  outcome.kind = Outcome::Kind::loaded;
  outcome.entry = fill_->entry();
  if (outdated_) {
    core.counters.sealed.add();
    return land(core, std::move(outcome));
  }
  const std::optional<std::uint64_t>& version = result.store.version;
  const bool admitted = (!lease_ || lease_->admits(version)) && !(stands_ && version && *version < *stands_);
  if (to_redis && admitted && !fill_->refused()) {
    if (fill_->swap(core, *this, expected_, now)) return core.set_deadline(*this, now);
  } else if (store_ == Store::under_lease && core.remote->ready()) {
    lease_->pass(core, key_, now);  // too large, or older than what is known: everybody loads for himself for a while
  } else if (to_redis && fill_->refused()) {
    remove_quietly(core, key_, now);
  }
  if (!to_redis && fill_->refused()) forget_old(core);
  if (options_.skip_value && core.has_redis() && core.remote->ready() && !core.remote->runs_scripts())
    remove_quietly(core, key_, now);  // the old value can only go
  const bool newer_held = version && core.holds_newer(key_, *version, now);
  const bool overtaken = is_overtaken(core, now);
  if (!to_redis && store_ != Store::nowhere && !newer_held && !overtaken) fill_->keep(core, now);
  if (fill_->refused()) core.counters.stores_refused.add();
  else if (!core.has_redis()) core.counters.stores.add();
  outcome.degraded = core.has_redis() && !to_redis;
  outcome.error = fill_->refused();
  land(core, std::move(outcome));
}

// What the new value could not replace must not come back when that is forgotten.
void Flight::forget_old(Core& core) {
  if (core.has_redis()) core.pending.add_key(key_);
  core.memory.erase(key_);
}

void Flight::filled(Core& core, Timestamp now) {
  Outcome outcome;
  outcome.kind = Outcome::Kind::loaded;
  outcome.error = fill_->refused();
  if (fill_->superseded()) {
    core.counters.sealed.add();
  } else if (fill_->refused()) {
    core.counters.stores_refused.add();
    if (store_ == Store::over_value) forget_old(core);
    if (!outdated_ && !is_overtaken(core, now)) fill_->keep_by_age(core, now);
    give_back(core, now);
  } else {
    core.counters.stores.add();
  }
  outcome.entry = fill_->entry();
  land(core, std::move(outcome));
}

// Tells every caller; `led` is the one whose loader ran.
void Flight::land(Core& core, Outcome outcome) {
  state_ = State::ended;
  core.flights.forget(*this);
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

bool Flight::may_be_joined(const Core& core, Timestamp now, std::optional<Duration> fresh) const {
  if (!core.has_redis()) return true;
  const bool tracked = generation_ != 0 && generation_ == core.remote->generation();
  const Timestamp as_of = tracked ? std::max(as_of_, core.remote->watermark()) : as_of_;
  return as_of >= core.since(now, fresh);
}

bool Flight::has_tag(std::string_view tag) const {
  return std::find(options_.tags.begin(), options_.tags.end(), tag) != options_.tags.end();
}

bool Caller::abandon(Core& core, Timestamp now) {
  if (auto* flight = dynamic_cast<Flight*>(core.find_task(flight_))) flight->leave(core, id, now);
  return true;
}

}  // namespace tiercel
