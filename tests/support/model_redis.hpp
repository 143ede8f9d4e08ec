// Owns: a small model of Redis for tests of the engine without sockets: the commands the engine uses and its scripts, opt-in tracking with pushes
// in Redis' order (what a command changes is pushed to its own client behind its reply, to others at once), broadcast tracking (pushed to all at the
// end of a pass over the connections), RESP2, expiry in virtual time, and the faults a test asks for. model_redis.cpp: connections, time;
// model_tracking.cpp: who is told of what; model_commands.cpp: commands; model_scripts.cpp: the scripts.
#pragma once

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

namespace tiercel::test {

class ModelRedis {
 public:
  using Words = std::vector<std::string>;
  struct Client {
    std::uint64_t id = 0;
    std::string in, out;
    unsigned protocol = 3;
    bool tracking = false, broadcast = false, caching_next = false;
    bool closed = false;  // by either side: what it sends is lost; what stands in `out` was sent before
    std::set<std::string> tracked;
    std::set<std::string> prefixes;  // in broadcast mode
    std::map<std::string, Words> scans;  // by cursor: the second page
  };

  explicit ModelRedis(std::int64_t wall_us = 1'800'000'000'000'000) : wall_us_(wall_us) {}

  Client& connect();
  void disconnect(Client& client);
  void feed(Client& client, std::string_view bytes, Timestamp now);

  // ---- what a test asks for
  std::function<void(const Words&)> after;  // called behind every command: somebody else's turn
  std::string refuse_writes;  // an error reply to every SET, e.g. "OOM command not allowed"
  std::string refuse_unlinks;
  bool slow_scans = false;  // a scan that never ends: each page names another cursor
  bool anonymous = false;  // INFO does not tell the run_id
  std::string refuse_all;  // an error reply to everything but the handshake
  bool refuse_script_load = false;
  bool refuse_tracking = false;  // for want of permission
  std::string refuse_optin, refuse_broadcast, refuse_hello,
      refuse_scripts;  // an error reply; HELLO refused, it speaks RESP2
  // Asked behind each write that came: the pass goes on, and commands of others follow before anything is pushed to those in broadcast mode. Whoever
  // carries what stands in `out` should wait for the pass to end, as the server does.
  std::function<bool()> pass_goes_on;
  bool in_pass() const { return in_pass_; }
  void end_pass();
  std::string password;  // required by HELLO ... AUTH
  std::string run_id = "0123456789abcdef0123456789abcdef01234567";
  std::vector<Words> log;  // every command, in order
  bool keep_log = true;

  // ---- looking and acting from outside
  void set_time(Timestamp now) { now_ = now; }
  std::optional<std::string> get(const std::string& key);  // an expired one is deleted by this, and pushed
  const std::string* peek(const std::string& key) const;  // nothing happens by it; expired ones are still there
  void write(const std::string& key, const std::string& bytes);  // by somebody else
  void remove(const std::string& key);  // by somebody else, or evicted
  void forget_quietly(const std::string& key) { data_.erase(key); }
  void flush_all();
  void expire_due();  // active expiry: whatever is past its deadline goes, and is pushed
  void untrack(const std::string& key) { push_to_readers(key); }  // the tracking table was full
  void forget_tracking();  // of all its clients
  void forget_scripts() { scripts_.clear(); }
  void restart(const std::string& new_run_id, bool keeps_data);  // every connection ends, client ids begin anew
  void save() { saved_ = data_; }  // a snapshot
  void roll_back(const std::string& new_run_id);  // restarts with what the last snapshot holds
  bool kill(std::uint64_t id);
  std::string_view script_of(const Words& command) const;  // its text; "": it runs none
  std::size_t count(std::string_view command) const;
  std::size_t keys() const { return data_.size(); }
  Words names() const;  // of all keys, expired ones included
  bool has_expired() const;  // something waits to be expired
  void describe(std::string& out) const;  // all that decides what it answers: equal words, equal futures
  std::int64_t wall_us() const { return wall_us_ + now_.time_since_epoch().count(); }
  void shift_wall(Duration by) { wall_us_ += by.count(); }

 private:
  struct Held {
    std::string bytes;
    std::int64_t deadline_us = 0;  // wall; 0: none
  };
  struct Refusal {  // thrown by what a script calls
    std::string text;
  };
  struct SetOptions {
    bool only_new = false, only_present = false, get = false;
    std::int64_t life_ms = 0;  // 0: no end
  };
  class Script;

  // model_redis.cpp
  static std::optional<Words> take(std::string& in);
  void run(Client& client, const Words& command);
  bool expired(const Held& held) const { return held.deadline_us != 0 && held.deadline_us <= wall_us(); }
  void expire(const std::string& key);

  // model_tracking.cpp
  void start_tracking(Client& client, const Words& command);
  void changed(const std::string& key);
  void push_to_readers(const std::string& key);
  void track(Client& client, const std::string& key);
  static void push(Client& client, const std::string& key);
  void push_flushed(Client& client);
  static void stop_tracking(Client& client);

  // model_commands.cpp
  static void bulk(Client& client, std::string_view text);
  static void null(Client& client);
  static void found(Client& client, const std::optional<std::string>& bytes);
  static void integer(Client& client, std::int64_t value);
  static void error(Client& client, const std::string& text);
  static void ok(Client& client);
  bool handshake(Client& client, const Words& command);
  bool connection_command(Client& client, const Words& command);
  void hello(Client& client, const Words& command);
  bool read_command(Client& client, const Words& command);
  bool write_command(Client& client, const Words& command);
  bool script_command(Client& client, const Words& command);
  void set(Client& client, const Words& command);
  void unlink(Client& client, const Words& command);
  void pexpire(Client& client, const Words& command);
  void scan(Client& client, const Words& command);
  void load_script(Client& client, const Words& command);
  static SetOptions set_options(const Words& command);
  static std::int64_t number(const std::string& text);
  static std::string range(const std::string& bytes, std::int64_t first, std::int64_t last);
  std::int64_t life_ms(const std::string& key);  // as PTTL
  void put(const std::string& key, const std::string& bytes, std::int64_t life_ms);

  // model_scripts.cpp
  static std::string sha1(std::string_view text);
  void eval(Client& client, const std::string& text, const Words& command);

  std::int64_t wall_us_;
  Timestamp now_{};
  std::uint64_t last_client_ = 0, last_cursor_ = 16;
  std::map<std::string, Held> data_, saved_;
  std::map<std::string, std::string> scripts_;  // by digest
  std::vector<std::unique_ptr<Client>> clients_;
  Client* current_ = nullptr;  // whose command runs
  bool in_pass_ = false;
  std::map<std::string, std::set<std::string>> to_broadcast_;  // by prefix
  Words own_pushes_;  // what that command changed and its own client had read: pushed behind the reply
};

}  // namespace tiercel::test
