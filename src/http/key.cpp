// Keys and path tags of stored responses. See key.hpp.
#include "http/key.hpp"

#include <algorithm>

#include "base/hash.hpp"

namespace tiercel::http {

namespace {

constexpr std::size_t kPathInTagMax = 256;

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

bool is_host_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view(".-_:[]%~").find(c) != std::string_view::npos;
}

std::string hex_digest(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  for (const unsigned char byte : digest128(bytes)) {
    hex.push_back(kDigits[byte >> 4]);
    hex.push_back(kDigits[byte & 15]);
  }
  return hex;
}

std::string to_hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  for (const char c : bytes) {
    hex.push_back(kDigits[static_cast<unsigned char>(c) >> 4]);
    hex.push_back(kDigits[static_cast<unsigned char>(c) & 15]);
  }
  return hex;
}

}  // namespace

std::optional<std::string> resource_key(const Target& target) {
  if (target.host.size() > 255 || !std::all_of(target.host.begin(), target.host.end(), is_host_char))
    return std::nullopt;
  std::string key;
  key.reserve(16 + target.scheme.size() + target.host.size() + target.root_path.size() + target.raw_path.size() +
              target.query.size());
  key.append("~http ").append(kProfile).append(" ").append(target.scheme).append(" ");
  for (const char c : target.host) key.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
  const std::size_t head = key.size();
  if (is_printable(target.scheme) && is_printable(target.root_path) && is_printable(target.raw_path) &&
      is_printable(target.query)) {
    key.append(" ").append(target.root_path).append(" ").append(target.raw_path).append(" ").append(target.query);
    return key;
  }
  std::string material;
  for (const std::string_view part : {target.scheme, target.root_path, target.raw_path, target.query}) {
    material.append(std::to_string(part.size())).append(":").append(part);
  }
  if (!is_printable(target.scheme)) return std::nullopt;
  key.resize(head);
  return key.append(" # ").append(hex_digest(material));   // one part fewer than above: never the same
}

std::string variant_key(std::string_view resource_key, std::string_view variant_digest) {
  return std::string(resource_key).append(" ~").append(to_hex(variant_digest));
}

namespace {

std::vector<std::string_view> segments_of(std::string_view path) {
  std::vector<std::string_view> segments;
  std::size_t start = 0;
  while (start < path.size()) {
    const std::size_t end = std::min(path.find('/', start), path.size());
    if (end > start) segments.push_back(path.substr(start, end - start));
    start = end + 1;
  }
  return segments;
}

std::string path_of(const std::vector<std::string_view>& segments, std::size_t count) {
  std::string path;
  for (std::size_t i = 0; i < count; ++i) path.append("/").append(segments[i]);
  return path.empty() ? "/" : path;
}

std::string tag(std::string_view kind, const std::string& path) {
  if (path.size() <= kPathInTagMax && is_printable(path))
    return std::string("~http ").append(kind).append(" ").append(path);
  return std::string("~http ").append(kind).append("# ").append(hex_digest(path));
}
std::string exact_tag(const std::string& path) { return tag("path", path); }
std::string under_tag(const std::string& path) { return tag("under", path); }

}  // namespace

std::optional<std::vector<std::string>> stored_tags(std::string_view path) {
  const auto segments = segments_of(path);
  if (segments.size() > kPathSegmentsMax) return std::nullopt;
  std::vector<std::string> tags{exact_tag(path_of(segments, segments.size()))};
  for (std::size_t depth = 0; depth < segments.size(); ++depth) tags.push_back(under_tag(path_of(segments, depth)));
  return tags;
}

std::vector<std::string> unsafe_tags(std::string_view path) {
  const auto segments = segments_of(path);
  const std::string own = path_of(segments, segments.size());
  if (segments.empty()) return {exact_tag(own), under_tag(own)};
  return {exact_tag(own), exact_tag(path_of(segments, segments.size() - 1)), under_tag(own)};
}

}  // namespace tiercel::http
