// Freshness lifetimes. See freshness.hpp.
#include "http/freshness.hpp"

#include <algorithm>

#include "http/age.hpp"

namespace tiercel::http {

namespace {

constexpr double kHeuristicFraction = 0.1;  // RFC 9111 4.2.2: "a typical setting"

// RFC 9111 5.3: anything that is not a date, "0" above all, means expired already. Of several the earliest counts (4.2.1).
double expires_in(Fields response, std::int64_t now) {
  const std::int64_t date = date_value(response, now).value_or(now);
  std::optional<std::int64_t> expires;
  bool valid = true;
  each_line(response, "expires", [&](std::string_view line) {
    const auto seconds = parse_date(trimmed(line), now);
    valid = valid && seconds.has_value();
    if (seconds && (!expires || *seconds < *expires)) expires = seconds;
  });
  return valid && expires ? static_cast<double>(*expires - date) : 0.0;
}

// RFC 9111 4.2.2. A Last-Modified later than the Date says nothing.
std::optional<double> heuristic(Fields response, std::int64_t now) {
  const auto line = only_line(response, "last-modified");
  const auto modified = line ? parse_date(trimmed(*line), now) : std::nullopt;
  const std::int64_t date = date_value(response, now).value_or(now);
  if (!modified || *modified >= date) return std::nullopt;
  return static_cast<double>(date - *modified) * kHeuristicFraction;
}

}  // namespace

bool is_heuristically_cacheable(int status) {
  for (const int known : {200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501}) {
    if (status == known) return true;
  }
  return false;
}

Lifetime lifetime_of(const Governing& governing, int status, Fields response, const Defaults& defaults,
                     std::int64_t now, Profile profile) {
  const CacheControl& control = governing.control;
  const Source source = governing.targeted ? Source::targeted : Source::response;
  if (control.s_maxage) return {source, static_cast<double>(*control.s_maxage)};
  if (control.max_age) return {source, static_cast<double>(*control.max_age)};
  if (!governing.targeted && has_field(response, "expires")) return {source, expires_in(response, now)};
  if (defaults.given) return {Source::defaults, defaults.lifetime};
  if (profile == Profile::rfc && (is_heuristically_cacheable(status) || control.is_public)) {
    if (const auto seconds = heuristic(response, now)) return {Source::heuristic, seconds};
  }
  return {};
}

}  // namespace tiercel::http
