// Owns: the first words on a connection, and what the server then tells about itself. Pure: commands out, replies in.
//
//   HELLO 3 [AUTH user password] [SETNAME name], SELECT n (n != 0), CLIENT TRACKING ON OPTIN, the probe, INFO server,
//   TIME, SCRIPT LOAD of each script, PING
//       in one pipeline
//   [AUTH [user] password], [CLIENT SETNAME name], SELECT n (n != 0), CLIENT ID, the probe, INFO server, TIME, PING
//       instead, where HELLO 3 is not known or answered in RESP2: there is no tracking then
//   CLIENT TRACKING ON BCAST PREFIX ...
//       where OPTIN was refused for another reason than want of permission
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
#include <utility>

#include "base/result.hpp"
#include "base/time.hpp"
#include "redis/server_clock.hpp"
#include "redis/server_facts.hpp"
#include "redis/session.hpp"
#include "redis/slots.hpp"
#include "resp/value.hpp"

namespace tiercel::redis {

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
  // All replies are in. Appends what is still to be said because of them; false: nothing.
  bool go_on(const SessionOptions& options, std::string& out, Slots& slots, Timestamp now);
  // Was the predecessor on this very server, so that it must be ended before this connection is
  // used?
  bool succeeds(const Predecessor& predecessor) const;
  static void end_predecessor(const Predecessor& predecessor, std::string& out, Slots& slots, Timestamp now);

  const ServerFacts& facts() const { return facts_; }
  void lose_tracking(Error why) {  // in mid-life
    facts_.tracking = Tracking::off;
    facts_.tracking_refused = std::move(why);
  }

 private:
  std::optional<Error> take_hello(const resp::Value& reply);
  std::optional<Error> fall_back(Error why);
  std::optional<Error> take_tracking(const resp::Value& reply, Tracking asked_for);
  std::optional<Error> take_time(const resp::Value& reply, const Slot& slot, ServerOffset& clock, Timestamp now);
  std::optional<Error> take_probe(const resp::Value& reply);
  std::optional<Error> take_info(const resp::Value& reply, const Slot& slot, ServerOffset& clock, Timestamp now);

  ServerFacts facts_;
  bool unheard_ = false;  // HELLO was refused: what else was said with it is said again
  bool broadcast_due_ = false;
};

// The reply to TIME; nullopt if it is none.
std::optional<ServerTime> server_time(const resp::Value& reply);

}  // namespace tiercel::redis
