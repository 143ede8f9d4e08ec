// Owns: entity tags (RFC 9110 8.8.3): reading them, comparing them, and making one from a body.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "http/fields.hpp"

namespace tiercel::http {

struct EntityTag {
  bool weak = false;
  std::string_view opaque;  // with its quotes
};
// Strictly; nothing: not an entity tag.
std::optional<EntityTag> parse_entity_tag(std::string_view text);
// RFC 9110 8.8.3.2.
bool strongly_equal(const EntityTag& a, const EntityTag& b);
bool weakly_equal(const EntityTag& a, const EntityTag& b);

// The members of If-None-Match. Backslashes are characters of a tag, commas within quotes too; a member without quotes reaches to the next
// comma and is taken for the tag it was meant to be.
void each_entity_tag(std::string_view line, const std::function<void(const EntityTag&)>& visit);

// The tag of a response that came without one: weak, because who made the body did not say that its bytes matter. The same in every
// process. What says how to read the body is in it: two variants of the same bytes are not the same.
std::string weak_etag_of(Fields response, std::string_view body);

}  // namespace tiercel::http
