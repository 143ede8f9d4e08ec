// Reading downwards: a reply, an element, what elements are made of. The buffer under it is in parser_buffer.cpp.
#include "resp/parser.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>
#include <system_error>

namespace tiercel::resp {
namespace {

constexpr std::size_t kDigitsMax = 18;              // of a length: below 10^18 nothing overflows
constexpr std::size_t kItemsReservedMax = 16;       // before they have arrived
constexpr std::size_t kItemsKept = 256;             // capacity of the root's items that the next reply may use again

bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

Parser::Parser(Limits limits) : limits_(limits), items_left_(limits.items_max) {}

Parser::Next Parser::next() {
  if (error_) return Next::error;
  missing_ = 0;
  if (at_ == end_ && !skipping_) return Next::more;
  value_.integer = 0;
  value_.real = 0;
  value_.text = {};
  if (value_.items.capacity() > kItemsKept) value_.items = {};
  value_.items.clear();
  return read_message();
}

// Elements are read into their place in the innermost open aggregate; an aggregate moves to its own place when it is
// whole.
Parser::Next Parser::read_message() {
  for (;;) {
    const bool root = open_.empty();
    Value& place = root ? value_ : open_.back().value.items.emplace_back();
    const Step step = skipping_ ? read_past(place) : read_element(place);
    if (step == Step::leaf) {
      if (reply_bytes_ > 2 * limits_.message_bytes_max) return fail("a reply without end"), Next::error;
      if (!root && !finish_element()) continue;
      begin_ = at_;
      reply_bytes_ = 0;
      items_left_ = limits_.items_max;
      return Next::value;
    }
    // `opened` took the place's content along; the place itself is asked for again.
    if (step == Step::opened) {
      if (const auto parent = open_.size() - 1; parent > 0) open_[parent - 1].value.items.pop_back();
      continue;
    }
    if (step == Step::error) return Next::error;
    if (!root) open_.back().value.items.pop_back();
    if (step == Step::more) return Next::more;
  }
}

// The newest item of the innermost aggregate is whole: so may be the aggregate, and the one around it. True: so is the
// root.
bool Parser::finish_element() {
  while (--open_.back().items_left == 0) {
    Open whole = std::move(open_.back());
    open_.pop_back();
    if (whole.attribute) return false;  // it belongs to the element behind it, which is still to come
    if (open_.empty()) {
      value_ = std::move(whole.value);
      return true;
    }
    open_.back().value.items.push_back(std::move(whole.value));
  }
  return false;
}

Parser::Step Parser::read_element(Value& out) {
  if (at_ == end_) return Step::more;
  switch (data_[at_]) {
    case '$':
      return read_bulk(out, Value::Type::bulk_string);
    case '+':
      return read_text(out, Value::Type::simple_string);
    case ':':
      return read_integer(out);
    case '*':
      return open_aggregate(out, Value::Type::array, 1, false);
    case '>':
      return open_aggregate(out, Value::Type::push, 1, false);
    case '_':
      return read_null(out);
    case '-':
      return read_text(out, Value::Type::simple_error);
    case '%':
      return open_aggregate(out, Value::Type::map, 2, false);
    case '~':
      return open_aggregate(out, Value::Type::set, 1, false);
    case '#':
      return read_boolean(out);
    case ',':
      return read_real(out);
    case '(':
      return read_big_number(out);
    case '=':
      return read_bulk(out, Value::Type::verbatim_string);
    case '!':
      return read_bulk(out, Value::Type::bulk_error);
    case '|':
      return open_aggregate(out, Value::Type::map, 2, true);
    default:
      return fail("an element of unknown type");
  }
}

Parser::Step Parser::read_bulk(Value& out, Value::Type type) {
  std::int64_t announced = 0;
  std::size_t header_bytes = 0;
  if (const Step step = read_length(announced, header_bytes); step != Step::leaf) return step;
  if (announced < 0) {
    if (type != Value::Type::bulk_string) return fail("a negative length");
    out.type = Value::Type::null;
    consume(header_bytes);
    return Step::leaf;
  }
  const auto length = static_cast<std::size_t>(announced);
  if (length > limits_.skipped_bytes_max) return fail("a length beyond reason");
  const bool too_long = length > limits_.bulk_bytes_max;
  if (too_long || length + reply_bytes_ > limits_.message_bytes_max) {
    consume(header_bytes);
    // What is read past because the reply is long counts towards its end; and it counts as a whole, so that no cut
    // changes the outcome.
    if (!too_long) reply_bytes_ += length;
    skipping_ = true;
    skip_length_ = announced;
    skip_left_ = length;
    return read_past(out);
  }
  const std::size_t whole = header_bytes + length + 2;
  if (end_ - at_ < whole) {
    missing_ = whole - (end_ - at_);
    return Step::more;
  }
  const char* text = data_.get() + at_ + header_bytes;
  if (text[length] != '\r' || text[length + 1] != '\n') return fail("a bulk string that is not as long as it says");
  out.type = type;
  out.text = {text, length};
  if (type == Value::Type::verbatim_string) {  // three letters of format and a colon come first
    if (length < 4 || text[3] != ':') return fail("a verbatim string without its format");
    out.text.remove_prefix(4);
  }
  consume(whole);
  return Step::leaf;
}

// What has not come yet is never kept. What came along with its header is cut out if it is long by itself; the many
// short ones of a reply that is long as a whole stay until it is done: cutting each out would move the rest of the
// buffer each time.
Parser::Step Parser::read_past(Value& out) {
  const std::size_t here = end_ - at_;
  if (here < skip_left_ + 2) {
    const std::size_t gone = static_cast<std::size_t>(std::min<std::uint64_t>(here, skip_left_));
    cut_out(gone);
    skip_left_ -= gone;
    return Step::more;
  }
  const std::size_t rest = static_cast<std::size_t>(skip_left_);
  if (rest > limits_.bulk_bytes_max) {
    cut_out(rest);
  } else {
    at_ += rest;
  }
  if (data_[at_] != '\r' || data_[at_ + 1] != '\n') return fail("a bulk string that is not as long as it says");
  consume(2);
  skipping_ = false;
  out.type = Value::Type::oversized;
  out.integer = skip_length_;
  return Step::leaf;
}

Parser::Step Parser::open_aggregate(Value& out, Value::Type type, unsigned items_each, bool attribute) {
  std::int64_t announced = 0;
  std::size_t header_bytes = 0;
  if (const Step step = read_length(announced, header_bytes); step != Step::leaf) return step;
  out.type = type;
  if (announced < 0) {
    if (type != Value::Type::array) return fail("a negative count");
    out.type = Value::Type::null;
    consume(header_bytes);
    return Step::leaf;
  }
  if (type == Value::Type::push && !open_.empty()) return fail("a push within another value");
  if (open_.size() >= limits_.depth_max) return fail("values too deep within each other");
  // An attribute counts as an item of its own: a chain of empty ones has an end, too.
  const auto count = static_cast<std::uint64_t>(announced) * items_each;
  if (count + (attribute ? 1 : 0) > items_left_) return fail("a reply of too many items");
  items_left_ -= static_cast<std::size_t>(count) + (attribute ? 1 : 0);
  consume(header_bytes);
  if (count == 0) return attribute ? Step::dropped : Step::leaf;
  out.items.reserve(std::min(static_cast<std::size_t>(count), kItemsReservedMax));
  Open open{std::move(out), count, attribute};
  open_.push_back(std::move(open));
  return Step::opened;
}

// Lengths and counts: digits as a number is written, or -1.
Parser::Step Parser::read_length(std::int64_t& length, std::size_t& header_bytes) {
  const char* const start = data_.get() + at_ + 1;
  const char* const end = data_.get() + end_;
  const char* at = start;
  const bool negative = at != end && *at == '-';
  if (negative) ++at;
  const char* const digits = at;
  std::int64_t number = 0;
  for (; at != end && is_digit(*at); ++at) {
    if (at - digits == kDigitsMax) return fail("a length of too many digits");
    number = number * 10 + (*at - '0');
  }
  if (at == end) return Step::more;
  if (at == digits || *at != '\r') return fail("a length that is no number");
  if (at - digits > 1 && *digits == '0') return fail("a length with leading zeros");
  if (negative && number != 1) return fail("a negative length");
  if (at + 1 == end) return Step::more;
  if (at[1] != '\n') return fail("a line without its end");
  length = negative ? -1 : number;
  header_bytes = static_cast<std::size_t>(at + 2 - start) + 1;
  return Step::leaf;
}

Parser::Step Parser::read_integer(Value& out) {
  std::string_view line;
  if (const Step step = read_line(line); step != Step::leaf) return step;
  const bool negative = line.starts_with('-');
  if (negative || line.starts_with('+')) line.remove_prefix(1);
  if (line.empty() || line.size() > 19 || (line.size() > 1 && line[0] == '0')) return fail("an integer that is none");
  std::uint64_t number = 0;  // 19 digits fit
  for (const char c : line) {
    if (!is_digit(c)) return fail("an integer that is none");
    number = number * 10 + static_cast<std::uint64_t>(c - '0');
  }
  constexpr std::uint64_t largest = std::numeric_limits<std::int64_t>::max();
  if (number > largest + (negative ? 1 : 0)) return fail("an integer beyond 64 bits");
  out.type = Value::Type::integer;
  out.integer = static_cast<std::int64_t>(negative ? 0 - number : number);
  return Step::leaf;
}

Parser::Step Parser::read_text(Value& out, Value::Type type) {
  if (const Step step = read_line(out.text); step != Step::leaf) return step;
  out.type = type;
  return Step::leaf;
}

Parser::Step Parser::read_big_number(Value& out) {
  if (const Step step = read_line(out.text); step != Step::leaf) return step;
  auto digits = out.text;
  if (digits.starts_with('-') || digits.starts_with('+')) digits.remove_prefix(1);
  if (digits.empty() || !std::all_of(digits.begin(), digits.end(), is_digit)) return fail("a big number that is none");
  out.type = Value::Type::big_number;
  return Step::leaf;
}

Parser::Step Parser::read_real(Value& out) {
  std::string_view line;
  if (const Step step = read_line(line); step != Step::leaf) return step;
  auto unsigned_part = line;
  if (line.starts_with('-') || line.starts_with('+')) unsigned_part.remove_prefix(1);
  const bool digits = !unsigned_part.empty() && (is_digit(unsigned_part[0]) || unsigned_part[0] == '.');
  if (!digits && unsigned_part != "inf" && unsigned_part != "nan") return fail("a double that is none");
  if (line.starts_with('+')) line.remove_prefix(1);
  const char* const end = line.end();
  const auto read = std::from_chars(line.begin(), end, out.real);
  if (read.ec != std::errc{} || read.ptr != end) return fail("a double that is none");
  out.type = Value::Type::real;
  return Step::leaf;
}

Parser::Step Parser::read_boolean(Value& out) {
  std::string_view line;
  if (const Step step = read_line(line); step != Step::leaf) return step;
  if (line != "t" && line != "f") return fail("a boolean that is none");
  out.type = Value::Type::boolean;
  out.integer = line == "t" ? 1 : 0;
  return Step::leaf;
}

Parser::Step Parser::read_null(Value& out) {
  std::string_view line;
  if (const Step step = read_line(line); step != Step::leaf) return step;
  if (!line.empty()) return fail("a null that is none");
  out.type = Value::Type::null;
  return Step::leaf;
}

// What stands between the type and the line end; then `at_` is behind it.
Parser::Step Parser::read_line(std::string_view& line) {
  const char* const start = data_.get() + at_ + 1;
  const char* const end = data_.get() + end_;
  const char* const from = start + searched_;
  const auto* found =
      from == end ? nullptr : static_cast<const char*>(std::memchr(from, '\r', static_cast<std::size_t>(end - from)));
  const auto length = static_cast<std::size_t>((found ? found : end) - start);
  if (length > limits_.line_bytes_max) return fail("a line that is too long");
  if (found == nullptr || found + 1 == end) {
    searched_ = length;
    return Step::more;
  }
  searched_ = 0;
  line = {start, length};
  if (found[1] != '\n' || line.find('\n') != line.npos) return fail("a line without its end");
  consume(length + 3);
  return Step::leaf;
}

Parser::Step Parser::fail(const char* what) {
  error_ = Error{ErrorCode::protocol, std::string{"the server sent "} + what,
                 "see that the address is that of a Redis or Valkey server, and whether TLS is meant (rediss://)"};
  open_.clear();
  value_ = {};
  return Step::error;
}

}  // namespace tiercel::resp
