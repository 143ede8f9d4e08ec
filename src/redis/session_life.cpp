// A session's life: opening, handshaking, ready; waiting or failed, and again. Deadlines and the heartbeat.
#include "base/planted.hpp"
#include "redis/errors.hpp"
#include "redis/session_impl.hpp"
#include "resp/serializer.hpp"

namespace tiercel::redis {
namespace {

constexpr std::size_t kHeartbeatsMax = 2;
constexpr Duration kClockCheckEvery = std::chrono::seconds{30};   // also a busy session asks for TIME so often

std::string seconds_of(Duration duration) {
  const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  return std::to_string(millis / 1000) + "." + std::to_string(millis % 1000 / 100) + " s";
}

resp::Limits limits_of(const SessionOptions& options) {
  resp::Limits limits;
  limits.bulk_bytes_max = options.value_bytes_max;
  limits.message_bytes_max = std::max(limits.message_bytes_max, 2 * options.value_bytes_max);
  return limits;
}

}  // namespace

Session::Impl::Impl(Session& session, SessionOptions given, SessionListener& to, Dice& chance)
    : face(session),
      options(std::move(given)),
      listener(to),
      dice(chance),
      backoff(options.backoff_min, options.backoff_max),
      parser(limits_of(options)) {}

void Session::Impl::wish_open(Timestamp now) {
  state = State::opening;
  open_wished = true;
  deadline = now + options.handshake_max;
}

void Session::Impl::begin_handshake(Timestamp now) {
  state = State::handshaking;
  deadline = now + options.handshake_max;
  ++connection;
  predecessor_ended = false;
  parser.reset();
  output.clear();
  clock.forget();
  tracking = Tracking::off;
  answered.reset();
  said_at = time_asked_at = heard_at = owed_since = now;
  handshake.begin(options, writing(), slots, now);
}

// The last reply that was owed has come. The predecessor is remembered until this connection, in use, takes its place.
void Session::Impl::go_on_with_handshake(Timestamp now) {
  if (handshake.go_on(options, writing(), slots, now)) return;
  const bool succeeds = predecessor && handshake.succeeds(*predecessor) && !planted::is(planted::Bug::zombies);
  if (!predecessor_ended && succeeds) {
    predecessor_ended = true;
    return Handshake::end_predecessor(*predecessor, writing(), slots, now);
  }
  become_ready(now);
}

// The generation is there before the watermark: who sees the new watermark also sees that older entries are unverified.
void Session::Impl::become_ready(Timestamp now) {
  state = State::ready;
  error.reset();
  ready_since = now;
  tracking = handshake.facts().tracking;
  version = handshake.facts().version;
  new_generation();
  face.watermark_.store(said_at.time_since_epoch().count(), std::memory_order_release);
  listener.on_ready();
}

void Session::Impl::new_generation() {
  if (++last_generation == 0) ++last_generation;
  face.last_generation_.store(last_generation, std::memory_order_release);
  face.generation_.store(last_generation, std::memory_order_release);
}

void Session::Impl::give_up(const Error& why, Timestamp now) {
  const bool operator_needed = state == State::handshaking && !passes_by_itself(why.code);
  if (open_wished) open_wished = false;
  else close_wished = true;
  go_down(why, operator_needed ? State::failed : State::waiting, now);
}

void Session::Impl::go_down(const Error& why, State next, Timestamp now) {
  face.generation_.store(0, std::memory_order_release);
  const bool told = state == State::opening || connected();
  if (state == State::ready) {
    const auto& facts = handshake.facts();
    predecessor = Predecessor{facts.client_id, facts.run_id};
    if (now - ready_since >= options.backoff_max)
      backoff.reset();  // a server that drops us at once is not a server that is well
  }
  state = next;
  error = why;
  open_wished = false;
  tracking = Tracking::off;
  if (next == State::waiting) deadline = now + backoff.next(dice);
  if (next == State::failed) deadline = now + backoff.longest(dice);
  output.clear();
  heartbeats_owed = 0;
  heartbeat_wanted = false;
  Slots lost = std::exchange(slots, {});
  while (!lost.empty()) {
    const Slot slot = lost.pop();
    if (slot.kind == Slot::Kind::command) listener.on_lost(slot.token, why);
  }
  if (told) listener.on_down(why);
}

Timestamp Session::Impl::heartbeat_deadline() const {
  if (options.heartbeat_every <= Duration{0} || heartbeats_owed > 0) return kNever;
  return std::min(said_at + options.heartbeat_every,
                  time_asked_at + std::max(kClockCheckEvery, options.heartbeat_every));
}

std::optional<Timestamp> Session::Impl::next_deadline() const {
  switch (state) {
    case State::opening:
    case State::handshaking:
    case State::waiting:
    case State::failed:
      return deadline;
    case State::ready: {
      const Timestamp next = std::min(heartbeat_deadline(), slots.empty() ? kNever : silence_deadline());
      return next == kNever ? std::nullopt : std::optional{next};
    }
    default:
      return std::nullopt;
  }
}

void Session::Impl::advance(Timestamp now) {
  const auto due = next_deadline();
  if (!due || now < *due) return;
  switch (state) {
    case State::opening:
      return give_up({ErrorCode::away, "no connection within " + seconds_of(options.handshake_max),
                      "see that the server is reachable"},
                     now);
    case State::handshaking:
      return give_up({ErrorCode::away, "the server did not answer within " + seconds_of(options.handshake_max),
                      "see whether it hangs, and whether TLS is meant (rediss://)"},
                     now);
    case State::waiting:
    case State::failed:
      return wish_open(now);
    default:
      break;
  }
  if (!slots.empty() && now >= silence_deadline()) {
    return give_up(
        {ErrorCode::away, "not a byte from the server for " + seconds_of(options.silence_max), "see whether it hangs"},
        now);
  }
  send_heartbeat(now);
}

// One that has not left this process is as good as one sent now: who comes before it leaves shares it.
void Session::Impl::beat(Timestamp now) {
  if (heartbeats_owed > 0 && !output.is_gone(heartbeat_place)) slots.numbered(heartbeat_slot).sent = now;
  else if (heartbeats_owed < kHeartbeatsMax) send_heartbeat(now);
  else heartbeat_wanted = true;
}

void Session::Impl::send_heartbeat(Timestamp now) {
  heartbeat_wanted = false;
  std::string& out = writing();
  heartbeat_place = output.place();
  heartbeat_slot = slots.next_number();
  resp::append_command(out, {"TIME"});
  owe({.kind = Slot::Kind::heartbeat, .token = {}, .sent = now});
  ++heartbeats_owed;
  time_asked_at = now;
}

}  // namespace tiercel::redis
