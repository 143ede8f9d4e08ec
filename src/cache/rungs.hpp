// Owns: the ladder in words: what a server does not give, why, what that costs, and what to permit.
#pragma once

#include <string>

#include "redis/server_facts.hpp"

namespace tiercel {

// ", RESP3, tracking optin": for the line that says that we are connected.
std::string rungs_in_short(const redis::ServerFacts& facts);

// One line on all that is less than was wished for; empty: nothing is.
std::string rungs_below(const redis::ServerFacts& facts, redis::TrackingWish wish);

}  // namespace tiercel
