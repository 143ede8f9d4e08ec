// Owns: what Cache-Status says of us (RFC 9211): one member, written after those of caches nearer to the application.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tiercel::http {

// Why a request went to the application (2.2); `hit`: it did not (2.1).
enum class Forward : std::uint8_t { hit, bypass, method, uri_miss, vary_miss, miss, request, stale, partial };

struct CacheStatus {
  Forward forward = Forward::hit;
  std::optional<int> forward_status;  // 2.3: what the application answered, where the client gets another
  std::optional<std::int64_t> ttl;    // 2.4
  bool stored = false;                // 2.5
  bool collapsed = false;             // 2.6
  std::string_view key = {};          // 2.7; empty: not said
  std::string_view detail = {};       // 2.8; empty: not said
};
// Parameters that do not go with the outcome are left out: 2.3, 2.5 and 2.6 speak of forwarded requests alone.
std::string cache_status(const CacheStatus& status, std::string_view cache = "Tiercel");
// The value of the field (2): the lines that came, as they came, and our member behind them.
std::string appended_cache_status(std::string_view before, std::string_view member);

}  // namespace tiercel::http
