#include "cache/rungs.hpp"

namespace tiercel {

namespace {

using redis::Tracking;
using redis::TrackingWish;

constexpr std::string_view kPolls =
    "memory holds values for `staleness` only, each look in Redis asks for its tags again, and who waits for another "
    "process' load asks again every 10 to 200 ms";
constexpr std::string_view kHearsAll =
    "every process is told of every change in this namespace, and each look in Redis asks for its tags again";

std::string because(const std::optional<Error>& why) { return why ? " (" + why->what + ")" : ""; }

bool is_wished(Tracking tracking, TrackingWish wish) {
  switch (wish) {
    case TrackingWish::automatic:
    case TrackingWish::optin:
      return tracking == Tracking::optin;
    case TrackingWish::broadcast:
      return tracking == Tracking::broadcast;
    case TrackingWish::off:
      return true;
  }
  return true;
}

std::string of_tracking(const redis::ServerFacts& facts) {
  if (facts.tracking == Tracking::broadcast)
    return "it tracks keys in broadcast mode only" + because(facts.tracking_refused) + ": " + std::string(kHearsAll) +
           "; a server that has CLIENT TRACKING ON OPTIN would spare that";
  return "it does not let us track keys" + because(facts.tracking_refused) + ": " + std::string(kPolls) +
         "; let the ACL of this user have client|tracking and client|caching";
}

}  // namespace

std::string rungs_in_short(const redis::ServerFacts& facts) {
  return (facts.version.empty() ? "of unknown version" : "") + std::string(", RESP") + std::to_string(facts.protocol) +
         ", tracking " + std::string(name_of(facts.tracking)) + (facts.answers_probe ? "" : ", no scripts");
}

std::string rungs_below(const redis::ServerFacts& facts, TrackingWish wish) {
  std::string text;
  const auto add = [&text](const std::string& what) {
    text += (text.empty() ? "Redis gives less than it could: " : "; and ") + what;
  };
  if (facts.protocol < 3)
    add("it is spoken to in RESP2" + because(facts.hello_refused) + ", in which it cannot tell of changes: " +
        std::string(kPolls) + "; connect to the server itself, or let the proxy pass HELLO 3");
  else if (!is_wished(facts.tracking, wish)) add(of_tracking(facts));
  if (!facts.answers_probe)
    add("it runs no scripts for us" + because(facts.probe_refused) +
        ": what is loaded stays in this process, for `staleness`, and Redis holds only what `set` stores; `writing` and "
        "versions are refused; let the ACL of this user, or the proxy, have EVAL");
  if (!text.empty()) text += ". The promise of freshness holds all the same";
  return text;
}

}  // namespace tiercel
