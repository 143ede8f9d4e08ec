// Owns: a model of Redis and two clients of it, spoken to in commands and answered in bytes.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/dice.hpp"
#include "entry/big_endian.hpp"
#include "entry/record.hpp"
#include "resp/serializer.hpp"
#include "support/model_redis.hpp"

namespace tiercel::test {

using namespace std::chrono_literals;
inline constexpr std::string_view kOom = "OOM command not allowed when used memory > 'maxmemory'.";

inline std::string reply_bulk(std::string_view text) {
  return "$" + std::to_string(text.size()) + "\r\n" + std::string(text) + "\r\n";
}
inline std::string reply_push(std::string_view key) {
  return ">2\r\n" + reply_bulk("invalidate") + "*1\r\n" + reply_bulk(key);
}
inline std::string u64(std::uint64_t value) {
  std::string bytes;
  write_u64(bytes, value);
  return bytes;
}

class Model : public testing::Test {
 protected:
  Model() {
    for (ModelRedis::Client* client : {&me, &other}) say(*client, {"CLIENT", "TRACKING", "ON", "OPTIN"});
  }
  // What the command is answered with, and whatever is pushed before that.
  std::string say(ModelRedis::Client& client, std::vector<std::string_view> words) {
    std::string bytes;
    resp::append_command(bytes, words);
    redis.feed(client, bytes, now);
    return std::exchange(client.out, {});
  }
  std::string say(std::vector<std::string_view> words) { return say(me, std::move(words)); }
  std::string say_tracked(ModelRedis::Client& client, std::vector<std::string_view> words) {
    EXPECT_EQ(say(client, {"CLIENT", "CACHING", "YES"}), "+OK\r\n");
    return say(client, std::move(words));
  }
  std::string pushed(ModelRedis::Client& client) { return std::exchange(client.out, {}); }
  std::string eval(std::string_view text, std::vector<std::string_view> arguments) {
    std::vector<std::string_view> words{"EVAL", text, "1", "k"};
    words.insert(words.end(), arguments.begin(), arguments.end());
    return say(std::move(words));
  }
  void pass(Duration duration) { now += duration; }

  std::string record(RecordState state, std::optional<std::uint64_t> version = {}) {
    Header header;
    header.state = state;
    header.stamp = Stamp::roll(dice);
    header.has_version = version.has_value();
    header.version = version.value_or(0);
    return encode_record(header, {}, "", "");
  }
  static std::string_view stamp_of(std::string_view bytes) { return bytes.substr(8, 16); }

  Dice dice{1};
  Timestamp now{1'000s};
  ModelRedis redis;
  ModelRedis::Client& me = redis.connect();
  ModelRedis::Client& other = redis.connect();
};

}  // namespace tiercel::test
