#include "cache/sent_scripts.hpp"

#include <algorithm>

#include "cache/core.hpp"

namespace tiercel {

namespace {

// Beyond, the text is a small part of what is sent anyway, and the arguments need not be kept for another sending.
constexpr std::size_t kKeptBytesMax = 16u << 10;

std::vector<std::string_view> command(std::string_view how, std::string_view script,
                                      std::span<const std::string> words) {
  std::vector<std::string_view> command{how, script};
  command.insert(command.end(), words.begin(), words.end());
  return command;
}

// Or the user may run scripts by their text alone, or a proxy knows no other way.
bool is_forgotten(const resp::Value& value) {
  if (!value.is_error()) return false;
  return value.text.starts_with("NOSCRIPT") || value.text.starts_with("NOPERM") ||
         value.text.starts_with("ERR unknown command");
}

}  // namespace

bool SentScripts::send(Core& core, Task& task, Step step, std::string_view script, std::string_view key,
                       std::initializer_list<std::string_view> arguments, Timestamp now) {
  std::size_t bytes = 0;
  for (const std::string_view argument : arguments) bytes += argument.size();
  const std::string_view digest = bytes <= kKeptBytesMax ? core.remote->digest(script) : std::string_view{};
  const bool by_text = digest.empty();
  std::vector<std::string_view> words{by_text ? "EVAL" : "EVALSHA", by_text ? script : digest, "1", key};
  words.insert(words.end(), arguments);
  if (!core.submit(task, step, words, now)) return false;
  if (!by_text) sent_.push_back({step, script, Words(words.begin() + 2, words.end()), {}, {}});
  return true;
}

void SentScripts::followed_by(Step step, std::span<const std::string_view> read) {
  if (sent_.empty()) return;
  sent_.back().read_step = step;
  sent_.back().read.assign(read.begin(), read.end());
}

bool SentScripts::sends_again(Core& core, Task& task, Step step, const resp::Value& value, Timestamp now) {
  if (const auto unheard = std::find(unheard_.begin(), unheard_.end(), step); unheard != unheard_.end()) {
    unheard_.erase(unheard);
    return true;
  }
  const auto at = std::find_if(sent_.begin(), sent_.end(), [step](const Sent& sent) { return sent.step == step; });
  if (at == sent_.end()) return false;
  const Sent sent = std::move(*at);
  sent_.erase(at);
  if (!is_forgotten(value)) return false;
  if (!core.submit(task, step, command("EVAL", sent.script, sent.words), now)) return false;
  if (sent.read.empty()) return true;
  const std::vector<std::string_view> read(sent.read.begin(), sent.read.end());
  if (core.submit(task, sent.read_step, read, now, true)) unheard_.push_back(sent.read_step);
  return true;
}

}  // namespace tiercel
