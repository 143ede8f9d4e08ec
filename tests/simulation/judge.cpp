// The judgements: each end of an operation, each beginning of a load, against what was confirmed before.
#include <charconv>

#include "simulation/history.hpp"

namespace tiercel::sim {

namespace {

using Kind = Operation::Kind;
using End = Outcome::Kind;

bool may_end_as(Kind kind, End end) {
  switch (kind) {
    case Kind::load:
      return end == End::hit || end == End::loaded || end == End::load_failed || end == End::run_loader;
    case Kind::read:
    case Kind::ask:
    case Kind::find:
      return end == End::hit || end == End::miss;
    case Kind::store:
      return end == End::stored || end == End::not_stored;
    case Kind::invalidate:
      return end == End::invalidated || end == End::pending;
    case Kind::announce:
      return end == End::announced || end == End::error;
    case Kind::conclude:
      return end == End::invalidated || end == End::pending;
    case Kind::connect:
      return end == End::ready || end == End::error;
    case Kind::command:
      return end == End::reply || end == End::error;
  }
  return false;
}

std::string seconds(Duration duration) { return std::to_string(static_cast<double>(duration.count()) / 1e6) + " s"; }

template <class Settings>
Duration lease_for(const Settings& settings) {
  if constexpr (requires { settings.lease_for; }) return settings.lease_for;
  else return std::chrono::seconds{2};
}

constexpr Duration kAfterTrouble = std::chrono::seconds{2};   // for so long a key may be loaded by everybody
constexpr Duration kAfterChange = std::chrono::milliseconds{200};
constexpr Duration kPollMax = std::chrono::milliseconds{205};  // nobody pushes: waiters ask
constexpr Duration kTimers = std::chrono::milliseconds{5};   // how late the simulation itself may be

}  // namespace

void History::judge_end(const Operation& operation, const Outcome& outcome, Timestamp now) {
  if (!operation.covers.empty()) end_write(operation, outcome, now);
  if (!may_end_as(operation.kind, outcome.kind))
    return fail(Rule::outcome, operation.key,
                operation.words + " ended as number " + std::to_string(static_cast<int>(outcome.kind)));
  if (outcome.entry) return judge_value(operation, outcome, now);
  if (operation.kind == Kind::store && outcome.kind == End::stored && operation.version > 0)
    know_version(operation, operation.key, now);
  if (trace_.on && operation.covers.empty())
    trace_.add(now, operation.key,
               "p" + std::to_string(operation.process) + " ends " + operation.words + ": number " +
                   std::to_string(static_cast<int>(outcome.kind)) + (outcome.degraded ? ", degraded" : ""));
}

void History::judge_value(const Operation& operation, const Outcome& outcome, Timestamp now) {
  const std::optional<LoadIndex> found = load_of(operation, *outcome.entry);
  if (!found) return;
  const Load& load = loads_[*found];
  if (trace_.on)
    trace_.add(now, operation.key,
               "p" + std::to_string(operation.process) + " ends " + operation.words + ": version " +
                   std::to_string(load.version) + " of load " + std::to_string(*found) +
                   (outcome.kind == End::hit ? outcome.from_memory ? ", from memory" : ", from Redis" : ", loaded") +
                   (outcome.degraded ? ", degraded" : ""));
  judge_freshness(operation, outcome, load);
  // Without Redis a process hears of no announcement: there a load is good for delta.
  const bool stored = load.began == Timestamp::max();
  if (load.set) return;  // the last writer wins, whatever he knew
  const bool bridged = outcome.kind == End::hit && outcome.degraded;
  if (!stored && !bridged && !plan_.may_lag && (plan_.calm() || outcome.entry->generation() != 0))
    judge_window(operation, load.version);
  if (plan_.thrifty() && operation.kind == Kind::load && !operation.refresh) {
    judge_waiter(operation, outcome, now);
    if (outcome.kind == End::hit) judge_idle(operation, now);
  }
  if (outcome.kind != End::hit || outcome.entry->generation() == 0) return;
  if (rolled_back_ && plan_.trusts_restarts()) return;
  auto& hits = story(operation.key).hits[operation.engine];
  // A store that was late, and what a lagging loader read, may follow an invalidation that made Redis forget the versions it knew.
  const Timestamp newer_hit = hits.exceeded(load.version).value_or(now) - plan_.settings.staleness;
  const bool may_follow = (stored || plan_.may_lag) && story(operation.key).forgotten >= newer_hit;
  if (const auto seen = hits.before(operation.begin); seen && *seen > load.version && !may_follow)
    fail(Rule::back, operation.key,
         operation.words + " hit version " + std::to_string(load.version) + " after version " + std::to_string(*seen));
  hits.add(now, load.version);
}

// The last writer wins, but whoever did both knows which came last: what he invalidated behind his `set` is gone.
void History::judge_set(const Operation& operation, const Outcome& outcome, const Load& value) {
  Story& of_key = story(operation.key);
  const auto gone = [&](Timestamp when) {
    return of_key.own_invalidated[value.engine].before(when).value_or(Timestamp{}) > value.set_ended;
  };
  const bool bridged = outcome.kind == End::hit && outcome.degraded;
  const Duration most = bridged ? plan_.settings.outage_staleness : plan_.settings.staleness;
  const Duration delta = most + plan_.settings.staleness / 1000;
  const bool asked = operation.kind == Kind::ask || (operation.kind == Kind::read && !outcome.from_memory);
  const Duration allowed = asked || operation.engine == value.engine ? Duration{0} : delta;
  const bool from_redis = outcome.entry->generation() != 0;
  const bool may_return = rolled_back_ && plan_.trusts_restarts();
  if (value.set_lost && from_redis && !may_return && operation.engine == value.engine &&
      operation.begin > value.set_ended)
    return fail(Rule::own_write, operation.key,
                operation.words + " gave what its own engine had set without an answer, and was to remove");
  if (!gone(operation.begin - allowed)) return;
  fail(operation.engine == value.engine ? Rule::own_write
       : asked                          ? Rule::stale_asked
                                        : Rule::stale,
       operation.key,
       operation.words + " gave what was set before an invalidation by the same engine, which was confirmed");
}

void History::judge_freshness(const Operation& operation, const Outcome& outcome, const Load& load) {
  if (load.set) return judge_set(operation, outcome, load);
  Story& of_key = story(operation.key);
  const bool bridged = outcome.kind == End::hit && outcome.degraded;  // and it says so
  const Duration most = bridged ? plan_.settings.outage_staleness : plan_.settings.staleness;
  const Duration asked_for = std::min(operation.fresh.value_or(most), most);
  const Duration delta = asked_for + plan_.settings.staleness / 1000;  // clocks drift
  // What a lagging loader says goes to its callers; it is not to be stored over what is known to be newer.
  const bool just_loaded = plan_.may_lag && (outcome.kind != End::hit || outcome.entry->generation() == 0);
  const auto older = [&](const Timeline<Timestamp>& invalidated, const Timeline<std::uint64_t>& stored,
                         Timestamp when) {
    return invalidated.before(when).value_or(Timestamp{}) > load.began ||
           (!just_loaded && stored.before(when).value_or(0) > load.version);
  };
  const std::string what = operation.words + " gave version " + std::to_string(load.version) +
                           ", whose load began before an invalidation that ";
  const Timestamp outdated = of_key.invalidated.exceeded(load.began).value_or(operation.begin);
  if (served_ != nullptr) served_->record(std::max(Duration{0}, operation.begin - outdated));
  if (older(of_key.own_invalidated[operation.engine], of_key.own_stored[operation.engine], operation.begin))
    return fail(Rule::own_write, operation.key, what + "its own engine had confirmed");
  if (of_key.own_pending[operation.engine].before(operation.begin).value_or(Timestamp{}) > load.began)
    return fail(Rule::own_write, operation.key, what + "its own engine had taken on and still owed to Redis");
  if (older(of_key.invalidated, of_key.stored, operation.begin - delta)) {
    const auto first = of_key.invalidated.exceeded(load.began).value_or(operation.begin);
    return fail(Rule::stale, operation.key,
                what + "was confirmed " + seconds(operation.begin - first) + " before the read");
  }
  const bool asked = operation.kind == Kind::ask || (operation.kind == Kind::read && !outcome.from_memory);
  if (asked && older(of_key.invalidated, of_key.stored, operation.begin))
    fail(Rule::stale_asked, operation.key, what + "was confirmed before, and it asked Redis");
}

void History::judge_window(const Operation& operation, std::uint64_t version) {
  Story& of_key = story(operation.key);
  of_key.given.push_back({operation.begin, version});
  if (of_key.closed.before(operation.begin).value_or(0) > version)
    fail(Rule::window, operation.key,
         operation.words + " gave version " + std::to_string(version) + " after a commit whose window was closed");
}

// Known only now: from its commit on nobody was to be given anything older.
void History::close_window(const Operation& operation) {
  Story& of_key = story(operation.key);
  of_key.closed.add(*operation.closed_since, operation.version);
  for (auto given = of_key.given.rbegin();
       given != of_key.given.rend() && given->begin + plan_.length > *operation.closed_since; ++given) {
    if (given->begin > *operation.closed_since && given->version < operation.version)
      fail(Rule::window, operation.key,
           "version " + std::to_string(given->version) +
               " was given to a read that began after the commit of version " + std::to_string(operation.version) +
               ", whose window was closed");
  }
}

// A fill that a waiter saw: a push, then the key, then perhaps its tags.
void History::judge_waiter(const Operation& operation, const Outcome& outcome, Timestamp now) {
  const Story& of_key = story(operation.key);
  if (outcome.kind != End::hit || of_key.invalidating > 0 || of_key.disturbed >= operation.begin - kAfterChange ||
      of_key.troubled >= operation.begin - kAfterTrouble)
    return;
  // A fill whose tags had changed by then serves nobody: whoever waited takes its place.
  if (of_key.invalidated.before(now).value_or(Timestamp{}) >= operation.begin - kAfterTrouble) return;
  const auto fill = std::lower_bound(of_key.fills.begin(), of_key.fills.end(), operation.begin);
  const Duration patience = 6 * plan_.delay_max + kTimers + (plan_.pushes() ? 3 * kPassMax : kPollMax);
  if (fill != of_key.fills.end() && now > *fill + patience)
    fail(Rule::waiter, operation.key, operation.words + " ended " + seconds(now - *fill) + " after the fill");
}

// Who waits, waits for a load that runs, or has just ended.
void History::judge_idle(const Operation& operation, Timestamp now) {
  const Story& of_key = story(operation.key);
  if (!plan_.thrifty() || operation.kind != Kind::load || operation.refresh || !of_key.running.empty()) return;
  const Timestamp since = std::max({operation.begin, of_key.load_ended, of_key.disturbed, of_key.troubled});
  const Duration polls = plan_.pushes() ? Duration{0} : kPollMax;
  const Duration patience = 8 * plan_.delay_max + 2 * kTimers + polls;
  if (now > since + patience)
    fail(Rule::idle, operation.key, operation.words + " waited for " + seconds(now - since) + ", and nobody loaded");
}

// Nothing but the end of its process or connection takes an intent away, or another's write that was not announced.
void History::judge_held(const Operation& operation, const Outcome& outcome) {
  if (!plan_.calm() || !operation.announced_at || outcome.held || outcome.kind != End::invalidated) return;
  for (const std::string& key : operation.covers) {
    const Story& of_key = story(key);
    if (of_key.overwriting > 0 || of_key.overwritten >= *operation.announced_at) return;
  }
  fail(Rule::unheld, operation.key,
       operation.words + " was reported as not held throughout, though nobody cut it short");
}

// Where nobody invalidated and nobody failed, the first load led, and its value is in Redis soon after it.
void History::check_stored(Timestamp now) {
  const Duration patience = 4 * plan_.delay_max + kTimers;
  while (!to_be_stored_.empty() && to_be_stored_.front().first + patience < now) {
    const auto [ended, index] = to_be_stored_.front();
    to_be_stored_.pop_front();
    const Load& load = loads_[index];
    const Story& of_key = story(load.key);
    if (!load.first || load.refresh || !plan_.leases() || of_key.invalidating > 0 ||
        of_key.disturbed >= load.began - kAfterChange || of_key.troubled >= load.began - kAfterTrouble)
      continue;
    const auto fill = std::lower_bound(of_key.fills.begin(), of_key.fills.end(), ended);
    if (fill == of_key.fills.end() || *fill > ended + patience)
      fail(Rule::unstored, load.key, "load " + std::to_string(index) + " led, and its value was not stored");
  }
}

void History::judge_herd(const Load& load, Timestamp now) {
  const Story& of_key = story(load.key);
  if (!plan_.thrifty() || load.refresh || !plan_.pushes() || !plan_.leases() || of_key.invalidating > 0) return;
  const Duration patience =
      lease_for(plan_.settings) - kTimers - 2 * plan_.delay_max;  // its lease is seen before it begins
  for (const LoadIndex other : of_key.running) {
    if (now - loads_[other].began >= patience) return;  // who waited for that one may load for himself
  }
  for (const LoadIndex other : of_key.running) {
    const Load& first = loads_[other];
    if (!first.first || first.refresh || of_key.disturbed >= first.began - kAfterChange ||
        of_key.troubled >= first.began - kAfterTrouble)
      continue;
    return fail(Rule::herd, load.key,
                "a load began while another of the same key ran, " + seconds(now - first.began) + " old");
  }
}

std::optional<LoadIndex> History::load_of(const Operation& operation, const Entry& entry) {
  const std::string_view bytes = entry.payload(), prefix = bytes.substr(0, operation.key.size() + 1);
  LoadIndex load = 0;
  if (prefix == operation.key + "|") {
    const std::string_view rest = bytes.substr(prefix.size());
    const auto [end, wrong] = std::from_chars(rest.data(), rest.data() + rest.size(), load);
    if (wrong == std::errc{} && load < loads_.size() && loads_[load].key == operation.key) return load;
  }
  fail(Rule::outcome, operation.key, operation.words + " gave bytes that nobody stored under this key");
  return std::nullopt;
}

// How long an operation may take while its process is awake. Loads may wait for those of others, and take their own time.
Duration History::bound(const Operation& operation) const {
  const Duration op = plan_.settings.op_timeout;
  switch (operation.kind) {
    case Kind::load:
      return plan_.calm() ? 3 * op + 3 * plan_.load_max + 3 * lease_for(plan_.settings) : std::chrono::seconds{60};
    case Kind::invalidate:
      return operation.pattern ? 8 * op + kTimers : 3 * op + kTimers;
    case Kind::announce:
      return 3 * op + plan_.settings.staleness + kTimers;
    case Kind::find:  // at once, but where its thread is taken off its core (Process::let_others)
    case Kind::connect:
    case Kind::command:
      return std::chrono::seconds{2};
    default:
      return 3 * op + kTimers;
  }
}

void History::check_late(OperationIndex index, Timestamp now, Duration paused) {
  const Operation& operation = operations_[index];
  const Duration took = now - operation.begin - (paused - operation.paused_before);
  if (took > bound(operation))
    fail(Rule::late, operation.key,
         operation.words + " took " + seconds(took) + " of at most " + seconds(bound(operation)));
}

void History::check_agrees(OperationIndex index, const Outcome& outcome, std::uint64_t version) {
  const Operation& operation = operations_[index];
  if (!outcome.entry || (outcome.degraded && plan_.leases()))
    return fail(Rule::convergence, operation.key, operation.words + " had no value when all was well again");
  const auto load = load_of(operation, *outcome.entry);
  if (load && loads_[*load].version != version)
    fail(Rule::convergence, operation.key,
         operation.words + " gave version " + std::to_string(loads_[*load].version) +
             " when all was well again; the source has " + std::to_string(version));
}

}  // namespace tiercel::sim
