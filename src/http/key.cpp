// Keys and path tags of stored responses. See key.hpp.
#include "http/key.hpp"

#include <algorithm>

#include "base/hash.hpp"
#include "http/target.hpp"

namespace tiercel::http {

namespace {

constexpr std::size_t kPathInTagMax = 256;

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
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

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_rewritten(const Target& target) {
  if (target.path.empty()) return false;
  const bool encoded = target.raw_path.find('%') != std::string_view::npos;
  return encoded ? percent_decoded(target.raw_path) != target.path : target.raw_path != target.path;
}

}  // namespace

std::string percent_decoded(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool encoded =
        text[i] == '%' && i + 2 < text.size() && hex_value(text[i + 1]) >= 0 && hex_value(text[i + 2]) >= 0;
    decoded.push_back(encoded ? static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2])) : text[i]);
    if (encoded) i += 2;
  }
  return decoded;
}

std::optional<std::string> resource_key(const Target& target) {
  if (!is_host(target.host)) return std::nullopt;
  std::string key;
  key.reserve(16 + target.scheme.size() + target.host.size() + target.root_path.size() + target.raw_path.size() +
              target.query.size());
  key.append("~http ").append(target.profile == Profile::safe ? kSafeGeneration : kRfcGeneration);
  if (target.level > 0) key.append("+").append(std::to_string(target.level));
  if (!target.forwarded.empty()) key.append("^").append(to_hex(target.forwarded));
  key.append(" ").append(target.scheme).append(" ");
  for (const char c : target.host) key.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
  const std::size_t head = key.size();
  const bool rewritten = is_rewritten(target);
  if (!rewritten && is_printable(target.scheme) && is_printable(target.root_path) && is_printable(target.raw_path) &&
      is_printable(target.query)) {
    key.append(" ").append(target.root_path).append(" ").append(target.raw_path).append(" ").append(target.query);
    return key;
  }
  std::string material;
  for (const std::string_view part : {target.scheme, target.root_path, target.raw_path, target.query}) {
    material.append(std::to_string(part.size())).append(":").append(part);
  }
  if (rewritten) material.append(target.path);
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

std::vector<std::string> unsafe_tags(std::string_view path, std::string_view raw_path) {
  const auto segments = segments_of(path);
  const std::string own = path_of(segments, segments.size());
  if (segments.empty()) return {exact_tag(own), under_tag(own)};
  std::vector<std::string> tags{exact_tag(own), exact_tag(path_of(segments, segments.size() - 1)), under_tag(own)};
  const auto raw = segments_of(raw_path);
  if (!raw.empty() && raw.size() < segments.size()) {
    const std::string above = percent_decoded(path_of(raw, raw.size() - 1));
    const auto decoded = segments_of(above);
    tags.push_back(exact_tag(path_of(decoded, decoded.size())));
  }
  return tags;
}

std::string_view below_root(std::string_view path, std::string_view root_path) {
  while (root_path.ends_with('/')) root_path.remove_suffix(1);
  const bool below = path.starts_with(root_path) && (path.size() == root_path.size() || path[root_path.size()] == '/');
  return below ? path.substr(root_path.size()) : path;
}

}  // namespace tiercel::http
