// Tags that headers name. See tags.hpp.
#include "http/tags.hpp"

#include <algorithm>
#include <unordered_set>

#include "base/hash.hpp"
#include "http/structured.hpp"

namespace tiercel::http {

namespace {

class Collector {
 public:
  void add(std::string name) {
    if (name.empty() || !seen_.insert(name).second) return;
    if (name.size() > kTagNameBytesMax) return fault(TagFault::long_name);
    if (!std::all_of(name.begin(), name.end(), [](char c) { return c >= 0x20 && c <= 0x7e; }))
      return fault(TagFault::odd_name);
    if (found_.names.size() == kTagNamesMax) return fault(TagFault::many);
    found_.names.push_back(std::move(name));
  }
  TagNames take() { return std::move(found_); }

 private:
  void fault(TagFault fault) {
    if (found_.fault == TagFault::none) found_.fault = fault;
  }
  TagNames found_;
  std::unordered_set<std::string> seen_;
};

// The strings of a list of nothing else; empty: invalid, which is absent.
std::vector<std::string> groups_of(Fields response, std::string_view field) {
  std::vector<std::string> groups;
  bool strings = true;
  const bool valid = parse_sf_list(joined_lines(response, field), [&](const SfItem& member) {
    strings = strings && member.type == SfType::string;
    if (strings) groups.push_back(unescaped(member));
  });
  if (!valid || !strings) groups.clear();
  return groups;
}

template <class Visit>
void each_word(std::string_view line, Visit visit) {
  while (!(line = trimmed(line)).empty()) {
    const std::size_t end = std::min(line.find_first_of(" \t"), line.size());
    visit(line.substr(0, end));
    line = line.substr(end);
  }
}

template <class Visit>
void each_comma_part(std::string_view line, Visit visit) {  // quotes mean nothing in Cache-Tag
  while (!line.empty()) {
    const std::size_t end = std::min(line.find(','), line.size());
    visit(trimmed(line.substr(0, end)));
    line = line.substr(std::min(end + 1, line.size()));
  }
}

}  // namespace

const char* sentence_of(TagFault fault) {
  switch (fault) {
    case TagFault::none:
      return "";
    case TagFault::long_name:
      return "it names a tag of more than 1024 bytes";
    case TagFault::many:
      return "it names more than 64 tags";
    case TagFault::odd_name:
      return "it names a tag with bytes that are not printable ASCII";
  }
  return "";
}

std::string group_tag(std::string_view origin, std::string_view name) {
  std::string tag = std::string("~http group ").append(origin).append(" ").append(name);
  if (tag.size() <= kTagNameBytesMax) return tag;
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string digest = "~http group# ";
  for (const unsigned char byte : digest128(tag)) {
    digest.push_back(kDigits[byte >> 4]);
    digest.push_back(kDigits[byte & 15]);
  }
  return digest;
}

TagNames response_tags(Fields response, std::string_view origin) {
  Collector tags;
  for (std::string& group : groups_of(response, "cache-groups")) {
    tags.add(group_tag(origin, group));
    tags.add(std::move(group));
  }
  each_line(response, "surrogate-key", [&](std::string_view line) {
    each_word(line, [&](std::string_view word) { tags.add(std::string(word)); });
  });
  each_line(response, "cache-tag", [&](std::string_view line) {
    each_comma_part(line, [&](std::string_view part) { tags.add(std::string(part)); });
  });
  return tags.take();
}

TagNames invalidated_groups(Fields response, std::string_view origin) {
  Collector tags;
  for (const std::string& group : groups_of(response, "cache-group-invalidation")) {
    if (group.size() <= kTagNameBytesMax) tags.add(group_tag(origin, group));
  }
  return tags.take();
}

}  // namespace tiercel::http
