// The steps of RFC 9651 4.2. See structured_reader.hpp.
#include "http/structured_reader.hpp"

#include <cstdint>

namespace tiercel::http {

namespace {

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_alpha(char c) { return is_lower(c) || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_printable(char c) { return c >= 0x20 && c <= 0x7e; }

int lower_hex(char c) {  // 4.2.10: capitals are a fault
  if (is_digit(c)) return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// Follows the bytes of UTF-8 one by one, neither overlong nor surrogate (RFC 3629 4).
class Utf8 {
 public:
  bool take(unsigned byte) {
    if (left_ > 0) {
      const bool fits = byte >= low_ && byte <= high_;
      low_ = 0x80, high_ = 0xbf, --left_;
      return fits;
    }
    if (byte < 0x80) return true;
    if (byte < 0xc2 || byte > 0xf4) return false;
    left_ = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
    if (byte == 0xe0) low_ = 0xa0;
    if (byte == 0xed) high_ = 0x9f;
    if (byte == 0xf0) low_ = 0x90;
    if (byte == 0xf4) high_ = 0x8f;
    return true;
  }
  bool whole() const { return left_ == 0; }

 private:
  unsigned left_ = 0, low_ = 0x80, high_ = 0xbf;
};

}  // namespace

bool SfReader::key(std::string_view& key) {
  const std::size_t start = position_;
  if (!is_lower(peek()) && peek() != '*') return false;
  while (!at_end() &&
         (is_lower(peek()) || is_digit(peek()) || std::string_view("_-.*").find(peek()) != std::string_view::npos))
    ++position_;
  key = text_.substr(start, position_ - start);
  return true;
}

bool SfReader::next_member() {
  while (peek() == ' ' || peek() == '\t') ++position_;
  if (at_end()) return ended_well_ = true, false;
  if (!take(',')) return false;
  while (peek() == ' ' || peek() == '\t') ++position_;
  return true;  // of a trailing comma there is no member: its reader says so
}

bool SfReader::member(SfItem& member) {
  return (peek() == '(' ? inner_list(member) : bare_item(member)) && parameters();
}

bool SfReader::inner_list(SfItem& list) {
  const std::size_t start = position_++;
  while (true) {
    skip_spaces();
    if (take(')')) break;
    SfItem ignored;
    if (!bare_item(ignored) || !parameters()) return false;
    if (peek() != ' ' && peek() != ')') return false;
  }
  list = {SfType::inner_list, 0, text_.substr(start, position_ - start)};
  return true;
}

bool SfReader::parameters() {
  while (take(';')) {
    skip_spaces();
    std::string_view name;
    SfItem ignored;
    if (!key(name) || (take('=') && !bare_item(ignored))) return false;
  }
  return true;
}

bool SfReader::bare_item(SfItem& item) {
  const char c = peek();
  if (is_digit(c) || c == '-') return number(item);
  if (c == '"') return string(item);
  if (is_alpha(c) || c == '*') return token(item);
  if (c == ':') return bytes(item);
  if (c == '?') return boolean(item);
  if (c == '@') return date(item);
  return c == '%' && display(item);
}

bool SfReader::number(SfItem& item) {
  const std::size_t start = position_;
  const bool negative = take('-');
  std::int64_t value = 0;
  std::size_t digits = 0;
  for (; is_digit(peek()); ++position_, ++digits) {
    if (digits == 15) return false;
    value = value * 10 + (peek() - '0');
  }
  if (digits == 0) return false;
  item = {SfType::integer, negative ? -value : value, {}};
  if (peek() == '.') {
    if (digits > 12) return false;
    std::size_t decimals = 0;
    for (++position_; is_digit(peek()); ++position_, ++decimals) {
      if (decimals == 3) return false;
      value = value * 10 + (peek() - '0');
    }
    if (decimals == 0) return false;
    for (; decimals < 3; ++decimals) value *= 10;
    item = {SfType::decimal, negative ? -value : value, {}};
  }
  item.text = text_.substr(start, position_ - start);
  return true;
}

bool SfReader::string(SfItem& item) {
  const std::size_t start = ++position_;
  for (; !at_end(); ++position_) {
    const char c = peek();
    if (c == '"') {
      item = {SfType::string, 0, text_.substr(start, position_ - start)};
      return ++position_, true;
    }
    if (c == '\\') {
      ++position_;
      if (peek() != '"' && peek() != '\\') return false;
    } else if (!is_printable(c)) {
      return false;
    }
  }
  return false;
}

bool SfReader::token(SfItem& item) {
  const std::size_t start = position_++;
  while (!at_end() && (is_token_char(peek()) || peek() == ':' || peek() == '/')) ++position_;
  item = {SfType::token, 0, text_.substr(start, position_ - start)};
  return true;
}

bool SfReader::bytes(SfItem& item) {
  const std::size_t start = ++position_;
  while (is_alpha(peek()) || is_digit(peek()) || peek() == '+' || peek() == '/') ++position_;
  const std::size_t sextets = position_ - start;
  std::size_t padding = 0;
  while (take('=')) ++padding;
  if (sextets % 4 == 1 || (padding > 0 && (sextets + padding) % 4 != 0) || padding > 2) return false;
  item = {SfType::bytes, 0, text_.substr(start, position_ - start)};
  return take(':');
}

bool SfReader::boolean(SfItem& item) {
  ++position_;
  if (peek() != '0' && peek() != '1') return false;
  item = {SfType::boolean, text_[position_++] == '1' ? 1 : 0, {}};
  return true;
}

bool SfReader::date(SfItem& item) {
  ++position_;
  if (!is_digit(peek()) && peek() != '-') return false;
  if (!number(item) || item.type != SfType::integer) return false;
  item.type = SfType::date;
  return true;
}

bool SfReader::display(SfItem& item) {
  ++position_;
  if (!take('"')) return false;
  Utf8 utf8;
  const std::size_t start = position_;
  for (; !at_end(); ++position_) {
    const char c = peek();
    if (!is_printable(c)) return false;
    if (c == '"') {
      item = {SfType::display, 0, text_.substr(start, position_ - start)};
      return ++position_, utf8.whole();
    }
    unsigned byte = static_cast<unsigned char>(c);
    if (c == '%') {
      if (text_.size() - position_ < 3) return false;
      const int high = lower_hex(text_[position_ + 1]), low = lower_hex(text_[position_ + 2]);
      if (high < 0 || low < 0) return false;
      byte = static_cast<unsigned>(high * 16 + low);
      position_ += 2;
    }
    if (!utf8.take(byte)) return false;
  }
  return false;
}

}  // namespace tiercel::http
