// Cache-Control by RFC 9111 5.2, lenient where leniency stores less.
#include "http/cache_control.hpp"

namespace tiercel::http {

namespace {

// The value of `name=value`, its quotes taken off: RFC 9111 5.2 wants both forms accepted. An argument of numbers needs no unescaping.
std::string_view unquoted(std::string_view value) {
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"') return value.substr(1, value.size() - 2);
  return value;
}

void note_seconds(std::optional<std::int64_t>& seconds, std::string_view argument, std::int64_t unusable = 0) {
  if (!seconds) seconds = parse_delta_seconds(argument).value_or(unusable);
}

// `must-revalidate; private`, `public no-store`, `=private`: whoever wrote it meant to restrict. A word restricts wherever it stands in an
// element, but for the argument of another directive.
void note_restrictions(CacheControl& control, std::string_view element) {
  std::size_t start = 0;
  bool quoted = false;
  for (std::size_t i = 0; i <= element.size(); ++i) {
    if (i < element.size() && is_token_char(element[i])) continue;
    const std::string_view word = element.substr(start, i - start);
    const bool argument =
        start > 1 && (element[start - 1] == '=' || (element[start - 1] == '"' && element[start - 2] == '='));
    if (!word.empty() && !argument && !(quoted && start > 1)) {
      control.no_store |= equal_ignoring_case(word, "no-store");
      control.is_private |= equal_ignoring_case(word, "private");
      control.no_cache |= equal_ignoring_case(word, "no-cache");
    }
    if (i < element.size() && element[i] == '"') quoted = !quoted;
    start = i + 1;
  }
}

void note_directive(CacheControl& control, std::string_view element) {
  // The name is the leading token, whatever follows: `private ;x` and `no-store foo` still restrict.
  std::size_t end = 0;
  while (end < element.size() && is_token_char(element[end])) ++end;
  const std::string_view name = element.substr(0, end);
  const std::string_view rest = element.substr(end);
  control.present = true;
  note_restrictions(control, element);
  const auto is = [name](std::string_view known) { return equal_ignoring_case(name, known); };
  // no-store, no-cache and private are noted by now, with or without an argument: RFC 9111 5.2.2.4 and 5.2.2.7 allow to widen them.
  if (is("must-revalidate")) control.must_revalidate = true;
  else if (is("proxy-revalidate")) control.proxy_revalidate = true;
  else if (is("only-if-cached")) control.only_if_cached = true;
  // Directives that permit are read strictly.
  else if (is("public") && rest.empty()) control.is_public = true;
  else if (is("must-understand") && rest.empty()) control.must_understand = true;
  else if (is("immutable") && rest.empty()) control.immutable = true;
  else if (is("max-stale") && rest.empty()) note_seconds(control.max_stale, {}, kDeltaSecondsMax);
  else {
    const std::string_view argument = rest.starts_with('=') ? unquoted(rest.substr(1)) : std::string_view("?");
    if (is("max-age")) note_seconds(control.max_age, argument);
    else if (is("s-maxage")) note_seconds(control.s_maxage, argument);
    else if (is("stale-while-revalidate")) note_seconds(control.stale_while_revalidate, argument);
    else if (is("stale-if-error")) note_seconds(control.stale_if_error, argument);
    else if (is("max-stale")) note_seconds(control.max_stale, argument);
    else if (is("min-fresh"))
      note_seconds(control.min_fresh, argument, kDeltaSecondsMax);  // in doubt: never fresh enough
  }
}

}  // namespace

CacheControl parse_cache_control(Fields fields) {
  CacheControl control;
  each_line(fields, "cache-control", [&](std::string_view line) {
    if (!each_element(line, [&](std::string_view element) { note_directive(control, element); }))
      control.malformed = true;
  });
  return control;
}

CacheControl request_control(Fields request) {
  CacheControl control = parse_cache_control(request);
  if (control.present) return control;
  each_line(request, "pragma", [&](std::string_view line) {
    each_element(line, [&](std::string_view element) {
      if (equal_ignoring_case(element, "no-cache")) control.no_cache = true;
    });
  });
  return control;
}

}  // namespace tiercel::http
