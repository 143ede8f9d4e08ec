#include "cache/core.hpp"

#include <algorithm>
#include <utility>

#include "base/planted.hpp"
#include "cache/flight.hpp"
#include "cache/invalidate.hpp"
#include "cache/lease.hpp"
#include "cache/steps.hpp"
#include "cache/tag_fetch.hpp"

namespace tiercel {

namespace {
constexpr Duration kReleaseEvery = std::chrono::milliseconds{250};   // expired memory is freed at most so often
}

std::string milliseconds(Duration duration) {
  return std::to_string(std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::milliseconds>(duration).count()));
}

Core::Core(EngineSettings given, const Dice::Seed& seed)
    : settings(std::move(given)),
      names(settings.name_space),
      dice(seed),
      memory(MemoryOptions{.bytes_max = settings.memory_bytes_max, .seed = dice.next()}),
      breaker(settings.breaker_overruns, settings.breaker_rest),
      pending(settings.pending_max) {}

// ---- tasks

Task* Core::find_task(TaskId id) {
  const auto at = tasks_.find(id);
  return at == tasks_.end() ? nullptr : at->second.get();
}

void Core::set_deadline(Task& task, Timestamp now) {
  task.deadline = now + settings.op_timeout;
  deadlines_.emplace_back(task.deadline, task.id);
}

void Core::wake_at(Task& task, Timestamp at) {
  task.deadline = at;
  wakes_.emplace(at, task.id);
}

void Core::finish(Task& task, Outcome outcome) {
  if (!task.abandoned) finish_now(task.id, std::move(outcome));
  drop(task.id);
}

void Core::finish_now(OperationId id, Outcome outcome) {
  Event event;
  event.kind = Event::Kind::finished;
  event.operation = id;
  event.outcome = std::move(outcome);
  emit(std::move(event));
}

void Core::drop(TaskId id) {
  const auto at = tasks_.find(id);
  if (at == tasks_.end()) return;
  graveyard_.push_back(std::move(at->second));   // it may be executing: buried when the engine is left
  tasks_.erase(at);
}

void Core::expire_tasks(Timestamp now) {
  const auto expire = [this, now](TaskId id) {
    Task* task = find_task(id);
    if (task == nullptr || task->deadline > now) return;
    task->deadline = kNever;
    task->overdue(*this, now);
  };
  while (!deadlines_.empty() && deadlines_.front().first <= now) {
    const TaskId id = deadlines_.front().second;
    deadlines_.pop_front();
    expire(id);
  }
  while (!wakes_.empty() && wakes_.top().first <= now) {
    const TaskId id = wakes_.top().second;
    wakes_.pop();
    expire(id);
  }
}

std::optional<Timestamp> Core::next_task_deadline() {
  const auto holds = [this](const Deadline& deadline) {
    const Task* task = find_task(deadline.second);
    return task != nullptr && task->deadline == deadline.first;
  };
  while (!deadlines_.empty() && !holds(deadlines_.front())) deadlines_.pop_front();
  while (!wakes_.empty() && !holds(wakes_.top())) wakes_.pop();
  std::optional<Timestamp> next;
  if (!deadlines_.empty()) next = deadlines_.front().first;
  if (!wakes_.empty() && (!next || wakes_.top().first < *next)) next = wakes_.top().first;
  return next;
}

// ---- events

void Core::notice(Event::Level level, std::string text) {
  Event event;
  event.kind = Event::Kind::notice;
  event.level = level;
  event.text = std::move(text);
  emit(std::move(event));
}

std::optional<Event> Core::next_event() {
  if (events_.empty()) return std::nullopt;
  Event event = std::move(events_.front());
  events_.pop_front();
  return event;
}

// ---- Redis

bool Core::may_use_redis(Timestamp now) {
  if (!has_redis() || !remote->ready() || !breaker.allows(now)) return false;
  if (!pending.empty()) replay_pending(now);
  return true;
}

bool Core::submit(Task& task, Step step, std::span<const std::string_view> arguments, Timestamp now, bool tracked) {
  return remote->submit(arguments, task.id, step, now, tracked);
}

bool Core::run_script(Task& task, Step step, std::string_view script, std::string_view redis_key,
                      std::initializer_list<std::string_view> arguments, Timestamp now) {
  return task.scripts.send(*this, task, step, script, redis_key, arguments, now);
}

bool Core::read_behind(Task& task, Step step, std::span<const std::string_view> arguments, Timestamp now) {
  if (!submit(task, step, arguments, now, true)) return false;
  task.scripts.followed_by(step, arguments);
  return true;
}

namespace {

// A command whose end nobody waits for.
class ForgottenTask final : public Task {
 public:
  void reply(Core& core, Step, const resp::Value& value, Timestamp) override {
    core.counters.redis_errors.add(value.is_error() ? 1 : 0);
    core.drop(id);
  }
  void lost(Core& core, Step, const Error&, Timestamp) override { core.drop(id); }
  void overdue(Core& core, Timestamp) override { core.drop(id); }
};

}  // namespace

void Core::run_script_and_forget(std::string_view script, std::string_view redis_key,
                                 std::initializer_list<std::string_view> arguments, Timestamp now) {
  auto& task = add<ForgottenTask>();
  task.abandoned = true;
  set_deadline(task, now);
  if (!run_script(task, ask::step(ask::raw), script, redis_key, arguments, now)) drop(task.id);
}

void Core::overran(Timestamp now) {
  counters.redis_timeouts.add();
  if (!breaker.overran(now)) return;
  notice(Event::Level::warning,
         "Redis does not answer in time; it is left alone for a while and requests go to their loaders");
}

// What could not be sent goes first, on the same connection: what is asked behind it sees it done. Patterns need scans; until such a scan
// has ended, Pending::covers() keeps readers from trusting what is under it.
void Core::replay_pending(Timestamp now) {
  if (now < replay_not_before) return;
  replay_not_before = now + settings.breaker_rest;
  if (planted::is(planted::Bug::pending_forgotten)) return void(pending = Pending(settings.pending_max));
  pending.fit_in_one_pipeline();
  const std::set<std::string> patterns = pending.patterns();
  Pending::Items items = pending.take();
  if (items.root) items.tags.emplace(kRootTag);
  std::map<std::uint64_t, std::vector<std::string>> owed;
  for (const auto& [key, version] : items.floors) {
    if (remote->runs_scripts()) owed[version].push_back(key);
    else items.keys.insert(key);
  }
  if (!items.keys.empty() || !items.tags.empty()) {
    auto& task = add<InvalidateTask>(std::vector<std::string>(items.keys.begin(), items.keys.end()),
                                     std::vector<std::string>(items.tags.begin(), items.tags.end()));
    task.abandoned = true;
    task.replay(*this, now);
  }
  for (auto& [version, keys] : owed) {
    auto& task = add<InvalidateTask>(std::move(keys), std::vector<std::string>{}, version);
    task.abandoned = true;
    task.replay(*this, now);
  }
  for (const std::string& pattern : patterns) {
    if (replaying.contains(pattern)) continue;  // its last scan still runs
    auto& task = add<MatchingTask>(pattern, true);
    replaying[pattern] = task.id;
    task.abandoned = true;
    task.start(*this, now);
  }
}

// ---- coherence

std::optional<Seen> Core::look(std::string_view key, Timestamp now) {
  const EntryRef entry = memory.peek(key, now);
  if (!entry) return std::nullopt;
  Seen seen;
  seen.facts = entry->facts();
  for (const TagStamp& tag : entry->tags()) seen.tags.push_back(tag.name);
  seen.bytes = entry->bytes();
  seen.tracked = remote != nullptr && seen.facts.generation != 0 && seen.facts.generation == remote->generation();
  seen.as_of = remote != nullptr ? as_of(seen.facts, sight()) : seen.facts.as_of;
  const TagTable::Check check = tags.check(*entry);
  seen.tags_are = check == TagTable::Check::current   ? "current"
                  : check == TagTable::Check::changed ? "changed"
                                                      : "unknown";
  seen.serves = bool(usable_entry(key, now, false, since(now), &seen.outage));
  return seen;
}

// The last session's watermark stays when it is lost, and what it tracked is good as of that.
Core::Sight Core::sight() const {
  const Timestamp watermark = remote->watermark();
  const std::uint32_t generation = remote->generation();
  return {watermark, generation != 0 ? generation : remote->last_generation(), generation == 0 || breaker.resting()};
}

EntryRef Core::usable_entry(std::string_view key, Timestamp now, bool count_use, Timestamp since, bool* outage) {
  // The watermark and the generation before the entry: an entry is never given a watermark younger than its own tracking.
  Sight seen = remote != nullptr ? sight() : Sight{};
  if (!planted::is(planted::Bug::watermark_after)) planted::let_others();
  EntryRef entry = count_use ? memory.find(key, now) : memory.peek(key, now);
  if (!entry) return {};
  if (planted::is(planted::Bug::watermark_after)) {
    planted::let_others();
    if (remote != nullptr) seen.watermark = remote->watermark();
  }
  if (remote != nullptr) {
    if (planted::is(planted::Bug::fresh_ignored)) since = std::min(since, now - settings.staleness);
    const Timestamp good = as_of(entry->facts(), seen);
    if (good < since) {
      const bool bridges = outage != nullptr && seen.away && now - good <= settings.outage_staleness;
      if (!bridges || tags.check(*entry) != TagTable::Check::current) return {};
      *outage = true;
      return entry;
    }
  }
  if (tags.check(*entry) != TagTable::Check::current) return {};
  return entry;
}

bool Core::root_is_current(const std::vector<TagStamp>& stamps) const {
  const auto root = remote->tracks() ? tags.find(kRootTag) : std::nullopt;
  if (!root || root->local) return false;
  const auto of_record =
      std::find_if(stamps.begin(), stamps.end(), [](const TagStamp& tag) { return tag.name == kRootTag; });
  return of_record != stamps.end() && of_record->stamp == root->stamp;
}

bool Core::put_in_memory(const EntryRef& entry, Timestamp now) {
  if (settings.memory_bytes_max == 0 || !memory.insert(entry, now)) return false;
  const Timestamp until = entry->facts().usable_until;
  if (until != kNever) release_due = std::min(release_due, std::max(until, now + kReleaseEvery));
  return true;
}

bool Core::holds_newer(std::string_view key, std::uint64_t version, Timestamp now) {
  if (floors.above(key, version, now)) return true;
  const EntryRef entry = memory.peek(key, now);
  return entry && entry->facts().has_version && entry->facts().version > version &&
         tags.check(*entry) == TagTable::Check::current;
}

void Core::keep_floors(const std::vector<std::string>& keys, Timestamp now) {
  for (const std::string& key : keys) {
    const EntryRef entry = memory.peek(key, now);
    if (entry && entry->facts().has_version) floors.raise(key, entry->facts().version, now + floor_for(*this), now);
  }
}

void Core::key_changed(std::string_view key) {
  ++changes_;
  memory.erase(key);
  seal_hurt(flights.of(key));
}

void Core::key_pushed(std::string_view key, Timestamp now) {
  if (planted::is(planted::Bug::push_ignored) && !memory.peek(key, now)) return;
  memory.erase(key);
  for (Flight* flight : flights.of(key)) {
    flight->key_moved();
    if (flight->sealed_by_push(*this)) flights.seal(*flight);
  }
  wake_waiting(key, now);
}

void Core::stop_waiting(const std::string& key, TaskId flight) {
  const auto at = waiting_.find(key);
  if (at == waiting_.end()) return;
  std::erase(at->second, flight);
  if (at->second.empty()) waiting_.erase(at);
}

void Core::wake_waiting(std::string_view key, Timestamp now) {
  const auto at = waiting_.find(std::string(key));
  if (at == waiting_.end()) return;
  const std::vector<TaskId> woken = std::move(at->second);
  waiting_.erase(at);
  for (const TaskId id : woken) {
    if (auto* flight = dynamic_cast<Flight*>(find_task(id))) flight->woken(*this, now);
  }
}

void Core::wake_all_waiting(Timestamp now) {
  for (Flight* flight : flights.where([](const Flight&) { return true; })) flight->key_moved();
  const auto all = std::exchange(waiting_, {});
  for (const auto& [key, woken] : all) {
    for (const TaskId id : woken) {
      if (auto* flight = dynamic_cast<Flight*>(find_task(id))) flight->woken(*this, now);
    }
  }
}

void Core::tag_changed(std::string_view tag) {
  ++changes_;
  if (tag == kRootTag) everything_changed();
  tags.drop(tag);
  seal_hurt(flights.where([tag](const Flight& flight) { return flight.has_tag(tag); }));
}

void Core::any_tag_changed() {
  seal_hurt(flights.where([](const Flight& flight) { return flight.awaits_tags(); }));
}

void Core::tag_pushed(std::string_view tag) {
  if (!remote->tells_late() || tag == kRootTag) return tag_changed(tag);
  ++changes_;
  tags.drop(tag);
  seal_hurt(flights.where(
      [this, tag](const Flight& flight) { return flight.has_tag(tag) && !flight.outlasts_pushes(*this); }));
}

std::size_t Core::forget_matching(std::string_view pattern) {
  return memory.erase_if([pattern](const Entry& entry) { return glob_match(pattern, entry.key()); });
}

std::size_t Core::keys_changed_matching(std::string_view pattern) {
  ++changes_;
  const std::size_t erased = forget_matching(pattern);
  seal_hurt(flights.where([pattern](const Flight& flight) { return glob_match(pattern, flight.key()); }));
  return erased;
}

void Core::everything_changed() {
  ++changes_;
  memory.clear();
  tags.drop_all();
  const Flights::List all = flights.where([](const Flight&) { return true; });
  for (Flight* flight : all) flight->key_moved();
  seal_hurt(all);
}

std::vector<TagStamp> Core::local_stamps(const std::vector<std::string>& wanted) {
  std::vector<TagStamp> stamps;
  for (const std::string& tag : wanted) {
    std::optional<TagKnown> known = tags.find(tag);
    if (!known) {
      known = TagKnown{Stamp::roll(dice), kServerNever, has_redis()};
      tags.learn(tag, *known);
    }
    stamps.push_back({tag, known->stamp});
  }
  return stamps;
}

void Core::seal_hurt(const Flights::List& hurt) {
  for (Flight* flight : hurt) {
    flights.seal(*flight);
    if (flight->loading() && !planted::is(planted::Bug::stamp_after_load)) flight->give_back(*this, present);
  }
}

}  // namespace tiercel
