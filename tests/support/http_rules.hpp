// Owns: the rules by the names that the tables of tests/conformance/http call them: a case in, what it `is` out.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "support/json.hpp"

namespace tiercel::test {

using HttpRule = std::function<Json(const Json& one)>;

std::map<std::string, HttpRule> reading_rules();   // fields, Cache-Control, structured fields, Vary, ETags
std::map<std::string, HttpRule> reuse_rules();     // storing, serving, validating, ranges
std::map<std::string, HttpRule> resource_rules();  // targets, keys, URIs, tags, invalidation, Cache-Status

}  // namespace tiercel::test
