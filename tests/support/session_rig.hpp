// Owns: a session between a test and literal bytes, in virtual time, and a listener that writes down what it is told.
#pragma once

#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/resp_input.hpp"
#include "redis/session.hpp"

namespace tiercel::test {

using namespace std::chrono_literals;

inline std::string bulk(std::string_view text) {
  return "$" + std::to_string(text.size()) + "\r\n" + std::string(text) + "\r\n";
}
inline std::string command_bytes(std::initializer_list<std::string_view> words) {
  std::string bytes = "*" + std::to_string(words.size()) + "\r\n";
  for (const auto word : words) bytes += bulk(word);
  return bytes;
}
inline std::string hello_reply(std::string_view version = "7.0.15", int id = 7) {
  return "%4\r\n" + bulk("server") + bulk("redis") + bulk("version") + bulk(version) + bulk("proto") + ":3\r\n" +
         bulk("id") + ":" + std::to_string(id) + "\r\n";
}
inline std::string info_reply(std::string_view run_id = "abc", std::string_view more = "") {
  const std::string info = "# Server\r\nredis_version:7.0.15\r\nmy_run_id:no\r\nrun_id:" + std::string(run_id) +
                           "\r\n" + std::string(more) + "tcp_port:6379\r\n";
  return "=" + std::to_string(info.size() + 4) + "\r\ntxt:" + info + "\r\n";
}
inline std::string time_reply(std::int64_t micros) {
  return "*2\r\n" + bulk(std::to_string(micros / 1'000'000)) + bulk(std::to_string(micros % 1'000'000));
}
inline std::string handshake_reply(int id = 7, std::string_view run_id = "abc") {
  return hello_reply("7.0.15", id) + "+OK\r\n" + info_reply(run_id) + time_reply(1'700'000'000'000'000) + "+PONG\r\n";
}

class Told : public redis::SessionListener {
 public:
  void on_reply(redis::ReplyToken token, const resp::Value& value) override {
    note("reply " + std::to_string(token.operation) + "." + std::to_string(token.step) + " " + described(value));
  }
  void on_lost(redis::ReplyToken token, const Error& why) override {
    note("lost " + std::to_string(token.operation) + " " + name_of(why.code));
  }
  void on_invalidated(std::string_view key) override { note("invalidated " + std::string(key)); }
  void on_flushed() override { note("flushed"); }
  void on_ready() override { note("ready"); }
  void on_down(const Error& why) override { note("down " + std::string(name_of(why.code))); }

  std::vector<std::string> take() { return std::exchange(log_, {}); }
  std::function<void(std::string_view)> also;  // called at each, from within

 private:
  void note(std::string line) {
    log_.push_back(std::move(line));
    if (also) also(log_.back());
  }
  std::vector<std::string> log_;
};

struct SessionRig {
  explicit SessionRig(redis::SessionOptions options = {}, std::uint64_t seed = 1)
      : dice(seed), session(std::move(options), told, dice) {}

  void open() {
    session.start(now);
    reopen();
  }
  // The session wishes to open, and is.
  void reopen() {
    if (session.take_wish() != redis::Session::Wish::open) std::abort();
    session.opened(now);
  }
  void connect(std::string_view reply = handshake_reply()) {
    open();
    taken();
    feed(reply);
    told.take();
  }
  // To the next deadline, and what it brings.
  void wait() {
    now = *session.next_deadline();
    session.advance(now);
  }
  void pass(Duration duration) {
    now += duration;
    session.advance(now);
  }
  void feed(std::string_view bytes, std::size_t piece = std::string::npos) {
    while (!bytes.empty()) {
      const auto room = session.receive_buffer();
      const std::size_t count = std::min({room.size(), bytes.size(), piece});
      std::memcpy(room.data(), bytes.data(), count);
      session.received(count, now);
      bytes.remove_prefix(count);
    }
  }
  // What goes to the server.
  std::string taken() {
    const std::string bytes(session.output());
    session.sent(bytes.size());
    return bytes;
  }
  redis::Session::Submitted submit(std::uint64_t operation, std::initializer_list<std::string_view> words,
                                   bool tracked = false) {
    return session.submit(std::vector<std::string_view>(words), {operation, 0}, now, tracked);
  }

  Timestamp now{1000s};
  Dice dice;
  Told told;
  redis::Session session;
};

}  // namespace tiercel::test
