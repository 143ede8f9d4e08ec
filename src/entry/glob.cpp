// Redis' stringmatchlen (src/util.c, 7.0) without its recursion. Every token but `*` consumes exactly one byte, so a
// mismatch has only ever to return to the last star: at most |pattern| x |text| steps, whatever the pattern, where the
// original is bounded by a trick. Its quirks are kept, because a pattern must mean the same in memory and in Redis: an
// unclosed set ends with the pattern, "[^" matches any byte, ranges compare as signed bytes and may be given backwards,
// a backslash at the very end stands for itself.
#include <algorithm>

#include "entry/key.hpp"

namespace tiercel {
namespace {

// Bytes beyond the end read as NUL, as the original finds them behind an sds string.
char byte_at(std::string_view pattern, std::size_t at) { return at < pattern.size() ? pattern[at] : '\0'; }

struct Step {
  bool matches;
  std::size_t next;  // where the pattern goes on
};

// The set whose '[' stands at `at`.
Step match_set(std::string_view pattern, std::size_t at, char c) {
  ++at;
  const bool negated = byte_at(pattern, at) == '^';
  if (negated) ++at;
  bool matches = false;
  while (at < pattern.size() && pattern[at] != ']') {
    const std::size_t left = pattern.size() - at;
    if (pattern[at] == '\\' && left >= 2) {
      matches |= pattern[at + 1] == c;
      at += 2;
    } else if (left >= 3 && pattern[at + 1] == '-') {
      const auto from = static_cast<signed char>(pattern[at]), to = static_cast<signed char>(pattern[at + 2]);
      const auto byte = static_cast<signed char>(c);
      matches |= std::min(from, to) <= byte && byte <= std::max(from, to);
      at += 3;
    } else {
      matches |= pattern[at] == c;
      ++at;
    }
  }
  return {matches != negated, std::min(at + 1, pattern.size())};
}

// One token that is not a star against one byte.
Step match_one(std::string_view pattern, std::size_t at, char c) {
  switch (pattern[at]) {
    case '?':
      return {true, at + 1};
    case '[':
      return match_set(pattern, at, c);
    case '\\':
      if (at + 1 < pattern.size()) ++at;
      [[fallthrough]];
    default:
      return {pattern[at] == c, at + 1};
  }
}

}  // namespace

bool glob_match(std::string_view pattern, std::string_view text) {
  if (pattern.size() > kPatternBytesMax) return false;
  constexpr std::size_t kNone = std::string_view::npos;
  std::size_t p = 0, t = 0, after_star = kNone, retry_at = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      after_star = ++p;
      retry_at = t;
      continue;
    }
    const Step step = p < pattern.size() ? match_one(pattern, p, text[t]) : Step{false, p};
    if (step.matches) {
      p = step.next;
      ++t;
    } else if (after_star != kNone) {  // let the last star take one byte more
      p = after_star;
      t = ++retry_at;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::string escape_glob(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  for (const char c : text) {
    if (std::string_view("*?[]^-\\").find(c) != std::string_view::npos) escaped.push_back('\\');
    escaped.push_back(c);
  }
  return escaped;
}

}  // namespace tiercel
