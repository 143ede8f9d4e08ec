// Owns: of the model of Redis, its commands.
#include <algorithm>
#include <charconv>

#include "cache/scripts.hpp"
#include "entry/key.hpp"
#include "support/model_redis.hpp"

namespace tiercel::test {

// ---- replies

void ModelRedis::bulk(Client& client, std::string_view text) {
  client.out += "$" + std::to_string(text.size()) + "\r\n";
  client.out += text;
  client.out += "\r\n";
}
void ModelRedis::null(Client& client) { client.out += client.protocol == 3 ? "_\r\n" : "$-1\r\n"; }
void ModelRedis::found(Client& client, const std::optional<std::string>& bytes) {
  bytes ? bulk(client, *bytes) : null(client);
}
void ModelRedis::integer(Client& client, std::int64_t value) { client.out += ":" + std::to_string(value) + "\r\n"; }
void ModelRedis::error(Client& client, const std::string& text) { client.out += "-" + text + "\r\n"; }
void ModelRedis::ok(Client& client) { client.out += "+OK\r\n"; }

// ---- the connection

bool ModelRedis::handshake(Client& client, const Words& command) {
  const std::string& name = command[0];
  if (name == "CLIENT") return connection_command(client, command);
  if (name == "HELLO") {
    hello(client, command);
  } else if (name == "AUTH") {
    command.back() == password ? ok(client)
                               : error(client, "WRONGPASS invalid username-password pair or user is disabled.");
  } else if (name == "EVAL" && command[1] == script::kProbe) {
    refuse_scripts.empty() ? integer(client, 1) : error(client, refuse_scripts);
  } else if (name == "TIME") {
    client.out += "*2\r\n";
    bulk(client, std::to_string(wall_us() / 1'000'000));
    bulk(client, std::to_string(wall_us() % 1'000'000));
  } else if (name == "INFO") {
    bulk(client, std::string("# Server\r\nredis_version:7.0.15\r\n") + (anonymous ? "" : "run_id:" + run_id + "\r\n"));
  } else if (name == "SELECT") {
    ok(client);
  } else {
    return false;
  }
  client.caching_next = false;
  return true;
}

void ModelRedis::hello(Client& client, const Words& command) {
  if (!refuse_hello.empty()) return error(client, refuse_hello);
  const auto auth = std::find(command.begin(), command.end(), "AUTH");
  if (!password.empty() && (auth == command.end() || *(auth + 2) != password)) {
    return error(client, auth == command.end() ? "NOAUTH HELLO must be called with the client already authenticated"
                                               : "WRONGPASS invalid username-password pair or user is disabled.");
  }
  client.out +=
      "%4\r\n$5\r\nproto\r\n:3\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n7.0.15\r\n$2\r\nid\r\n:" +
      std::to_string(client.id) + "\r\n";
}

bool ModelRedis::connection_command(Client& client, const Words& command) {
  const std::string& name = command[1];
  if (name == "TRACKING") {
    start_tracking(client, command);
  } else if (name == "CACHING" && (!client.tracking || client.broadcast)) {
    error(
        client,
        "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled");
  } else if (name == "CACHING") {
    client.caching_next = true;
    ok(client);
  } else if (name == "ID") {
    integer(client, static_cast<std::int64_t>(client.id));
  } else if (name == "KILL") {
    integer(client, kill(std::stoull(command.back())) ? 1 : 0);
  } else {
    ok(client);
  }
  return true;
}

// ---- reads: each is tracked if CLIENT CACHING YES went before it

bool ModelRedis::read_command(Client& client, const Words& command) {
  const std::string& name = command[0];
  if (name == "GET") {
    found(client, get(command[1]));
  } else if (name == "GETRANGE") {
    bulk(client, range(get(command[1]).value_or(""), std::stoll(command[2]), std::stoll(command[3])));
  } else if (name == "PTTL") {
    integer(client, life_ms(command[1]));
  } else if (name == "SCAN") {
    scan(client, command);
    return true;
  } else if (name == "PING") {
    client.out += "+PONG\r\n";
    return true;
  } else {
    return false;
  }
  track(client, command[1]);
  return true;
}

std::string ModelRedis::range(const std::string& bytes, std::int64_t first, std::int64_t last) {
  const auto size = static_cast<std::int64_t>(bytes.size());
  if (first < 0 && last < 0 && first > last) return {};
  first = std::max<std::int64_t>(first < 0 ? size + first : first, 0);
  last = std::min(std::max<std::int64_t>(last < 0 ? size + last : last, 0), size - 1);
  if (first > last || size == 0) return {};
  return bytes.substr(static_cast<std::size_t>(first), static_cast<std::size_t>(last - first + 1));
}

std::int64_t ModelRedis::life_ms(const std::string& key) {
  expire(key);
  const auto at = data_.find(key);
  if (at == data_.end()) return -2;
  return at->second.deadline_us == 0 ? -1 : (at->second.deadline_us - wall_us() + 999) / 1000;
}

void ModelRedis::scan(Client& client, const Words& command) {
  // Two pages, so that a cursor is carried; several scans of a client may be under way.
  Words page;
  std::string next = "0";
  if (command[1] == "0") {
    for (const auto& [key, held] : data_) {
      if (glob_match(command[3], key)) page.push_back(key);
    }
    std::erase_if(
        page, [this](const std::string& key) { return !get(key); });  // Redis removes what has expired when it meets it
    const auto half = page.begin() + static_cast<std::ptrdiff_t>(page.size() / 2);
    if (half != page.end()) {
      next = std::to_string(++last_cursor_);
      client.scans[next].assign(half, page.end());
    }
    page.erase(half, page.end());
  } else if (const auto scan = client.scans.extract(command[1])) {
    page = scan.mapped();
    std::erase_if(page, [this](const std::string& key) { return !data_.contains(key); });  // gone since
  }
  if (slow_scans) next = std::to_string(log.size());
  client.out += "*2\r\n";
  bulk(client, next);
  client.out += "*" + std::to_string(page.size()) + "\r\n";
  for (const std::string& key : page) bulk(client, key);
}

// ---- writes

bool ModelRedis::write_command(Client& client, const Words& command) {
  const std::string& name = command[0];
  if (name == "SET") set(client, command);
  else if (name == "UNLINK" || name == "DEL") unlink(client, command);
  else if (name == "PEXPIRE") pexpire(client, command);
  else return false;
  return true;
}

std::int64_t ModelRedis::number(const std::string& text) {
  std::int64_t value = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (wrong != std::errc{} || end != text.data() + text.size())
    throw Refusal{"ERR value is not an integer or out of range"};
  return value;
}

ModelRedis::SetOptions ModelRedis::set_options(const Words& command) {
  SetOptions options;
  for (std::size_t at = 3; at < command.size(); ++at) {
    if (command[at] == "NX") {
      options.only_new = true;
    } else if (command[at] == "XX") {
      options.only_present = true;
    } else if (command[at] == "GET") {
      options.get = true;
    } else if (command[at] == "PX" && at + 1 < command.size()) {
      options.life_ms = number(command[++at]);
      if (options.life_ms <= 0) throw Refusal{"ERR invalid expire time in 'set' command"};
    } else {
      throw Refusal{"ERR syntax error"};
    }
  }
  return options;
}

void ModelRedis::put(const std::string& key, const std::string& bytes, std::int64_t life) {
  if (!refuse_writes.empty()) throw Refusal{refuse_writes};
  expire(key);
  data_[key] = {bytes, life == 0 ? 0 : wall_us() + life * 1000};
  changed(key);
}

void ModelRedis::set(Client& client, const Words& command) {
  if (!refuse_writes.empty()) return error(client, refuse_writes);
  try {
    const SetOptions options = set_options(command);
    const std::optional<std::string> before = get(command[1]);
    const bool writes = !(options.only_new && before) && !(options.only_present && !before);
    if (options.get) found(client, before);
    else writes ? ok(client) : found(client, std::nullopt);
    if (writes) put(command[1], command[2], options.life_ms);
  } catch (const Refusal& refusal) { error(client, refusal.text); }
}

void ModelRedis::unlink(Client& client, const Words& command) {
  if (!refuse_unlinks.empty()) return error(client, refuse_unlinks);
  std::int64_t gone = 0;
  for (std::size_t at = 1; at < command.size(); ++at) {
    expire(command[at]);
    if (data_.erase(command[at]) == 0) continue;
    ++gone;
    changed(command[at]);
  }
  integer(client, gone);
}

void ModelRedis::pexpire(Client& client, const Words& command) {
  if (!refuse_unlinks.empty()) return error(client, refuse_unlinks);
  expire(command[1]);
  const auto at = data_.find(command[1]);
  if (at == data_.end()) return integer(client, 0);
  const std::int64_t life = std::stoll(command[2]);
  if (life <= 0) data_.erase(at);
  else at->second.deadline_us = wall_us() + life * 1000;
  integer(client, 1);
  changed(command[1]);
}

}  // namespace tiercel::test
