// Owns: one session as the cache sees it: submits for tasks, hands replies back to them, turns pushes into coherence, tells of changes of
// state, and of what the server does not give, once each. The only file of the cache, with engine.cpp, that knows redis::Session.
#pragma once

#include <string>

#include "cache/command.hpp"
#include "cache/core.hpp"
#include "redis/session.hpp"

namespace tiercel {

class Link final : public Remote, public LinkState, private redis::SessionListener {
 public:
  Link(Core& core, Connection which, redis::SessionOptions options);

  // Remote
  bool ready() const override { return session.state() == redis::Session::State::ready; }
  bool tracks() const override { return session.tracks(); }
  bool tells_late() const override { return session.tracking() == redis::Tracking::broadcast; }
  bool runs_scripts() const override { return session.facts().answers_probe; }
  bool submit(std::span<const std::string_view> arguments, TaskId task, Step step, Timestamp now,
              bool tracked) override;
  void beat(Timestamp now) override { session.beat(now); }
  std::string_view digest(std::string_view script) const override;
  Duration server_offset() const override { return session.server_offset(); }
  const ServerId& server_id() const override { return server_id_; }
  std::uint32_t generation() const override { return session.generation(); }
  std::uint32_t last_generation() const override { return session.last_generation(); }
  Timestamp watermark() const override { return session.watermark(); }
  // LinkState
  bool usable() const override { return ready(); }
  const std::optional<Error>& why_not() const override { return session.last_error(); }

  // Turns the session's wish into an event, if it has one.
  void pump();
  void set_now(Timestamp now) { now_ = now; }
  std::uint64_t changes() const { return changes_; }  // moves when the connection became ready, or was lost

  redis::Session session;

 private:
  enum class Announced : std::uint8_t { nothing, ready, away, failed };

  void on_reply(redis::ReplyToken token, const resp::Value& value) override;
  void on_lost(redis::ReplyToken token, const Error& why) override;
  void on_invalidated(std::string_view redis_key) override;
  void on_flushed() override;
  void on_heartbeat() override;
  void on_untracked() override;
  void on_ready() override;
  void on_down(const Error& why) override;
  void tell_rungs();
  void tell_waiting();

  Core& core_;
  Connection which_;
  Timestamp now_{};
  Announced announced_ = Announced::nothing;
  ServerId server_id_;
  std::uint64_t changes_ = 0;
  std::string rungs_told_;  // the last warning of rungs below the wished ones: told again when it changes
};

}  // namespace tiercel
