// Owns: of the model of Redis, its connections and time.
#include "support/model_redis.hpp"

#include <algorithm>
#include <cstdlib>

namespace tiercel::test {

ModelRedis::Client& ModelRedis::connect() {
  clients_.push_back(std::make_unique<Client>());
  clients_.back()->id = ++last_client_;
  if (!refuse_hello.empty()) clients_.back()->protocol = 2;
  return *clients_.back();
}

void ModelRedis::disconnect(Client& client) {
  client.closed = true;
  stop_tracking(client);
}

void ModelRedis::feed(Client& client, std::string_view bytes, Timestamp now) {
  now_ = now;
  if (client.closed) return;
  client.in.append(bytes);
  in_pass_ = true;
  while (!client.closed) {
    const auto command = take(client.in);
    if (!command) break;
    if (keep_log) log.push_back(*command);
    current_ = &client;
    run(client, *command);
    current_ = nullptr;
    for (const std::string& key : own_pushes_) push(client, key);
    own_pushes_.clear();
    if (after) after(*command);
  }
  if (!pass_goes_on || !pass_goes_on()) end_pass();
}

// One command, taken from the front; nullopt: not all of it is there.
std::optional<ModelRedis::Words> ModelRedis::take(std::string& in) {
  std::size_t at = 0;
  const auto number_behind = [&](char mark) -> std::optional<std::size_t> {
    const std::size_t end = in.find("\r\n", at);
    if (end == std::string::npos) return std::nullopt;
    if (in[at] != mark) std::abort();  // the engine wrote something that is not a command
    const std::size_t value = std::stoul(in.substr(at + 1, end - at - 1));
    at = end + 2;
    return value;
  };
  const auto items = number_behind('*');
  if (!items) return std::nullopt;
  Words command;
  for (std::size_t index = 0; index < *items; ++index) {
    const auto length = number_behind('$');
    if (!length || in.size() < at + *length + 2) return std::nullopt;
    command.push_back(in.substr(at, *length));
    at += *length + 2;
  }
  in.erase(0, at);
  return command;
}

void ModelRedis::run(Client& client, const Words& command) {
  if (handshake(client, command)) return;
  const bool known = !refuse_all.empty() || read_command(client, command) || write_command(client, command) ||
                     script_command(client, command);
  client.caching_next = false;
  if (!refuse_all.empty()) return error(client, refuse_all);
  if (!known) error(client, "ERR unknown command '" + command[0] + "'");
}

// ---- from outside

std::optional<std::string> ModelRedis::get(const std::string& key) {
  expire(key);
  const auto at = data_.find(key);
  return at == data_.end() ? std::nullopt : std::optional(at->second.bytes);
}

const std::string* ModelRedis::peek(const std::string& key) const {
  const auto at = data_.find(key);
  return at == data_.end() ? nullptr : &at->second.bytes;
}

void ModelRedis::write(const std::string& key, const std::string& bytes) {
  data_[key] = {bytes, 0};
  changed(key);
}

void ModelRedis::remove(const std::string& key) {
  if (data_.erase(key) != 0) changed(key);
}

void ModelRedis::flush_all() {
  data_.clear();
  for (auto& client : clients_) {
    client->tracked.clear();
    if (client->tracking && !client->closed) push_flushed(*client);
  }
}

void ModelRedis::expire_due() {
  for (const std::string& key : names()) expire(key);
}

void ModelRedis::restart(const std::string& new_run_id, bool keeps_data) {
  for (auto& client : clients_) disconnect(*client);
  last_client_ = 0;
  scripts_.clear();
  run_id = new_run_id;
  if (!keeps_data) data_.clear();
}

void ModelRedis::roll_back(const std::string& new_run_id) {
  restart(new_run_id, false);
  data_ = saved_;
}

bool ModelRedis::kill(std::uint64_t id) {
  for (auto& client : clients_) {
    if (client->id != id || client->closed) continue;
    disconnect(*client);
    return true;
  }
  return false;
}

std::size_t ModelRedis::count(std::string_view command) const {
  return static_cast<std::size_t>(
      std::count_if(log.begin(), log.end(), [command](const auto& run) { return run.front() == command; }));
}

ModelRedis::Words ModelRedis::names() const {
  Words names;
  names.reserve(data_.size());
  for (const auto& [key, held] : data_) names.push_back(key);
  return names;
}

bool ModelRedis::has_expired() const {
  return std::any_of(data_.begin(), data_.end(), [this](const auto& held) { return expired(held.second); });
}

void ModelRedis::describe(std::string& out) const {
  for (const auto& [key, held] : data_) {
    out += key;
    out += '=';
    out += held.bytes;
    out += '@';
    out += std::to_string(held.deadline_us);
    out += '\n';
  }
  for (const auto& [digest, text] : scripts_) out += digest;
  for (const auto& client : clients_) {
    out += {client->closed ? 'c' : 'o', client->tracking ? 't' : '-', client->caching_next ? 'n' : '-'};
    out += client->in;
    for (const std::string& key : client->tracked) {
      out += ' ';
      out += key;
    }
    out += '\n';
  }
}

// ---- expiry

void ModelRedis::expire(const std::string& key) {
  const auto at = data_.find(key);
  if (at == data_.end() || !expired(at->second)) return;
  data_.erase(at);
  changed(key);
}

}  // namespace tiercel::test
