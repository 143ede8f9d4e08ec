// Owns: whether a client has what is stored already (RFC 9110 13.1.2, 13.1.3, in the order of 13.2.2), and what a 304 says then.
// If-Match and If-Unmodified-Since are for the application: requests with them pass by (request.hpp).
#pragma once

#include <cstdint>
#include <string_view>

#include "http/profile.hpp"
#include "http/stored.hpp"

namespace tiercel::http {

// If-None-Match by weak comparison; without it If-Modified-Since. False where in doubt: the whole response is always right.
// rfc: a stored response without Last-Modified has its Date, or the time it came, compared instead (RFC 9111 4.3.2).
bool not_modified(Fields request, const StoredResponse& stored, std::int64_t now, Profile profile = Profile::safe);
// RFC 9110 15.4.5: a 304 repeats what is not about the body.
bool is_in_not_modified(std::string_view name);

}  // namespace tiercel::http
