#include "simulation/plantings.hpp"

namespace tiercel::sim {

namespace {

using planted::Bug;

const std::set<Rule> kFreshness{Rule::stale, Rule::stale_asked, Rule::own_write};
const std::set<Rule> kWaiting{Rule::idle, Rule::waiter};

constexpr Duration kShort = std::chrono::milliseconds{50};  // slow, and not yet given up

Focus under(Fault fault) {
  Focus focus;
  focus.faults = std::set{fault};
  focus.sets = fault == Fault::cut;
  focus.reads = fault != Fault::cut;
  if (focus.reads) focus.staleness = kShort;
  return focus;
}

Focus with_lag() {
  Focus focus;
  focus.versions = focus.lags = true;
  focus.faults = std::set<Fault>{};
  return focus;
}

}  // namespace

const std::vector<Planting>& plantings() {
  static const std::vector<Planting> all{
      {Bug::lease_per_client, "a late fill passes for that of the next lease (A4)", kFreshness},
      {Bug::fill_without_compare, "a fill overwrites an invalidation (A1)", kFreshness},
      {Bug::stamp_after_load, "an entry that was loaded before its tag changed survives (A10)", kFreshness},
      {Bug::push_ignored, "what is in flight misses a change, and who waits is not woken (A2)", kWaiting},
      {Bug::unverified_reconnect, "what changed while the connection was down goes on being served (A3)", kFreshness,
       under(Fault::cut)},
      {Bug::tag_by_clock, "two changes of a tag within a second look alike (A9)", kFreshness},
      {Bug::missing_tag_current, "entries whose tag Redis has forgotten come back (A11)", kFreshness},
      {Bug::joins_sealed_flight, "a caller joins a load that began before an invalidation (A16)", kFreshness},
      {Bug::untracked_wait, "who waits for a lease is not woken by its end", kWaiting},
      {Bug::mismatch_believed, "a tag is compared as it was before the entry was read", kFreshness},
      {Bug::watermark_of_reply,
       "a slow connection makes old entries look young (A3)",
       {Rule::stale},
       under(Fault::slow)},
      {Bug::intent_of_one, "of two writers, the first is not covered until its end", {Rule::unheld}},
      {Bug::restoring_rollback, "the end of a write brings back what it had removed", kFreshness},
      {Bug::no_renewal, "a load that is longer than its lease is never stored", {Rule::unstored}},
      {Bug::lease_kept, "who waits for a load that failed waits for its lease to run out", kWaiting},
      {Bug::zombies,
       "a write from a connection that was given up overtakes an invalidation",
       {Rule::own_write},
       under(Fault::cut)},
      {Bug::pending_forgotten, "invalidations made while Redis was away are lost (A3)", {Rule::own_write}},
      {Bug::own_write_unseen, "a process does not see its own invalidation (A5)", {Rule::own_write}},
      {Bug::stamp_unchecked, "what changed while the connection was down passes for verified (A8)", kFreshness},
      {Bug::floor_dropped, "a load stores a version older than an invalidation has named", kFreshness, with_lag()},
      {Bug::fresh_ignored, "a read that asks for something fresher is not given it (A6)", {Rule::stale}},
      {Bug::watermark_after,
       "a hit is dated by a push that came after it was looked up",
       {Rule::stale},
       under(Fault::hole)},
  };
  return all;
}

std::string row_of(const Planting& planting) {
  std::string rules;
  for (const Rule rule : planting.seen_by) rules += (rules.empty() ? "" : ", ") + std::string(name_of(rule));
  return "| " + std::string(planting.name()) + " | " + std::string(planting.breaks) + " | " + rules + " |";
}

}  // namespace tiercel::sim
