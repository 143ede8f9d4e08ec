// Owns: of the model of Redis, the scripts of cache/scripts.hpp, known by their text and done here line by line as Lua would do them.
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <limits>

#include "cache/scripts.hpp"
#include "support/model_redis.hpp"

namespace tiercel::test {

namespace {

constexpr std::string_view kMagic = "TL";
constexpr std::size_t kHeader = 64, kRootRecord = 56, kTokenBytes = 24, kTokensBytesMax = 1536;

// string.sub with positive places, counted from 1.
std::string_view part(std::string_view text, std::size_t first, std::size_t last) {
  if (first > text.size()) return {};
  return text.substr(first - 1, last - first + 1);
}

bool is_ours(std::string_view header) { return header.size() == kHeader && part(header, 1, 2) == kMagic; }
bool is_intent(std::string_view header) { return is_ours(header) && header[3] == 2; }
bool has_version(std::string_view header) { return is_ours(header) && header[5] % 2 != 0; }

}  // namespace

std::string ModelRedis::sha1(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned bytes = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &bytes, EVP_sha1(), nullptr);
  std::string hex;
  for (unsigned at = 0; at < bytes; ++at) {
    hex += "0123456789abcdef"[digest[at] >> 4];
    hex += "0123456789abcdef"[digest[at] & 15];
  }
  return hex;
}

// One run of a script: its key, its arguments, and redis.call for it.
class ModelRedis::Script {
 public:
  Script(ModelRedis& redis, Client& client, const Words& command) : redis_(redis), client_(client), key_(command[3]) {
    argv_.assign(command.begin() + 4, command.end());
  }

  std::int64_t run(std::string_view text) {
    if (text == script::kSwap) return swap();
    if (text == script::kStore) return store();
    if (text == script::kFloor) return floor();
    if (text == script::kIntentBegin) return intent_begin();
    if (text == script::kIntentEnd) return intent_end();
    if (text == script::kExtendTag) return extend_tag();
    if (text == script::kRoot) return root();
    throw Refusal{"ERR the model knows no such script: " + std::string(text)};
  }

 private:
  std::int64_t swap() {
    if (part(header(), 9, 24) != argument(1)) return 0;
    replace(argument(2), argument(3));
    return 1;
  }

  std::int64_t store() {
    const std::string before = header();
    if (is_intent(before)) return 2;
    if (has_version(before) && number_at(before, 25) > number_at(argument(3), 1)) return 0;
    set(argument(1), argument(2));
    return 1;
  }

  std::int64_t root() {
    const std::optional<std::string> before = redis_.get(key_);
    redis_.track(client_, key_);
    if (!before || before->size() != kRootRecord) {
      set(argument(1), "0");
      return 3;
    }
    const std::string none(16, '\0'), server = argument(2);
    if (server == none) return 0;
    if (argument(3) == "1" && part(*before, 25, 40) != server) {
      set(argument(1), "0");
      return 2;
    }
    const std::string met(part(*before, 41, 56));
    if (met == server) return 0;
    set(before->substr(0, 40) + server, "0");
    return met == none ? 0 : 1;
  }

  std::int64_t floor() {
    const std::string before = header();
    if (has_version(before) && number_at(before, 25) > number_at(argument(3), 1)) return 0;
    redis_.put(key_, argument(1), life_of(argument(2)));
    return 1;
  }

  std::int64_t intent_begin() {
    const std::string before = header();
    std::int64_t life = number(argument(3));
    Tokens tokens;
    if (is_intent(before)) {
      tokens = tokens_but(part(argument(2), 1, 16), number_at(argument(4), 1));
      if (tokens.rest.size() >= kTokensBytesMax) return -1;
      life = std::max(life, life_ms());
    }
    std::string header = argument(1);
    if (has_version(before)) {
      const bool value = before[3] == 0;
      std::string till = value ? argument(5) : before.substr(40, 8);
      life = std::max(life, value ? number(argument(6)) : life_ms());
      if (number_at(till, 1) < number_at(header, 41)) till = header.substr(40, 8);
      header = header.substr(0, 4) + before.substr(4, 2) + header.substr(6, 18) + before.substr(24, 8) +
               header.substr(32, 8) + till + header.substr(48);
    }
    redis_.put(key_, header + tokens.rest + argument(2), life_of(std::to_string(life)));
    return tokens.held ? 1 : 0;
  }

  std::int64_t intent_end() {
    const std::string before = header();
    Tokens tokens;
    if (is_intent(before)) tokens = tokens_but(argument(1), number_at(argument(2), 1));
    const std::int64_t left = life_ms();
    if (tokens.rest.empty() && argument(3).empty() && left > 0 && has_version(before) && before[3] != 0) {
      const std::string floor = before.substr(0, 3) + '\4' + before.substr(4, 4) + argument(5) + before.substr(24, 8) +
                                std::string(8, '\0') + before.substr(40);
      redis_.put(key_, floor, left);
    } else if (tokens.rest.empty()) {
      replace(argument(3), argument(4));
    } else {
      const std::string next = before.substr(0, 8) + argument(5) + before.substr(24) + tokens.rest;
      redis_.put(key_, next, std::max<std::int64_t>(left, 1));
    }
    return tokens.held ? 1 : 0;
  }

  std::int64_t extend_tag() {
    const std::optional<std::string> before = redis_.get(key_);
    redis_.track(client_, key_);
    if (!before || part(*before, 1, 16) != argument(1)) return 0;
    set(argument(2), argument(3));
    return 1;
  }

  // ---- what they share
  struct Tokens {
    std::string rest;  // of others, not past their deadline
    bool held = false;
  };
  Tokens tokens_but(std::string_view mine, std::uint64_t now) {
    Tokens tokens;
    const std::string all = range(redis_.get(key_).value_or(""), 64, -1);
    for (std::size_t at = 1; at + kTokenBytes - 1 <= all.size(); at += kTokenBytes) {
      if (part(all, at, at + 15) == mine) tokens.held = true;
      else if (number_at(all, at + 16) > now) tokens.rest += part(all, at, at + 23);
    }
    return tokens;
  }

  const std::string& argument(std::size_t index) {
    if (index > argv_.size()) throw Refusal{"ERR a script argument is missing: ARGV[" + std::to_string(index) + "]"};
    return argv_[index - 1];
  }
  std::string header() {
    const std::optional<std::string> bytes = redis_.get(key_);
    redis_.track(client_, key_);
    return range(bytes.value_or(""), 0, 63);
  }
  std::int64_t life_ms() { return redis_.life_ms(key_); }

  // struct.unpack('>I4I4', text, at), its two halves as one number.
  static std::uint64_t number_at(std::string_view text, std::size_t at) {
    if (at + 7 > text.size()) throw Refusal{"ERR user_script:1: bad argument #2 to 'unpack' (data string too short)"};
    std::uint64_t value = 0;
    for (const char byte : part(text, at, at + 7)) value = value << 8 | static_cast<unsigned char>(byte);
    return value;
  }
  static std::int64_t life_of(const std::string& text) {
    const std::int64_t life = number(text);
    if (life <= 0) throw Refusal{"ERR invalid expire time in 'set' command"};
    return life;
  }
  void set(const std::string& bytes, const std::string& life) {
    redis_.put(key_, bytes, life == "0" ? 0 : life_of(life));
  }
  void replace(const std::string& bytes, const std::string& life) {
    if (!bytes.empty()) return set(bytes, life);
    if (!redis_.refuse_unlinks.empty()) throw Refusal{redis_.refuse_unlinks};
    redis_.expire(key_);
    if (redis_.data_.erase(key_) != 0) redis_.changed(key_);
  }

  ModelRedis& redis_;
  Client& client_;
  std::string key_;
  Words argv_;
};

void ModelRedis::eval(Client& client, const std::string& text, const Words& command) {
  if (command.size() < 4 || command[2] != "1") return error(client, "ERR the model runs scripts of one key");
  try {
    integer(client, Script(*this, client, command).run(text));
  } catch (const Refusal& refusal) { error(client, refusal.text + " script: " + sha1(text) + ", on @user_script:1."); }
}

std::string_view ModelRedis::script_of(const Words& command) const {
  if (command.size() < 2 || !command[0].starts_with("EVAL")) return {};
  if (command[0] == "EVAL") return command[1];
  const auto at = scripts_.find(command[1]);
  return at == scripts_.end() ? std::string_view{} : std::string_view{at->second};
}

bool ModelRedis::script_command(Client& client, const Words& command) {
  const bool runs_one = command[0] == "EVAL" || command[0] == "EVALSHA";
  if (runs_one && !refuse_scripts.empty()) {
    error(client, refuse_scripts);
  } else if (command[0] == "EVAL") {
    scripts_[sha1(command[1])] = command[1];
    eval(client, command[1], command);
  } else if (command[0] == "EVALSHA") {
    const auto at = scripts_.find(command[1]);
    if (at == scripts_.end()) error(client, "NOSCRIPT No matching script. Please use EVAL.");
    else eval(client, at->second, command);
  } else if (command[0] == "SCRIPT") {
    load_script(client, command);
  } else {
    return false;
  }
  return true;
}

void ModelRedis::load_script(Client& client, const Words& command) {
  if (command[1] == "FLUSH") {
    forget_scripts();
    return ok(client);
  }
  if (refuse_script_load) return error(client, "NOPERM this user has no permissions to run the 'script|load' command");
  if (command[1] != "LOAD") return error(client, "ERR the model loads scripts, and flushes them");
  const std::string digest = sha1(command[2]);
  scripts_[digest] = command[2];
  bulk(client, digest);
}

}  // namespace tiercel::test
