// Owns: the native half of the asyncio driver: submits operations to the engine, takes its events, and writes its output once a tick.
// The Python half (tiercel._driver.Driver, a subclass) owns sockets, tasks and ownership; it is called for nothing that happens per operation.
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <unordered_map>

#include <nanobind/nanobind.h>

#include "cache/engine.hpp"
#include "cache_core.hpp"
#include "waiter.hpp"

namespace tiercel::python {

class DriverCore {
 public:
  explicit DriverCore(std::shared_ptr<Engine> engine_driven);
  ~DriverCore();
  DriverCore(const DriverCore&) = delete;
  DriverCore& operator=(const DriverCore&) = delete;

  // A new reference. `home` is the caller's loop: submitted at once if it owns the engine, else by the owner's inbox.
  Waiter* submit(std::shared_ptr<Request> request, PyObject* home);
  void cancel_operation(Waiter* waiter);
  void cancel_from_here(OperationId id);  // any thread

  // --- called by the Python half, on the owner's thread
  void take_inbox();
  nb::object receive_buffer(Connection connection);
  void received(Connection connection, std::size_t bytes);
  void opened(Connection connection, nb::object write);
  void closed(Connection connection, const Error& why);
  void pause(Connection connection, bool paused);
  void tick();  // due timers, output, the next timer
  void ring();  // the same, by the timer
  void set_owner(nb::object loop);
  void connect();
  void disconnect();
  void
  end_inbox();  // what waits for an owner that will not come is asked of the engine as it is: it ends as if Redis were away
  void finish_load(FlightId flight, LoadResult result, nb::object failure);
  void drain(bool direct);
  // On this thread, right now, the owner's loop runs what a drain has woken: so the running loop is `owner`, and nobody need be asked
  // (asyncio would ask the kernel for the process' id, which costs a twentieth of a GET).
  bool wakes_here() const { return waking_thread_ != 0 && waking_thread_ == PyThread_get_thread_ident(); }
  // Keeps the Python error that is set, a KeyboardInterrupt or SystemExit, until the drain is over; then it goes on its way to the loop.
  void interrupt();
  void cancel_by_id(OperationId id);
  std::size_t waiting() const { return waiting_.size() + inbox_.size(); }

  int traverse(visitproc visit, void* arg);
  void clear();

  std::shared_ptr<Engine> engine;
  nb::object owner;  // the loop that owns the engine, or None

 private:
  struct Channel {
    nb::object write;  // transport.write; null while there is no connection
    bool paused = false;
  };
  PyObject* self() const;  // borrowed
  void raise_interrupt();
  void begin(Waiter* waiter);
  void handle(Event&& event, bool direct);
  void finished(OperationId operation, Outcome&& outcome, bool direct);
  void after(bool direct);
  bool output_waits() const;
  void flush();
  void schedule_tick();
  void arm_timer();
  void call(const char* method, const nb::tuple& arguments);

  std::unordered_map<OperationId, Waiter*> waiting_;  // strong references
  std::deque<Waiter*> inbox_;  // strong references
  std::unordered_map<FlightId, nb::object> failures_;
  std::array<Channel, 2> channels_;
  nb::object timer_, tick_callable_, ring_callable_;
  Timestamp timer_at_ = kNever;
  mutable PyObject* self_ = nullptr;
  PyObject* interrupt_ = nullptr;  // a KeyboardInterrupt or SystemExit that a woken task raised
  OperationId connecting_ = 0;  // the connect() that operations of the owner wait for; 0: none
  unsigned long waking_thread_ = 0;
  bool draining_ = false, tick_scheduled_ = false;
};

}  // namespace tiercel::python
