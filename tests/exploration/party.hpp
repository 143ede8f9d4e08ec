// Owns: one process: an engine, whose clock moves by a microsecond with all that it is told, its operations and its loads. What it was ever told decides
// all that it will do: the digest of that stands for its state.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "exploration/digest.hpp"
#include "exploration/judge.hpp"
#include "exploration/wire.hpp"

namespace tiercel::explore {

inline constexpr std::string_view kKey = "k", kTag = "t";

class Party {
 public:
  // What a process asks of the world around it.
  class Host {
   public:
    virtual ~Host() = default;
    virtual Wire& connected(Party& party) = 0;
    virtual void ended(Party& party, OperationId operation, const Running& running, const Outcome& outcome) = 0;
    virtual void note(std::string text) = 0;
    virtual Duration elapsed() const = 0;
  };

  Party(unsigned number, const Play& play, Judge& judge, Host& host);

  OperationId operate(Act act, unsigned invalidation, OperationId writing);  // 0: it has ended, or could not begin
  void leave(OperationId operation);
  void finish_load(std::size_t index, LoadResult::Kind kind);
  void deliver();
  void lose_connection();
  void run_timers();
  void connect();

  bool timers_due() const { return next_deadline() <= now(); }
  Timestamp next_deadline() const { return engine_.next_deadline().value_or(kNever); }
  bool idle() const { return running_.empty() && loading_.empty(); }
  bool well() const;  // connected, and nothing is pending
  std::size_t loading() const { return loading_.size(); }
  const std::string& load_name(std::size_t index) const;
  std::string stands_in_memory();  // what serves whoever comes next, and is told of by Redis; empty: nothing
  void describe(std::string& out) const;
  std::string letter() const { return {static_cast<char>('A' + number)}; }

  const unsigned number;
  Wire* wire = nullptr;
  bool visible = false;  // the last step ended an operation, or began or ended a load

 private:
  Timestamp now() const { return Timestamp{std::chrono::seconds{1000}} + host_.elapsed() + ticks_; }
  void input(std::string_view what, const std::function<void()>& call);
  OperationId call(Act act, OperationId writing);
  void find(const Running& running);
  void take(Event& event);
  void start_load(const Event& event);
  void end_load(FlightId flight);
  void flush();

  const Play& play_;
  Judge& judge_;
  Host& host_;
  Engine engine_;
  Duration ticks_{0};
  Digest told_;
  std::map<OperationId, Running> running_;
  std::map<FlightId, std::string> loading_;
};

}  // namespace tiercel::explore
