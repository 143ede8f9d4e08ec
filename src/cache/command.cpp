#include "cache/command.hpp"

#include <algorithm>
#include <array>

#include "cache/steps.hpp"
#include "cache/tag_fetch.hpp"
#include "redis/errors.hpp"

namespace tiercel {

namespace {

Outcome failure(Error why) {
  Outcome outcome;
  outcome.kind = Outcome::Kind::error;
  outcome.error = std::move(why);
  return outcome;
}

Error not_in_time() {
  return {ErrorCode::slow, "Redis did not answer within op_timeout", "is it reachable and not overloaded?"};
}

}  // namespace

// ---- connect

void ConnectTask::start(Core& core, Timestamp now) {
  give_up_at_ = now + std::max(kConnectPatience, core.settings.op_timeout);
  core.set_deadline(*this, now);
  if (link_.usable()) connection_changed(core, link_, now);
}

void ConnectTask::overdue(Core& core, Timestamp now) {
  if (now < give_up_at_) return core.set_deadline(*this, now);
  core.finish(*this, failure(link_.why_not().value_or(not_in_time())));
}

void ConnectTask::connection_changed(Core& core, const LinkState& link, Timestamp) {
  if (&link != &link_) return;
  if (!link_.usable()) return core.finish(*this, failure(link_.why_not().value_or(not_in_time())));
  Outcome outcome;
  outcome.kind = Outcome::Kind::ready;
  core.finish(*this, std::move(outcome));
}

// ---- raw commands

void CommandTask::start(Core& core, Timestamp now) {
  give_up_at_ = now + std::max(kConnectPatience, core.settings.op_timeout);
  core.set_deadline(*this, now);
  if (link_.usable()) send(core, now);
}

void CommandTask::send(Core& core, Timestamp now) {
  const std::vector<std::string_view> arguments(arguments_.begin(), arguments_.end());
  sent_ = true;
  core.set_deadline(*this, now);
  if (!remote_.submit(arguments, id, ask::step(ask::raw), now, false)) {
    fail(core, {ErrorCode::slow, "too much is waiting for Redis", "send fewer or smaller commands at a time"});
  }
}

void CommandTask::reply(Core& core, Step, const resp::Value& value, Timestamp) {
  Outcome outcome;
  outcome.kind = Outcome::Kind::reply;
  outcome.reply = std::make_shared<const resp::OwnedValue>(value);
  core.finish(*this, std::move(outcome));
}

void CommandTask::lost(Core& core, Step, const Error& why, Timestamp) { fail(core, why); }

void CommandTask::overdue(Core& core, Timestamp now) {
  if (!sent_ && now < give_up_at_) return core.set_deadline(*this, now);
  fail(core, sent_ ? not_in_time() : link_.why_not().value_or(not_in_time()));
}

void CommandTask::connection_changed(Core& core, const LinkState& link, Timestamp now) {
  if (sent_ || &link != &link_) return;
  if (link_.usable()) return send(core, now);
  fail(core, link_.why_not().value_or(not_in_time()));
}

void CommandTask::fail(Core& core, Error why) { core.finish(*this, failure(std::move(why))); }

// ---- scan

void ScanTask::start(Core& core, Timestamp now) {
  if (!core.has_redis()) {
    core.memory.visit(now, [this](const EntryRef& entry) {
      if (keys_.size() < kScanKeysMax && glob_match(pattern_, entry->key())) keys_.emplace_back(entry->key());
    });
    return end(core);
  }
  if (!core.may_use_redis(now)) return core.finish(*this, failure({ErrorCode::away, "Redis is away", ""}));
  if (!ask_page(core, now)) core.finish(*this, failure({ErrorCode::slow, "too much is waiting for Redis", ""}));
}

bool ScanTask::ask_page(Core& core, Timestamp now) {
  const std::string match = core.names.match(pattern_);
  const std::array<std::string_view, 6> arguments{"SCAN", cursor_, "MATCH", match, "COUNT", "512"};
  core.set_deadline(*this, now);
  return core.submit(*this, ask::step(ask::scanned), arguments, now);
}

void ScanTask::reply(Core& core, Step, const resp::Value& page, Timestamp now) {
  if (page.is_error()) return core.finish(*this, failure(redis::classify(page.text)));
  if (page.type != resp::Value::Type::array || page.items.size() != 2) {
    return core.finish(*this, failure({ErrorCode::protocol, "SCAN was not answered by a cursor and keys", ""}));
  }
  for (const resp::Value& key : page.items[1].items) {
    const auto named = core.names.parse(key.text);
    if (named && named->kind == KeySpace::Kind::value) keys_.emplace_back(named->name);
  }
  cursor_ = page.items[0].text;
  if (cursor_ == "0" || keys_.size() >= kScanKeysMax) return end(core);
  if (!ask_page(core, now)) core.finish(*this, failure({ErrorCode::slow, "too much is waiting for Redis", ""}));
}

void ScanTask::lost(Core& core, Step, const Error& why, Timestamp) { core.finish(*this, failure(why)); }

void ScanTask::overdue(Core& core, Timestamp now) {
  core.overran(now);
  core.finish(*this, failure(not_in_time()));
}

void ScanTask::end(Core& core) {
  std::sort(keys_.begin(), keys_.end());
  keys_.erase(std::unique(keys_.begin(), keys_.end()), keys_.end());   // SCAN may name a key twice
  if (keys_.size() > kScanKeysMax) keys_.resize(kScanKeysMax);
  resp::Value all;
  all.type = resp::Value::Type::array;
  for (const std::string& key : keys_) {
    resp::Value item;
    item.type = resp::Value::Type::bulk_string;
    item.text = key;
    all.items.push_back(item);
  }
  Outcome outcome;
  outcome.kind = Outcome::Kind::reply;
  outcome.reply = std::make_shared<const resp::OwnedValue>(all);
  core.finish(*this, std::move(outcome));
}

// ---- the root stamp

class RootTask final : public Task {
 public:
  void start(Core& core, Timestamp now) {
    core.set_deadline(*this, now);
    if (!root_.make(core, *this, root_.want(kRootTag, true), now)) core.drop(id);
  }
  void reply(Core& core, Step step, const resp::Value& value, Timestamp) override {
    root_.reply(core, step, value);
    if (!root_.waiting()) core.drop(id);
  }
  void lost(Core& core, Step, const Error&, Timestamp) override { core.drop(id); }
  void overdue(Core& core, Timestamp) override { core.drop(id); }

 private:
  TagFetch root_;
};

void fetch_root(Core& core, Timestamp now) {
  auto& task = core.add<RootTask>();
  task.abandoned = true;
  task.start(core, now);
}

}  // namespace tiercel
