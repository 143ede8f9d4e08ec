// Owns: one process: an engine, its clock, its driver. Asleep (paused) it does nothing; what came meanwhile is done when it wakes, each kind in its
// order. Dead, it is a new engine with new dice that knows nothing.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "simulation/history.hpp"
#include "simulation/network.hpp"
#include "simulation/source.hpp"

namespace tiercel::sim {

struct World;

class Process final : public WireEnd {
 public:
  Process(World& world, unsigned number);
  ~Process() override;

  void start();
  void pause(Duration duration);
  void crash(Duration down);
  void connect();

  bool alive() const { return engine_ != nullptr; }
  bool paused() const { return paused_until_ > Timestamp{}; }
  std::uint64_t incarnation() const { return incarnation_; }
  std::uint64_t engine_id() const;
  unsigned number() const { return number_; }
  Duration paused_in_all() const;
  std::string redis_state() const { return engine_->stats().redis_state; }
  std::uint64_t pending() const { return alive() ? engine_->stats().pending : 0; }
  void check_late();
  bool idle() const { return running_.empty(); }

  // Runs `what` in this process, when it is awake; not at all if it has died meanwhile.
  enum class Lane : std::uint8_t { bytes, timers, calls };
  void run(Lane lane, std::function<void()> what);

  using Call = std::function<OperationId(Engine&, Timestamp)>;
  using Ended = std::function<void(const Outcome&)>;
  // Begins an operation now (from within `run`). `ended` is called when it ends, unless it is cancelled.
  OperationIndex operate(Operation operation, const Call& call, Ended ended);
  void find(const std::string& key, std::optional<Duration> fresh);
  bool cancel(OperationIndex index);  // false: it had ended
  static void let_others();  // in the middle of a find, which may be another thread's: the rest of the world goes on

 private:
  struct Running {
    OperationIndex index;
    Ended ended;
  };
  struct Loading {
    LoadIndex load = 0;
    bool begun = false;
    std::uint64_t serial = 0;
    OperationIndex caller = 0;
  };

  std::string wire_name() const override { return "p" + std::to_string(number_); }
  void wire_opened(Wire& wire) override;
  void wire_refused(Wire& wire) override;
  void wire_brought(Wire& wire, std::string bytes) override;
  void wire_ended(Wire& wire) override;

  Timestamp local() const;
  Timestamp global(Timestamp local_time) const;
  void wake();
  void drain(Lane lane);
  void after_call();
  void take_events();
  void take(Event& event);
  void finish(Event& event);
  void flush();
  void flush_soon();
  void set_timer();
  void receive(Wire& wire, const std::string& bytes);

  // process_loads.cpp
  void start_load(FlightId flight, OperationId operation);
  void begin_loader(FlightId flight, std::uint64_t serial);
  void end_loader(FlightId flight, std::uint64_t serial);
  void cancel_load(FlightId flight);
  LoadResult result_of(const Loading& loading);

  World& world_;
  unsigned number_;
  std::unique_ptr<Engine> engine_;
  std::uint64_t incarnation_ = 0, serial_ = 0;
  Duration clock_offset_;
  double clock_rate_;
  Timestamp paused_until_{}, paused_since_{}, timer_at_ = kNever;
  Duration paused_sum_{0};
  bool flush_due_ = false, in_find_ = false;
  static inline Process* finding_ = nullptr;  // has just begun a find
  std::array<Wire*, 2> wires_{};
  std::array<std::deque<std::function<void()>>, 3> lanes_;
  std::map<OperationId, Running> running_;
  std::map<FlightId, Loading> loading_;
};

}  // namespace tiercel::sim
