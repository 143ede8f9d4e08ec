// Owns: what all paths of the engine share: settings, memory, tags, counters, the remote, tasks and their deadlines, events.
// A task is one multi-step operation as a small state machine, fed by replies and time; each kind has a file of its own.
#pragma once

#include <algorithm>
#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/dice.hpp"
#include "base/planted.hpp"
#include "cache/beats.hpp"
#include "cache/breaker.hpp"
#include "cache/engine.hpp"
#include "cache/flights.hpp"
#include "cache/floors.hpp"
#include "cache/pending.hpp"
#include "cache/refresh_rests.hpp"
#include "cache/remote.hpp"
#include "cache/restarts.hpp"
#include "cache/sent_scripts.hpp"
#include "cache/tag_table.hpp"
#include "cache/written.hpp"
#include "entry/key.hpp"
#include "memory/memory_store.hpp"
#include "stats/counters.hpp"
#include "stats/histogram.hpp"

namespace tiercel {

class Core;
class Flight;
class LinkState;

// As PX takes it; at least one.
std::string milliseconds(Duration duration);

class Task {
 public:
  virtual ~Task() = default;
  virtual void reply(Core& core, Step step, const resp::Value& value, Timestamp now) = 0;
  // Queued or sent, and no reply will come: whether the server did it is unknown.
  virtual void lost(Core& core, Step step, const Error& why, Timestamp now) = 0;
  virtual void overdue(Core& core, Timestamp now) = 0;
  // The caller has left. True: the task may be dropped; false: it goes on without one.
  virtual bool abandon(Core&, Timestamp) { return true; }
  // The heartbeat it waited for has come, or none will.
  virtual void beaten(Core&, Timestamp) {}
  // A connection is ready, or cannot become so: for those that wait for it.
  virtual void connection_changed(Core&, const LinkState&, Timestamp) {}

  TaskId id = 0;
  SentScripts scripts;
  Timestamp deadline = kNever;
  bool abandoned = false;  // its end is told to nobody
};

class Core {
 public:
  Core(EngineSettings settings, const Dice::Seed& seed);

  // --- tasks
  template <class T, class... A>
  T& add(A&&... arguments) {
    auto task = std::make_unique<T>(std::forward<A>(arguments)...);
    T& added = *task;
    added.id = ++last_id_;
    tasks_.emplace(added.id, std::move(task));
    return added;
  }
  Task* find_task(TaskId id);
  TaskId next_id() { return ++last_id_; }
  void set_deadline(Task& task, Timestamp now);  // op_timeout from now
  void wake_at(Task& task, Timestamp at);  // overdue() is called then, in place of what was set before
  void finish(Task& task, Outcome outcome);  // tells its end (unless abandoned), then drops it
  void drop(TaskId id);  // without a word; safe from within the task's own methods
  void finish_now(OperationId id, Outcome outcome);  // an operation that needed no task
  void expire_tasks(Timestamp now);
  std::optional<Timestamp> next_task_deadline();
  void bury() { graveyard_.clear(); }
  template <class F>
  void each_task(F&& visit) {
    std::vector<TaskId> ids;
    ids.reserve(tasks_.size());
    for (const auto& [id, task] : tasks_) ids.push_back(id);
    for (const TaskId id : ids) {
      if (Task* task = find_task(id)) visit(*task);
    }
  }

  // --- events
  void emit(Event event) { events_.push_back(std::move(event)); }
  void notice(Event::Level level, std::string text);
  std::optional<Event> next_event();

  // --- Redis
  bool has_redis() const { return settings.redis.has_value(); }
  // May an operation use Redis now? Sends what is pending first.
  bool may_use_redis(Timestamp now);
  bool submit(Task& task, Step step, std::span<const std::string_view> arguments, Timestamp now, bool tracked = false);
  void overran(Timestamp now);  // a task's budget ran out
  // A script on one key, with its arguments behind.
  bool run_script(Task& task, Step step, std::string_view script, std::string_view redis_key,
                  std::initializer_list<std::string_view> arguments, Timestamp now);
  // A tracked read that stands behind the script just sent, and is read again should that have to be sent again.
  bool read_behind(Task& task, Step step, std::span<const std::string_view> arguments, Timestamp now);
  // A script of which nobody waits for the end.
  void run_script_and_forget(std::string_view script, std::string_view redis_key,
                             std::initializer_list<std::string_view> arguments, Timestamp now);
  ServerTime server_now(Timestamp now) const { return ServerTime{now.time_since_epoch() + remote->server_offset()}; }

  // --- coherence: what makes entries, tags and flights unusable
  // Verified, its tags current, and no change up to `since` can be missing from it; may be past its soft deadline.
  // `outage` set: what is older serves too while Redis cannot be used, for as long as outage_staleness; it is then told there.
  EntryRef usable_entry(std::string_view key, Timestamp now, bool count_use, Timestamp since, bool* outage = nullptr);
  // What a read that begins at `begun` demands; nullopt: no less than `staleness`.
  Timestamp since(Timestamp begun, std::optional<Duration> fresh = {}) const {
    const Timestamp believed{Duration{believed_from.load(std::memory_order_acquire)}};
    return std::max(begun - std::min(fresh.value_or(settings.staleness), settings.staleness), believed);
  }
  std::optional<Seen> look(std::string_view key, Timestamp now);
  bool put_in_memory(const EntryRef& entry, Timestamp now);
  // Whether a record with these stamps is of the root that stands now, and the server will tell when that changes: an entry does not keep it.
  bool root_is_current(const std::vector<TagStamp>& stamps) const;
  bool holds_newer(std::string_view key, std::uint64_t version,
                   Timestamp now);  // for memory://; scripts ask it of Redis
  void keep_floors(const std::vector<std::string>& keys,
                   Timestamp now);  // the same: of the versions that are held of them
  void key_changed(std::string_view key);  // by a write of our own
  void key_pushed(std::string_view key, Timestamp now);  // the server says that it changed: by another, or by ourselves
  void tag_changed(std::string_view tag);  // by a write of our own
  void tag_pushed(
      std::string_view tag);  // the server says that it changed, or lives longer: by another, or by ourselves
  void any_tag_changed();  // some tag did: loads whose tags are not known yet may carry it
  std::size_t keys_changed_matching(std::string_view pattern);  // returns how many left memory
  std::size_t forget_matching(std::string_view pattern);  // memory alone; any thread
  void everything_changed();
  // Moves with every change of our own: who was asked before it and answers after it may bring back what it took away, where no push comes.
  std::uint64_t changes() const { return changes_; }
  // Stamps for tags where Redis cannot give any: known to this process alone.
  std::vector<TagStamp> local_stamps(const std::vector<std::string>& tags);

  // --- flights
  Flights flights;
  // Flights, sealed ones too, that wait for another's load of the key.
  void wait_for(std::string_view key, TaskId flight) { waiting_[std::string(key)].push_back(flight); }
  void stop_waiting(const std::string& key, TaskId flight);
  void wake_waiting(std::string_view key, Timestamp now);
  void wake_all_waiting(Timestamp now);

  EngineSettings settings;
  KeySpace names;
  Dice dice;
  MemoryStore memory;
  TagTable tags;
  Counters counters;
  Histogram redis_latency, load_latency;
  Breaker breaker;
  Pending pending;
  Written written;
  Floors floors;  // on memory://, and of what could not be sent
  RefreshRests refresh_rests;
  Beats beats;
  Restarts restarts;
  Remote* remote = nullptr;  // null on memory://
  std::atomic<std::int64_t> believed_from{0};  // what could have missed a change before is not believed without asking
  Timestamp present{};  // of the owner's present call
  Timestamp release_due = kNever;  // when expired memory is next looked at
  Timestamp replay_not_before{};  // a replay that Redis refused is not tried again at once
  std::map<std::string, TaskId> replaying;  // pending patterns and the scan that will have replayed them

 private:
  // What memory's claims are compared with: the watermark first, then the generation that it belongs to.
  struct Sight {
    Timestamp watermark;
    std::uint32_t tracked_on;  // with no session: the last one
    bool away;
  };
  Sight sight() const;
  static bool tracked(const EntryFacts& facts, const Sight& sight) {
    const bool same = facts.generation == sight.tracked_on || planted::is(planted::Bug::unverified_reconnect);
    return facts.generation != 0 && same;
  }
  // From here on the entry could have missed a change.
  static Timestamp as_of(const EntryFacts& facts, const Sight& sight) {
    return tracked(facts, sight) ? std::max(facts.as_of, sight.watermark) : facts.as_of;
  }
  void replay_pending(Timestamp now);
  void seal_hurt(const Flights::List& hurt);  // and gives their leases back: a tag's change leaves them standing

  std::unordered_map<TaskId, std::unique_ptr<Task>> tasks_;
  std::vector<std::unique_ptr<Task>> graveyard_;
  using Deadline = std::pair<Timestamp, TaskId>;
  std::deque<Deadline> deadlines_;  // in order: every budget is op_timeout
  std::priority_queue<Deadline, std::vector<Deadline>, std::greater<>> wakes_;  // others
  std::deque<Event> events_;
  std::unordered_map<std::string, std::vector<TaskId>> waiting_;
  TaskId last_id_ = 0;
  std::uint64_t changes_ = 0;
};

}  // namespace tiercel
