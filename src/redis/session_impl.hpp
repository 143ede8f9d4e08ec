// Owns: the inside of Session: its state, and the methods that change it. Split over three files by what drives them:
// session.cpp (the owner's calls), session_life.cpp (up, down, deadlines), session_replies.cpp (what the server sends).
#pragma once

#include <algorithm>
#include <utility>

#include "redis/backoff.hpp"
#include "redis/handshake.hpp"
#include "redis/server_clock.hpp"
#include "redis/session.hpp"
#include "redis/slots.hpp"
#include "resp/parser.hpp"

namespace tiercel::redis {

// Bytes that wait to be written: appended behind, taken in front.
class Output {
 public:
  bool empty() const { return taken_ == bytes_.size(); }
  // Where the next byte stands among all there ever were, and whether the one that stood there has been taken.
  std::uint64_t place() const { return gone_ + size(); }
  bool is_gone(std::uint64_t place) const { return place < gone_; }
  std::size_t size() const { return bytes_.size() - taken_; }
  std::string_view view() const { return std::string_view{bytes_}.substr(taken_); }
  // To append to; what was taken is dropped first when it is the larger part.
  std::string& tail() {
    if (taken_ > bytes_.size() / 2) {
      bytes_.erase(0, taken_);
      taken_ = 0;
    }
    return bytes_;
  }
  void take(std::size_t count) {
    count = std::min(count, size());
    taken_ += count;
    gone_ += count;
    if (empty()) clear();
  }
  void clear() {
    if (bytes_.capacity() > kKeptBytesMax) bytes_ = {};
    bytes_.clear();
    taken_ = 0;
  }

 private:
  static constexpr std::size_t kKeptBytesMax = 1u << 20;
  std::string bytes_;
  std::size_t taken_ = 0;
  std::uint64_t gone_ = 0;
};

struct Session::Impl {
  Impl(Session& session, SessionOptions given, SessionListener& to, Dice& chance);

  // session_life.cpp
  void wish_open(Timestamp now);
  void begin_handshake(Timestamp now);
  void go_on_with_handshake(Timestamp now);
  void become_ready(Timestamp now);
  void give_up(const Error& why, Timestamp now);  // our doing: the connection is to be closed
  void go_down(const Error& why, State next, Timestamp now);
  void new_generation();
  void advance(Timestamp now);
  std::optional<Timestamp> next_deadline() const;
  Timestamp silence_deadline() const { return std::max(heard_at, owed_since) + options.silence_max; }
  Timestamp heartbeat_deadline() const;
  void beat(Timestamp now);
  void send_heartbeat(Timestamp now);

  // session_replies.cpp
  void received(std::size_t bytes, Timestamp now);
  std::optional<Error> take_push(const resp::Value& push);
  std::optional<Error> take_reply(const resp::Value& reply, Timestamp now);
  std::optional<Error> take_caching(Slot& slot, const resp::Value& reply);
  void take_command(const Slot& slot, const resp::Value& reply, Timestamp now);
  void take_heartbeat(const Slot& slot, const resp::Value& reply, Timestamp now);
  void move_watermark(Timestamp sent, Timestamp now);

  Submitted submit(std::span<const std::string_view> arguments, ReplyToken token, Timestamp now, bool tracked);
  void owe(const Slot& slot);
  std::string& writing();  // the output, counted as a new write if it was empty
  bool connected() const { return state == State::handshaking || state == State::ready; }
  std::size_t commands_in_flight() const { return state == State::ready ? slots.size() - heartbeats_owed : 0; }

  Session& face;
  const SessionOptions options;
  SessionListener& listener;
  Dice& dice;

  State state = State::idle;
  std::optional<Error> error;
  bool open_wished = false, close_wished = false;
  Timestamp deadline{};  // opening, handshaking: given up; waiting, failed: tried again
  Timestamp ready_since{};
  Backoff backoff;
  std::optional<Predecessor> predecessor;
  bool predecessor_ended = false;  // by this handshake
  std::uint64_t connection = 0;  // counts them: a callback may have ended the one being read

  resp::Parser parser;
  Output output;
  Slots slots;
  Handshake handshake;
  Tracking tracking = Tracking::off;
  bool reply_untracked = false;  // while a tracked command's reply is told whose CLIENT CACHING was refused
  struct Answered {
    Timestamp sent, at;
  };
  std::optional<Answered> answered;  // in broadcast mode: pushes of the same pass may still follow
  ServerOffset clock;
  std::string version;
  std::uint32_t last_generation = 0;
  Timestamp heard_at{};  // the last byte
  Timestamp owed_since{};  // since when a reply has been owed without pause
  Timestamp said_at{};  // the last command
  Timestamp time_asked_at{};
  std::size_t heartbeats_owed = 0;  // at most two: one under way, and one for who asked meanwhile
  std::uint64_t heartbeat_place = 0, heartbeat_slot = 0;  // of the newest: in the output, among the slots
  bool heartbeat_wanted = false;  // by who came when both were under way
  std::uint64_t writes = 0;
  std::uint64_t pushes_ignored = 0;
};

}  // namespace tiercel::redis
