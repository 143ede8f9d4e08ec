// Owns: the first words on a connection, and what the server then tells about itself. Pure: commands out, replies in.
//
//   HELLO 3 [AUTH user password] [SETNAME name], SELECT n (n != 0), CLIENT TRACKING ON OPTIN, INFO server, TIME,
//   SCRIPT LOAD of each script, PING
//       in one pipeline
//   CLIENT KILL ID predecessor
//       when INFO has shown that this is the server on which the session's last connection was
//
// The kill waits for INFO because client ids begin anew when a server restarts: sent blindly, it would end a stranger's
// connection. It is sent only after a connection that was in use, so a first connection costs one round trip. PING is
// there because, of all these, it alone is refused by a server that is still loading.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "redis/server_clock.hpp"
#include "redis/session.hpp"
#include "redis/slots.hpp"
#include "resp/value.hpp"

namespace tiercel::redis {

struct ServerFacts {
  std::string version;
  std::string run_id;  // empty: not permitted
  std::uint64_t client_id = 0;  // 0: not told
  bool tracks = false;
  std::vector<std::string> script_digests;  // in the order of SessionOptions::scripts; "": not permitted
};

// A connection on which commands went out, and which may still have bytes on their way.
struct Predecessor {
  std::uint64_t client_id = 0;
  std::string run_id;
};

class Handshake {
 public:
  // Appends the pipeline to `out` and its slots to `slots`. `clock` learns from TIME.
  void begin(const SessionOptions& options, std::string& out, Slots& slots, Timestamp now);
  // The reply to one of its commands. An error ends the handshake: what passes_by_itself() may be tried again.
  std::optional<Error> take(const Slot& slot, const resp::Value& reply, ServerOffset& clock, Timestamp now);
  // All replies are in: was the predecessor on this very server, so that it must be ended before this connection is
  // used?
  bool succeeds(const Predecessor& predecessor) const;
  static void end_predecessor(const Predecessor& predecessor, std::string& out, Slots& slots, Timestamp now);

  const ServerFacts& facts() const { return facts_; }

 private:
  std::optional<Error> take_hello(const resp::Value& reply);
  std::optional<Error> take_info(const resp::Value& reply, const Slot& slot, ServerOffset& clock, Timestamp now);

  ServerFacts facts_;
};

// The reply to TIME; nullopt if it is none.
std::optional<ServerTime> server_time(const resp::Value& reply);

}  // namespace tiercel::redis
