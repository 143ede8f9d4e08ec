// Owns: what a server's error replies mean, and what to do about each.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace tiercel::redis {

// `error_reply` is the text of a RESP error: "WRONGTYPE Operation against ...". Any text gives an Error; the unknown
// ones are `refused`.
Error classify(std::string_view error_reply);

// The world will mend it: trying again later makes sense without an operator.
bool passes_by_itself(ErrorCode code);

// A server's words as they may stand in a log line: printable ASCII, cut at 200 characters.
std::string quoted(std::string_view words);

}  // namespace tiercel::redis
