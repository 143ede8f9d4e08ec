// A small model of Redis for tests of the engine without sockets: the commands the engine uses, opt-in tracking with pushes in Redis' order
// (the reply to a write first, the push after it), expiry in virtual time, and the faults a test asks for.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "entry/key.hpp"

namespace tiercel::test {

class ModelRedis {
 public:
  struct Client {
    std::uint64_t id = 0;
    std::string in, out;
    bool tracking = false, caching_next = false, closed = false;
    std::set<std::string> tracked;
    std::vector<std::string> scan_rest;  // the second page
  };

  explicit ModelRedis(std::int64_t wall_us = 1'800'000'000'000'000) : wall_us_(wall_us) {}

  Client& connect() {
    clients_.push_back(std::make_unique<Client>());
    clients_.back()->id = ++last_client_;
    return *clients_.back();
  }
  void disconnect(Client& client) {
    client.closed = true;
    client.tracked.clear();
  }
  void feed(Client& client, std::string_view bytes, Timestamp now) {
    now_ = now;
    client.in.append(bytes);
    while (!client.closed) {
      const auto command = take(client.in);
      if (!command) return;
      log.push_back(*command);
      run(client, *command);
      if (after) after(*command);
    }
  }

  // ---- what a test asks for
  std::function<void(const std::vector<std::string>&)> after;  // called behind every command: somebody else's turn
  std::string refuse_writes;  // an error reply to every SET, e.g. "OOM command not allowed"
  std::string refuse_unlinks;
  bool slow_scans = false;  // a scan that never ends: each page names another cursor
  bool anonymous = false;  // INFO does not tell the run_id
  std::string refuse_all;  // an error reply to everything but the handshake
  bool refuse_tracking = false;
  std::string password;  // required by HELLO ... AUTH
  std::vector<std::vector<std::string>> log;  // every command, in order

  std::optional<std::string> get(const std::string& key) {
    expire(key);
    const auto at = data_.find(key);
    return at == data_.end() ? std::nullopt : std::optional(at->second.bytes);
  }
  // A write by somebody else.
  void write(const std::string& key, const std::string& bytes) {
    data_[key] = {bytes, 0};
    changed(nullptr, key);
  }
  void remove(const std::string& key) {
    if (data_.erase(key) != 0) changed(nullptr, key);
  }
  void forget_quietly(const std::string& key) { data_.erase(key); }
  void flush_all() {
    data_.clear();
    for (auto& client : clients_) {
      client->tracked.clear();
      if (client->tracking && !client->closed) client->out += ">2\r\n$10\r\ninvalidate\r\n_\r\n";
    }
  }
  std::size_t count(std::string_view command) const {
    return static_cast<std::size_t>(
        std::count_if(log.begin(), log.end(), [command](const auto& run) { return run.front() == command; }));
  }
  std::size_t keys() const { return data_.size(); }

 private:
  struct Held {
    std::string bytes;
    std::int64_t deadline_us = 0;  // wall; 0: none
  };

  static std::optional<std::vector<std::string>> take(std::string& in) {
    std::size_t at = 0;
    const auto number = [&](char mark) -> std::optional<std::size_t> {
      const std::size_t end = in.find("\r\n", at);
      if (end == std::string::npos) return std::nullopt;
      if (in[at] != mark) std::abort();  // the engine wrote something that is not a command
      const std::size_t value = std::stoul(in.substr(at + 1, end - at - 1));
      at = end + 2;
      return value;
    };
    const auto items = number('*');
    if (!items) return std::nullopt;
    std::vector<std::string> command;
    for (std::size_t index = 0; index < *items; ++index) {
      const auto length = number('$');
      if (!length || in.size() < at + *length + 2) return std::nullopt;
      command.push_back(in.substr(at, *length));
      at += *length + 2;
    }
    in.erase(0, at);
    return command;
  }

  std::int64_t wall() const { return wall_us_ + now_.time_since_epoch().count(); }
  void expire(const std::string& key) {
    const auto at = data_.find(key);
    if (at != data_.end() && at->second.deadline_us != 0 && at->second.deadline_us <= wall()) data_.erase(at);
  }
  static void bulk(Client& client, std::string_view text) {
    client.out += "$" + std::to_string(text.size()) + "\r\n";
    client.out += text;
    client.out += "\r\n";
  }
  static void integer(Client& client, std::int64_t value) { client.out += ":" + std::to_string(value) + "\r\n"; }
  static void error(Client& client, const std::string& text) { client.out += "-" + text + "\r\n"; }
  static void ok(Client& client) { client.out += "+OK\r\n"; }

  // Pushes to all who read the key, after the reply that is already in `out`.
  void changed(Client*, const std::string& key) {
    for (auto& client : clients_) {
      if (client->closed || client->tracked.erase(key) == 0) continue;
      client->out += ">2\r\n$10\r\ninvalidate\r\n*1\r\n";
      bulk(*client, key);
    }
  }
  void track(Client& client, const std::string& key) {
    if (client.tracking && client.caching_next) client.tracked.insert(key);
    client.caching_next = false;
  }

  void run(Client& client, const std::vector<std::string>& command) {
    const std::string& name = command[0];
    if (handshake(client, command)) return;
    if (!refuse_all.empty()) return error(client, refuse_all);
    if (name == "GET") {
      const auto found = get(command[1]);
      found ? bulk(client, *found) : void(client.out += "_\r\n");
      return track(client, command[1]);
    }
    if (name == "GETRANGE") {
      const auto found = get(command[1]);
      bulk(client, found ? found->substr(0, 64) : "");
      return track(client, command[1]);
    }
    client.caching_next = false;
    if (name == "SET") return set(client, command);
    if (name == "UNLINK" || name == "DEL")
      return refuse_unlinks.empty() ? unlink(client, command) : error(client, refuse_unlinks);
    if (name == "EVAL") return extend(client, command);
    if (name == "SCAN") return scan(client, command);
    if (name == "PING") return void(client.out += "+PONG\r\n");
    error(client, "ERR unknown command '" + name + "'");
  }

  bool handshake(Client& client, const std::vector<std::string>& command) {
    const std::string& name = command[0];
    if (name == "HELLO") {
      const auto auth = std::find(command.begin(), command.end(), "AUTH");
      if (!password.empty() && (auth == command.end() || *(auth + 2) != password)) {
        error(client, auth == command.end() ? "NOAUTH HELLO must be called with the client already authenticated"
                                            : "WRONGPASS invalid username-password pair or user is disabled.");
        return true;
      }
      client.out +=
          "%4\r\n$5\r\nproto\r\n:3\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n7.0.15\r\n$2\r\nid\r\n:" +
          std::to_string(client.id) + "\r\n";
    } else if (name == "TIME") {
      client.out += "*2\r\n";
      bulk(client, std::to_string(wall() / 1'000'000));
      bulk(client, std::to_string(wall() % 1'000'000));
    } else if (name == "INFO") {
      bulk(client, std::string("# Server\r\nredis_version:7.0.15\r\n") +
                       (anonymous ? "" : "run_id:0123456789abcdef0123456789abcdef01234567\r\n"));
    } else if (name == "SELECT") {
      ok(client);
    } else if (name == "CLIENT" && command[1] == "TRACKING") {
      if (refuse_tracking) {
        error(client, "NOPERM this user has no permissions to run the 'client|tracking' command");
      } else {
        client.tracking = true;
        ok(client);
      }
    } else if (name == "CLIENT" && command[1] == "CACHING") {
      client.caching_next = true;
      ok(client);
    } else if (name == "CLIENT" && command[1] == "KILL") {
      integer(client, 0);
    } else if (name == "CLIENT") {
      ok(client);
    } else {
      return false;
    }
    return true;
  }

  void set(Client& client, const std::vector<std::string>& command) {
    if (!refuse_writes.empty()) return error(client, refuse_writes);
    bool only_new = false;
    std::int64_t deadline = 0;
    for (std::size_t at = 3; at < command.size(); ++at) {
      if (command[at] == "NX") only_new = true;
      if (command[at] == "PX") deadline = wall() + std::stoll(command[at + 1]) * 1000;
    }
    if (only_new && get(command[1])) return void(client.out += "_\r\n");
    data_[command[1]] = {command[2], deadline};
    ok(client);
    changed(&client, command[1]);
  }

  void unlink(Client& client, const std::vector<std::string>& command) {
    std::vector<std::string> gone;
    for (std::size_t at = 1; at < command.size(); ++at) {
      expire(command[at]);
      if (data_.erase(command[at]) != 0) gone.push_back(command[at]);
    }
    integer(client, static_cast<std::int64_t>(gone.size()));
    for (const std::string& key : gone) changed(&client, key);
  }

  // The one script of the engine so far: a tag's life is extended while its stamp is the one given.
  void extend(Client& client, const std::vector<std::string>& command) {
    if (!refuse_writes.empty()) return error(client, refuse_writes);
    const auto held = get(command[3]);
    if (!held || held->substr(0, 16) != command[4]) return integer(client, 0);
    data_[command[3]] = {command[5], command[6] == "0" ? 0 : wall() + std::stoll(command[6]) * 1000};
    integer(client, 1);
    changed(&client, command[3]);
  }

  void scan(Client& client, const std::vector<std::string>& command) {
    // Two pages, so that a cursor is carried.
    std::vector<std::string> page;
    if (command[1] == "0") {
      for (const auto& [key, held] : data_) {
        if (glob_match(command[3], key)) page.push_back(key);
      }
      const auto half = page.begin() + static_cast<std::ptrdiff_t>(page.size() / 2);
      client.scan_rest.assign(half, page.end());
      page.erase(half, page.end());
    } else {
      page.swap(client.scan_rest);
    }
    client.out += "*2\r\n";
    bulk(client, slow_scans ? std::to_string(log.size()) : client.scan_rest.empty() ? "0" : "17");
    client.out += "*" + std::to_string(page.size()) + "\r\n";
    for (const std::string& key : page) bulk(client, key);
  }

  std::int64_t wall_us_;
  Timestamp now_{};
  std::uint64_t last_client_ = 0;
  std::map<std::string, Held> data_;
  std::vector<std::unique_ptr<Client>> clients_;
};

}  // namespace tiercel::test
