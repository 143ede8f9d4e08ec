#include "cache/link.hpp"

#include <algorithm>

#include "cache/rungs.hpp"
#include "cache/scripts.hpp"
#include "cache/tag_fetch.hpp"

namespace tiercel {

Link::Link(Core& core, Connection which, redis::SessionOptions options)
    : session(std::move(options), *this, core.dice), core_(core), which_(which) {}

bool Link::submit(std::span<const std::string_view> arguments, TaskId task, Step step, Timestamp now, bool tracked) {
  const redis::ReplyToken token{task, static_cast<std::uint32_t>(step.kind) << 16 | step.index};
  if (session.submit(arguments, token, now, tracked) != redis::Session::Submitted::queued) return false;
  core_.counters.redis_commands.add();
  return true;
}

std::string_view Link::digest(std::string_view script) const {
  const auto at = std::find(script::kAll.begin(), script::kAll.end(), script);
  return session.script_digest(static_cast<std::size_t>(at - script::kAll.begin()));
}

void Link::pump() {
  for (auto wish = session.take_wish(); wish != redis::Session::Wish::none; wish = session.take_wish()) {
    Event event;
    event.kind = wish == redis::Session::Wish::open ? Event::Kind::open : Event::Kind::close;
    event.connection = which_;
    core_.emit(std::move(event));
  }
}

void Link::on_reply(redis::ReplyToken token, const resp::Value& value) {
  Task* task = core_.find_task(token.operation);
  if (task == nullptr) return;   // its caller left, or its budget ran out
  if (which_ == Connection::tracked) core_.breaker.answered();
  const Step step{static_cast<std::uint16_t>(token.step >> 16), static_cast<std::uint16_t>(token.step)};
  if (!task->scripts.empty() && task->scripts.sends_again(core_, *task, step, value, now_)) return;
  task->reply(core_, step, value, now_);
}

void Link::on_lost(redis::ReplyToken token, const Error& why) {
  Task* task = core_.find_task(token.operation);
  if (task == nullptr) return;
  task->scripts.clear();
  task->lost(core_, Step{static_cast<std::uint16_t>(token.step >> 16), static_cast<std::uint16_t>(token.step)}, why,
             now_);
}

void Link::on_invalidated(std::string_view redis_key) {
  core_.counters.pushes.add();
  const auto named = core_.names.parse(redis_key);
  if (!named) return;
  switch (named->kind) {
    case KeySpace::Kind::value:
      return core_.key_pushed(named->name, now_);
    case KeySpace::Kind::tag:
      return core_.tag_pushed(named->name);
    case KeySpace::Kind::root:
      return core_.tag_changed(kRootTag);
    case KeySpace::Kind::any_tag:
      return core_.any_tag_changed();
    case KeySpace::Kind::refresh:
      return;
  }
}

void Link::on_flushed() {
  core_.counters.flushes.add();
  core_.everything_changed();
  core_.wake_all_waiting(now_);
  if (which_ == Connection::tracked && ready()) fetch_root(core_, now_);
}

void Link::on_heartbeat() {
  if (which_ == Connection::tracked) core_.beats.heard(core_, now_);
}

void Link::on_ready() {
  ++changes_;
  if (which_ == Connection::tracked) {
    if (announced_ == Announced::away || announced_ == Announced::failed) core_.counters.reconnects.add();
    if (announced_ != Announced::ready) {
      core_.notice(Event::Level::info,
                   "connected to Redis " + session.server_version() + rungs_in_short(session.facts()));
    }
    tell_rungs();
    core_.tags.drop_all();
    core_.breaker.answered();
    core_.replay_not_before = now_;
    server_id_ = ServerId::of(session.run_id());
    fetch_root(core_, now_);
    core_.restarts.connected(core_, server_id_);
  }
  announced_ = Announced::ready;
  tell_waiting();
}

void Link::on_down(const Error& why) {
  ++changes_;
  if (which_ == Connection::tracked) {
    core_.wake_all_waiting(now_);
    core_.beats.lost(core_, now_);
  }
  const bool operators =
      why.code == ErrorCode::authentication || why.code == ErrorCode::too_old || why.code == ErrorCode::cluster;
  const Announced now_is = operators ? Announced::failed : Announced::away;
  if (which_ ==
      Connection::tracked) {  // what is known of tags holds for what memory has, until a connection stands again
    if (announced_ != now_is && why.code != ErrorCode::closed) {
      core_.notice(operators ? Event::Level::error : Event::Level::warning,
                   "Redis cannot be used: " + why.message() + "; requests go to their loaders, invalidations are kept");
    }
  }
  announced_ = why.code == ErrorCode::closed ? Announced::nothing : now_is;
  tell_waiting();
}

// What the server has ended by itself, in mid-life.
void Link::on_untracked() {
  ++changes_;
  core_.tags.drop_all();
  core_.wake_all_waiting(now_);  // no push will; from now on they ask
  tell_rungs();
}

void Link::tell_rungs() {
  std::string warning = rungs_below(session.facts(), core_.settings.tracking);
  if (warning != rungs_told_ && !warning.empty()) core_.notice(Event::Level::warning, warning);
  rungs_told_ = std::move(warning);
}

void Link::tell_waiting() {
  core_.each_task([this](Task& task) { task.connection_changed(core_, *this, now_); });
}

}  // namespace tiercel
