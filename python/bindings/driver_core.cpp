#include "driver_core.hpp"

#include <utility>

#include "python_calls.hpp"

namespace tiercel::python {
namespace {

std::size_t index_of(Connection connection) { return static_cast<std::size_t>(connection); }

const char* level_name(Event::Level level) {
  switch (level) {
    case Event::Level::info:
      return "info";
    case Event::Level::warning:
      return "warning";
    case Event::Level::error:
      return "error";
  }
  return "error";
}

}  // namespace

DriverCore::DriverCore(std::shared_ptr<Engine> engine_driven) : engine(std::move(engine_driven)), owner(nb::none()) {}

DriverCore::~DriverCore() { clear(); }

PyObject* DriverCore::self() const {
  if (self_ == nullptr) self_ = nb::find(this).ptr();
  return self_;
}

// ---- operations

Waiter* DriverCore::submit(std::shared_ptr<Request> request, PyObject* home) {
  Waiter* waiter = make_waiter(*this, self(), home, std::move(request));
  if (waiter == nullptr) return nullptr;
  if (owner.is(home) && (connecting_ == 0 || waiter->request->connects())) {
    begin(waiter);
    after(false);
    return waiter;
  }
  Py_INCREF(waiter);
  inbox_.push_back(waiter);
  if (owner.is(home)) {
    waiter->heard = true;   // waits for the first connection, which the engine bounds
    return waiter;
  }
  nb::object posted = nb::steal(PyObject_CallMethod(self(), "_post", "O", reinterpret_cast<PyObject*>(waiter)));
  if (!posted.is_valid()) {
    Py_DECREF(waiter);
    return nullptr;
  }
  return waiter;
}

void DriverCore::begin(Waiter* waiter) {
  waiter->heard = true;
  waiter->id = waiter->request->submit(*engine, now());
  Py_INCREF(waiter);
  waiting_.emplace(waiter->id, waiter);
}

void DriverCore::take_inbox() {
  if (connecting_ != 0) return;   // connect's own end takes it
  while (!inbox_.empty()) {
    Waiter* waiter = inbox_.front();
    inbox_.pop_front();
    if (waiter->state == Waiter::State::pending || waiter->request->must_be_done()) begin(waiter);
    Py_DECREF(waiter);
  }
  after(true);
  raise_interrupt();
}

void DriverCore::cancel_operation(Waiter* waiter) {
  if (waiter->id == 0 || waiter->request->must_be_done() || waiter->request->outlives()) return;
  cancel_from_here(waiter->id);
}

void DriverCore::cancel_from_here(OperationId id) {
  nb::object loop = nb::steal(PyObject_CallNoArgs(names().get_running_loop));
  if (!loop.is_valid()) PyErr_Clear();
  if (!loop.is_valid() || !owner.is(loop)) {
    // Elsewhere: the owner is told. One that is closed has nothing to cancel with.
    nb::object posted =
        nb::steal(PyObject_CallMethod(self(), "_post_cancel", "K", static_cast<unsigned long long>(id)));
    if (!posted.is_valid()) PyErr_Clear();
    return;
  }
  cancel_by_id(id);
}

// Of what has ended only a writing is still there to be cancelled.
void DriverCore::cancel_by_id(OperationId id) {
  const auto found = waiting_.find(id);
  Waiter* waiter = found == waiting_.end() ? nullptr : found->second;
  if (waiter != nullptr) waiting_.erase(found);
  engine->cancel(id, now());
  Py_XDECREF(reinterpret_cast<PyObject*>(waiter));
  after(false);
}

// ---- events

void DriverCore::drain(bool direct) {
  if (draining_) return;   // the drain further down the stack takes what this call has caused
  draining_ = true;
  waking_thread_ = direct ? PyThread_get_thread_ident() : 0;
  while (std::optional<Event> event = engine->next_event()) handle(std::move(*event), direct);
  draining_ = false;
  waking_thread_ = 0;
  failures_.clear();   // whom they concern has them by now
}

void DriverCore::interrupt() {
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  PyErr_NormalizeException(&type, &value, &traceback);
  if (traceback != nullptr) PyException_SetTraceback(value, traceback);
  if (interrupt_ == nullptr) interrupt_ = Py_NewRef(value);
  Py_XDECREF(type);
  Py_XDECREF(value);
  Py_XDECREF(traceback);
}

void DriverCore::raise_interrupt() {
  PyObject* error = std::exchange(interrupt_, nullptr);
  if (error == nullptr) return;
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error)), error);
  Py_DECREF(error);
  throw nb::python_error();
}

void DriverCore::handle(Event&& event, bool direct) {
  switch (event.kind) {
    case Event::Kind::finished:
      return finished(event.operation, std::move(event.outcome), direct);
    case Event::Kind::open:
      return call("_open", nb::make_tuple(static_cast<int>(event.connection)));
    case Event::Kind::close: {
      channels_[index_of(event.connection)] = {};
      return call("_close", nb::make_tuple(static_cast<int>(event.connection)));
    }
    case Event::Kind::start_load: {
      const auto found = waiting_.find(event.operation);
      nb::object waiter = found == waiting_.end() ? nb::none() : nb::borrow(reinterpret_cast<PyObject*>(found->second));
      return call("_start_load", nb::make_tuple(waiter, event.flight));
    }
    case Event::Kind::cancel_load:
      return call("_cancel_load", nb::make_tuple(event.flight));
    case Event::Kind::notice:
      return call("_notice", nb::make_tuple(level_name(event.level), nb::str(event.text.data(), event.text.size())));
  }
}

void DriverCore::finished(OperationId operation, Outcome&& outcome, bool direct) {
  if (operation == connecting_) {
    connecting_ = 0;
    if (!inbox_.empty()) call("_take_inbox_soon", nb::make_tuple());
  }
  const auto found = waiting_.find(operation);
  if (found == waiting_.end()) return;
  Waiter* waiter = found->second;
  waiting_.erase(found);
  if (outcome.kind == Outcome::Kind::load_failed) {
    // The exception travels with the waiter, because the flight is forgotten soon.
    const auto failure = failures_.find(outcome.flight);
    if (failure == failures_.end())
      outcome.kind = Outcome::Kind::run_loader;   // nobody knows why: let each find out for itself
    else waiter->failure = Py_NewRef(failure->second.ptr());
  }
  // Its caller has left, or was given another answer: nobody will end what has begun.
  if (waiter->state != Waiter::State::pending && waiter->request->lasts()) engine->cancel(operation, now());
  resolve(waiter, std::move(outcome), direct);
  Py_DECREF(waiter);
}

void DriverCore::call(const char* method, const nb::tuple& arguments) {
  PyObject* python = self();
  nb::object bound = nb::steal(PyObject_GetAttrString(python, method));
  if (bound.is_valid()) bound = nb::steal(PyObject_CallObject(bound.ptr(), arguments.ptr()));
  if (!bound.is_valid()) write_unraisable(python);
}

void DriverCore::finish_load(FlightId flight, LoadResult result, nb::object failure) {
  if (failure.is_valid() && !failure.is_none()) failures_[flight] = std::move(failure);
  engine->finish_load(flight, std::move(result), now());
  after(false);
}

// ---- the garbage collector

int DriverCore::traverse(visitproc visit, void* arg) {
  Py_VISIT(owner.ptr());
  Py_VISIT(timer_.ptr());
  Py_VISIT(tick_callable_.ptr());
  Py_VISIT(ring_callable_.ptr());
  for (const Channel& channel : channels_) Py_VISIT(channel.write.ptr());
  return 0;
}

void DriverCore::clear() {
  owner = nb::none();
  timer_.reset();
  tick_callable_.reset();
  ring_callable_.reset();
  channels_ = {};
  failures_.clear();
  for (Waiter* waiter : std::exchange(inbox_, {})) {
    drop_callbacks(waiter);
    Py_DECREF(waiter);
  }
  for (const auto& [id, waiter] : std::exchange(waiting_, {})) {
    drop_callbacks(waiter);
    Py_DECREF(waiter);
  }
}

}  // namespace tiercel::python
