// Owns: what the cache must know of a request before it looks: whether it may, and under which restrictions. One pass over the headers.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "http/cache_control.hpp"
#include "http/fields.hpp"

namespace tiercel::http {

enum class Method : std::uint8_t {
  get,
  head,
  other_safe,
  unsafe
};  // unsafe: also every method we do not know (RFC 9111 4.4)
Method method_of(std::string_view method);

// Why a request goes past the cache; `none`: it does not.
enum class Bypass : std::uint8_t {
  none,
  method,
  body,
  upgrade,
  method_override,
  range,
  precondition,
  no_store,
  host,
  path
};
const char* sentence_of(Bypass bypass);

struct Request {
  Bypass bypass = Bypass::none;
  bool forced =
      false;  // Cache-Control: no-cache, or Pragma alone (RFC 9111 5.4): the application answers, its answer is stored
  bool credentialed = false;  // carries a header, or a cookie, that may tell callers apart
  bool by_cookie_alone = false;  // ... and that is its only one: `identity_cookies` may help
  bool conditional = false;  // If-None-Match or If-Modified-Since
  bool origin = false;  // selects as if every response said Vary: Origin
  bool range = false;  // asks for a part, with or without If-Range
  CacheControl control;  // what it says to caches; only read where it says anything
  std::string_view host;
};

// What is done here with requests beyond the plainest.
struct RequestOptions {
  bool ranges = false;  // answered from what is stored (range.hpp); else they go past the cache
};

// Which of a request's headers are looked at. Immutable once made; any thread.
class RequestRules {
 public:
  // `credential_headers` in lower case. With `identity_cookies`, Cookie counts as a credential only when it holds one of them.
  RequestRules(const std::vector<std::string>& credential_headers, std::vector<std::string> identity_cookies,
               bool all_cookies, RequestOptions options = {});

  Request examine(std::string_view method, Fields fields) const;

 private:
  enum class Meaning : std::uint8_t {
    host,
    cache_control,
    pragma,
    content_length,
    transfer_encoding,
    upgrade,
    method_override,
    range,
    if_range,
    precondition,
    conditional,
    origin,
    credential,
    cookie,
  };
  struct Known {
    std::string name;
    Meaning meaning;
  };
  void know(std::string_view name, Meaning meaning);
  const Known* find(std::string_view name) const;
  bool holds_identity(std::string_view cookies) const;
  static void note_cache_control(Request& request, Fields fields);

  static constexpr std::size_t kNameBytesMax = 64;
  std::array<std::vector<Known>, kNameBytesMax> by_length_;
  std::vector<std::string> identity_cookies_;
  bool all_cookies_;
  RequestOptions options_;
};

}  // namespace tiercel::http
