// Owns: of the model of Redis, who is told of what: OPTIN by what was read, BCAST by prefix.
#include "support/model_redis.hpp"

namespace tiercel::test {

void ModelRedis::start_tracking(Client& client, const Words& command) {
  const bool broadcast = command.size() > 3 && command[3] == "BCAST";
  const std::string& refused = broadcast ? refuse_broadcast : refuse_optin;
  if (refuse_tracking) return error(client, "NOPERM this user has no permissions to run the 'client|tracking' command");
  if (command[2] == "ON" && !refused.empty()) return error(client, refused);
  stop_tracking(client);
  client.tracking = command[2] == "ON";
  client.broadcast = broadcast;
  for (std::size_t at = 4; broadcast && at + 1 < command.size(); at += 2) client.prefixes.insert(command[at + 1]);
  if (broadcast && client.prefixes.empty()) client.prefixes.insert("");
  ok(client);
}

void ModelRedis::stop_tracking(Client& client) {
  client.tracking = client.broadcast = false;
  client.tracked.clear();
  client.prefixes.clear();
}

void ModelRedis::forget_tracking() {
  for (const auto& client : clients_) stop_tracking(*client);
}

void ModelRedis::changed(const std::string& key) {
  push_to_readers(key);
  for (const auto& client : clients_) {
    for (const std::string& prefix : client->prefixes) {
      if (key.starts_with(prefix)) to_broadcast_[prefix].insert(key);
    }
  }
  if (!in_pass_) end_pass();
}

// Once to each client that has read the key since; to the one whose command it is, behind the reply.
void ModelRedis::push_to_readers(const std::string& key) {
  for (auto& client : clients_) {
    if (client->closed || client->tracked.erase(key) == 0) continue;
    if (client.get() == current_) own_pushes_.push_back(key);
    else push(*client, key);
  }
}

// To each client in broadcast mode all that has changed under a prefix of its own, whoever changed it.
void ModelRedis::end_pass() {
  in_pass_ = false;
  for (const auto& [prefix, keys] : to_broadcast_) {
    for (auto& client : clients_) {
      if (client->closed || !client->prefixes.contains(prefix)) continue;
      client->out += ">2\r\n$10\r\ninvalidate\r\n*" + std::to_string(keys.size()) + "\r\n";
      for (const std::string& key : keys) bulk(*client, key);
    }
  }
  to_broadcast_.clear();
}

void ModelRedis::track(Client& client, const std::string& key) {
  if (client.tracking && client.caching_next) client.tracked.insert(key);
}

void ModelRedis::push(Client& client, const std::string& key) {
  client.out += ">2\r\n$10\r\ninvalidate\r\n*1\r\n";
  bulk(client, key);
}

void ModelRedis::push_flushed(Client& client) { client.out += ">2\r\n$10\r\ninvalidate\r\n_\r\n"; }

}  // namespace tiercel::test
