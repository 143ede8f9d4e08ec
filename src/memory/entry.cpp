#include "memory/entry.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>

#include "base/require.hpp"

namespace tiercel {
namespace {

constexpr std::size_t kStampBytes = 16;

template <class T>
char* put(char* at, const T& value) {
  std::memcpy(at, &value, sizeof value);
  return at + sizeof value;
}

char* put(char* at, std::string_view bytes) {
  if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
  return at + bytes.size();
}

template <class T>
T get(const char*& at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  at += sizeof value;
  return value;
}

std::size_t tags_bytes(std::span<const TagStamp> tags) {
  if (tags.empty()) return 0;
  std::size_t bytes = sizeof(std::uint16_t);   // their number
  for (const TagStamp& tag : tags) bytes += sizeof(std::uint16_t) + tag.name.size() + kStampBytes;
  return bytes;
}

char* put_tags(char* at, std::span<const TagStamp> tags) {
  at = put(at, static_cast<std::uint16_t>(tags.size()));
  for (const TagStamp& tag : tags) {
    at = put(at, static_cast<std::uint16_t>(tag.name.size()));
    at = put(at, std::string_view(tag.name));
    at = put(at, tag.stamp);
  }
  return at;
}

std::uint32_t saturated(Duration cost) {
  constexpr Duration kMost{std::numeric_limits<std::uint32_t>::max()};
  return static_cast<std::uint32_t>(std::clamp(cost, Duration{0}, kMost).count());
}

}  // namespace

Entry::Entry(const EntryFacts& facts, std::size_t key_bytes, std::size_t payload_at, std::size_t payload_bytes,
             std::uint8_t parts)
    : generation_(facts.generation),
      as_of_(facts.as_of),
      usable_until_(facts.usable_until),
      stamp_(facts.stamp),
      load_cost_us_(saturated(facts.load_cost)),
      payload_bytes_(static_cast<std::uint32_t>(payload_bytes)),
      payload_at_(static_cast<std::uint32_t>(payload_at)),
      key_bytes_(static_cast<std::uint16_t>(key_bytes)),
      parts_(parts),
      codec_(facts.codec) {}

EntryRef Entry::make(std::string_view key, const EntryFacts& facts, std::span<const TagStamp> tags,
                     std::string_view payload) {
  TIERCEL_REQUIRE(key.size() <= std::numeric_limits<std::uint16_t>::max() &&
                  tags.size() <= std::numeric_limits<std::uint16_t>::max());
  std::uint8_t parts = 0;
  std::size_t before_payload = key.size() + tags_bytes(tags);
  if (facts.has_version) parts |= kVersion, before_payload += sizeof facts.version;
  if (facts.fresh_until != facts.usable_until) parts |= kFreshUntil, before_payload += sizeof facts.fresh_until;
  if (!tags.empty()) parts |= kTags;
  const std::size_t bytes = sizeof(Entry) + before_payload + payload.size();
  TIERCEL_REQUIRE(bytes <= std::numeric_limits<std::uint32_t>::max());

  void* const memory = ::operator new(bytes);
  auto* const entry = new (memory) Entry(facts, key.size(), before_payload, payload.size(), parts);
  char* at = put(static_cast<char*>(memory) + sizeof(Entry), key);
  if (parts & kVersion) at = put(at, facts.version);
  if (parts & kFreshUntil) at = put(at, facts.fresh_until);
  if (parts & kTags) at = put_tags(at, tags);
  put(at, payload);
  return EntryRef(entry);
}

void Entry::destroy() const noexcept {
  const std::size_t bytes = requested_bytes();
  this->~Entry();
  ::operator delete(const_cast<Entry*>(this), bytes);
}

const char* Entry::part(Part wanted) const {
  const char* at = tail() + key_bytes_;
  if (wanted > kVersion && (parts_ & kVersion)) at += sizeof(std::uint64_t);
  if (wanted > kFreshUntil && (parts_ & kFreshUntil)) at += sizeof(Timestamp);
  return at;
}

Timestamp Entry::fresh_until() const {
  if (!(parts_ & kFreshUntil)) return usable_until_;
  const char* at = part(kFreshUntil);
  return get<Timestamp>(at);
}

EntryFacts Entry::facts() const {
  EntryFacts facts{stamp_,
                   0,
                   fresh_until(),
                   usable_until_,
                   as_of_,
                   generation_,
                   Duration{load_cost_us_},
                   codec_,
                   (parts_ & kVersion) != 0};
  if (const char* at = part(kVersion); facts.has_version) facts.version = get<std::uint64_t>(at);
  return facts;
}

std::size_t Entry::tags_count() const {
  if (!(parts_ & kTags)) return 0;
  const char* at = part(kTags);
  return get<std::uint16_t>(at);
}

std::vector<TagStamp> Entry::tags() const {
  std::vector<TagStamp> tags(tags_count());
  if (tags.empty()) return tags;
  const char* at = part(kTags) + sizeof(std::uint16_t);
  for (TagStamp& tag : tags) {
    const auto length = get<std::uint16_t>(at);
    tag.name.assign(at, length);
    at += length;
    tag.stamp = get<Stamp>(at);
  }
  return tags;
}

}  // namespace tiercel
