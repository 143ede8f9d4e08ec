// Invalidation by unsafe methods. See invalidation.hpp.
#include "http/invalidation.hpp"

#include <algorithm>

namespace tiercel::http {

bool invalidates(Method method, int status) { return method == Method::unsafe && status >= 200 && status <= 399; }

std::vector<Uri> other_invalidated(const Uri& target, Fields response) {
  std::vector<Uri> found;
  const auto origin = origin_of(target.scheme, target.authority);
  if (!origin) return found;
  for (const char* name : {"location", "content-location"}) {
    const auto line = only_line(response, name);
    if (!line || trimmed(*line).empty()) continue;
    auto uri = resolved(target, trimmed(*line));
    if (!uri || origin_of(uri->scheme, uri->authority) != origin) continue;
    if (uri->path.empty()) uri->path = "/";  // RFC 9110 4.2.3
    const auto same = [&](const Uri& other) { return other.path == uri->path && other.query == uri->query; };
    if (!same(target) && std::none_of(found.begin(), found.end(), same)) found.push_back(std::move(*uri));
  }
  return found;
}

}  // namespace tiercel::http
