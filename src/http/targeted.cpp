// Targeted cache control (RFC 9213): a structured field dictionary, parsed strictly; and which field of a response governs.
#include <algorithm>

#include "http/cache_control.hpp"
#include "http/structured.hpp"

namespace tiercel::http {

namespace {

// RFC 9213 2.1: a directive whose value is of the wrong type is ignored. Of repeated keys the last counts (RFC 9651 4.2.2).
void note(CacheControl& control, std::string_view key, const SfItem& item) {
  control.present = true;
  const bool on = item.type != SfType::boolean || item.number != 0;  // `private=?0` is off; `private=(…)` is private
  if (key == "no-store") control.no_store = on;
  else if (key == "no-cache") control.no_cache = on;
  else if (key == "private") control.is_private = on;
  else if (key == "must-revalidate") control.must_revalidate = on;
  else if (key == "proxy-revalidate") control.proxy_revalidate = on;
  else if (key == "public") control.is_public = item.type == SfType::boolean && on;
  else if (key == "must-understand") control.must_understand = item.type == SfType::boolean && on;
  else if (key == "immutable") control.immutable = item.type == SfType::boolean && on;
  if (item.type != SfType::integer) return;
  const std::int64_t bounded = std::clamp<std::int64_t>(item.number, 0, kDeltaSecondsMax);
  if (key == "max-age") control.max_age = bounded;
  else if (key == "s-maxage") control.s_maxage = bounded;
  else if (key == "stale-while-revalidate") control.stale_while_revalidate = bounded;
  else if (key == "stale-if-error") control.stale_if_error = bounded;
}

}  // namespace

std::optional<CacheControl> parse_targeted(Fields fields, std::string_view name) {
  CacheControl control;
  const bool valid = parse_sf_dictionary(joined_lines(fields, name),
                                         [&](std::string_view key, const SfItem& item) { note(control, key, item); });
  if (!valid || !control.present) return std::nullopt;
  return control;
}

Governing governing_control(Fields response, std::span<const std::string> targets, Profile profile) {
  std::optional<CacheControl> targeted = parse_targeted(response, kTargetedField);
  for (std::size_t i = 0; i < targets.size() && !targeted; ++i) targeted = parse_targeted(response, targets[i]);
  if (!targeted && profile == Profile::rfc) targeted = parse_targeted(response, kCdnField);
  if (targeted) return {*targeted, true};
  return {parse_cache_control(response), false};
}

}  // namespace tiercel::http
