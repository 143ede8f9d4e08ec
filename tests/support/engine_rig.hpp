// An engine between a test and a model of Redis, in virtual time: bytes are carried when the test says so, loads end when the test says so.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cache/engine.hpp"
#include "support/model_redis.hpp"

namespace tiercel::test {

using namespace std::chrono_literals;

class EngineRig {
 public:
  explicit EngineRig(bool with_redis = true, std::uint64_t seed = 1, std::shared_ptr<ModelRedis> shared = nullptr)
      : EngineRig(settings_for(with_redis), seed, std::move(shared)) {}
  EngineRig(EngineSettings settings, std::uint64_t seed, std::shared_ptr<ModelRedis> shared = nullptr)
      : redis_(shared ? std::move(shared) : std::make_shared<ModelRedis>()),
        engine(std::make_unique<Engine>(std::move(settings), Dice::Seed{seed, 2, 3, 4})) {}

  static EngineSettings settings_for(bool with_redis) {
    EngineSettings settings;
    settings.memory_bytes_max = 4u << 20;
    if (with_redis) settings.redis = RedisTarget{};
    return settings;
  }

  ModelRedis& redis() { return *redis_; }

  // ---- time and bytes
  void connect() {
    engine->connect(now);
    settle();
  }
  // Carries bytes both ways until nothing moves. Does nothing for a connection that is `hung`.
  void settle() {
    for (int rounds = 0; rounds < 100; ++rounds) {
      if (!step()) return;
    }
    std::abort();  // the engine and the model talk without end
  }
  bool step() {
    take_events();
    bool moved = false;
    for (const Connection which : {Connection::tracked, Connection::raw}) {
      ModelRedis::Client* client = clients_[which];
      if (client == nullptr || hung) continue;
      moved |= send(which);
      moved |= deliver(which, client->out.size());
      moved |= notice_end(which);
    }
    take_events();
    return moved;
  }
  // What the engine has to say reaches the model, which answers; the answer stays on its way.
  bool send(Connection which = Connection::tracked) {
    const std::string out(engine->output(which));
    if (out.empty()) return false;
    engine->sent(which, out.size());
    redis_->feed(*clients_[which], out, now);
    return true;
  }
  // The server has ended the connection (CLIENT KILL): what it sent before has been handed over.
  bool notice_end(Connection which) {
    ModelRedis::Client* client = clients_[which];
    if (client == nullptr || !client->closed) return false;
    clients_[which] = nullptr;
    engine->closed(which, {ErrorCode::away, "connection closed by the server", ""}, now);
    take_events();
    return true;
  }
  // Hands at most `bytes_max` of the model's answer to the engine.
  bool deliver(Connection which, std::size_t bytes_max) {
    ModelRedis::Client* client = clients_[which];
    bool moved = false;
    while (client != nullptr && !client->out.empty() && bytes_max > 0) {
      const std::span<char> buffer = engine->receive_buffer(which);
      const std::size_t bytes = std::min({buffer.size(), client->out.size(), bytes_max});
      std::copy_n(client->out.begin(), bytes, buffer.begin());
      client->out.erase(0, bytes);
      bytes_max -= bytes;
      engine->received(which, bytes, now);
      moved = true;
      take_events();
      client = clients_[which];
    }
    return moved;
  }
  void pass(Duration duration) {
    const Timestamp until = now + duration;
    while (true) {
      const auto next = engine->next_deadline();
      if (!next || *next > until) break;
      now = std::max(now, *next);
      engine->advance(now);
      settle();
    }
    now = until;
    engine->advance(now);
    settle();
  }
  void cut(const Error& why = {ErrorCode::away, "connection reset by the test", ""}) {
    for (auto& [which, client] : clients_) {
      if (client == nullptr) continue;
      redis_->disconnect(*client);
      client = nullptr;
      engine->closed(which, why, now);
    }
    take_events();
  }

  // ---- operations, by their outcome
  std::optional<Outcome> outcome(OperationId id) {
    const auto at = finished.find(id);
    return at == finished.end() ? std::nullopt : std::optional(at->second);
  }
  Outcome run(OperationId id) {
    settle();
    const auto ended = outcome(id);
    if (!ended) std::abort();
    return *ended;
  }
  OperationId load(std::string_view key, std::vector<std::string> tags = {}) {
    LoadOptions options;
    options.tags = std::move(tags);
    const OperationId id = engine->get_or_load(key, options, now);
    take_events();
    return id;
  }
  OperationId read(std::string_view key) {
    const OperationId id = engine->read(key, {}, now);
    take_events();
    return id;
  }
  OperationId invalidate(std::vector<std::string> keys, std::vector<std::string> tags = {}) {
    const OperationId id = engine->invalidate(keys, tags, now);
    take_events();
    return id;
  }
  OperationId store(std::string_view key, std::string value, std::vector<std::string> tags = {},
                    std::optional<Duration> life = 60s) {
    StoreOptions options;
    options.tags = std::move(tags);
    options.usable_for = life;
    const OperationId id = engine->store(key, std::move(value), options, now);
    take_events();
    return id;
  }
  // Ends the oldest load that was asked for.
  FlightId finish_load(std::string value, std::optional<Duration> life = 60s) {
    LoadResult result;
    result.payload = std::move(value);
    result.store.usable_for = life;
    return finish_load(std::move(result));
  }
  FlightId finish_load(LoadResult result) {
    if (loads.empty()) std::abort();
    const FlightId flight = loads.front().first;
    loads.pop_front();
    engine->finish_load(flight, std::move(result), now);
    take_events();
    return flight;
  }
  // Loads, fills and forgets about it: the key is cached.
  void cache(std::string_view key, std::string value, std::vector<std::string> tags = {}) {
    const OperationId id = load(key, std::move(tags));
    settle();
    finish_load(std::move(value));
    run(id);
  }
  std::string value(const Outcome& outcome) { return outcome.entry ? std::string(outcome.entry->payload()) : "<none>"; }
  std::string found(std::string_view key) {
    const EntryRef entry = engine->find(key, now);
    return entry ? std::string(entry->payload()) : "<none>";
  }

  void take_events() {
    while (auto event = engine->next_event()) {
      switch (event->kind) {
        case Event::Kind::open:
          open(event->connection);
          break;
        case Event::Kind::close:
          if (clients_[event->connection] != nullptr) redis_->disconnect(*clients_[event->connection]);
          clients_[event->connection] = nullptr;
          break;
        case Event::Kind::finished:
          finished[event->operation] = event->outcome;
          break;
        case Event::Kind::start_load:
          loads.emplace_back(event->flight, event->operation);
          break;
        case Event::Kind::cancel_load:
          cancelled.push_back(event->flight);
          break;
        case Event::Kind::notice:
          notices.push_back(event->text);
          break;
      }
    }
  }

 private:
  void open(Connection which) {
    ++opened;
    if (refuse_connections) return engine->closed(which, {ErrorCode::away, "connection refused", ""}, now);
    clients_[which] = &redis_->connect();
    engine->opened(which, now);
  }

  std::shared_ptr<ModelRedis> redis_;
  std::map<Connection, ModelRedis::Client*> clients_;

 public:
  std::unique_ptr<Engine> engine;
  Timestamp now{1'000s};
  std::map<OperationId, Outcome> finished;
  std::deque<std::pair<FlightId, OperationId>> loads;
  std::vector<FlightId> cancelled;
  std::vector<std::string> notices;
  bool hung = false, refuse_connections = false;
  int opened = 0;
};

}  // namespace tiercel::test
