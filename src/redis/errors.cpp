#include "redis/errors.hpp"

#include <algorithm>
#include <array>
#include <cctype>

namespace tiercel::redis {
namespace {

struct Meaning {
  std::string_view start;   // of the reply
  ErrorCode code;
  std::string_view advice;
};

constexpr std::string_view kCluster =
    "this server is part of a Redis Cluster, which this URL does not name: give the address of a standalone server";
constexpr std::string_view kPassword =
    "set user and password in the URL (redis://user:password@host), and check them with the server's ACL";

// The first that fits.
constexpr std::array kMeanings{
    Meaning{"NOAUTH", ErrorCode::authentication, kPassword},
    Meaning{"WRONGPASS", ErrorCode::authentication, kPassword},
    Meaning{"ERR invalid password", ErrorCode::authentication, kPassword},
    Meaning{"ERR AUTH ", ErrorCode::authentication, kPassword},
    Meaning{"ERR Client sent AUTH", ErrorCode::authentication, kPassword},
    Meaning{"NOPERM", ErrorCode::refused,
            "let the ACL of this user have the command and the keys (the documentation lists what Tiercel needs)"},
    Meaning{"DENIED", ErrorCode::refused,
            "the server is in protected mode: give it a password, or bind it to an address this host may reach"},
    Meaning{"LOADING", ErrorCode::loading, "the server is reading its data from disk: wait, it is tried again"},
    Meaning{"READONLY", ErrorCode::refused, "this is a replica: give the address of the primary"},
    Meaning{"OOM", ErrorCode::refused, "the server is full: raise maxmemory, or set maxmemory-policy to allkeys-lru"},
    Meaning{"MISCONF", ErrorCode::refused,
            "the server cannot write its snapshot and refuses writes: look into its log and its disk"},
    Meaning{"NOREPLICAS", ErrorCode::refused,
            "too few replicas are connected: see min-replicas-to-write and the replicas"},
    Meaning{"WRONGTYPE", ErrorCode::refused,
            "another program keeps something else under this key: choose a namespace of your own"},
    Meaning{"NOSCRIPT", ErrorCode::refused, "the script is not loaded: send it with EVAL"},
    Meaning{"MOVED", ErrorCode::cluster, kCluster},
    Meaning{"ASK ", ErrorCode::cluster, kCluster},
    Meaning{"TRYAGAIN", ErrorCode::cluster, kCluster},
    Meaning{"CROSSSLOT", ErrorCode::cluster, kCluster},
    Meaning{"CLUSTERDOWN", ErrorCode::cluster,
            "this server's cluster is down, and the URL does not name a cluster: give a standalone server's address"},
    Meaning{"ERR SELECT is not allowed in cluster", ErrorCode::cluster, kCluster},
    Meaning{"MASTERDOWN", ErrorCode::away,
            "this replica has lost its primary: wait, or give the address of the primary"},
    Meaning{"BUSY", ErrorCode::slow, "a script or function keeps the server busy: wait, or end it with SCRIPT KILL"},
    Meaning{"NOPROTO", ErrorCode::too_old, "the server does not speak RESP3: Redis 6.2 or Valkey, or later, is needed"},
    Meaning{"ERR unknown command", ErrorCode::too_old,
            "Redis 6.2 or Valkey, or later, is needed; or the command is renamed or disabled there"},
    Meaning{"ERR unknown subcommand", ErrorCode::too_old, "Redis 6.2 or Valkey, or later, is needed"},
    Meaning{"ERR max number of clients", ErrorCode::away,
            "the server takes no more connections: raise maxclients, or open fewer"},
    Meaning{"ERR DB index", ErrorCode::refused,
            "the server has no database of this number: see the number at the end of the URL, and `databases`"},
    Meaning{"ERR invalid DB index", ErrorCode::refused,
            "the server has no database of this number: see the number at the end of the URL, and `databases`"},
    Meaning{"ERR Client names", ErrorCode::refused, "give a client name without spaces and control characters"},
};

bool starts_with_any_case(std::string_view text, std::string_view start) {
  const auto lower = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
  return text.size() >= start.size() &&
         std::equal(start.begin(), start.end(), text.begin(), [&](char a, char b) { return lower(a) == lower(b); });
}

}  // namespace

Error classify(std::string_view error_reply) {
  for (const auto& meaning : kMeanings) {
    if (!starts_with_any_case(error_reply, meaning.start)) continue;
    return {meaning.code, "the server answered: " + quoted(error_reply), std::string{meaning.advice}};
  }
  return {ErrorCode::refused, "the server answered: " + quoted(error_reply), ""};
}

bool passes_by_itself(ErrorCode code) {
  switch (code) {
    case ErrorCode::away:
    case ErrorCode::slow:
    case ErrorCode::loading:
    case ErrorCode::protocol:
      return true;
    default:
      return false;
  }
}

std::string quoted(std::string_view words) {
  constexpr std::size_t kWordsMax = 200;
  std::string text{words.substr(0, kWordsMax)};
  std::replace_if(text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  if (words.size() > kWordsMax) text += "...";
  return text;
}

}  // namespace tiercel::redis
