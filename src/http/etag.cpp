// Entity tags. See etag.hpp.
#include "http/etag.hpp"

#include <algorithm>

#include "base/hash.hpp"

namespace tiercel::http {

namespace {

bool is_tag_char(char c) { return c != '"' && c != 0x7f && static_cast<unsigned char>(c) > 0x20; }

// Takes "W/" off.
bool take_weak(std::string_view& text) {
  if (!text.starts_with("W/")) return false;  // 8.8.3: the W is case-sensitive
  text.remove_prefix(2);
  return true;
}

}  // namespace

std::optional<EntityTag> parse_entity_tag(std::string_view text) {
  EntityTag tag;
  tag.weak = take_weak(text);
  if (text.size() < 2 || text.front() != '"' || text.back() != '"') return std::nullopt;
  const std::string_view inside = text.substr(1, text.size() - 2);
  if (!std::all_of(inside.begin(), inside.end(), is_tag_char)) return std::nullopt;
  tag.opaque = text;
  return tag;
}

bool strongly_equal(const EntityTag& a, const EntityTag& b) { return !a.weak && !b.weak && a.opaque == b.opaque; }
bool weakly_equal(const EntityTag& a, const EntityTag& b) { return a.opaque == b.opaque; }

void each_entity_tag(std::string_view line, const std::function<void(const EntityTag&)>& visit) {
  while (!(line = trimmed(line)).empty()) {
    if (line.front() == ',') {
      line.remove_prefix(1);
      continue;
    }
    EntityTag tag;
    std::string_view rest = line;
    tag.weak = take_weak(rest);
    // A quote without another is the last one of the line: looking for its end in vain happens once.
    const std::size_t quote = rest.starts_with('"') ? rest.find('"', 1) : std::string_view::npos;
    const std::size_t end = quote != std::string_view::npos ? quote + 1 : std::min(rest.find(','), rest.size());
    tag.opaque = trimmed(rest.substr(0, end));
    if (!tag.opaque.empty()) visit(tag);
    line = rest.substr(end);
  }
}

std::string weak_etag_of(Fields response, std::string_view body) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string material;
  for (const char* name : {"content-type", "content-encoding", "content-language"}) {
    each_line(response, name, [&](std::string_view line) { material.append(line).push_back('\n'); });
    material.push_back('\n');
  }
  const auto of_body = digest128(body);
  material.append(reinterpret_cast<const char*>(of_body.data()), of_body.size());
  std::string tag = "W/\"";
  for (const unsigned char byte : digest128(material)) {
    tag.push_back(kDigits[byte >> 4]);
    tag.push_back(kDigits[byte & 15]);
  }
  return tag.append("\"");
}

}  // namespace tiercel::http
