// Owns: JSON for tests: the tables that C++ and Python read alike. A character up to U+00FF is one byte, as in header fields (Latin-1).
#pragma once

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <ostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace tiercel::test {

class Json {
 public:
  using List = std::vector<Json>;
  using Object = std::map<std::string, Json>;

  Json(std::nullptr_t = nullptr) {}
  Json(bool value) : kind_(Kind::flag), number_(value ? 1 : 0) {}
  Json(int value) : Json(static_cast<double>(value)) {}
  Json(std::int64_t value) : Json(static_cast<double>(value)) {}
  Json(std::uint64_t value) : Json(static_cast<double>(value)) {}
  Json(double value) : kind_(Kind::number), number_(value) {}
  Json(const char* value) : Json(std::string(value)) {}
  Json(std::string_view value) : Json(std::string(value)) {}
  Json(std::string value) : kind_(Kind::text), text_(std::move(value)) {}
  Json(List value) : kind_(Kind::list), list_(std::move(value)) {}
  Json(Object value) : kind_(Kind::object), object_(std::move(value)) {}
  template <class T>
  Json(const std::optional<T>& value) : Json(value ? Json(*value) : Json(nullptr)) {}

  bool operator==(const Json& other) const = default;
  bool is_null() const { return kind_ == Kind::null; }
  bool is_text() const { return kind_ == Kind::text; }
  bool is_list() const { return kind_ == Kind::list; }
  bool truth() const { return must(Kind::flag), number_ != 0; }
  double real() const { return must(Kind::number), number_; }
  std::int64_t integer() const { return static_cast<std::int64_t>(real()); }
  const List& list() const { return must(Kind::list), list_; }
  const Object& object() const { return must(Kind::object), object_; }
  Object& object() { return must(Kind::object), object_; }

  // A text, or {"of": text, "times": n} for one that nobody would write out, or a list of such to be joined.
  std::string text() const {
    if (is_text()) return text_;
    std::string joined;
    if (is_list()) {
      for (const Json& part : list()) joined += part.text();
      return joined;
    }
    for (std::int64_t i = 0; i < at("times").integer(); ++i) joined += at("of").text();
    return joined;
  }
  bool has(const std::string& name) const { return object().count(name) != 0; }
  const Json& at(const std::string& name) const {
    const auto found = object().find(name);
    if (found == object().end()) throw std::invalid_argument("no \"" + name + "\" in " + dump());
    return found->second;
  }
  template <class T>
  T get(const std::string& name, T otherwise) const {
    if (!has(name)) return otherwise;
    if constexpr (std::is_same_v<T, bool>) return at(name).truth();
    else if constexpr (std::is_same_v<T, std::string>) return at(name).text();
    else return static_cast<T>(at(name).real());
  }

  std::string dump() const {
    if (is_null()) return "null";
    if (kind_ == Kind::flag) return number_ != 0 ? "true" : "false";
    if (kind_ == Kind::number) return std::to_string(number_);
    if (is_text()) return "\"" + text_ + "\"";
    std::string out;
    if (is_list()) {
      for (const Json& item : list()) out += (out.empty() ? "" : ", ") + item.dump();
      return "[" + out + "]";
    }
    for (const auto& [name, item] : object()) out += (out.empty() ? "\"" : ", \"") + name + "\": " + item.dump();
    return "{" + out + "}";
  }

 private:
  enum class Kind : std::uint8_t { null, flag, number, text, list, object };
  void must(Kind kind) const {
    if (kind_ != kind) throw std::invalid_argument("another kind of value: " + dump());
  }

  Kind kind_ = Kind::null;
  double number_ = 0;
  std::string text_;
  List list_;
  Object object_;
};

inline void PrintTo(const Json& value, std::ostream* out) { *out << value.dump(); }

// Throws std::invalid_argument where the text is no JSON: a table is right or the test fails.
class JsonReader {
 public:
  explicit JsonReader(std::string_view text) : text_(text) {}
  Json read() {
    Json value = read_value();
    skip_blank();
    if (at_ != text_.size()) fail("more than one value");
    return value;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw std::invalid_argument(what + " at byte " + std::to_string(at_));
  }
  void skip_blank() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos) ++at_;
  }
  bool take(char c) {
    skip_blank();
    return at_ < text_.size() && text_[at_] == c && (++at_, true);
  }
  void expect(char c) {
    if (!take(c)) fail(std::string("expected ") + c);
  }
  bool word(std::string_view expected) {
    if (!text_.substr(at_).starts_with(expected)) return false;
    at_ += expected.size();
    return true;
  }
  Json read_value() {
    skip_blank();
    if (take('{')) return read_object();
    if (take('[')) return read_list();
    if (take('"')) return Json(read_text());
    if (word("null")) return Json(nullptr);
    if (word("true")) return Json(true);
    if (word("false")) return Json(false);
    const std::string rest(text_.substr(at_, 40));
    char* end = nullptr;
    const double number = std::strtod(rest.c_str(), &end);
    if (end == rest.c_str()) fail("no value");
    at_ += static_cast<std::size_t>(end - rest.c_str());
    return Json(number);
  }
  Json read_list() {
    Json::List items;
    if (take(']')) return Json(items);
    do items.push_back(read_value());
    while (take(','));
    expect(']');
    return Json(std::move(items));
  }
  Json read_object() {
    Json::Object members;
    if (take('}')) return Json(members);
    do {
      expect('"');
      std::string name = read_text();
      expect(':');
      members.insert_or_assign(std::move(name), read_value());
    } while (take(','));
    expect('}');
    return Json(std::move(members));
  }
  std::string read_text() {
    std::string text;
    while (at_ < text_.size() && text_[at_] != '"') {
      char c = text_[at_++];
      if (static_cast<unsigned char>(c) >= 0x80) fail("write other characters than ASCII as \\u00xx");
      if (c == '\\') c = escaped();
      text.push_back(c);
    }
    expect('"');
    return text;
  }
  char escaped() {
    const char c = text_[at_++];
    if (c == 'u') {
      const auto code = std::stoul(std::string(text_.substr(at_, 4)), nullptr, 16);
      if (code > 0xff) fail("beyond Latin-1");
      at_ += 4;
      return static_cast<char>(code);
    }
    constexpr std::string_view kNames = "nrtbf\"\\/", kChars = "\n\r\t\b\f\"\\/";
    const std::size_t known = kNames.find(c);
    if (known == std::string_view::npos) fail("unknown escape");
    return kChars[known];
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

inline Json read_json(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  try {
    return JsonReader(text).read();
  } catch (const std::invalid_argument& bad) { throw std::invalid_argument(path + ": " + bad.what()); }
}

}  // namespace tiercel::test
