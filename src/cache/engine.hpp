// Owns: the cache engine as its drivers see it. It does no I/O: bytes, time and chance are handed in; bytes to send, connections to
// open and close, loads to start and operations that have ended come out. It never calls out.
//
// Threads: one owner thread calls everything, except what stands under "any thread".
// Reading order of a request: find() here; then read.cpp, flight.cpp, store.cpp, invalidate.cpp; recovery.cpp when Redis is away.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/dice.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "entry/record.hpp"
#include "memory/entry.hpp"
#include "redis/tracking.hpp"
#include "resp/value.hpp"

namespace tiercel {

using OperationId = std::uint64_t;  // never reused, never 0
using FlightId = std::uint64_t;  // never reused, never 0
enum class Connection : std::uint8_t { tracked = 0, raw = 1 };  // raw: commands of `cache.client`, and scans

struct RedisTarget {  // what the engine must know of the server; where it is, the driver knows
  std::string user, password;
  unsigned database = 0;
  std::string client_name;
};

// What a restart or failover of Redis means for what it holds: it may have lost invalidations that it had confirmed.
enum class AfterRestart : std::uint8_t {
  trust,  // nothing: outside the promise, and told
  distrust,  // it is not served any more: the root is renewed
};

struct EngineSettings {
  std::string name_space = "tiercel";
  std::size_t memory_bytes_max = 64u << 20;  // 0: no L1
  std::optional<RedisTarget> redis;  // nullopt: memory:// alone
  Duration op_timeout = std::chrono::milliseconds{100};
  Duration staleness = std::chrono::seconds{1};  // delta
  Duration outage_staleness{0};  // delta of memory while Redis cannot be used; less than `staleness`: the same as that
  AfterRestart after_restart = AfterRestart::trust;
  unsigned breaker_overruns = 3;  // so many in a row ...
  Duration breaker_rest = std::chrono::seconds{1};  // ... and Redis is left alone for so long
  std::size_t value_bytes_max = 8u << 20;
  Duration lease_for = std::chrono::seconds{2};  // the right to fill a key; renewed while its loader runs
  Duration load_max = std::chrono::seconds{30};  // for so long at most
  Duration pass_for =
      std::chrono::seconds{1};  // after a load that failed or is not stored, everybody loads for himself
  std::size_t pending_max = 10'000;  // invalidations kept while Redis is away; beyond: the root is renewed
  redis::TrackingWish tracking = redis::TrackingWish::automatic;  // how the server is to tell of changes
  unsigned connections_max = 2;  // 1: raw commands share the tracked connection
};

// How an operation ended.
struct Outcome {
  enum class Kind : std::uint8_t {
    hit,  // `entry`; `stale`: past its soft deadline, `refresh_wanted`: this caller is to refresh it behind, be it stale or before
    miss,  // nothing usable; `captured` holds the stamps of the tags asked for (empty when `degraded`)
    loaded,  // get_or_load: the flight's value is `entry`; `led`: this operation's own loader made it
    load_failed,  // get_or_load: the flight's loader failed; the driver knows the exception by `flight`
    run_loader,  // get_or_load: call this operation's own loader, for this caller alone; store nothing
    stored,  // confirmed by Redis (or by memory alone, on memory://)
    not_stored,  // too large, sealed by an invalidation meanwhile, or Redis is away: `error` says which
    invalidated,  // confirmed; `count` entries were removed, as far as is known
    announced,  // begin_writing: intents stand on its keys and tags; `degraded`: on some of them not
    pending,  // the invalidation is kept and will be sent before Redis is used again; `error` says why
    reply,  // raw command: `reply`, which may be an error reply
    ready,  // connect(): usable
    error,  // `error`
  };
  Kind kind = Kind::miss;
  bool stale = false, refresh_wanted = false, led = false,
       degraded = false;  // degraded: Redis was not asked, or did not answer; a hit: it is older than `staleness`
  bool from_memory = false;
  bool held = false;  // end_writing: its intents stood throughout, so nothing of before the commit was stored after it
  EntryRef entry;
  std::vector<TagStamp> captured;
  FlightId flight = 0;
  std::uint64_t count = 0;
  std::shared_ptr<const resp::OwnedValue> reply;
  std::optional<Error> error;
};

// What the driver must do. Taken in order with next_event().
struct Event {
  enum class Kind : std::uint8_t {
    open,  // connect `connection`; then opened() or closed()
    close,  // close `connection` now; closed() must not be called for it
    finished,  // `operation` ended with `outcome`; its id is forgotten
    start_load,  // run the loader that came with `operation`, then finish_load(flight)
    cancel_load,  // nobody waits for `flight` any more: cancel its loader; finish_load is not needed and ignored
    notice,  // a change of state worth a line in the log: `level`, `text`
  };
  enum class Level : std::uint8_t { info, warning, error };
  Kind kind = Kind::notice;
  Connection connection = Connection::tracked;
  OperationId operation = 0;
  FlightId flight = 0;
  Outcome outcome;
  Level level = Level::info;
  std::string text;
};

struct ReadOptions {
  std::vector<std::string> capture;  // tags whose stamps to take, should it be a miss
  // L1 serves what could not have missed a change for longer than that; nullopt: `staleness`. What is older waits for a heartbeat, one for
  // all who ask meanwhile, and Redis is asked only for what L1 does not hold.
  std::optional<Duration> fresh;
};

struct StoreOptions {
  CodecId codec = CodecId::raw;
  std::optional<Duration> fresh_for;  // soft; nullopt: as long as it is usable
  std::optional<Duration> usable_for;  // hard; nullopt: no expiry. Requires fresh_for <= usable_for, both > 0
  std::vector<std::string> tags;
  std::optional<std::vector<TagStamp>> captured;  // from the miss that began this; nullopt: stamps are taken now
  std::optional<std::uint64_t> version;
  Duration load_cost{0};
};

struct WritingOptions {
  bool strict = true;  // without Redis: an error before the commit; else it goes on, and its end is pending
  bool wait = false;  // begin ends when no process serves what it had in memory before
};

struct LoadOptions {
  std::vector<std::string> tags;  // known before the load: stamped before it starts
  bool skip_value = false;  // refresh: do not look, load
  std::optional<Duration> fresh;  // as of a read; also of the load that is joined
  bool behind =
      false;  // a refresh that nobody waits for: of all processes one loads, the others end as `hit` with what stands
  double early =
      0;  // beta of XFetch: a hit near its soft deadline wants a refresh. 0: none; 1: as early as it takes long; more: earlier
  bool outlive_callers = false;  // go on although all callers have left
  bool tags_of_result = false;  // more tags may come with the result
};

struct LoadResult {
  enum class Kind : std::uint8_t {
    value,  // store `payload` under `store` and give it to all who wait
    answer_only,  // give it to all who wait, store nothing
    uncacheable,  // has no bytes: others run their own loader
    failed,  // raised
    not_run,  // its caller had gone before it began: the next caller's own runs
  };
  Kind kind = Kind::value;
  std::string payload;
  // Its tags come to those of the flight, with LoadOptions::tags_of_result alone; captured is the flight's own and ignored here.
  StoreOptions store;
};

struct EngineStats {
  std::uint64_t hits = 0;  // from memory
  std::uint64_t redis_hits = 0, misses = 0, stale_hits = 0, outage_hits = 0;
  std::uint64_t loads = 0, load_failures = 0, joined = 0, loads_uncached = 0;
  std::uint64_t stores = 0, stores_refused = 0, invalidations = 0, pending = 0, pending_overflows = 0;
  std::uint64_t damaged = 0, oversized = 0, decode_failures = 0, verify_failures = 0, sealed = 0;
  std::uint64_t pushes = 0, flushes = 0, redis_timeouts = 0, redis_errors = 0, reconnects = 0;
  std::uint64_t redis_commands = 0, redis_bytes_in = 0, redis_bytes_out = 0, redis_writes = 0;
  std::uint64_t l1_bytes = 0, l1_bytes_max = 0, l1_entries = 0, l1_evicted = 0, l1_expired = 0;
  struct Latency {
    std::uint64_t count = 0;
    double mean_us = 0, p50_us = 0, p99_us = 0, max_us = 0;
  };
  Latency redis_latency, load_latency;
  std::string redis_state;  // "none" (memory://), "connecting", "ready", "resting" (breaker), "away", "failed"
  std::string redis_error;  // last one, empty if ready
  std::string redis_version;
  std::string tracking = "off";  // how the server tells of changes: "optin", "broadcast", "off"
  unsigned protocol = 0;  // 3 or 2; 0: not connected yet
  bool scripts = true;  // it runs what stores under a lease
  bool identified = false;  // Redis tells which server it is, so that a restart is noticed
  std::uint64_t restarts = 0;  // and failovers that were noticed
  double restarted_at = 0;  // when the last one was: seconds since 1970, by the server's clock
};

// For people who ask why: an entry of L1.
struct Seen {
  EntryFacts facts;
  std::vector<std::string> tags;
  std::size_t bytes = 0;
  bool tracked = false;  // the server tells of changes to it on the present connection
  bool serves = false;  // it would be served now
  bool outage = false;  // ... because Redis cannot be used
  Timestamp as_of{};  // from here on it could have missed a change; `tracked` moves it on
  const char* tags_are = "current";  // current, changed, unknown
};

class Engine {
 public:
  Engine(EngineSettings settings, const Dice::Seed& seed);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // ---- any thread
  // An L1 hit that may be served without asking anybody: fresh, verified, its tags current. Counts a hit; nothing if it is not one.
  // Requires a canonical key. `early`: whose loader may refresh it before it expires, and how eagerly (LoadOptions::early): then not a hit when
  // that is due.
  EntryRef find(std::string_view key, Timestamp now, std::optional<Duration> fresh = {}, double early = 0);
  EngineStats stats() const;
  // What L1 knows of the key, whether it serves or not; counts nothing.
  std::optional<Seen> look(std::string_view key, Timestamp now) const;
  // Drops the entry from L1, and with it every claim on it. Not an invalidation: Redis is not told.
  void forget(std::string_view key);
  void forget_tag(std::string_view tag);  // entries with this tag are looked at again before they are served
  void forget_matching(std::string_view pattern);
  void forget_all();
  // A change made elsewhere is known of, and was confirmed before `now`: where the server's pushes have not told of it by its next answer (no tracking,
  // broadcast), what memory and loads under way have of before is given to nobody without asking Redis. Nothing while Redis is away.
  void expect_changes(Timestamp now);
  void count_decode_failure();
  void count_verify_failure();
  const EngineSettings& settings() const;

  // ---- owner: operations. Each ends by exactly one `finished` event, perhaps before the call returns. Keys are canonical.
  OperationId connect(
      Timestamp now);  // ready, or error (authentication, too_old: the operator's), or away after op_timeout
  OperationId read(std::string_view key, ReadOptions options, Timestamp now);
  OperationId get_or_load(std::string_view key, LoadOptions options, Timestamp now);
  void finish_load(FlightId flight, LoadResult result, Timestamp now);
  OperationId store(std::string_view key, std::string payload, StoreOptions options, Timestamp now);
  // With a version, nothing older of the keys is stored for a minute, and what is newer stays.
  OperationId invalidate(std::span<const std::string> keys, std::span<const std::string> tags, Timestamp now,
                         std::optional<std::uint64_t> version = {});
  // Ends as `announced`, and is held until end_writing, or as an error: then it is over. cancel() before its end ends the writing.
  OperationId begin_writing(std::span<const std::string> keys, std::span<const std::string> tags,
                            WritingOptions options, Timestamp now);
  // After commit or rollback: as invalidate(), `held`. 0: there is no such writing, or it has ended.
  OperationId end_writing(OperationId writing, Timestamp now);
  OperationId invalidate_matching(std::string_view pattern, Timestamp now);
  OperationId clear(Timestamp now);  // everything of this namespace, by the root stamp
  OperationId command(std::span<const std::string_view> arguments, Timestamp now);  // raw; error if Redis is away
  OperationId scan(std::string_view pattern,
                   Timestamp now);  // raw: `reply` is an array of the whole Redis keys that match; bounded
  // The caller has gone. No `finished` event follows. A flight nobody waits for any more is cancelled unless it may outlive its callers.
  void cancel(OperationId operation, Timestamp now);
  // Ends sessions; operations in flight end as they do when Redis is away. The engine may connect() again.
  void disconnect(Timestamp now);

  // ---- owner: bytes and time
  std::span<char> receive_buffer(Connection connection);
  void received(Connection connection, std::size_t bytes, Timestamp now);
  std::string_view output(Connection connection) const;  // to be written once per tick of the loop; then sent()
  void sent(Connection connection, std::size_t bytes);
  void opened(Connection connection, Timestamp now);
  void closed(Connection connection, const Error& why, Timestamp now);
  void advance(Timestamp now);  // due timers
  std::optional<Timestamp> next_deadline() const;
  // The next thing to do, in order; nullopt: nothing. Ask after every call above.
  std::optional<Event> next_event();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tiercel
