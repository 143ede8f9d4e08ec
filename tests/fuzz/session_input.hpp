// Owns: one input of the session's fuzz target, as a function that the unit tests call too.
//
// The first byte chooses the size of the pieces, and whether the handshake has been done. Whatever the server says,
// each command ends once (reply or lost), in order; generation and state agree; nothing is read out of bounds. A
// violation aborts.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <span>

#include "support/session_rig.hpp"

namespace tiercel::test {

class EndsInOrder : public redis::SessionListener {
 public:
  void on_reply(redis::ReplyToken token, const resp::Value& value) override {
    seen += described(value).size();
    ends(token);
  }
  void on_lost(redis::ReplyToken token, const Error& why) override {
    seen += why.message().size();
    ends(token);
  }
  void on_invalidated(std::string_view key) override { seen += std::string(key).size(); }
  void on_flushed() override {}
  void on_ready() override {}
  void on_down(const Error& why) override { seen += why.message().size(); }

  std::uint64_t ended = 0;
  std::size_t seen = 0;

 private:
  void ends(redis::ReplyToken token) {
    if (token.operation != ++ended) std::abort();
  }
};

inline void session_input(std::span<const std::uint8_t> input) {
  if (input.empty()) return;
  Dice dice(1);
  EndsInOrder listener;
  redis::SessionOptions options;
  options.value_bytes_max = 64;
  redis::Session session(options, listener, dice);
  Timestamp now{100s};
  session.start(now);
  session.take_wish();
  session.opened(now);
  const auto feed = [&](std::string_view bytes, std::size_t piece) {
    while (!bytes.empty()) {
      const auto room = session.receive_buffer();
      const std::size_t count = std::min({room.size(), bytes.size(), piece});
      std::memcpy(room.data(), bytes.data(), count);
      session.received(count, now += 1ms);
      bytes.remove_prefix(count);
    }
  };
  if (input[0] & 1) feed(handshake_reply(), 1000);
  std::uint64_t submitted = 0;
  const std::string_view get[] = {"GET", "k"};
  for (int i = 0; i < 4; ++i) {
    const bool queued = session.submit(get, {submitted + 1, 0}, now, i % 2 == 0) == redis::Session::Submitted::queued;
    if (queued) ++submitted;
  }
  feed({reinterpret_cast<const char*>(input.data()) + 1, input.size() - 1}, 1 + input[0] / 2);
  if (listener.ended + session.in_flight() != submitted) std::abort();
  const bool ready = session.state() == redis::Session::State::ready;
  if (ready != (session.generation() != 0)) std::abort();
  session.end(now);
  if (listener.ended != submitted || session.generation() != 0) std::abort();
}

}  // namespace tiercel::test
