// Conditional requests on stored responses. See conditional.hpp.
#include "http/conditional.hpp"

namespace tiercel::http {

namespace {

std::string_view opaque_tag(std::string_view tag) {
  return tag.starts_with("W/") ? tag.substr(2) : tag;
}   // RFC 9110 8.8.3.2

}  // namespace

bool not_modified(Fields request, const StoredResponse& stored, std::int64_t now) {
  if (has_field(request, "if-none-match")) {
    const auto own = only_line(stored.fields, "etag");
    bool matched = false;
    each_line(request, "if-none-match", [&](std::string_view line) {
      each_element(line, [&](std::string_view tag) {
        matched = matched || tag == "*" || (own && opaque_tag(tag) == opaque_tag(trimmed(*own)));
      });
    });
    return matched;
  }
  const auto since_line = only_line(request, "if-modified-since");
  const auto modified_line = only_line(stored.fields, "last-modified");
  if (!since_line || !modified_line) return false;
  const auto since = parse_date(trimmed(*since_line), now);
  const auto modified = parse_date(trimmed(*modified_line), now);
  return since && modified && *modified <= *since;
}

bool is_in_not_modified(std::string_view name) {
  for (const char* dropped :
       {"content-length", "content-type", "content-encoding", "content-language", "content-range"}) {
    if (equal_ignoring_case(name, dropped)) return false;
  }
  return true;
}

}  // namespace tiercel::http
