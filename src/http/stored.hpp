// Owns: a response at rest (codec 4): a version, then either one response or the index of a resource's variants. Untrusted when read
// back: unknown versions, lengths that do not add up and headers that split lines are no response, which readers take for a miss.
//
//   byte 0 version (2)   byte 1 kind (0 response, 1 variants)
//   response: flags u8 (1 public, 2 head, 4 ageless, 8 validate always, 16 never stale), status u16, seconds since the epoch when it came i64,
//             age then u32, lifetime u32 (all ones: no expiry), stale-while-revalidate u32, stale-if-error u32, number of fields u16,
//             fields (name length u16, value length u32, name, value), body to the end
//   variants: number of names u8, names (length u16, name), number of variants u8, variants (digest 16, expiry in seconds since the epoch i64)
// Another version is another format: to this reader no response, as this one is to others.
// Numbers are big-endian, as everywhere in Tiercel's bytes.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/fields.hpp"

namespace tiercel::http {

inline constexpr std::uint8_t kStoredVersion = 2;
inline constexpr std::size_t kStoredFieldsMax = 256;

// On which terms a stored response may be used again: reuse.hpp.
struct Terms {
  std::int64_t received = 0;  // seconds since the epoch
  std::int64_t age = 0;  // RFC 9111 4.2.3, when it was received
  std::optional<std::int64_t> lifetime;  // fresh while younger than this; nothing: no expiry
  std::int64_t stale_while_revalidate = 0, stale_if_error = 0;  // seconds past the lifetime
  bool validate_always = false;  // no-cache
  bool never_stale = false;  // must-revalidate and its like
};

struct StoredResponse : Terms {
  int status = 200;
  bool is_public = false;  // credentialed requests may have it
  bool ageless =
      false;  // hits do not send Age: its Cache-Control speaks to others, its lifetime here came from elsewhere
  bool head = false;  // its route answers HEAD
  std::vector<Field> fields;  // views into the bytes read
  std::string_view body;
};
std::string encode(const StoredResponse& response);

struct Variant {
  std::string digest;  // 16 bytes
  std::int64_t until = 0;  // seconds since the epoch; 0: no expiry
};
struct Variants {
  std::vector<std::string> names;
  std::vector<Variant> known;
};
std::string encode(const Variants& variants);

enum class StoredKind : std::uint8_t { response = 0, variants = 1 };
std::optional<StoredKind> kind_of(std::string_view bytes);
std::optional<StoredResponse> decode_response(std::string_view bytes);
std::optional<Variants> decode_variants(std::string_view bytes);

// RFC 9111 4.2.3: how old the response is at `now`.
std::int64_t current_age(const Terms& terms, std::int64_t now);

}  // namespace tiercel::http
