// Age arithmetic. See age.hpp.
#include "http/age.hpp"

#include <algorithm>

namespace tiercel::http {

std::int64_t age_value(Fields response) {
  for (const Field& field : response) {
    if (!equal_ignoring_case(field.name, "age")) continue;
    return parse_delta_seconds(trimmed(field.value.substr(0, field.value.find(',')))).value_or(0);
  }
  return 0;
}

std::optional<std::int64_t> date_value(Fields response, std::int64_t now) {
  const auto line = only_line(response, "date");
  return line ? parse_date(trimmed(*line), now) : std::nullopt;
}

std::int64_t initial_age(Fields response, std::int64_t request_time, std::int64_t response_time) {
  const std::int64_t delay = std::max<std::int64_t>(0, response_time - request_time);
  const std::int64_t corrected = std::min(age_value(response) + delay, kDeltaSecondsMax);
  const auto date = date_value(response, response_time);
  const std::int64_t apparent = date ? std::clamp<std::int64_t>(response_time - *date, 0, kDeltaSecondsMax) : 0;
  return std::max(apparent, corrected);
}

std::int64_t current_age(std::int64_t initial_age, std::int64_t response_time, std::int64_t now) {
  const std::int64_t resident = std::clamp<std::int64_t>(now - response_time, 0, kDeltaSecondsMax);
  return std::min(initial_age + resident, kDeltaSecondsMax);
}

}  // namespace tiercel::http
