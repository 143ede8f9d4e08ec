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

std::uint32_t saturated(Duration cost, std::uint32_t most = std::numeric_limits<std::uint32_t>::max()) {
  return static_cast<std::uint32_t>(std::clamp(cost, Duration{0}, Duration{most}).count());
}

}  // namespace

Entry::Entry(const EntryFacts& facts, std::size_t key_bytes, std::size_t payload_at, std::size_t payload_bytes,
             std::uint8_t parts)
    : generation_(facts.generation),
      as_of_(facts.as_of),
      usable_until_(facts.usable_until),
      stamp_(facts.stamp),
      early_(saturated(facts.head_start, kClaimed - 1) | (facts.early_claimed ? kClaimed : 0)),
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
  if (facts.load_cost > Duration{0}) parts |= kLoadCost, before_payload += sizeof(std::uint32_t);
  if (!tags.empty()) parts |= kTags;
  const std::size_t bytes = sizeof(Entry) + before_payload + payload.size();
  TIERCEL_REQUIRE(bytes <= std::numeric_limits<std::uint32_t>::max());

  void* const memory = ::operator new(bytes);
  auto* const entry = new (memory) Entry(facts, key.size(), before_payload, payload.size(), parts);
  char* at = put(static_cast<char*>(memory) + sizeof(Entry), key);
  if (parts & kVersion) at = put(at, facts.version);
  if (parts & kFreshUntil) at = put(at, facts.fresh_until);
  if (parts & kLoadCost) at = put(at, saturated(facts.load_cost));
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
  if (wanted > kLoadCost && (parts_ & kLoadCost)) at += sizeof(std::uint32_t);
  return at;
}

Timestamp Entry::fresh_until() const {
  if (!(parts_ & kFreshUntil)) return usable_until_;
  const char* at = part(kFreshUntil);
  return get<Timestamp>(at);
}

Timestamp Entry::due(double beta) const {
  const Timestamp soft = fresh_until();
  const std::uint32_t early = early_.load(std::memory_order_relaxed);
  if (early == 0 || (early & kClaimed) != 0 || beta <= 0 || soft == kNever) return soft;
  return soft -
         std::chrono::duration_cast<Duration>(beta * std::chrono::duration<double, std::micro>(head_start(early)));
}

bool Entry::is_early(Timestamp now, double beta) const {
  const Timestamp soft = fresh_until();
  if (soft == kNever) return false;
  const std::chrono::duration<double, std::micro> left = soft - now;
  return left <= beta * std::chrono::duration<double, std::micro>(head_start(early_.load(std::memory_order_relaxed)));
}

bool Entry::claim_early() const { return (early_.fetch_or(kClaimed, std::memory_order_relaxed) & kClaimed) == 0; }

EntryFacts Entry::facts() const {
  const std::uint32_t early = early_.load(std::memory_order_relaxed);
  EntryFacts facts;
  facts.stamp = stamp_;
  facts.fresh_until = fresh_until();
  facts.usable_until = usable_until_;
  facts.as_of = as_of_;
  facts.generation = generation_;
  facts.head_start = head_start(early);
  facts.early_claimed = (early & kClaimed) != 0;
  facts.codec = codec_;
  facts.has_version = (parts_ & kVersion) != 0;
  if (const char* at = part(kVersion); facts.has_version) facts.version = get<std::uint64_t>(at);
  if (const char* at = part(kLoadCost); parts_ & kLoadCost) facts.load_cost = Duration{get<std::uint32_t>(at)};
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
