#include "exploration/wire.hpp"

#include <charconv>
#include <cstdlib>
#include <utility>

#include "cache/scripts.hpp"

namespace tiercel::explore {

namespace {

constexpr std::string_view kCaching = "*3\r\n$6\r\nCLIENT\r\n$7\r\nCACHING\r\n";
constexpr std::string_view kOk = "+OK\r\n";

std::size_t line_end(std::string_view bytes) {
  const std::size_t end = bytes.find("\r\n");
  if (end == bytes.npos) std::abort();  // both sides speak in whole messages
  return end + 2;
}

std::size_t number_in(std::string_view line) {
  std::size_t value = 0;
  std::from_chars(line.data(), line.data() + line.size(), value);
  return value;
}

// The length of the first value in RESP.
std::size_t value_size(std::string_view bytes) {
  const std::size_t head = line_end(bytes);
  const std::size_t number = number_in(bytes.substr(1, head - 3));
  switch (bytes.front()) {
    case '$':
      return head + number + 2;
    case '*':
    case '>':
    case '%': {
      std::size_t size = head;
      const std::size_t items = bytes.front() == '%' ? 2 * number : number;
      for (std::size_t item = 0; item < items; ++item) size += value_size(bytes.substr(size));
      return size;
    }
    default:
      return head;
  }
}

std::string word_of(std::string_view& bytes) {
  const std::size_t head = line_end(bytes), size = number_in(bytes.substr(1, head - 3));
  std::string word(bytes.substr(head, size));
  bytes.remove_prefix(head + size + 2);
  return word;
}

bool is_handshake(std::string_view bytes) { return bytes.substr(2).starts_with("\r\n$5\r\nHELLO\r\n"); }

const char* script_name(std::string_view text) {
  if (text == script::kSwap) return "swap";
  if (text == script::kStore) return "store";
  if (text == script::kFloor) return "floor";
  if (text == script::kIntentBegin) return "intent_begin";
  if (text == script::kIntentEnd) return "intent_end";
  if (text == script::kExtendTag) return "extend_tag";
  if (text == script::kRoot) return "root";
  return "script";
}

}  // namespace

void Wire::send(std::string_view bytes) {
  if (is_handshake(bytes)) {
    up.emplace_back(bytes);
    return;
  }
  while (!bytes.empty()) {
    std::size_t size = value_size(bytes);
    if (bytes.starts_with(kCaching)) size += value_size(bytes.substr(size));
    up.emplace_back(bytes.substr(0, size));
    bytes.remove_prefix(size);
  }
}

void Wire::collect() {
  std::string_view bytes = client->out;
  while (!bytes.empty() && open_here) {
    const std::size_t size = value_size(bytes);
    down.emplace_back(bytes.substr(0, size));
    bytes.remove_prefix(size);
  }
  client->out.clear();
}

void Wire::serve(test::ModelRedis& redis, Timestamp now) {
  const std::string command = std::move(up.front());
  up.pop_front();
  ++served;
  redis.feed(*client, command, now);
  if (open_here && is_handshake(command)) down.push_back(std::exchange(client->out, {}));
  if (open_here && command.starts_with(kCaching)) {
    const std::size_t size = kOk.size() + value_size(std::string_view(client->out).substr(kOk.size()));
    down.push_back(client->out.substr(0, size));
    client->out.erase(0, size);
  }
  if (!open_here && up.empty()) end_at_redis(redis);  // nothing more will come of it
}

std::string Wire::take() {
  std::string message = std::move(down.front());
  down.pop_front();
  return message;
}

void Wire::end_at_redis(test::ModelRedis& redis) {
  open_there = false;
  up.clear();
  redis.disconnect(*client);
}

std::string in_words(std::string_view command, const test::ModelRedis& redis) {
  std::string words;
  if (command.starts_with(kCaching)) {
    words = "tracked ";
    command.remove_prefix(value_size(command));
  }
  const std::size_t items = number_in(command.substr(1, line_end(command) - 3));
  command.remove_prefix(line_end(command));
  const std::string name = word_of(command);
  if (name.starts_with("EVAL") && items > 3) {
    const std::string script = word_of(command);
    word_of(command);
    return words + script_name(redis.script_of({name, script})) + " " + word_of(command);
  }
  words += name;
  if (name == "HELLO") return "the handshake";
  if (items > 1) words += " " + word_of(command);
  if (name == "SET" && items > 3) words += " NX";
  return words;
}

}  // namespace tiercel::explore
