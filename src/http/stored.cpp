// A response at rest. See stored.hpp for its bytes.
#include "http/stored.hpp"

#include <algorithm>

#include "http/vary.hpp"

namespace tiercel::http {

namespace {

constexpr std::uint8_t kPublic = 1, kHead = 2, kAgeless = 4;
constexpr std::size_t kDigestBytes = 16;

void put(std::string& out, std::uint64_t value, unsigned bytes) {
  while (bytes-- > 0) out.push_back(static_cast<char>(value >> (8 * bytes) & 0xff));
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
  std::size_t bytes = 20 + response.body.size();
  for (const Field& field : response.fields) bytes += 6 + field.name.size() + field.value.size();
  out.reserve(bytes);
  put(out, kStoredVersion, 1);
  put(out, static_cast<std::uint8_t>(StoredKind::response), 1);
  put(out, (response.is_public ? kPublic : 0u) | (response.head ? kHead : 0u) | (response.ageless ? kAgeless : 0u), 1);
  put(out, static_cast<std::uint64_t>(response.status), 2);
  put(out, static_cast<std::uint64_t>(response.received), 8);
  put(out, static_cast<std::uint64_t>(std::clamp<std::int64_t>(response.age, 0, kDeltaSecondsMax)), 4);
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

std::optional<StoredResponse> decode_response(std::string_view bytes) {
  if (kind_of(bytes) != StoredKind::response) return std::nullopt;
  Reader reader(bytes.substr(2));
  StoredResponse response;
  const std::uint64_t flags = reader.number(1);
  response.is_public = (flags & kPublic) != 0;
  response.head = (flags & kHead) != 0;
  response.ageless = (flags & kAgeless) != 0;
  response.status = static_cast<int>(reader.number(2));
  response.received = static_cast<std::int64_t>(reader.number(8));
  response.age = static_cast<std::int64_t>(reader.number(4));
  const std::uint64_t fields = reader.number(2);
  if (!reader.ok() || flags > 7 || fields > kStoredFieldsMax || response.status < 200 || response.status > 299)
    return std::nullopt;
  response.fields.reserve(fields);
  for (std::uint64_t i = 0; i < fields && reader.ok(); ++i) {
    const std::uint64_t name = reader.number(2);
    const std::uint64_t value = reader.number(4);
    Field field;
    field.name = reader.piece(name);
    field.value = reader.piece(value);
    if (!reader.ok() || !is_storable_field(field)) return std::nullopt;
    response.fields.push_back(field);
  }
  if (!reader.ok()) return std::nullopt;
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

std::int64_t current_age(const StoredResponse& response, std::int64_t now) {
  return response.age + std::max<std::int64_t>(0, now - response.received);
}

}  // namespace tiercel::http
