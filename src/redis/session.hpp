// Owns: one connection to one server, as a protocol without a socket: handshake, pipelining, replies in order, pushes
// in order, reconnection with back-off, the watermark. Bytes and time go in; bytes, and a wish to open or close, come
// out. One owner thread; only `generation()` and `watermark()` may be read by others.
#pragma once

#include <atomic>
#include <cstddef>
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
#include "redis/server_facts.hpp"
#include "redis/tracking.hpp"
#include "resp/value.hpp"

namespace tiercel::redis {

// Whose reply it is: chosen by the caller, handed back with it.
struct ReplyToken {
  std::uint64_t operation = 0;
  std::uint32_t step = 0;
};

// Told in wire order, from within Session::received, advance, closed and end. Must not call these back; may submit.
// When a connection is lost: generation() becomes 0, then on_lost for each command in order (submit says `down`), then
// on_down.
class SessionListener {
 public:
  virtual ~SessionListener() = default;
  virtual void on_reply(ReplyToken token, const resp::Value& value) = 0;  // views are valid during the call
  virtual void on_lost(ReplyToken token, const Error& why) = 0;  // queued or sent, its reply not seen: unknown outcome
  virtual void on_invalidated(std::string_view redis_key) = 0;
  virtual void on_flushed() = 0;  // a null push: everything
  virtual void on_heartbeat() {}  // TIME was answered: the watermark has moved
  virtual void on_untracked() {}  // the server has ended tracking by itself: facts() say why
  virtual void on_ready() = 0;  // handshake done; the first commands may be submitted
  virtual void on_down(const Error& why) = 0;  // was ready, or could not become it
};

struct SessionOptions {
  std::string user, password;  // empty: no AUTH; user empty: "default"
  unsigned database = 0;
  std::string client_name;  // CLIENT SETNAME; empty: none
  // What the server refuses for good is gone without: facts() tell.
  TrackingWish tracking = TrackingWish::automatic;
  std::vector<std::string> prefixes;  // of the keys that are of interest in broadcast mode; none: all
  std::vector<std::string> probe;  // a harmless command, to learn whether its kind is known and permitted; empty: none
  // Loaded with the handshake, so that they can be run by their digests. Not permitted: script_digest() is empty.
  std::vector<std::string_view> scripts;
  // A longer bulk is read past and given as resp::Value::Type::oversized.
  std::size_t value_bytes_max = (8u << 20) + 65536;
  std::size_t in_flight_max = 10'000;
  std::size_t write_buffer_max = 8u << 20;
  Duration handshake_max = std::chrono::seconds{2};
  // Replies owed and not a byte for so long: the connection is given up.
  Duration silence_max = std::chrono::seconds{5};
  // Idle for so long (or 30 s without TIME): TIME is sent, which moves the watermark and the clock offset. 0: never.
  Duration heartbeat_every{0};
  Duration backoff_min = std::chrono::milliseconds{50}, backoff_max = std::chrono::seconds{5};  // full jitter
};

class Session {
 public:
  enum class State : std::uint8_t { idle, opening, handshaking, ready, waiting, failed, ended };
  enum class Submitted : std::uint8_t { queued, full, down };
  enum class Wish : std::uint8_t { none, open, close };

  Session(SessionOptions options, SessionListener& listener, Dice& dice);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // --- life
  void start(Timestamp now);  // from idle, failed or ended: wishes to open
  void end(Timestamp now);  // wishes to close; what is in flight is lost; no reconnection
  Wish take_wish();  // what the driver must do now; asked after every call, until `none`. After `close`: no closed()
  void opened(Timestamp now);  // the driver connected (TLS done): the handshake begins
  void closed(const Error& why, Timestamp now);  // it is gone, or could not be made; at most once per open
  void advance(Timestamp now);
  std::optional<Timestamp> next_deadline() const;

  // --- bytes
  std::span<char> receive_buffer();  // where the driver may write; never empty; valid until received()
  void received(std::size_t bytes, Timestamp now);
  std::string_view output() const;  // what is to be sent; stays valid until sent() or submit()
  void sent(std::size_t bytes);

  // --- commands (only when ready, else `down`; `full` past in_flight_max or write_buffer_max) With `tracked`, CLIENT
  // CACHING YES goes before it, whose OK is swallowed here (nothing if the server does not track). `now` never goes
  // back. One command may pass write_buffer_max; the next is then `full`.
  Submitted submit(std::span<const std::string_view> arguments, ReplyToken token, Timestamp now, bool tracked = false);

  // A heartbeat for who needs the watermark at `now`: one for all who ask before it leaves, and one more for all who ask
  // while that is under way. Nothing unless ready.
  void beat(Timestamp now);

  // --- what is known
  State state() const;
  // During on_reply of a command submitted as tracked: whether the server has in truth remembered this very read.
  // Ask there, not before.
  bool tracks() const;
  Tracking tracking() const;  // the rung of this connection
  const ServerFacts& facts() const;  // of the last handshake
  const std::string& server_version() const;  // "7.0.15"; empty before the first handshake
  const std::string& run_id() const;  // from INFO server; empty if not permitted
  std::uint64_t client_id() const;
  std::string_view script_digest(std::size_t index) const;  // of SessionOptions::scripts, as the server told it; or ""
  Duration server_offset() const;  // ServerTime minus Timestamp, from TIME (middle of the round trip)
  const std::optional<Error>& last_error() const;  // why it is not ready; in state `failed` it needs the operator
  std::size_t in_flight() const;  // commands of the listener whose reply is owed
  std::uint64_t pushes_ignored() const;  // of other kinds than `invalidate`
  std::uint64_t writes() const;  // times output() went from empty to not: for tests of pipelining

  // --- any thread. Read the watermark first, then the generation, then the entry: they are written in the other order.
  // 0 while not ready; otherwise a number that grows with every handshake, and when the server says MOVED or that
  // tracking is off: entries of another generation are unverified.
  std::uint32_t generation() const { return generation_.load(std::memory_order_acquire); }
  // The last that was not 0; written before the generation and the watermark that belong to it.
  std::uint32_t last_generation() const { return last_generation_.load(std::memory_order_acquire); }
  // The send time of the newest command whose reply has arrived. Published (release) after the pushes before that reply
  // were told, and before its own on_reply. In broadcast mode the pushes of a pass may come behind its replies: there it
  // is the newest whose reply had come when a command was sent that has been answered, too.
  Timestamp watermark() const { return Timestamp{Duration{watermark_.load(std::memory_order_acquire)}}; }

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  std::atomic<std::uint32_t> generation_{0}, last_generation_{0};
  std::atomic<std::int64_t> watermark_{0};
};

}  // namespace tiercel::redis
