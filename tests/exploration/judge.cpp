#include "exploration/judge.hpp"

#include <algorithm>

namespace tiercel::explore {

namespace {

using End = Outcome::Kind;

Set one(unsigned invalidation) { return static_cast<Set>(1u << invalidation); }
std::string letter(unsigned process) { return {static_cast<char>('A' + process)}; }

bool may_end_as(Act act, End end) {
  switch (act) {
    case Act::load:
    case Act::load_now:
      return end == End::hit || end == End::loaded || end == End::load_failed || end == End::run_loader;
    case Act::ask:
    case Act::find:
      return end == End::hit || end == End::miss;
    case Act::invalidate_key:
    case Act::invalidate_tag:
    case Act::conclude:
      return end == End::invalidated || end == End::pending;
    case Act::announce:
    case Act::announce_tag:
    case Act::announce_waiting:
      return end == End::announced || end == End::error;
    case Act::commit:
      return false;
  }
  return false;
}

}  // namespace

Running Judge::begin(Act act, unsigned process, unsigned invalidation, Duration elapsed) {
  Running running;
  running.act = act;
  running.process = process;
  running.invalidation = invalidation;
  running.begun = begun_;
  running.confirmed = confirmed_;
  running.own = own_[process];
  running.seen = hit_[process];
  running.closed = closed_;
  for (unsigned each = 0; each < confirmed_at_.size(); ++each) {
    const bool long_ago = (confirmed_ & one(each)) != 0 && elapsed - confirmed_at_[each] > play_.staleness;
    if (long_ago) running.settled |= one(each);
  }
  if (invalidates(act)) begun_ |= one(invalidation);
  if (act == Act::conclude) --announced_;
  return running;
}

void Judge::end(const Running& running, const Outcome& outcome, Duration elapsed) {
  if (!may_end_as(running.act, outcome.kind))
    fail(std::string(name_of(running.act)) + " ended as number " + std::to_string(static_cast<int>(outcome.kind)));
  if (invalidates(running.act) && outcome.kind == End::invalidated) {
    confirmed_ |= one(running.invalidation);
    own_[running.process] |= one(running.invalidation);
    confirmed_at_[running.invalidation] = elapsed;
  }
  announced_ += outcome.kind == End::announced ? 1 : 0;
  if (outcome.entry) judge_value(running, outcome);
}

void Judge::judge_value(const Running& running, const Outcome& outcome) {
  const std::string name(outcome.entry->payload());
  const auto at = loads_.find(name);
  if (at == loads_.end()) return fail("bytes that nobody loaded: " + name);
  const Load& load = at->second;
  const bool asked = running.act == Act::ask || running.act == Act::load_now;
  const Set binding = (asked ? running.confirmed : running.settled) | running.own;
  const std::string gave = letter(running.process) + "'s " + name_of(running.act) + " gave version " +
                           std::to_string(load.version) + " of load " + name;
  if ((binding & ~load.begun) != 0)
    fail(gave + ", which began before an invalidation that was confirmed before the read");
  if (load.version < running.closed)
    fail(gave + " after the commit of version " + std::to_string(running.closed) + ", whose window was closed");
  if (outcome.kind != End::hit || outcome.entry->generation() == 0) return;
  if (load.version < running.seen) fail(gave + " after a hit of version " + std::to_string(running.seen));
  hit_[running.process] = std::max(hit_[running.process], load.version);
}

std::string Judge::begin_load(unsigned process, const Running* caller) {
  Load load;
  load.version = version_;
  load.begun = begun_;
  load.announced = announced_ > 0;
  load.quiet = caller != nullptr && caller->begun == caller->confirmed && caller->begun == begun_;
  const std::string name = letter(process) + std::to_string(++loaded_[process]);
  judge_single_flight(load);
  loads_[name] = load;
  return name;
}

// Two loads at a time of what nobody changes. Where connections end, loads fail, time passes or a writer announces itself, each may load for itself.
void Judge::judge_single_flight(const Load& load) {
  if (play_.waits_for_time() || play_.failing_loads > 0 || play_.leaving > 0 || play_.writes()) return;
  for (const auto& [name, other] : loads_) {
    if (other.running && other.quiet && load.quiet && other.begun == load.begun)
      fail("a load began while load " + name + " of the same key ran, and nothing was invalidated since");
  }
}

void Judge::stands(std::string_view payload, const char* where) {
  const auto at = loads_.find(std::string(payload));
  if (at == loads_.end()) return fail(std::string("bytes that nobody loaded stand in ") + where);
  if ((confirmed_ & ~at->second.begun) != 0)
    fail("load " + at->first + " stands in " + where + ", and it began before an invalidation that is confirmed");
  if (at->second.announced)
    fail("load " + at->first + " stands in " + where + ", and it began while a write was announced");
}

// ---- digest

void Judge::describe(const Running& running, std::string& out) {
  out +=
      {static_cast<char>(running.act),       static_cast<char>(running.invalidation), static_cast<char>(running.begun),
       static_cast<char>(running.confirmed), static_cast<char>(running.settled),      static_cast<char>(running.own),
       static_cast<char>(running.seen),      static_cast<char>(running.closed)};
}

void Judge::describe(std::string& out) const {
  out += {static_cast<char>(version_), static_cast<char>(announced_), static_cast<char>(closed_),
          static_cast<char>(begun_), static_cast<char>(confirmed_)};
  for (const Duration at : confirmed_at_) out += std::to_string(at.count()) + ",";
  for (const std::uint64_t hit : hit_) out += static_cast<char>(hit);
  for (const auto& [name, load] : loads_) {
    out += name;
    out += {static_cast<char>(load.version), static_cast<char>(load.begun), static_cast<char>(load.running),
            static_cast<char>(load.quiet), static_cast<char>(load.announced)};
  }
}

}  // namespace tiercel::explore
