// Targeted cache control (RFC 9213): a structured field dictionary (RFC 8941 3.2, 4.2.2), parsed strictly. One fault anywhere and the
// whole field is as if absent.
#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "http/cache_control.hpp"

namespace tiercel::http {

namespace {

// A bare item; only integers and booleans mean something here, the other types are recognised so that they can be passed over.
struct Other {};
using Item = std::variant<std::int64_t, bool, Other>;

class DictionaryReader {
 public:
  explicit DictionaryReader(std::string_view text) : text_(text) {}

  bool read(CacheControl& control) {
    skip_spaces();
    while (!at_end()) {
      const auto key = read_key();
      if (!key) return false;
      Item item = true;
      if (take('=')) {
        if (!read_member(item)) return false;
      } else if (!skip_parameters()) {
        return false;
      }
      note(control, *key, item);
      skip_blank();
      if (at_end()) return true;
      if (!take(',')) return false;
      skip_blank();
      if (at_end()) return false;  // a trailing comma
    }
    return true;
  }

 private:
  bool at_end() const { return position_ == text_.size(); }
  char peek() const { return at_end() ? '\0' : text_[position_]; }
  bool take(char c) { return !at_end() && peek() == c && (++position_, true); }
  void skip_spaces() {
    while (peek() == ' ') ++position_;
  }
  void skip_blank() {
    while (peek() == ' ' || peek() == '\t') ++position_;
  }
  static bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
  static bool is_digit(char c) { return c >= '0' && c <= '9'; }

  std::optional<std::string_view> read_key() {
    const std::size_t start = position_;
    if (!is_lower(peek()) && peek() != '*') return std::nullopt;
    while (!at_end() &&
           (is_lower(peek()) || is_digit(peek()) || std::string_view("_-.*").find(peek()) != std::string_view::npos))
      ++position_;
    return text_.substr(start, position_ - start);
  }

  bool read_member(Item& item) {
    if (take('(')) {
      item = Other{};
      return skip_inner_list() && skip_parameters();
    }
    return read_bare(item) && skip_parameters();
  }

  bool skip_inner_list() {
    while (true) {
      skip_spaces();
      if (take(')')) return true;
      Item ignored;
      if (!read_bare(ignored) || !skip_parameters()) return false;
      if (peek() != ' ' && peek() != ')') return false;
    }
  }

  bool skip_parameters() {
    while (take(';')) {
      skip_spaces();
      if (!read_key()) return false;
      Item ignored;
      if (take('=') && !read_bare(ignored)) return false;
    }
    return true;
  }

  bool read_bare(Item& item) {
    const char c = peek();
    if (is_digit(c) || c == '-') return read_number(item);
    item = Other{};
    if (c == '"') return skip_string();
    if (c == ':') return skip_bytes();
    if (c == '?') return read_boolean(item);
    if (is_lower(c) || (c >= 'A' && c <= 'Z') || c == '*') return skip_token();
    return false;
  }

  bool read_number(Item& item) {
    const bool negative = take('-');
    std::int64_t value = 0;
    std::size_t digits = 0;
    for (; is_digit(peek()); ++position_, ++digits) {
      if (digits == 15) return false;  // RFC 8941 3.3.1
      value = value * 10 + (peek() - '0');
    }
    if (digits == 0) return false;
    item = negative ? -value : value;
    if (!take('.')) return true;
    std::size_t decimals = 0;
    for (; is_digit(peek()); ++position_) ++decimals;
    item = Other{};
    return digits <= 12 && decimals >= 1 && decimals <= 3;
  }

  bool skip_string() {
    for (++position_; !at_end(); ++position_) {
      const char c = peek();
      if (c == '"') return ++position_, true;
      if (c == '\\') {
        ++position_;
        if (peek() != '"' && peek() != '\\') return false;
      } else if (c < 0x20 || c > 0x7e) {
        return false;
      }
    }
    return false;
  }

  bool skip_bytes() {
    for (++position_; !at_end(); ++position_) {
      const char c = peek();
      if (c == ':') return ++position_, true;
      if (!is_lower(c) && !is_digit(c) && !(c >= 'A' && c <= 'Z') && c != '+' && c != '/' && c != '=') return false;
    }
    return false;
  }

  bool skip_token() {
    while (!at_end() && (is_token_char(peek()) || peek() == ':' || peek() == '/')) ++position_;
    return true;
  }

  bool read_boolean(Item& item) {
    ++position_;
    if (peek() != '0' && peek() != '1') return false;
    item = text_[position_++] == '1';
    return true;
  }

  // RFC 9213 2.1: a directive whose value is of the wrong type is ignored. Of repeated keys the last counts (RFC 8941 4.2.2).
  static void note(CacheControl& control, std::string_view key, const Item& item) {
    control.present = true;
    const bool on =
        !std::holds_alternative<bool>(item) || std::get<bool>(item);  // `private=?0` is off; `private=(…)` is private
    if (key == "no-store") control.no_store = on;
    else if (key == "no-cache") control.no_cache = on;
    else if (key == "private") control.is_private = on;
    else if (key == "must-revalidate") control.must_revalidate = on;
    else if (key == "proxy-revalidate") control.proxy_revalidate = on;
    else if (key == "public") control.is_public = std::holds_alternative<bool>(item) && on;
    const auto* seconds = std::get_if<std::int64_t>(&item);
    if (seconds == nullptr) return;
    const std::int64_t bounded = std::clamp<std::int64_t>(*seconds, 0, kDeltaSecondsMax);
    if (key == "max-age") control.max_age = bounded;
    else if (key == "s-maxage") control.s_maxage = bounded;
    else if (key == "stale-while-revalidate") control.stale_while_revalidate = bounded;
    else if (key == "stale-if-error") control.stale_if_error = bounded;
  }

  std::string_view text_;
  std::size_t position_ = 0;
};

}  // namespace

std::optional<CacheControl> parse_targeted(Fields fields, std::string_view name) {
  std::string joined;  // RFC 8941 4.2: lines are joined by a comma before parsing; empty lines add nothing
  each_line(fields, name, [&](std::string_view line) {
    if (trimmed(line).empty()) return;
    if (!joined.empty()) joined += ", ";
    joined += trimmed(line);
  });
  CacheControl control;
  if (!DictionaryReader(joined).read(control) || !control.present) return std::nullopt;
  return control;
}

}  // namespace tiercel::http
