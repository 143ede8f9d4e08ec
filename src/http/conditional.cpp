// Conditional requests on stored responses. See conditional.hpp.
#include "http/conditional.hpp"

#include "http/age.hpp"
#include "http/etag.hpp"

namespace tiercel::http {

namespace {

bool any_matches(Fields request, const StoredResponse& stored) {
  const auto line = only_line(stored.fields, "etag");
  EntityTag own;
  if (line) each_entity_tag(*line, [&](const EntityTag& tag) { own = own.opaque.empty() ? tag : own; });
  bool matched = false;
  each_line(request, "if-none-match", [&](std::string_view asked) {
    each_entity_tag(asked, [&](const EntityTag& tag) {
      matched = matched || (!tag.weak && tag.opaque == "*") || (!own.opaque.empty() && weakly_equal(tag, own));
    });
  });
  return matched;
}

std::optional<std::int64_t> modified_at(const StoredResponse& stored, std::int64_t now, Profile profile) {
  const auto line = only_line(stored.fields, "last-modified");
  if (line) return parse_date(trimmed(*line), now);
  if (profile == Profile::safe || has_field(stored.fields, "last-modified")) return std::nullopt;
  return date_value(stored.fields, now).value_or(stored.received);
}

}  // namespace

bool not_modified(Fields request, const StoredResponse& stored, std::int64_t now, Profile profile) {
  if (stored.status < 200 || stored.status > 299) return false;  // RFC 9110 13.2.1
  if (has_field(request, "if-none-match")) return any_matches(request, stored);
  const auto line = only_line(request, "if-modified-since");
  const auto since = line ? parse_date(trimmed(*line), now) : std::nullopt;
  if (!since) return false;
  const auto modified = modified_at(stored, now, profile);
  return modified && *modified <= *since;
}

bool is_in_not_modified(std::string_view name) {
  for (const char* dropped :
       {"content-length", "content-type", "content-encoding", "content-language", "content-range"}) {
    if (equal_ignoring_case(name, dropped)) return false;
  }
  return true;
}

}  // namespace tiercel::http
