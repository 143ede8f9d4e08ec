// Owns: the bytes at rest. A record is a fixed 64-byte header, tags with the stamps they had when the load began, a
// validator and the payload. Every byte read back is untrusted. Specified in docs/reference/wire-format.md; golden
// files in tests/golden.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/dice.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace tiercel {

inline constexpr std::uint8_t kFormat = 1;  // frozen: what differs gets another number
inline constexpr std::size_t kHeaderBytes = 64;
inline constexpr std::size_t kTagRecordBytes = 24;  // stamp, deadline
inline constexpr std::size_t kRootRecordBytes = 56;  // a tag's record, two servers

// 16 unique bytes, new at every fill and every change of a record.
struct Stamp {
  std::array<unsigned char, 16> bytes{};
  friend bool operator==(const Stamp&, const Stamp&) = default;
  static Stamp roll(Dice& dice);
  std::string_view view() const { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
};

enum class RecordState : std::uint8_t { value = 0, lease = 1, intent = 2, pass = 3, floor = 4 };

// Who reads the payload. Numbers are part of the format.
enum class CodecId : std::uint8_t {
  raw = 0,  // the payload is the value: bytes
  tiercel = 1,  // MessagePack with Tiercel's extension types
  json = 2,  // JSON by the annotation's own codec (Pydantic, dataclasses, TypedDict)
  msgspec = 3,  // MessagePack by msgspec for its structs
  http = 4,  // a stored HTTP response
  pickle = 5,  // signed, only when asked for by name
};

struct TagStamp {
  std::string name;
  Stamp stamp;
  friend bool operator==(const TagStamp&, const TagStamp&) = default;
};

struct Header {
  RecordState state = RecordState::value;
  CodecId codec = CodecId::raw;
  bool has_version = false;
  Stamp stamp;
  std::uint64_t version = 0;
  ServerTime fresh_until = kServerNever;  // soft deadline; kServerNever: none
  ServerTime usable_until = kServerNever;  // hard deadline; kServerNever: none
  Duration load_cost{0};  // saturates at 2^32 - 1 us
  friend bool operator==(const Header&, const Header&) = default;
};

struct Record {
  Header header;
  std::vector<TagStamp> tags;
  std::string_view validator;
  std::string_view payload;  // view into the bytes decoded
};

// Requires at most kTagsMax tags (the root stamp, whose name is empty, not counted), names of at most kTagBytesMax
// bytes.
std::string encode_record(const Header& header, const std::vector<TagStamp>& tags, std::string_view validator,
                          std::string_view payload);
// Untrusted bytes to a record whose views point into them; ErrorCode::damaged says what was wrong (format, length,
// checksum, ...).
Result<Record> decode_record(std::string_view bytes);
// The first 64 bytes alone, as GETRANGE k 0 63 returns them. No checksum can be checked.
Result<Header> decode_header(std::string_view bytes);
// The root's stamp from the first 82 bytes of a record: it stands first among the tags. nullopt: it carries none.
std::optional<Stamp> root_stamp(std::string_view head);
// The bytes where a record has its stamp, of whatever bytes these are; scripts compare the same (string.sub(h, 9, 24)).
inline std::string_view stamp_bytes(std::string_view record) {
  return record.size() > 8 ? record.substr(8, 16) : std::string_view{};
}

struct TagRecord {
  Stamp stamp;
  ServerTime deadline;
};
std::string encode_tag(const TagRecord& tag);
Result<TagRecord> decode_tag(std::string_view bytes);

// Which server it was: the first 128 bits of SHA-256 of its run_id. Zeros: it does not tell.
struct ServerId {
  std::array<unsigned char, 16> bytes{};
  friend bool operator==(const ServerId&, const ServerId&) = default;
  static ServerId of(std::string_view run_id);
  bool known() const { return *this != ServerId{}; }
  std::string_view view() const { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
};

// The root's record: a tag's, then the server under which its stamp was given, then the one that was met last.
struct RootRecord {
  TagRecord tag;
  ServerId given_under, last_met;
};
std::string encode_root(const RootRecord& root);
Result<RootRecord> decode_root(std::string_view bytes);

}  // namespace tiercel
