// Owns: what the answer to an unsafe request makes outdated (RFC 9111 4.4): its own URI always, and those that Location and
// Content-Location name where they have the same origin.
#pragma once

#include <string>
#include <vector>

#include "http/fields.hpp"
#include "http/request.hpp"
#include "http/uri.hpp"

namespace tiercel::http {

// 2xx and 3xx to an unsafe method, or to one whose safety is unknown.
bool invalidates(Method method, int status);
// The other URIs, each once. `target`: the request's own. Another origin's are left out: that is whom they would attack (RFC 9111 7).
std::vector<Uri> other_invalidated(const Uri& target, Fields response);

}  // namespace tiercel::http
