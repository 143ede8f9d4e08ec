// Owns: URIs as HTTP uses them: reading a reference (RFC 3986 4.1, appendix B), resolving it (5.2), and whether two have one origin
// (RFC 9110 4.3.1).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tiercel::http {

// Views into what was read; nothing: the component is not there, which is not the same as empty.
struct UriReference {
  std::optional<std::string_view> scheme, authority, query, fragment;
  std::string_view path;
};
// Nothing: it holds bytes that no URI may (controls, spaces, beyond ASCII), or its scheme is none.
std::optional<UriReference> parse_uri_reference(std::string_view text);

std::string without_dot_segments(std::string_view path);  // 5.2.4

struct Uri {
  std::string scheme, authority, path;
  std::optional<std::string> query;

  std::string text() const;  // 5.3, without a fragment
};
// `base`: absolute, with a scheme and a path (5.2.1).
std::optional<Uri> resolved(const Uri& base, std::string_view reference);

struct Authority {
  std::string_view host;  // an IPv6 literal with its brackets
  std::string_view port;  // empty: the scheme's own
};
// `host[:port]` (RFC 3986 3.2.2, 3.2.3; RFC 9110 7.2). Nothing: empty, with userinfo (RFC 9110 4.2.4), or no host.
std::optional<Authority> parse_authority(std::string_view text);

// scheme://host[:port] in lower case, without the scheme's own port; nothing: an authority that is none, or a scheme other than http and https.
std::optional<std::string> origin_of(std::string_view scheme, std::string_view authority);

}  // namespace tiercel::http
