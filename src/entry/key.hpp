// Owns: what a user's key becomes in memory and in Redis. Grammar of Redis keys: docs/design "Records and keys",
// docs/reference/wire-format.md.
//   <ns>:v:<key> records   <ns>:t:<tag> tags   <ns>:r:<key> refresh elections   <ns>:a any-tag   <ns>:g root
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace tiercel {

inline constexpr std::size_t kKeyBytesMax = 512;  // beyond it the tail becomes a digest
inline constexpr std::size_t kTagBytesMax = 1024;
inline constexpr std::size_t kTagsMax = 64;
inline constexpr std::size_t kNamespaceBytesMax = 64;
inline constexpr std::size_t kPatternBytesMax = 1024;

// [A-Za-z0-9_.-]{1,64}
bool is_namespace(std::string_view name);

// A user's key as every operation uses it: itself up to kKeyBytesMax bytes; longer keys keep a readable head and end in
// "~#" and 32 hex digits of digest128(whole key), kKeyBytesMax bytes in all, cut on a UTF-8 boundary. Requires a
// non-empty key.
std::string canonical_key(std::string_view key);
bool is_canonical_key(
    std::string_view key);  // non-empty and at most kKeyBytesMax: canonical_key would return it unchanged

// Names in Redis under one namespace.
class KeySpace {
 public:
  explicit KeySpace(std::string_view name);  // requires is_namespace(name)

  std::string value(std::string_view key) const;
  std::string tag(std::string_view tag) const;
  std::string refresh(std::string_view key) const;
  const std::string& any_tag() const { return any_tag_; }
  const std::string& root() const { return root_; }
  // A pattern over users' keys as a MATCH argument over values: the prefix escaped, the pattern verbatim.
  std::string match(std::string_view pattern) const;

  // The way back, for pushes and scans: what a Redis key names, or nullopt if it is not ours.
  enum class Kind : unsigned char { value, tag, refresh, any_tag, root };
  struct Named {
    Kind kind;
    std::string_view name;
  };
  std::optional<Named> parse(std::string_view redis_key) const;

 private:
  std::string prefix_, any_tag_, root_;
};

// Redis' own glob (stringmatchlen): * ? [set] [^set] [a-z] and backslash. Linear in practice, bounded in the worst
// case: a pattern with more than kPatternBytesMax bytes matches nothing.
bool glob_match(std::string_view pattern, std::string_view text);
// The text with * ? [ ] ^ - and backslash quoted, so that it matches itself alone.
std::string escape_glob(std::string_view text);

}  // namespace tiercel
