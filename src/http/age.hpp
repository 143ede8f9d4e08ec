// Owns: how old a response is (RFC 9111 4.2.3, 5.1). Whole seconds; clocks may jump, and then the older reading wins.
#pragma once

#include <cstdint>
#include <optional>

#include "http/fields.hpp"

namespace tiercel::http {

// age_value (5.1): of several lines and members the first counts; what is no number is as if absent, and absent is 0.
std::int64_t age_value(Fields response);
// date_value; nothing: absent, repeated or no date.
std::optional<std::int64_t> date_value(Fields response, std::int64_t now);
// corrected_initial_age. A response that came before it was asked for (the clock went back) had no delay.
std::int64_t initial_age(Fields response, std::int64_t request_time, std::int64_t response_time);
// current_age: a clock that went back makes a response no younger than it was when it came.
std::int64_t current_age(std::int64_t initial_age, std::int64_t response_time, std::int64_t now);

}  // namespace tiercel::http
