#include "entry/record.hpp"

#include <algorithm>
#include <limits>
#include <optional>

#include "base/hash.hpp"
#include "base/require.hpp"
#include "entry/big_endian.hpp"
#include "entry/key.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace tiercel {
namespace {

constexpr std::string_view kMagic = "TL";
constexpr std::uint16_t kHasVersion = 1;
constexpr std::size_t kChecksumAt = 60;
constexpr std::size_t kValidatorBytesMax = std::numeric_limits<std::uint16_t>::max();
constexpr std::size_t kMiddleBytesMax = (kTagsMax + 1) * (2 + 16) + kTagsMax * kTagBytesMax + 2 + kValidatorBytesMax;
constexpr std::size_t kPayloadBytesMax = std::numeric_limits<std::uint32_t>::max();

// Everything but the checksum's own four bytes.
std::uint32_t checksum(std::string_view record) {
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  XXH3_64bits_update(&state, record.data(), kChecksumAt);
  XXH3_64bits_update(&state, record.data() + kHeaderBytes, record.size() - kHeaderBytes);
  return static_cast<std::uint32_t>(XXH3_64bits_digest(&state));
}

Error damaged(std::string what) {
  return {ErrorCode::damaged, std::move(what), "it counts as a miss and will be replaced"};
}

// A header and the lengths of what follows it.
struct Frame {
  Header header;
  std::size_t tags_count = 0, middle_bytes = 0, payload_bytes = 0;
};

std::optional<ServerTime> read_deadline(ByteReader& reader) {
  const std::uint64_t micros = reader.u64();
  if (micros > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return std::nullopt;
  return ServerTime{Duration{static_cast<std::int64_t>(micros)}};
}

Stamp read_stamp(ByteReader& reader) {
  Stamp stamp;
  const std::string_view bytes = reader.bytes(stamp.bytes.size());
  std::copy(bytes.begin(), bytes.end(), stamp.bytes.begin());
  return stamp;
}

Result<Frame> decode_frame(std::string_view bytes) {
  if (bytes.size() < kHeaderBytes) return damaged("a record shorter than its header");
  ByteReader reader(bytes.substr(0, kHeaderBytes));
  if (reader.bytes(kMagic.size()) != kMagic) return damaged("not a record of Tiercel");
  if (const auto format = reader.u8(); format != kFormat)
    return damaged("record format " + std::to_string(format) + " is not known here");
  Frame frame;
  Header& header = frame.header;
  const std::uint8_t state = reader.u8();
  if (state > static_cast<std::uint8_t>(RecordState::floor))
    return damaged("unknown record state " + std::to_string(state));
  header.state = RecordState{state};
  const std::uint16_t flags = reader.u16();
  if ((flags & ~kHasVersion) != 0) return damaged("unknown flags are set");
  header.has_version = (flags & kHasVersion) != 0;
  header.codec = CodecId{reader.u8()};
  frame.tags_count = reader.u8();
  if (frame.tags_count > kTagsMax + 1) return damaged("too many tags");
  header.stamp = read_stamp(reader);
  header.version = reader.u64();
  if (!header.has_version && header.version != 0) return damaged("a version that the flags deny");
  const auto soft = read_deadline(reader), hard = read_deadline(reader);
  if (!soft || !hard) return damaged("a deadline out of range");
  header.fresh_until = *soft;
  header.usable_until = *hard;
  if (*soft != kServerNever && *hard != kServerNever && *soft > *hard)
    return damaged("the soft deadline is behind the hard one");
  header.load_cost = Duration{reader.u32()};
  frame.middle_bytes = reader.u32();
  frame.payload_bytes = reader.u32();
  if (frame.middle_bytes > kMiddleBytesMax) return damaged("a middle section longer than any record has");
  return frame;
}

std::uint64_t micros_of(ServerTime time) {
  TIERCEL_REQUIRE(time >= kServerNever);
  return static_cast<std::uint64_t>(time.time_since_epoch().count());
}

std::uint32_t saturated(Duration cost) {
  constexpr Duration kMost{std::numeric_limits<std::uint32_t>::max()};
  return static_cast<std::uint32_t>(std::clamp(cost, Duration{0}, kMost).count());
}

std::size_t middle_bytes(const std::vector<TagStamp>& tags, std::string_view validator) {
  std::size_t bytes = 2 + validator.size();
  for (const TagStamp& tag : tags) bytes += 2 + tag.name.size() + tag.stamp.bytes.size();
  return bytes;
}

std::size_t named(const std::vector<TagStamp>& tags) {
  return static_cast<std::size_t>(
      std::count_if(tags.begin(), tags.end(), [](const TagStamp& tag) { return !tag.name.empty(); }));
}

// What the encoder demands of its caller is what the decoder demands of the world.
bool within_limits(const std::vector<TagStamp>& tags) {
  return named(tags) <= kTagsMax && tags.size() - named(tags) <= 1 &&
         std::all_of(tags.begin(), tags.end(), [](const TagStamp& tag) { return tag.name.size() <= kTagBytesMax; });
}

}  // namespace

Stamp Stamp::roll(Dice& dice) {
  std::string bytes;
  write_u64(bytes, dice.next());
  write_u64(bytes, dice.next());
  Stamp stamp;
  std::copy(bytes.begin(), bytes.end(), stamp.bytes.begin());
  return stamp;
}

std::string encode_record(const Header& header, const std::vector<TagStamp>& tags, std::string_view validator,
                          std::string_view payload) {
  TIERCEL_REQUIRE(within_limits(tags) && validator.size() <= kValidatorBytesMax && payload.size() <= kPayloadBytesMax);
  TIERCEL_REQUIRE(header.has_version || header.version == 0);
  TIERCEL_REQUIRE(header.fresh_until == kServerNever || header.usable_until == kServerNever ||
                  header.fresh_until <= header.usable_until);
  const std::size_t middle = middle_bytes(tags, validator);
  std::string out;
  out.reserve(kHeaderBytes + middle + payload.size());
  out.append(kMagic);
  write_u8(out, kFormat);
  write_u8(out, static_cast<std::uint8_t>(header.state));
  write_u16(out, header.has_version ? kHasVersion : 0);
  write_u8(out, static_cast<std::uint8_t>(header.codec));
  write_u8(out, static_cast<std::uint8_t>(tags.size()));
  out.append(header.stamp.view());
  write_u64(out, header.version);
  write_u64(out, micros_of(header.fresh_until));
  write_u64(out, micros_of(header.usable_until));
  write_u32(out, saturated(header.load_cost));
  write_u32(out, static_cast<std::uint32_t>(middle));
  write_u32(out, static_cast<std::uint32_t>(payload.size()));
  write_u32(out, 0);   // the checksum's place
  for (const TagStamp& tag : tags) {
    write_u16(out, static_cast<std::uint16_t>(tag.name.size()));
    out.append(tag.name).append(tag.stamp.view());
  }
  write_u16(out, static_cast<std::uint16_t>(validator.size()));
  out.append(validator).append(payload);
  std::string sum;
  write_u32(sum, checksum(out));
  out.replace(kChecksumAt, sum.size(), sum);
  return out;
}

Result<Record> decode_record(std::string_view bytes) {
  Result<Frame> frame = decode_frame(bytes);
  if (!frame) return frame.error();
  if (bytes.size() != kHeaderBytes + frame->middle_bytes + frame->payload_bytes)
    return damaged("a record of the wrong length");
  if (ByteReader(bytes.substr(kChecksumAt)).u32() != checksum(bytes))
    return damaged("a record whose checksum does not match");

  Record record{frame->header, {}, {}, bytes.substr(kHeaderBytes + frame->middle_bytes)};
  ByteReader reader(bytes.substr(kHeaderBytes, frame->middle_bytes));
  record.tags.reserve(frame->tags_count);
  for (std::size_t i = 0; i < frame->tags_count; ++i) {
    const std::string_view name = reader.bytes(reader.u16());
    record.tags.push_back({std::string(name), read_stamp(reader)});
    if (reader.failed()) return damaged("tags that reach beyond their section");
  }
  record.validator = reader.bytes(reader.u16());
  if (reader.failed() || !reader.at_end()) return damaged("a middle section of the wrong length");
  if (!within_limits(record.tags)) return damaged("more or longer tags than a record may have");
  return record;
}

Result<Header> decode_header(std::string_view bytes) {
  Result<Frame> frame = decode_frame(bytes);
  if (!frame) return frame.error();
  return frame->header;
}

std::optional<Stamp> root_stamp(std::string_view head) {
  ByteReader reader(head.substr(std::min(head.size(), kHeaderBytes)));
  if (head.size() < kHeaderBytes || head[7] == 0 || reader.u16() != 0)
    return std::nullopt;  // no tags, or the first has a name
  const Stamp stamp = read_stamp(reader);
  if (reader.failed()) return std::nullopt;
  return stamp;
}

std::string encode_tag(const TagRecord& tag) {
  std::string out(tag.stamp.view());
  write_u64(out, micros_of(tag.deadline));
  return out;
}

Result<TagRecord> decode_tag(std::string_view bytes) {
  if (bytes.size() != kTagRecordBytes) return damaged("a tag's record of the wrong length");
  ByteReader reader(bytes);
  const Stamp stamp = read_stamp(reader);
  const auto deadline = read_deadline(reader);
  if (!deadline) return damaged("a tag's deadline out of range");
  return TagRecord{stamp, *deadline};
}

ServerId ServerId::of(std::string_view run_id) { return run_id.empty() ? ServerId{} : ServerId{digest128(run_id)}; }

std::string encode_root(const RootRecord& root) {
  return encode_tag(root.tag).append(root.given_under.view()).append(root.last_met.view());
}

Result<RootRecord> decode_root(std::string_view bytes) {
  if (bytes.size() != kRootRecordBytes) return damaged("a root record of the wrong length");
  const Result<TagRecord> tag = decode_tag(bytes.substr(0, kTagRecordBytes));
  if (!tag) return tag.error();
  RootRecord root{*tag, {}, {}};
  const auto read = [&bytes](ServerId& server, std::size_t at) {
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), server.bytes.size(), server.bytes.begin());
  };
  read(root.given_under, kTagRecordBytes);
  read(root.last_met, kTagRecordBytes + 16);
  return root;
}

}  // namespace tiercel
