// Owns: `_core.Waiter`, what an operation in flight yields to the event loop: the least that asyncio's tasks take for a future.
// One a pending operation. Owned by the operation and by the driver's table; touched under the GIL alone.
#pragma once

#include <memory>

#include <nanobind/nanobind.h>

#include "cache/engine.hpp"
#include "request.hpp"

namespace tiercel::python {

class DriverCore;

struct Waiter {
  PyObject_HEAD enum class State : std::uint8_t { pending, done, cancelled };
  DriverCore* driver;  // kept alive by driver_object
  PyObject* driver_object;
  PyObject* home;  // the event loop (or waiting thread) that is told
  PyObject* callback;  // the first, which is nearly always the only one
  PyObject* context;
  PyObject* more;  // list of (callback, context), or null
  PyObject* cancel_message;
  PyObject* failure;  // the exception of a load that failed, or null
  OperationId id;  // 0: not yet submitted
  State state;
  bool blocking;  // _asyncio_future_blocking
  bool heard;  // the owner has shown a sign of life since this was last cleared
  std::shared_ptr<Request> request;
  Outcome outcome;
};

bool make_waiter_type(PyObject* module);
Waiter* make_waiter(DriverCore& driver, PyObject* driver_object, PyObject* home, std::shared_ptr<Request> request);
// Ends it and wakes whom it concerns: at once, if `direct` (no task of this loop is running), else by the loop.
void resolve(Waiter* waiter, Outcome&& outcome, bool direct);
// False if it had ended. The engine is told, on its owner's thread.
bool cancel(Waiter* waiter, PyObject* message);
void drop_callbacks(Waiter* waiter);

}  // namespace tiercel::python
