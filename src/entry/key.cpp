#include "entry/key.hpp"

#include <algorithm>

#include "base/hash.hpp"
#include "base/require.hpp"

namespace tiercel {
namespace {

constexpr std::string_view kDigestMark = "~#";
constexpr std::size_t kDigestDigits = 32;

bool is_namespace_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
}

bool continues_a_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// Where to cut `text` so that at most `bytes_max` bytes stay and no UTF-8 character is halved. Bytes that are no UTF-8
// at all may be cut anywhere: a character has at most three continuation bytes, so no more than three are given up.
std::size_t cut_at(std::string_view text, std::size_t bytes_max) {
  std::size_t at = bytes_max;
  while (at + 3 > bytes_max && continues_a_character(text[at])) --at;
  return continues_a_character(text[at]) ? bytes_max : at;
}

}  // namespace

bool is_namespace(std::string_view name) {
  return !name.empty() && name.size() <= kNamespaceBytesMax &&
         std::all_of(name.begin(), name.end(), is_namespace_letter);
}

bool is_canonical_key(std::string_view key) { return !key.empty() && key.size() <= kKeyBytesMax; }

std::string canonical_key(std::string_view key) {
  TIERCEL_REQUIRE(!key.empty());
  if (key.size() <= kKeyBytesMax) return std::string(key);
  constexpr std::size_t kHeadMax = kKeyBytesMax - kDigestMark.size() - kDigestDigits;
  std::string canonical;
  canonical.reserve(kKeyBytesMax);
  canonical.append(key.substr(0, cut_at(key, kHeadMax)));
  canonical.append(kDigestMark);
  for (const unsigned char byte : digest128(key)) {
    canonical.push_back("0123456789abcdef"[byte >> 4]);
    canonical.push_back("0123456789abcdef"[byte & 15]);
  }
  return canonical;
}

KeySpace::KeySpace(std::string_view name) : prefix_(name) {
  TIERCEL_REQUIRE(is_namespace(name));
  prefix_ += ':';
  any_tag_ = prefix_ + "a";
  root_ = prefix_ + "g";
}

std::string KeySpace::value(std::string_view key) const { return (prefix_ + "v:").append(key); }
std::string KeySpace::tag(std::string_view tag) const { return (prefix_ + "t:").append(tag); }
std::string KeySpace::refresh(std::string_view key) const { return (prefix_ + "r:").append(key); }
std::string KeySpace::match(std::string_view pattern) const { return escape_glob(prefix_ + "v:").append(pattern); }

std::optional<KeySpace::Named> KeySpace::parse(std::string_view redis_key) const {
  if (!redis_key.starts_with(prefix_)) return std::nullopt;
  if (redis_key == any_tag_) return Named{Kind::any_tag, {}};
  if (redis_key == root_) return Named{Kind::root, {}};
  const std::string_view rest = redis_key.substr(prefix_.size());
  if (rest.size() < 3 || rest[1] != ':') return std::nullopt;  // no name behind "v:"
  const std::string_view name = rest.substr(2);
  switch (rest[0]) {
    case 'v':
      return name.size() <= kKeyBytesMax ? std::optional<Named>{{Kind::value, name}} : std::nullopt;
    case 't':
      return name.size() <= kTagBytesMax ? std::optional<Named>{{Kind::tag, name}} : std::nullopt;
    case 'r':
      return name.size() <= kKeyBytesMax ? std::optional<Named>{{Kind::refresh, name}} : std::nullopt;
    default:
      return std::nullopt;
  }
}

}  // namespace tiercel
