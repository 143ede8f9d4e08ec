// Owns: which resource a request is for, from its target (RFC 9112 3.2), its Host and what trusted proxies say of both.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "http/fields.hpp"

namespace tiercel::http {

struct RequestTarget {
  enum class Form : std::uint8_t { origin, absolute, asterisk };
  Form form = Form::origin;
  std::string_view scheme, authority;  // of an absolute form: they win over Host (RFC 9112 3.2.2)
  std::string_view path, query;  // as written; the path of `http://host` is "/"
};
// Nothing: no target of a request that is cached, which has userinfo, a fragment, no host, or is in authority form.
std::optional<RequestTarget> parse_target(std::string_view text);

// A Host that names one host (RFC 9110 7.2, RFC 3986 3.2.2): IPv6 in brackets, no userinfo. The empty one is a host as well: that of
// requests without (RFC 9112 3.2), a key of its own.
bool is_host(std::string_view host);

// The first trusted word about where the request came in, where it can be believed: exactly one line with one value.
struct Trusted {
  std::vector<std::string> names;  // of headers, in lower case
};
struct Forwarded {
  std::optional<std::string_view> host, scheme;
  std::string digest;  // for the key: names every trusted header's lines, believed or not; empty: none is trusted
};
Forwarded forwarded_of(const Trusted& trusted, Fields request);

// The query without the parameters to ignore: names as written, `name` exactly or all that begin with `prefix*`. Nothing else changes: not
// the order, not the encoding, not what is repeated.
bool is_ignored(std::string_view name, std::span<const std::string> ignored);
std::string without_ignored(std::string_view query, std::span<const std::string> ignored);

}  // namespace tiercel::http
