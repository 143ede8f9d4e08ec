// Owns: the model of Redis as a program, to be held against a real server by tests/integration/test_model_redis.py.
//
// Input, a line each:  <client> <word> <word> ... [| <word> ...]   one write of one or more commands, words in hex ("-": empty)
//                      + <milliseconds>                            time passes
// Output, a line each: the bytes that each client was sent meanwhile, in hex, one after the other. With --scripts: the scripts, by name.
#include <array>
#include <iostream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "cache/scripts.hpp"
#include "resp/serializer.hpp"
#include "support/model_redis.hpp"

namespace {

using tiercel::test::ModelRedis;

constexpr std::size_t kClients = 3;

std::string from_hex(const std::string& hex) {
  std::string bytes;
  if (hex == "-") return bytes;
  for (std::size_t at = 0; at + 1 < hex.size(); at += 2)
    bytes += static_cast<char>(std::stoi(hex.substr(at, 2), nullptr, 16));
  return bytes;
}

std::string to_hex(std::string_view bytes) {
  std::string hex;
  for (const char byte : bytes) {
    hex += "0123456789abcdef"[static_cast<unsigned char>(byte) >> 4];
    hex += "0123456789abcdef"[static_cast<unsigned char>(byte) & 15];
  }
  return hex.empty() ? "-" : hex;
}

std::string commands_of(std::istringstream& words) {
  std::string bytes, word;
  std::vector<std::string> command;
  const auto end_command = [&] {
    const std::vector<std::string_view> views(command.begin(), command.end());
    if (!views.empty()) tiercel::resp::append_command(bytes, views);
    command.clear();
  };
  while (words >> word) {
    if (word == "|") end_command();
    else command.push_back(from_hex(word));
  }
  end_command();
  return bytes;
}

void print_scripts() {
  using namespace tiercel::script;
  std::cout << "swap " << to_hex(kSwap) << "\nstore " << to_hex(kStore) << "\nfloor " << to_hex(kFloor)
            << "\nintent_begin " << to_hex(kIntentBegin) << "\nintent_end " << to_hex(kIntentEnd) << "\nextend_tag "
            << to_hex(kExtendTag) << "\nroot " << to_hex(kRoot) << '\n';
}

void answer_lines() {
  ModelRedis redis;
  redis.keep_log = false;
  tiercel::Timestamp now{std::chrono::seconds{1000}};
  std::array<ModelRedis::Client*, kClients> clients{};
  for (auto& client : clients) client = &redis.connect();
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string first;
    words >> first;
    if (first == "+") {
      std::int64_t milliseconds = 0;
      words >> milliseconds;
      now += std::chrono::milliseconds{milliseconds};
    } else {
      redis.feed(*clients.at(std::stoul(first)), commands_of(words), now);
    }
    for (auto* client : clients) std::cout << to_hex(std::exchange(client->out, {})) << ' ';
    std::cout << std::endl;
  }
}

}  // namespace

int main(int count, char** words) {
  if (count > 1 && std::string_view(words[1]) == "--scripts") print_scripts();
  else answer_lines();
  return 0;
}
