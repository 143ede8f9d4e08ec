// Cache-Control by RFC 9111 5.2, lenient where leniency stores less.
#include "http/cache_control.hpp"

namespace tiercel::http {

namespace {

// The value of `name=value`, its quotes taken off: RFC 9111 5.2 wants both forms accepted. An argument of numbers needs no unescaping.
std::string_view unquoted(std::string_view value) {
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"') return value.substr(1, value.size() - 2);
  return value;
}

void note_seconds(std::optional<std::int64_t>& seconds, std::string_view argument) {
  if (!seconds) seconds = parse_delta_seconds(argument).value_or(0);
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
  else if (is("public") && rest.empty()) control.is_public = true;  // the one directive that permits is read strictly
  else {
    const std::string_view argument = rest.starts_with('=') ? unquoted(rest.substr(1)) : std::string_view("?");
    if (is("max-age")) note_seconds(control.max_age, argument);
    else if (is("s-maxage")) note_seconds(control.s_maxage, argument);
    else if (is("stale-while-revalidate")) note_seconds(control.stale_while_revalidate, argument);
    else if (is("stale-if-error")) note_seconds(control.stale_if_error, argument);
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

}  // namespace tiercel::http
