// Owns: the bytes between engines and the model of Redis: delays, cuts into pieces, connections that end or go silent, a Redis that hangs.
// Bytes of one direction of one connection never overtake each other; what was sent before a cut may still arrive after its successor speaks.
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cache/engine.hpp"
#include "simulation/chance.hpp"
#include "simulation/plan.hpp"
#include "simulation/schedule.hpp"
#include "simulation/trace.hpp"
#include "support/model_redis.hpp"

namespace tiercel::sim {

class Wire;

// The end of a wire that is an engine. Its driver may be asleep: it takes what is told when it wakes.
class WireEnd {
 public:
  virtual ~WireEnd() = default;
  virtual std::string wire_name() const = 0;
  virtual void wire_opened(Wire& wire) = 0;
  virtual void wire_refused(Wire& wire) = 0;
  virtual void wire_brought(Wire& wire, std::string bytes) = 0;
  virtual void wire_ended(Wire& wire) = 0;
};

class Wire {
 public:
  Connection which = Connection::tracked;
  std::string name;  // for the trace
  WireEnd* end = nullptr;  // null: the engine has closed it, or died

 private:
  friend class Network;
  struct Piece {
    std::string bytes;
    bool last = false;  // the sender closes behind it
  };
  struct Direction {
    std::deque<Piece> pieces;
    Timestamp last_due{}, hole_until{}, slow_since{}, slow_until{};
    Duration slower_by{0};
    bool trickles = false;  // slower and slower: what comes at all comes without a long pause, and ever later
    bool lost = false;  // nothing arrives any more
  };
  Direction up, down;  // up: to Redis
  test::ModelRedis::Client* client = nullptr;
  bool server_done = false;  // the server's end is told
  bool ahead = false;  // the server has written to it in mid-pass, because it still had something for it
};

class Network {
 public:
  Network(const Plan& plan, Schedule& schedule, Chance& chance, test::ModelRedis& redis, Trace& trace)
      : plan_(plan), schedule_(schedule), chance_(chance), redis_(redis), trace_(trace) {
    if (plan.rung == Rung::broadcast) redis.pass_goes_on = [this] { return pass_goes_on(); };
  }

  Wire& open(WireEnd& end, Connection which);
  void send(Wire& wire, std::string_view bytes);
  void close(Wire& wire);  // by the engine; what it has sent is under way
  void abandon(Wire& wire);  // the process died

  // ---- faults
  void cut_one();
  void make_hole();
  void slow_down();
  void refuse_until(Timestamp until) { refusing_until_ = until; }
  void pause_redis_until(Timestamp until) { redis_paused_until_ = until; }
  bool redis_paused() const { return schedule_.now() < redis_paused_until_; }
  void heal();
  // After something was done to the model: its pushes, and connections it ended, go on their way.
  void carry();

 private:
  static Duration slowness(const Wire::Direction& direction, Timestamp now);
  bool pass_goes_on();
  void end_pass();
  void send_out(Wire& wire);
  Duration delay() { return chance_.between(plan_.delay_min, plan_.delay_max); }
  void push(Wire& wire, Wire::Direction& direction, Wire::Piece piece);
  void arrive(Wire& wire, Wire::Direction& direction);
  void bring(Wire& wire, Wire::Direction& direction, Wire::Piece piece);
  void cut(Wire& wire);
  Wire* any_alive(bool busy = false);

  const Plan& plan_;
  Schedule& schedule_;
  Chance& chance_;
  test::ModelRedis& redis_;
  Trace& trace_;
  std::vector<std::unique_ptr<Wire>> wires_;
  Timestamp refusing_until_{}, redis_paused_until_{};
};

}  // namespace tiercel::sim
