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

void note_directive(CacheControl& control, std::string_view element) {
  // The name is the leading token, whatever follows: `private ;x` and `no-store foo` still restrict.
  std::size_t end = 0;
  while (end < element.size() && is_token_char(element[end])) ++end;
  const std::string_view name = element.substr(0, end);
  const std::string_view rest = element.substr(end);
  control.present = true;
  const auto is = [name](std::string_view known) { return equal_ignoring_case(name, known); };
  if (is("no-store")) control.no_store = true;
  else if (is("no-cache")) control.no_cache = true;  // also no-cache="field": RFC 9111 5.2.2.4 allows to widen it
  else if (is("private")) control.is_private = true;  // also private="field", private=
  else if (is("must-revalidate")) control.must_revalidate = true;
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
