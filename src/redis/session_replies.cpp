// What the server sends, in wire order: pushes to the listener, replies to the slot that is first in line.
#include "base/planted.hpp"
#include "redis/errors.hpp"
#include "redis/session_impl.hpp"

namespace tiercel::redis {
namespace {

using Type = resp::Value::Type;

Error surprise(const char* what) {
  return {ErrorCode::protocol, std::string{"the server sent "} + what,
          "see that nothing stands between this process and the server"};
}

}  // namespace

void Session::Impl::received(std::size_t bytes, Timestamp now) {
  if (!connected()) return;                  // late bytes of a connection given up
  parser.commit(bytes);
  if (bytes > 0) heard_at = now;
  const auto reading = connection;
  while (connected() && connection == reading) {
    const auto next = parser.next();
    if (next == resp::Parser::Next::more) return;
    if (next == resp::Parser::Next::error) return give_up(parser.error(), now);
    const resp::Value& value = parser.value();
    const auto failed = value.type == Type::push ? take_push(value) : take_reply(value, now);
    if (failed && connected()) return give_up(*failed, now);
  }
}

std::optional<Error> Session::Impl::take_push(const resp::Value& push) {
  if (push.items.empty() || !push.items[0].is_string()) return surprise("a push without a name");
  if (push.items[0].text != "invalidate") {
    ++pushes_ignored;
    return std::nullopt;
  }
  if (push.items.size() != 2) return surprise("an invalidation of an unexpected shape");
  const auto& keys = push.items[1];
  if (keys.is_null()) {
    listener.on_flushed();
    return std::nullopt;
  }
  if (keys.type != Type::array) return surprise("an invalidation of an unexpected shape");
  for (const auto& key : keys.items) {
    if (key.type == Type::oversized) listener.on_flushed();      // a key too long to be read: it might be any
    else if (key.is_string()) listener.on_invalidated(key.text);
    else return surprise("an invalidation of something that is no key");
  }
  return std::nullopt;
}

std::optional<Error> Session::Impl::take_reply(const resp::Value& reply, Timestamp now) {
  if (slots.empty()) return surprise("a reply that nobody asked for");
  if (slots.front().caching_owed) return take_caching(slots.front(), reply);
  const Slot slot = slots.pop();
  switch (slot.kind) {
    case Slot::Kind::command:
      take_command(slot, reply, now);
      return std::nullopt;
    case Slot::Kind::heartbeat:
      take_heartbeat(slot, reply, now);
      return std::nullopt;
    default:
      if (auto failure = handshake.take(slot, reply, clock, now)) return failure;
      if (slots.empty()) go_on_with_handshake(now);
      return std::nullopt;
  }
}

// The reply to CLIENT CACHING YES. Refused, the command behind it was read all the same, but untracked.
std::optional<Error> Session::Impl::take_caching(Slot& slot, const resp::Value& reply) {
  if (!reply.is_ok() && !reply.is_error()) return surprise("an unexpected reply to CLIENT CACHING");
  slot.caching_owed = false;
  if (reply.is_ok()) return std::nullopt;
  slot.caching_refused = true;
  if (passes_by_itself(classify(reply.text).code)) return std::nullopt;
  const bool was_told = std::exchange(tracking, Tracking::off) == Tracking::off;
  // Not permitted: what was tracked still is. Anything else: the server is no longer in tracking mode, and has
  // forgotten us.
  if (!reply.text.starts_with("NOPERM")) new_generation();
  if (was_told) return std::nullopt;
  handshake.lose_tracking(classify(reply.text));
  listener.on_untracked();
  return std::nullopt;
}

void Session::Impl::take_command(const Slot& slot, const resp::Value& reply, Timestamp now) {
  if (reply.is_error() && reply.text.starts_with("MOVED "))
    new_generation();  // slots have moved: pushes may be missing
  move_watermark(planted::is(planted::Bug::watermark_of_reply) ? heard_at : slot.sent, now);
  reply_untracked = slot.caching_refused;
  listener.on_reply(slot.token, reply);
  reply_untracked = false;
}

void Session::Impl::take_heartbeat(const Slot& slot, const resp::Value& reply, Timestamp now) {
  --heartbeats_owed;
  if (const auto time = server_time(reply))
    clock.learn(*time, slot.sent, now);  // an error tells no time, but that all is well
  move_watermark(planted::is(planted::Bug::watermark_of_reply) ? now : slot.sent, now);
  if (heartbeat_wanted) send_heartbeat(now);
  listener.on_heartbeat();
}

// Not back: what stood behind a heartbeat that was shared for longer was asked earlier than that left. In broadcast mode one answer behind: a later
// command, sent when a reply had come, ran in a later pass, so what the earlier pass had to push came before its own reply.
void Session::Impl::move_watermark(Timestamp sent, Timestamp now) {
  if (tracking == Tracking::broadcast) {
    if (answered && sent <= answered->at) return;
    const auto before = std::exchange(answered, Answered{sent, now});
    if (!before) return;
    sent = before->sent;
  }
  const Timestamp to = std::max(face.watermark(), sent);
  face.watermark_.store(to.time_since_epoch().count(), std::memory_order_release);
}

}  // namespace tiercel::redis
