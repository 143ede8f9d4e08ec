// Structured fields by the algorithms of RFC 9651 4.2. See structured.hpp.
#include "http/structured.hpp"

#include "http/structured_reader.hpp"

namespace tiercel::http {

bool parse_sf_list(std::string_view text, const std::function<void(const SfItem&)>& visit) {
  SfReader reader(text);
  reader.skip_spaces();
  if (reader.at_end()) return true;
  do {
    SfItem member;
    if (!reader.member(member)) return false;
    visit(member);
  } while (reader.next_member());
  return reader.ended_well();
}

bool parse_sf_dictionary(std::string_view text, const std::function<void(std::string_view, const SfItem&)>& visit) {
  SfReader reader(text);
  reader.skip_spaces();
  if (reader.at_end()) return true;
  do {
    std::string_view key;
    SfItem member;
    if (!reader.key(key)) return false;
    if (reader.take('=') ? !reader.member(member) : !reader.parameters()) return false;
    visit(key, member);
  } while (reader.next_member());
  return reader.ended_well();
}

std::optional<SfItem> parse_sf_item(std::string_view text) {
  SfReader reader(text);
  SfItem item;
  reader.skip_spaces();
  if (!reader.bare_item(item) || !reader.parameters()) return std::nullopt;
  reader.skip_spaces();
  return reader.at_end() ? std::optional(item) : std::nullopt;
}

std::string joined_lines(Fields fields, std::string_view name) {
  std::string joined;
  for (const Field& field : fields) {
    if (!equal_ignoring_case(field.name, name) || trimmed(field.value).empty()) continue;
    if (!joined.empty()) joined += ", ";
    joined += trimmed(field.value);
  }
  return joined;
}

std::string unescaped(const SfItem& string) {
  std::string text;
  text.reserve(string.text.size());
  for (std::size_t i = 0; i < string.text.size(); ++i) {
    if (string.text[i] == '\\' && i + 1 < string.text.size()) ++i;
    text.push_back(string.text[i]);
  }
  return text;
}

std::string sf_string(std::string_view text) {
  std::string quoted = "\"";
  quoted.reserve(text.size() + 2);
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted.push_back('\\');
    quoted.push_back(c >= 0x20 && c <= 0x7e ? c : '?');
  }
  return quoted.append("\"");
}

}  // namespace tiercel::http
