// Owns: what of a message is kept at rest: not what is about one connection (RFC 9111 3.1, RFC 9110 7.6.1), nor our own marks.
#pragma once

#include <string_view>
#include <vector>

#include "http/fields.hpp"

namespace tiercel::http {

// Views; in one pass: what Connection names is looked up, not searched for each field.
std::vector<Field> kept_fields(Fields response);

bool less_ignoring_case(std::string_view a, std::string_view b);  // an order for names of fields

}  // namespace tiercel::http
