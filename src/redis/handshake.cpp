#include "redis/handshake.hpp"

#include <charconv>
#include <utility>
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

namespace {

using Words = std::vector<std::string_view>;

// Commands into the output, and their slots.
class Saying {
 public:
  Saying(std::string& out, Slots& slots, Timestamp now) : out_(out), slots_(slots), now_(now) {}
  void say(Slot::Kind kind, const Words& words) {
    resp::append_command(out_, words);
    slots_.push({.kind = kind, .token = {}, .sent = now_});
  }
  void select(const SessionOptions& options) {
    if (options.database == 0) return;
    const std::string database = std::to_string(options.database);
    say(Slot::Kind::select, {"SELECT", database});
  }
  void broadcast(const SessionOptions& options) {
    Words words{"CLIENT", "TRACKING", "ON", "BCAST"};
    for (const std::string& prefix : options.prefixes) words.insert(words.end(), {"PREFIX", prefix});
    say(Slot::Kind::broadcast, words);
  }
  // What the server is asked about itself, in either protocol.
  void questions(const SessionOptions& options) {
    if (!options.probe.empty()) say(Slot::Kind::probe, Words(options.probe.begin(), options.probe.end()));
    say(Slot::Kind::info, {"INFO", "server"});
    say(Slot::Kind::time, {"TIME"});
    for (const std::string_view script : options.scripts) say(Slot::Kind::script, {"SCRIPT", "LOAD", script});
    say(Slot::Kind::ping, {"PING"});
  }

 private:
  std::string& out_;
  Slots& slots_;
  Timestamp now_;
};

bool has_credentials(const SessionOptions& options) { return !options.user.empty() || !options.password.empty(); }

// Not a server's no to us, but a server's, or a proxy's, not knowing what was said.
bool is_not_understood(const Error& error, std::string_view reply) {
  return error.code == ErrorCode::too_old || reply.starts_with("NOPERM") ||
         (error.code == ErrorCode::refused && error.advice.empty());
}

}  // namespace

void Handshake::begin(const SessionOptions& options, std::string& out, Slots& slots, Timestamp now) {
  facts_ = {};
  unheard_ = broadcast_due_ = false;
  Saying saying(out, slots, now);
  Words hello{"HELLO", "3"};
  if (has_credentials(options))
    hello.insert(hello.end(),
                 {"AUTH", options.user.empty() ? "default" : std::string_view{options.user}, options.password});
  if (!options.client_name.empty()) hello.insert(hello.end(), {"SETNAME", options.client_name});
  saying.say(Slot::Kind::hello, hello);
  saying.select(options);
  if (options.tracking == TrackingWish::broadcast) saying.broadcast(options);
  else if (options.tracking != TrackingWish::off)
    saying.say(Slot::Kind::tracking, {"CLIENT", "TRACKING", "ON", "OPTIN"});
  saying.questions(options);
}

bool Handshake::go_on(const SessionOptions& options, std::string& out, Slots& slots, Timestamp now) {
  Saying saying(out, slots, now);
  if (std::exchange(unheard_, false)) {
    Words auth{"AUTH"};
    if (!options.user.empty()) auth.push_back(options.user);
    auth.push_back(options.password);
    if (has_credentials(options)) saying.say(Slot::Kind::auth, auth);
    if (!options.client_name.empty()) saying.say(Slot::Kind::name, {"CLIENT", "SETNAME", options.client_name});
    saying.select(options);
    saying.say(Slot::Kind::id, {"CLIENT", "ID"});
    saying.questions(options);
    return true;
  }
  if (std::exchange(broadcast_due_, false) && options.tracking == TrackingWish::automatic) {
    saying.broadcast(options);
    return true;
  }
  return false;
}

std::optional<Error> Handshake::take(const Slot& slot, const resp::Value& reply, ServerOffset& clock, Timestamp now) {
  using Type = resp::Value::Type;
  if (unheard_) return std::nullopt;
  switch (slot.kind) {
    case Slot::Kind::hello:
      return take_hello(reply);
    case Slot::Kind::auth:
      if (reply.is_error()) return classify(reply.text);
      return reply.is_ok() ? std::nullopt : std::optional{surprise("AUTH")};
    case Slot::Kind::select:
      if (reply.is_error()) return classify(reply.text);
      return reply.is_ok() ? std::nullopt : std::optional{surprise("SELECT")};
    case Slot::Kind::tracking:
      return take_tracking(reply, Tracking::optin);
    case Slot::Kind::broadcast:
      return take_tracking(reply, Tracking::broadcast);
    case Slot::Kind::probe:
      return take_probe(reply);
    case Slot::Kind::info:
      return take_info(reply, slot, clock, now);
    case Slot::Kind::time:
      return take_time(reply, slot, clock, now);
    case Slot::Kind::script:
      if (reply.is_error()) {
        facts_.script_digests.emplace_back();
        return unless_permanent(reply);
      }
      if (!reply.is_string()) return surprise("SCRIPT LOAD");
      facts_.script_digests.emplace_back(reply.text.substr(0, kDigestBytesMax));
      return std::nullopt;
    case Slot::Kind::name:
      return reply.is_error() ? unless_permanent(reply) : std::nullopt;
    case Slot::Kind::id:
      if (reply.is_error()) return unless_permanent(reply);
      if (reply.type == Type::integer && reply.integer > 0)
        facts_.client_id = static_cast<std::uint64_t>(reply.integer);
      return std::nullopt;
    case Slot::Kind::ping:
      if (reply.is_error()) return unless_permanent(reply);
      return reply.type == Type::simple_string ? std::nullopt : std::optional{surprise("PING")};
    case Slot::Kind::kill:
      if (reply.is_error()) return unless_permanent(reply);
      return reply.type == Type::integer ? std::nullopt : std::optional{surprise("CLIENT KILL")};
    default:
      return surprise("a command that is none of the handshake's");
  }
}

std::optional<Error> Handshake::take_hello(const resp::Value& reply) {
  if (reply.is_error()) {
    Error why = classify(reply.text);
    if (!is_not_understood(why, reply.text)) return why;
    return fall_back(std::move(why));
  }
  if (reply.type == resp::Value::Type::array)
    return fall_back({ErrorCode::too_old, "HELLO 3 was answered in RESP2", ""});
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

std::optional<Error> Handshake::fall_back(Error why) {
  facts_.protocol = 2;
  facts_.hello_refused = std::move(why);
  unheard_ = true;
  return std::nullopt;
}

std::optional<Error> Handshake::take_tracking(const resp::Value& reply, Tracking asked_for) {
  if (!reply.is_error()) {
    if (!reply.is_ok()) return surprise("CLIENT TRACKING");
    facts_.tracking = asked_for;
    return std::nullopt;
  }
  if (auto error = unless_permanent(reply)) return error;
  if (!facts_.tracking_refused) facts_.tracking_refused = classify(reply.text);
  broadcast_due_ = asked_for == Tracking::optin && !reply.text.starts_with("NOPERM");
  return std::nullopt;
}

// What passes by itself, or concerns the data, says nothing about the command.
std::optional<Error> Handshake::take_probe(const resp::Value& reply) {
  if (!reply.is_error()) return std::nullopt;
  if (auto error = unless_permanent(reply)) return error;
  Error why = classify(reply.text);
  if (!is_not_understood(why, reply.text)) return std::nullopt;
  facts_.answers_probe = false;
  facts_.probe_refused = std::move(why);
  return std::nullopt;
}

std::optional<Error> Handshake::take_time(const resp::Value& reply, const Slot& slot, ServerOffset& clock,
                                          Timestamp now) {
  if (!reply.is_error()) {
    const auto time = server_time(reply);
    if (!time) return surprise("TIME");
    clock.learn(*time, slot.sent, now);
    return std::nullopt;
  }
  if (auto error = unless_permanent(reply)) return error;
  if (clock.known()) return std::nullopt;  // from INFO
  return Error{ErrorCode::refused, "the server tells its time neither by TIME nor by INFO",
               "let the ACL of this user, or the proxy in between, have TIME"};
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
