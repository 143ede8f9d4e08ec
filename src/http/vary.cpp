// Vary by RFC 9110 12.5.5 and RFC 9111 4.1.
#include "http/vary.hpp"

#include <algorithm>
#include <cstdint>

#include "base/hash.hpp"

namespace tiercel::http {

namespace {

std::string lowered(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

void append_length(std::string& bytes, std::size_t length) {
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(length >> shift & 0xff));
}

}  // namespace

Vary parse_vary(Fields response) {
  Vary vary;
  each_line(response, "vary", [&](std::string_view line) {
    const bool closed = each_element(line, [&](std::string_view element) {
      if (element == "*" || !is_token(element)) vary.any = true;
      else vary.names.push_back(lowered(element));
    });
    if (!closed) vary.any = true;
  });
  std::sort(vary.names.begin(), vary.names.end());
  vary.names.erase(std::unique(vary.names.begin(), vary.names.end()), vary.names.end());
  return vary;
}

std::optional<std::vector<std::string>> merged_names(const std::vector<std::string>& a,
                                                     const std::vector<std::string>& b) {
  std::vector<std::string> names;
  std::set_union(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(names));
  if (names.size() > kVaryNamesMax) return std::nullopt;
  return names;
}

std::string variant_digest(const std::vector<std::string>& names, Fields request) {
  std::string material;
  for (const std::string& name : names) {
    append_length(material, name.size());
    material += name;
    std::size_t lines = 0;
    each_line(request, name, [&](std::string_view) { ++lines; });
    append_length(material, lines);
    each_line(request, name, [&](std::string_view line) {
      append_length(material, line.size());
      material += line;
    });
  }
  const auto digest = digest128(material);
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

}  // namespace tiercel::http
