// Owns: integers at rest. Big-endian, because scripts in Redis compare them as bytes; the reader never reads past the
// end and says so.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tiercel {

inline void write_u8(std::string& out, std::uint8_t value) { out.push_back(static_cast<char>(value)); }
inline void write_u16(std::string& out, std::uint16_t value) {
  write_u8(out, static_cast<std::uint8_t>(value >> 8));
  write_u8(out, static_cast<std::uint8_t>(value & 0xFF));
}
inline void write_u32(std::string& out, std::uint32_t value) {
  write_u16(out, static_cast<std::uint16_t>(value >> 16));
  write_u16(out, static_cast<std::uint16_t>(value & 0xFFFF));
}
inline void write_u64(std::string& out, std::uint64_t value) {
  write_u32(out, static_cast<std::uint32_t>(value >> 32));
  write_u32(out, static_cast<std::uint32_t>(value & 0xFFFFFFFF));
}

// Reads untrusted bytes in order. Where they do not suffice it returns zeros and nothing, and failed() holds from then
// on.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  std::string_view bytes(std::size_t count) {
    if (failed_ || count > rest_.size()) {
      failed_ = true;
      return {};
    }
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }
  std::uint8_t u8() { return static_cast<std::uint8_t>(integer(1)); }
  std::uint16_t u16() { return static_cast<std::uint16_t>(integer(2)); }
  std::uint32_t u32() { return static_cast<std::uint32_t>(integer(4)); }
  std::uint64_t u64() { return integer(8); }

  bool failed() const { return failed_; }
  bool at_end() const { return rest_.empty(); }

 private:
  std::uint64_t integer(std::size_t width) {
    std::uint64_t value = 0;
    for (const char byte : bytes(width)) value = value << 8 | static_cast<unsigned char>(byte);
    return value;
  }

  std::string_view rest_;
  bool failed_ = false;
};

}  // namespace tiercel
