// Cache-Status. See cache_status.hpp.
#include "http/cache_status.hpp"

#include <algorithm>

#include "http/structured.hpp"

namespace tiercel::http {

namespace {

constexpr std::int64_t kSfIntegerMax = 999'999'999'999'999;  // RFC 9651 3.3.1

const char* word_of(Forward forward) {
  switch (forward) {
    case Forward::hit:
      return "";
    case Forward::bypass:
      return "bypass";
    case Forward::method:
      return "method";
    case Forward::uri_miss:
      return "uri-miss";
    case Forward::vary_miss:
      return "vary-miss";
    case Forward::miss:
      return "miss";
    case Forward::request:
      return "request";
    case Forward::stale:
      return "stale";
    case Forward::partial:
      return "partial";
  }
  return "";
}

// A token where it is one, else a string (2: the cache's name may be either).
std::string name_of_cache(std::string_view cache) {
  const auto is_alpha = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  return is_token(cache) && (is_alpha(cache.front()) || cache.front() == '*') ? std::string(cache) : sf_string(cache);
}

}  // namespace

std::string cache_status(const CacheStatus& status, std::string_view cache) {
  std::string member = name_of_cache(cache);
  if (status.forward == Forward::hit) {
    member += "; hit";
  } else {
    member.append("; fwd=").append(word_of(status.forward));
    if (status.forward_status) member.append("; fwd-status=").append(std::to_string(*status.forward_status));
  }
  if (status.ttl)
    member.append("; ttl=").append(std::to_string(std::clamp(*status.ttl, -kSfIntegerMax, kSfIntegerMax)));
  if (status.forward != Forward::hit && status.stored) member += "; stored";
  if (status.forward != Forward::hit && status.collapsed) member += "; collapsed";
  if (!status.key.empty()) member.append("; key=").append(sf_string(status.key));
  if (!status.detail.empty()) member.append("; detail=").append(sf_string(status.detail));
  return member;
}

std::string appended_cache_status(std::string_view before, std::string_view member) {
  std::string value(trimmed(before));
  if (!value.empty()) value += ", ";
  return value.append(member);
}

}  // namespace tiercel::http
