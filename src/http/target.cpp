// Targets, hosts and queries. See target.hpp.
#include "http/target.hpp"

#include <algorithm>

#include "http/uri.hpp"
#include "http/vary.hpp"

namespace tiercel::http {

namespace {

bool trusts(const Trusted& trusted, std::string_view name) {
  return std::find(trusted.names.begin(), trusted.names.end(), name) != trusted.names.end();
}

void part_query(RequestTarget& target, std::string_view rest) {
  const std::size_t mark = std::min(rest.find('?'), rest.size());
  target.path = rest.substr(0, mark);
  target.query = rest.substr(std::min(mark + 1, rest.size()));
}

}  // namespace

std::optional<RequestTarget> parse_target(std::string_view text) {
  RequestTarget target;
  if (text == "*") {
    target.form = RequestTarget::Form::asterisk;
    target.path = text;
    return target;
  }
  if (text.find('#') != std::string_view::npos) return std::nullopt;  // RFC 9112 3.2: none has a fragment
  if (text.starts_with('/')) return part_query(target, text), target;  // `//a/b` too is a path here
  const auto uri = parse_uri_reference(text);
  if (!uri || !uri->scheme || !uri->authority || !origin_of(*uri->scheme, *uri->authority)) return std::nullopt;
  target.form = RequestTarget::Form::absolute;
  target.scheme = *uri->scheme;
  target.authority = *uri->authority;
  target.path = uri->path.empty() ? std::string_view("/") : uri->path;
  target.query = uri->query.value_or(std::string_view{});
  return target;
}

bool is_host(std::string_view host) { return host.empty() || parse_authority(host).has_value(); }

Forwarded forwarded_of(const Trusted& trusted, Fields request) {
  Forwarded forwarded;
  if (trusted.names.empty()) return forwarded;
  forwarded.digest = variant_digest(trusted.names, request);
  if (trusts(trusted, "x-forwarded-host")) {
    const auto line = only_line(request, "x-forwarded-host");
    if (line && parse_authority(trimmed(*line))) forwarded.host = trimmed(*line);
  }
  if (trusts(trusted, "x-forwarded-proto")) {
    const auto line = only_line(request, "x-forwarded-proto");
    for (const std::string_view known : {"http", "https"}) {
      if (line && equal_ignoring_case(trimmed(*line), known)) forwarded.scheme = known;
    }
  }
  return forwarded;
}

bool is_ignored(std::string_view name, std::span<const std::string> ignored) {
  return std::any_of(ignored.begin(), ignored.end(), [&](std::string_view rule) {
    if (rule.ends_with('*')) return name.starts_with(rule.substr(0, rule.size() - 1));
    return name == rule;
  });
}

std::string without_ignored(std::string_view query, std::span<const std::string> ignored) {
  if (ignored.empty()) return std::string(query);
  std::string kept;
  kept.reserve(query.size());
  bool first = true;
  while (true) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    if (!is_ignored(pair.substr(0, pair.find('=')), ignored)) {
      if (!first) kept.push_back('&');
      kept.append(pair);
      first = false;
    }
    if (end == query.size()) return kept;
    query.remove_prefix(end + 1);
  }
}

}  // namespace tiercel::http
