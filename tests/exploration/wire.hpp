// Owns: one connection between a process and the model of Redis: commands and messages under way, each taken when the search says so.
// When the process has lost it, what it had sent may still arrive, or not.
#pragma once

#include <deque>
#include <string>
#include <string_view>

#include "support/model_redis.hpp"

namespace tiercel::explore {

class Wire {
 public:
  Wire(unsigned of, test::ModelRedis::Client& end) : process(of), client(&end) {}

  void send(std::string_view bytes);  // by the process: cut into commands
  void collect();  // what the model has said meanwhile: cut into messages
  void serve(test::ModelRedis& redis, Timestamp now);  // the model takes the next command
  std::string take();  // the next message to the process
  void end_at_process() {
    open_here = false;
    down.clear();
  }
  void end_at_redis(test::ModelRedis& redis);

  bool may_serve() const { return open_there && !client->closed && !up.empty(); }
  bool may_deliver() const { return open_here && !down.empty(); }

  unsigned process;
  test::ModelRedis::Client* client;
  bool open_here = true, open_there = true;
  std::size_t served = 0;
  std::deque<std::string> up;  // a command; CLIENT CACHING with the one behind it, a handshake as one
  std::deque<std::string> down;  // a reply, the OK of CLIENT CACHING with the one behind it; or a push
};

// The first word of a command and what it is about, for people.
std::string in_words(std::string_view command, const test::ModelRedis& redis);

}  // namespace tiercel::explore
