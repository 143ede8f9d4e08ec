// The words of HTTP fields. See fields.hpp.
#include "http/fields.hpp"

#include <algorithm>
#include <array>

namespace tiercel::http {

namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

bool is_token_char(char c) {
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c)) return true;
  return c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool is_token(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char); }

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool is_storable_field(const Field& field) {
  constexpr std::string_view kForbidden("\r\n\0", 3);
  return is_token(field.name) && field.name.size() <= kFieldNameMax &&
         field.value.find_first_of(kForbidden) == std::string_view::npos;
}

void each_line(Fields fields, std::string_view name, const std::function<void(std::string_view)>& visit) {
  for (const Field& field : fields) {
    if (equal_ignoring_case(field.name, name)) visit(field.value);
  }
}

bool has_field(Fields fields, std::string_view name) {
  return std::any_of(fields.begin(), fields.end(),
                     [&](const Field& field) { return equal_ignoring_case(field.name, name); });
}

std::optional<std::string_view> only_line(Fields fields, std::string_view name) {
  std::optional<std::string_view> found;
  for (const Field& field : fields) {
    if (!equal_ignoring_case(field.name, name)) continue;
    if (found) return std::nullopt;
    found = field.value;
  }
  return found;
}

namespace {

// The end of the element that begins at `start`: the next comma outside quotes. `closed` tells of an unclosed quote.
std::size_t element_end(std::string_view line, std::size_t start, bool& closed) {
  bool quoted = false;
  for (std::size_t i = start; i < line.size(); ++i) {
    if (quoted) {
      if (line[i] == '\\') ++i;  // quoted-pair
      else if (line[i] == '"') quoted = false;
    } else if (line[i] == '"') {
      quoted = true;
    } else if (line[i] == ',') {
      return i;
    }
  }
  closed = !quoted;
  return line.size();
}

}  // namespace

bool each_element(std::string_view line, const std::function<void(std::string_view)>& visit) {
  bool closed = true;
  std::size_t start = 0;
  while (start <= line.size()) {
    // Once a quote was found open to the end it is no quote: what hides in it counts, or `private="x, no-store` would lose a no-store.
    const std::size_t end = closed ? element_end(line, start, closed) : std::min(line.find(',', start), line.size());
    if (!closed && end == line.size() && line.find(',', start) != std::string_view::npos) continue;
    const std::string_view element = trimmed(line.substr(start, end - start));
    if (!element.empty()) visit(element);
    start = end + 1;
  }
  return closed;
}

std::optional<std::int64_t> parse_delta_seconds(std::string_view text) {
  if (text.empty() || !std::all_of(text.begin(), text.end(), is_digit)) return std::nullopt;
  std::int64_t seconds = 0;
  for (const char c : text) {
    seconds = seconds * 10 + (c - '0');
    if (seconds >= kDeltaSecondsMax) return kDeltaSecondsMax;  // the rest are digits too: seen above
  }
  return seconds;
}

namespace {

// Days since the epoch of a civil date (Hinnant, "chrono-compatible low-level date algorithms").
std::int64_t days_from_civil(std::int64_t year, unsigned month, unsigned day) {
  year -= month <= 2;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const auto year_of_era = static_cast<unsigned>(year - era * 400);
  const unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + static_cast<std::int64_t>(day_of_era) - 719468;
}

constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::array<std::string_view, 7> kDays{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
constexpr std::array<std::string_view, 7> kLongDays{"Monday", "Tuesday",  "Wednesday", "Thursday",
                                                    "Friday", "Saturday", "Sunday"};

// Reads a date piece by piece; after the first piece that does not fit, nothing fits.
class DateReader {
 public:
  explicit DateReader(std::string_view text) : rest_(text) {}

  DateReader& literal(std::string_view expected) {
    ok_ = ok_ && rest_.starts_with(expected);
    if (ok_) rest_.remove_prefix(expected.size());
    return *this;
  }
  DateReader& number(std::size_t digits, int& out) {
    ok_ = ok_ && rest_.size() >= digits &&
          std::all_of(rest_.begin(), rest_.begin() + static_cast<std::ptrdiff_t>(digits), is_digit);
    if (!ok_) return *this;
    out = 0;
    for (std::size_t i = 0; i < digits; ++i) out = out * 10 + (rest_[i] - '0');
    rest_.remove_prefix(digits);
    return *this;
  }
  DateReader& padded_day(int& out) {  // asctime: "_6" or "16"
    if (ok_ && rest_.starts_with(' ')) return literal(" ").number(1, out);
    return number(2, out);
  }
  template <std::size_t N>
  DateReader& word(const std::array<std::string_view, N>& words, int& out) {
    if (!ok_) return *this;
    for (std::size_t i = 0; i < N; ++i) {
      if (!rest_.starts_with(words[i])) continue;
      out = static_cast<int>(i) + 1;
      rest_.remove_prefix(words[i].size());
      return *this;
    }
    ok_ = false;
    return *this;
  }
  bool done() const { return ok_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

struct Civil {
  int weekday = 0, year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;

  std::optional<std::int64_t> seconds() const {
    if (day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60) return std::nullopt;
    return days_from_civil(year, static_cast<unsigned>(month), static_cast<unsigned>(day)) * 86400 +
           std::int64_t{hour * 3600 + minute * 60 + second};
  }
};

// RFC 9110 5.6.7: a two-digit year that seems more than 50 years ahead means the past century.
int full_year(int two_digits, std::int64_t now) {
  const auto this_year = static_cast<int>(1970 + now / 31556952);
  const int year = this_year / 100 * 100 + two_digits;
  return year > this_year + 50 ? year - 100 : year;
}

}  // namespace

std::optional<std::int64_t> parse_date(std::string_view text, std::int64_t now) {
  if (text.size() < 24 || text.size() > 40) return std::nullopt;
  Civil c;
  const auto clock = [&c](DateReader& reader) -> DateReader& {
    return reader.number(2, c.hour).literal(":").number(2, c.minute).literal(":").number(2, c.second);
  };
  DateReader fixed(text);  // Sun, 06 Nov 1994 08:49:37 GMT
  fixed.word(kDays, c.weekday)
      .literal(", ")
      .number(2, c.day)
      .literal(" ")
      .word(kMonths, c.month)
      .literal(" ")
      .number(4, c.year)
      .literal(" ");
  if (clock(fixed).literal(" GMT").done()) return c.seconds();
  DateReader old(text);  // Sunday, 06-Nov-94 08:49:37 GMT
  old.word(kLongDays, c.weekday)
      .literal(", ")
      .number(2, c.day)
      .literal("-")
      .word(kMonths, c.month)
      .literal("-")
      .number(2, c.year)
      .literal(" ");
  if (clock(old).literal(" GMT").done()) return c.year = full_year(c.year, now), c.seconds();
  DateReader c_time(text);  // Sun Nov  6 08:49:37 1994
  c_time.word(kDays, c.weekday).literal(" ").word(kMonths, c.month).literal(" ").padded_day(c.day).literal(" ");
  if (clock(c_time).literal(" ").number(4, c.year).done()) return c.seconds();
  return std::nullopt;
}

ContentLength content_length(Fields fields) {
  ContentLength length;
  bool valid = true;
  each_line(fields, "content-length", [&](std::string_view line) {
    length.present = true;
    const std::string_view digits = trimmed(line);
    valid = valid && !digits.empty() && digits.size() <= 18 && std::all_of(digits.begin(), digits.end(), is_digit);
    if (!valid) return;
    std::uint64_t bytes = 0;
    for (const char c : digits) bytes = bytes * 10 + static_cast<std::uint64_t>(c - '0');
    valid = !length.bytes || *length.bytes == bytes;
    length.bytes = bytes;
  });
  if (!valid) length.bytes.reset();
  return length;
}

}  // namespace tiercel::http
