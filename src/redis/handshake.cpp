#include "redis/handshake.hpp"

#include <charconv>
#include <vector>

#include "redis/errors.hpp"
#include "resp/serializer.hpp"

namespace tiercel::redis {
namespace {

constexpr std::size_t kDigestBytesMax = 64;

template <class Number>
std::optional<Number> number_in(std::string_view text) {
  Number number{};
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || read.ec != std::errc{} || read.ptr != text.data() + text.size()) return std::nullopt;
  return number;
}

Error surprise(std::string_view command) {
  return {ErrorCode::protocol, "the server's reply to " + std::string{command} + " is of an unexpected kind",
          "see that the address is that of a Redis or Valkey server"};
}

// What is needed for one feature only, and refused for good: go on without it. What passes by itself is worth another
// attempt.
std::optional<Error> unless_permanent(const resp::Value& reply) {
  Error error = classify(reply.text);
  if (passes_by_itself(error.code) || error.code == ErrorCode::cluster) return error;
  return std::nullopt;
}

// "6.2.14" and the like. A version that is not a number is a fork's own; who speaks RESP3 and tracking will do.
bool is_too_old(std::string_view version) {
  const auto dot = version.find('.');
  const auto major = number_in<unsigned>(version.substr(0, dot));
  if (!major || dot == version.npos) return false;
  const auto rest = version.substr(dot + 1);
  const auto minor = number_in<unsigned>(rest.substr(0, rest.find_first_not_of("0123456789")));
  return *major < 6 || (*major == 6 && minor && *minor < 2);
}

std::optional<Error> unless_recent(const std::string& version) {
  if (!is_too_old(version)) return std::nullopt;
  return Error{ErrorCode::too_old, "the server is of version " + version, "Redis 6.2 or Valkey, or later, is needed"};
}

// The value of "name:value\r\n" in INFO's text.
std::string_view info_field(std::string_view info, std::string_view name) {
  for (std::size_t at = info.find(name); at != info.npos; at = info.find(name, at + 1)) {
    const bool starts_line = at == 0 || info[at - 1] == '\n';
    if (!starts_line || info.substr(at + name.size(), 1) != ":") continue;
    const auto value = info.substr(at + name.size() + 1);
    return value.substr(0, value.find_first_of("\r\n"));
  }
  return {};
}

}  // namespace

std::optional<ServerTime> server_time(const resp::Value& reply) {
  if (reply.type != resp::Value::Type::array || reply.items.size() != 2) return std::nullopt;
  const auto seconds = number_in<std::int64_t>(reply.items[0].text);
  const auto micros = number_in<std::int64_t>(reply.items[1].text);
  constexpr std::int64_t seconds_max = 1'000'000'000'000;  // the year 33658
  if (!seconds || !micros || *seconds < 0 || *seconds > seconds_max || *micros < 0 || *micros >= 1'000'000)
    return std::nullopt;
  return ServerTime{Duration{*seconds * 1'000'000 + *micros}};
}

void Handshake::begin(const SessionOptions& options, std::string& out, Slots& slots, Timestamp now) {
  facts_ = {};
  const auto ask = [&](Slot::Kind kind, std::span<const std::string_view> words) {
    resp::append_command(out, words);
    slots.push({.kind = kind, .token = {}, .sent = now});
  };
  std::vector<std::string_view> hello{"HELLO", "3"};
  if (!options.user.empty() || !options.password.empty()) {
    hello.insert(hello.end(),
                 {"AUTH", options.user.empty() ? "default" : std::string_view{options.user}, options.password});
  }
  if (!options.client_name.empty()) hello.insert(hello.end(), {"SETNAME", options.client_name});
  ask(Slot::Kind::hello, hello);
  const std::string database = std::to_string(options.database);
  if (options.database != 0) ask(Slot::Kind::select, std::vector<std::string_view>{"SELECT", database});
  if (options.tracking) ask(Slot::Kind::tracking, std::vector<std::string_view>{"CLIENT", "TRACKING", "ON", "OPTIN"});
  ask(Slot::Kind::info, std::vector<std::string_view>{"INFO", "server"});
  ask(Slot::Kind::time, std::vector<std::string_view>{"TIME"});
  for (const std::string_view script : options.scripts)
    ask(Slot::Kind::script, std::vector<std::string_view>{"SCRIPT", "LOAD", script});
  ask(Slot::Kind::ping, std::vector<std::string_view>{"PING"});
}

std::optional<Error> Handshake::take(const Slot& slot, const resp::Value& reply, ServerOffset& clock, Timestamp now) {
  switch (slot.kind) {
    case Slot::Kind::hello:
      return take_hello(reply);
    case Slot::Kind::select:
      if (reply.is_error()) return classify(reply.text);
      return reply.is_ok() ? std::nullopt : std::optional{surprise("SELECT")};
    case Slot::Kind::tracking:
      if (reply.is_error()) return unless_permanent(reply);
      if (!reply.is_ok()) return surprise("CLIENT TRACKING");
      facts_.tracks = true;
      return std::nullopt;
    case Slot::Kind::info:
      return take_info(reply, slot, clock, now);
    case Slot::Kind::time:
      if (!reply.is_error()) {
        const auto time = server_time(reply);
        if (!time) return surprise("TIME");
        clock.learn(*time, slot.sent, now);
        return std::nullopt;
      }
      if (auto error = unless_permanent(reply)) return error;
      if (clock.known()) return std::nullopt;  // from INFO
      return Error{ErrorCode::refused, "the server tells its time neither by TIME nor by INFO",
                   "let the ACL of this user have TIME"};
    case Slot::Kind::script:
      if (reply.is_error()) {
        facts_.script_digests.emplace_back();
        return unless_permanent(reply);
      }
      if (!reply.is_string()) return surprise("SCRIPT LOAD");
      facts_.script_digests.emplace_back(reply.text.substr(0, kDigestBytesMax));
      return std::nullopt;
    case Slot::Kind::ping:
      if (reply.is_error()) return unless_permanent(reply);
      return reply.type == resp::Value::Type::simple_string ? std::nullopt : std::optional{surprise("PING")};
    case Slot::Kind::kill:
      if (reply.is_error()) return unless_permanent(reply);
      return reply.type == resp::Value::Type::integer ? std::nullopt : std::optional{surprise("CLIENT KILL")};
    default:
      return surprise("a command that is none of the handshake's");
  }
}

std::optional<Error> Handshake::take_hello(const resp::Value& reply) {
  if (reply.is_error()) return classify(reply.text);
  if (reply.type == resp::Value::Type::array) {
    return Error{ErrorCode::too_old, "the server answers in RESP2",
                 "RESP3 is needed: Redis 6.2 or Valkey, or later, without a proxy in between"};
  }
  if (reply.type != resp::Value::Type::map) return surprise("HELLO");
  std::int64_t protocol = 0;
  for (std::size_t i = 0; i + 1 < reply.items.size(); i += 2) {
    const auto& name = reply.items[i].text;
    const auto& value = reply.items[i + 1];
    if (name == "version") facts_.version = quoted(value.text);
    if (name == "proto") protocol = value.integer;
    if (name == "id" && value.integer > 0) facts_.client_id = static_cast<std::uint64_t>(value.integer);
  }
  if (protocol != 3) return surprise("HELLO");
  return unless_recent(facts_.version);
}

std::optional<Error> Handshake::take_info(const resp::Value& reply, const Slot& slot, ServerOffset& clock,
                                          Timestamp now) {
  if (reply.is_error()) return unless_permanent(reply);
  if (!reply.is_string()) return surprise("INFO");
  facts_.run_id = quoted(info_field(reply.text, "run_id"));
  if (facts_.version.empty()) facts_.version = quoted(info_field(reply.text, "redis_version"));
  if (auto error = unless_recent(facts_.version)) return error;
  // TIME, which follows, is exact; this is what is left where it is not permitted.
  const auto micros = number_in<std::int64_t>(info_field(reply.text, "server_time_usec"));
  if (micros && *micros > 0) clock.learn(ServerTime{Duration{*micros}}, slot.sent, now);
  return std::nullopt;
}

// Ids only grow while a server lives: one that has come down is another server, or a restarted one. A server that does not tell who it is
// may be any: nobody is ended there.
bool Handshake::succeeds(const Predecessor& predecessor) const {
  return predecessor.client_id != 0 && facts_.client_id > predecessor.client_id && !facts_.run_id.empty() &&
         facts_.run_id == predecessor.run_id;
}

void Handshake::end_predecessor(const Predecessor& predecessor, std::string& out, Slots& slots, Timestamp now) {
  resp::append_command(out, {"CLIENT", "KILL", "ID", std::to_string(predecessor.client_id)});
  slots.push({.kind = Slot::Kind::kill, .token = {}, .sent = now});
}

}  // namespace tiercel::redis
