#include "cache/read.hpp"

namespace tiercel {

Outcome local_miss(Core& core, const std::vector<std::string>& capture) {
  core.counters.misses.add();
  Outcome outcome;
  outcome.kind = Outcome::Kind::miss;
  outcome.degraded = core.has_redis();
  outcome.captured = core.local_stamps(capture);
  return outcome;
}

Outcome hit(const EntryRef& entry, bool from_memory, Timestamp now) {
  Outcome outcome;
  outcome.kind = Outcome::Kind::hit;
  outcome.entry = entry;
  outcome.from_memory = from_memory;
  outcome.stale = now >= entry->facts().fresh_until;
  return outcome;
}

bool wants_refresh(Core& core, const Entry& entry, double early, Timestamp now) {
  if (now < entry.due(early) || core.refresh_rests.rests(entry.key(), now)) return false;
  return now >= entry.fresh_until() || entry.claim_early();
}

void count_hit(Core& core, const Outcome& outcome) {
  (outcome.from_memory ? core.counters.hits : core.counters.redis_hits).add();
  if (outcome.stale) core.counters.stale_hits.add();
  if (outcome.degraded) core.counters.outage_hits.add();
}

void ReadTask::start(Core& core, Timestamp now) {
  begun_ = now;
  if (core.beats.serves(core, key_, now)) return core.beats.wait(core, *this, now);
  look(core, now);
}

void ReadTask::beaten(Core& core, Timestamp now) {
  if (const EntryRef entry = core.usable_entry(key_, now, false, begun_)) {
    Outcome outcome = hit(entry, true, now);
    count_hit(core, outcome);
    return core.finish(*this, std::move(outcome));
  }
  if (!core.may_use_redis(now) || core.pending.covers(key_))
    return core.finish(*this, local_miss(core, options_.capture));
  look(core, now);
}

void ReadTask::look(Core& core, Timestamp now) {
  core.set_deadline(*this, now);
  if (!lookup_.start(core, *this, now)) core.finish(*this, local_miss(core, options_.capture));
  else if (lookup_.done()) end(core, now);
}

void ReadTask::reply(Core& core, Step step, const resp::Value& value, Timestamp now) {
  lookup_.reply(core, *this, step, value, now);
  if (lookup_.done()) end(core, now);
}

void ReadTask::lost(Core& core, Step, const Error&, Timestamp) {
  core.finish(*this, local_miss(core, options_.capture));
}

void ReadTask::overdue(Core& core, Timestamp now) {
  core.overran(now);
  core.finish(*this, local_miss(core, options_.capture));
}

void ReadTask::end(Core& core, Timestamp now) {
  if (lookup_.entry()) {
    Outcome outcome = hit(lookup_.entry(), false, now);
    count_hit(core, outcome);
    return core.finish(*this, std::move(outcome));
  }
  if (lookup_.failed()) return core.finish(*this, local_miss(core, options_.capture));
  core.counters.misses.add();
  Outcome outcome;
  outcome.kind = Outcome::Kind::miss;
  if (!options_.capture.empty()) outcome.captured = lookup_.captured(core);
  core.finish(*this, std::move(outcome));
}

}  // namespace tiercel
