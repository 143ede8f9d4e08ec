// A response at rest. See stored.hpp for its bytes.
#include "http/stored.hpp"

#include <algorithm>

#include "http/age.hpp"
#include "http/profile.hpp"
#include "http/storable.hpp"
#include "http/vary.hpp"

namespace tiercel::http {

namespace {

constexpr std::uint8_t kPublic = 1, kHead = 2, kAgeless = 4, kValidateAlways = 8, kNeverStale = 16;
constexpr std::uint64_t kFlagsMax = 31, kNoExpiry = 0xffffffff;
constexpr std::size_t kDigestBytes = 16, kHeadBytes = 31;

void put(std::string& out, std::uint64_t value, unsigned bytes) {
  while (bytes-- > 0) out.push_back(static_cast<char>(value >> (8 * bytes) & 0xff));
}

void put_seconds(std::string& out, std::int64_t seconds) {
  put(out, static_cast<std::uint64_t>(std::clamp<std::int64_t>(seconds, 0, kDeltaSecondsMax)), 4);
}

std::uint64_t flags_of(const StoredResponse& response) {
  return (response.is_public ? kPublic : 0u) | (response.head ? kHead : 0u) | (response.ageless ? kAgeless : 0u) |
         (response.validate_always ? kValidateAlways : 0u) | (response.never_stale ? kNeverStale : 0u);
}

// Reads numbers and pieces; past the end it says so once and for all.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  std::uint64_t number(unsigned bytes) {
    std::uint64_t value = 0;
    for (const char c : piece(bytes)) value = value << 8 | static_cast<unsigned char>(c);
    return value;
  }
  std::string_view piece(std::size_t bytes) {
    if (bytes > rest_.size()) ok_ = false;
    if (!ok_) return {};
    const std::string_view taken = rest_.substr(0, bytes);
    rest_.remove_prefix(bytes);
    return taken;
  }
  std::string_view rest() const { return rest_; }
  bool ok() const { return ok_; }
  bool done() const { return ok_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace

std::string encode(const StoredResponse& response) {
  std::string out;
  std::size_t bytes = kHeadBytes + response.body.size();
  for (const Field& field : response.fields) bytes += 6 + field.name.size() + field.value.size();
  out.reserve(bytes);
  put(out, kStoredVersion, 1);
  put(out, static_cast<std::uint8_t>(StoredKind::response), 1);
  put(out, flags_of(response), 1);
  put(out, static_cast<std::uint64_t>(response.status), 2);
  put(out, static_cast<std::uint64_t>(response.received), 8);
  put_seconds(out, response.age);
  if (response.lifetime) put_seconds(out, *response.lifetime);
  else put(out, kNoExpiry, 4);
  put_seconds(out, response.stale_while_revalidate);
  put_seconds(out, response.stale_if_error);
  put(out, response.fields.size(), 2);
  for (const Field& field : response.fields) {
    put(out, field.name.size(), 2);
    put(out, field.value.size(), 4);
    out.append(field.name).append(field.value);
  }
  return out.append(response.body);
}

std::string encode(const Variants& variants) {
  std::string out;
  put(out, kStoredVersion, 1);
  put(out, static_cast<std::uint8_t>(StoredKind::variants), 1);
  put(out, variants.names.size(), 1);
  for (const std::string& name : variants.names) {
    put(out, name.size(), 2);
    out.append(name);
  }
  put(out, variants.known.size(), 1);
  for (const Variant& variant : variants.known) {
    out.append(variant.digest);
    put(out, static_cast<std::uint64_t>(variant.until), 8);
  }
  return out;
}

std::optional<StoredKind> kind_of(std::string_view bytes) {
  if (bytes.size() < 2 || static_cast<std::uint8_t>(bytes[0]) != kStoredVersion) return std::nullopt;
  if (bytes[1] != 0 && bytes[1] != 1) return std::nullopt;
  return static_cast<StoredKind>(bytes[1]);
}

namespace {

// False: these are not the first bytes of a response that was ever stored.
bool read_head(Reader& reader, StoredResponse& response) {
  const std::uint64_t flags = reader.number(1);
  response.is_public = (flags & kPublic) != 0;
  response.head = (flags & kHead) != 0;
  response.ageless = (flags & kAgeless) != 0;
  response.validate_always = (flags & kValidateAlways) != 0;
  response.never_stale = (flags & kNeverStale) != 0;
  response.status = static_cast<int>(reader.number(2));
  response.received = static_cast<std::int64_t>(reader.number(8));
  response.age = static_cast<std::int64_t>(reader.number(4));
  const std::uint64_t lifetime = reader.number(4);
  if (lifetime != kNoExpiry) response.lifetime = static_cast<std::int64_t>(lifetime);
  response.stale_while_revalidate = static_cast<std::int64_t>(reader.number(4));
  response.stale_if_error = static_cast<std::int64_t>(reader.number(4));
  constexpr std::int64_t kLatest = 253402300799;  // the last second of the year 9999
  const std::int64_t longest =
      std::max({response.age, response.lifetime.value_or(0), response.stale_while_revalidate, response.stale_if_error});
  return reader.ok() && flags <= kFlagsMax && is_storable_status(response.status, Profile::rfc) &&
         response.received >= 0 && response.received <= kLatest && longest <= kDeltaSecondsMax;
}

}  // namespace

std::optional<StoredResponse> decode_response(std::string_view bytes) {
  if (kind_of(bytes) != StoredKind::response) return std::nullopt;
  Reader reader(bytes.substr(2));
  StoredResponse response;
  if (!read_head(reader, response)) return std::nullopt;
  const std::uint64_t fields = reader.number(2);
  if (!reader.ok() || fields > kStoredFieldsMax) return std::nullopt;
  response.fields.reserve(fields);
  for (std::uint64_t i = 0; i < fields; ++i) {
    const std::uint64_t name = reader.number(2);
    const std::uint64_t value = reader.number(4);
    Field field;
    field.name = reader.piece(name);
    field.value = reader.piece(value);
    if (!reader.ok() || !is_storable_field(field)) return std::nullopt;
    response.fields.push_back(field);
  }
  response.body = reader.rest();
  const ContentLength length = content_length(response.fields);
  if (length.present && (!length.bytes || *length.bytes != response.body.size()))
    return std::nullopt;   // cut short at rest
  return response;
}

std::optional<Variants> decode_variants(std::string_view bytes) {
  if (kind_of(bytes) != StoredKind::variants) return std::nullopt;
  Reader reader(bytes.substr(2));
  Variants variants;
  const std::uint64_t names = reader.number(1);
  if (names == 0 || names > kVaryNamesMax) return std::nullopt;
  for (std::uint64_t i = 0; i < names; ++i) {
    const std::uint64_t length = reader.number(2);
    const std::string_view name = reader.piece(length);
    if (!reader.ok() || !is_token(name)) return std::nullopt;
    variants.names.emplace_back(name);
  }
  const std::uint64_t known = reader.number(1);
  if (known > kVariantsMax) return std::nullopt;
  for (std::uint64_t i = 0; i < known; ++i) {
    Variant variant;
    variant.digest = std::string(reader.piece(kDigestBytes));
    variant.until = static_cast<std::int64_t>(reader.number(8));
    variants.known.push_back(std::move(variant));
  }
  if (!reader.done() || !std::is_sorted(variants.names.begin(), variants.names.end())) return std::nullopt;
  return variants;
}

std::int64_t current_age(const Terms& terms, std::int64_t now) { return current_age(terms.age, terms.received, now); }

}  // namespace tiercel::http
