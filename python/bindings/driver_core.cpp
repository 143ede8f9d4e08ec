#include "driver_core.hpp"

#include <algorithm>
#include <utility>

#include "python_calls.hpp"

namespace tiercel::python {
namespace {

void unraisable(PyObject* where) {
  if (PyErr_Occurred()) PyErr_WriteUnraisable(where);
}

std::size_t index_of(Connection connection) { return static_cast<std::size_t>(connection); }

const char* level_name(Event::Level level) {
  switch (level) {
    case Event::Level::info: return "info";
    case Event::Level::warning: return "warning";
    case Event::Level::error: return "error";
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
  nb::object loop = nb::steal(PyObject_CallNoArgs(names().get_running_loop));
  if (!loop.is_valid()) PyErr_Clear();
  if (!loop.is_valid() || !owner.is(loop)) {
    // Elsewhere: the owner is told. One that is closed has nothing to cancel with.
    nb::object posted = nb::steal(PyObject_CallMethod(self(), "_post_cancel", "K", static_cast<unsigned long long>(waiter->id)));
    if (!posted.is_valid()) PyErr_Clear();
    return;
  }
  cancel_by_id(waiter->id);
}

void DriverCore::cancel_by_id(OperationId id) {
  const auto found = waiting_.find(id);
  if (found == waiting_.end()) return;
  Waiter* waiter = found->second;
  waiting_.erase(found);
  engine->cancel(id, now());
  Py_DECREF(waiter);
  after(false);
}

// ---- events

void DriverCore::drain(bool direct) {
  if (draining_) return;   // the drain further down the stack takes what this call has caused
  draining_ = true;
  while (std::optional<Event> event = engine->next_event()) handle(std::move(*event), direct);
  draining_ = false;
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
    case Event::Kind::finished: return finished(event.operation, std::move(event.outcome), direct);
    case Event::Kind::open: return call("_open", nb::make_tuple(static_cast<int>(event.connection)));
    case Event::Kind::close: {
      channels_[index_of(event.connection)] = {};
      return call("_close", nb::make_tuple(static_cast<int>(event.connection)));
    }
    case Event::Kind::start_load: {
      const auto found = waiting_.find(event.operation);
      nb::object waiter = found == waiting_.end() ? nb::none() : nb::borrow(reinterpret_cast<PyObject*>(found->second));
      return call("_start_load", nb::make_tuple(waiter, event.flight));
    }
    case Event::Kind::cancel_load: return call("_cancel_load", nb::make_tuple(event.flight));
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
    if (failure == failures_.end()) outcome.kind = Outcome::Kind::run_loader;   // nobody knows why: let each find out for itself
    else waiter->failure = Py_NewRef(failure->second.ptr());
  }
  resolve(waiter, std::move(outcome), direct);
  Py_DECREF(waiter);
}

void DriverCore::call(const char* method, const nb::tuple& arguments) {
  PyObject* python = self();
  nb::object bound = nb::steal(PyObject_GetAttrString(python, method));
  if (bound.is_valid()) bound = nb::steal(PyObject_CallObject(bound.ptr(), arguments.ptr()));
  if (!bound.is_valid()) unraisable(python);
}

void DriverCore::finish_load(FlightId flight, LoadResult result, nb::object failure) {
  if (failure.is_valid() && !failure.is_none()) failures_[flight] = std::move(failure);
  engine->finish_load(flight, std::move(result), now());
  after(false);
}

// ---- bytes and time

nb::object DriverCore::receive_buffer(Connection connection) {
  const std::span<char> buffer = engine->receive_buffer(connection);
  return nb::steal(PyMemoryView_FromMemory(buffer.data(), static_cast<Py_ssize_t>(buffer.size()), PyBUF_WRITE));
}

void DriverCore::received(Connection connection, std::size_t bytes) {
  engine->received(connection, bytes, now());
  after(true);
  raise_interrupt();
}

void DriverCore::opened(Connection connection, nb::object write) {
  channels_[index_of(connection)] = {std::move(write), false};
  engine->opened(connection, now());
  after(false);
}

void DriverCore::closed(Connection connection, const Error& why) {
  channels_[index_of(connection)] = {};
  engine->closed(connection, why, now());
  after(false);
}

void DriverCore::pause(Connection connection, bool paused) {
  channels_[index_of(connection)].paused = paused;
  if (!paused) after(false);
}

void DriverCore::tick() {
  const nb::object loop = nb::steal(PyObject_CallNoArgs(names().get_running_loop));
  if (!owner.is(loop)) return;   // of a loop that has since been relieved
  tick_scheduled_ = false;
  engine->advance(now());
  after(true);
  raise_interrupt();
}

// Timers ring early: uvloop counts whole milliseconds from the start of its turn. So it is by its ringing that one is known to be over, not by
// the time for which it was set: nothing would ever set the next one.
void DriverCore::ring() {
  const nb::object loop = nb::steal(PyObject_CallNoArgs(names().get_running_loop));
  if (!owner.is(loop)) return;
  timer_.reset();
  timer_at_ = kNever;
  tick();
}

// What every call into the engine is followed by. `direct`: called by the loop itself, so waking tasks and writing at once are allowed,
// and all that the woken tasks ask leaves in the same write.
void DriverCore::after(bool direct) {
  if (draining_) return;
  drain(direct);
  if (!direct) return schedule_tick();
  flush();
  drain(false);
  arm_timer();
}

bool DriverCore::output_waits() const {
  for (std::size_t i = 0; i < channels_.size(); ++i) {
    if (channels_[i].write.is_valid() && !channels_[i].paused && !engine->output(static_cast<Connection>(i)).empty()) return true;
  }
  return false;
}

void DriverCore::flush() {
  for (std::size_t i = 0; i < channels_.size(); ++i) {
    if (!channels_[i].write.is_valid() || channels_[i].paused) continue;
    const auto connection = static_cast<Connection>(i);
    const std::string_view output = engine->output(connection);
    if (output.empty()) continue;
    // A copy, because transports keep what the socket did not take.
    nb::object bytes = nb::steal(PyBytes_FromStringAndSize(output.data(), static_cast<Py_ssize_t>(output.size())));
    if (!bytes.is_valid()) return unraisable(self());
    engine->sent(connection, output.size());
    nb::object write = channels_[i].write;
    nb::object written = nb::steal(PyObject_CallOneArg(write.ptr(), bytes.ptr()));
    if (!written.is_valid()) unraisable(write.ptr());
  }
}

void DriverCore::schedule_tick() {
  if (tick_scheduled_ || owner.is_none()) return;
  if (!output_waits()) {
    const std::optional<Timestamp> next = engine->next_deadline();
    if (!next || *next >= timer_at_) return;
  }
  if (!tick_callable_.is_valid()) tick_callable_ = nb::steal(PyObject_GetAttrString(self(), "_tick"));
  if (!tick_callable_.is_valid()) return unraisable(self());
  PyObject* arguments[] = {owner.ptr(), tick_callable_.ptr()};
  nb::object handle = nb::steal(PyObject_VectorcallMethod(names().call_soon, arguments, 2, nullptr));
  if (!handle.is_valid()) return PyErr_Clear();   // closed: the next owner begins anew
  tick_scheduled_ = true;
}

// One timer for all: an earlier one that rings in vain costs less than one rearmed at every operation.
void DriverCore::arm_timer() {
  const std::optional<Timestamp> next = engine->next_deadline();
  const Timestamp at = now();
  if (timer_at_ <= at) timer_at_ = kNever;
  if (!next || *next >= timer_at_ || owner.is_none()) return;
  if (timer_.is_valid()) {
    nb::object done = nb::steal(PyObject_CallMethodNoArgs(timer_.ptr(), names().cancel));
    if (!done.is_valid()) PyErr_Clear();
  }
  if (!ring_callable_.is_valid()) ring_callable_ = nb::steal(PyObject_GetAttrString(self(), "_ring"));
  if (!ring_callable_.is_valid()) return unraisable(self());
  const double seconds = std::chrono::duration<double>(std::max(*next - at, Duration{0})).count() + 1e-4;
  nb::object delay = nb::steal(PyFloat_FromDouble(seconds));
  PyObject* arguments[] = {owner.ptr(), delay.ptr(), ring_callable_.ptr()};
  timer_ = nb::steal(PyObject_VectorcallMethod(names().call_later, arguments, 3, nullptr));
  if (!timer_.is_valid()) return PyErr_Clear();
  timer_at_ = *next;
}

// ---- ownership

void DriverCore::set_owner(nb::object loop) {
  if (timer_.is_valid()) {
    nb::object done = nb::steal(PyObject_CallMethodNoArgs(timer_.ptr(), names().cancel));
    if (!done.is_valid()) PyErr_Clear();
    timer_.reset();
  }
  timer_at_ = kNever;
  tick_scheduled_ = false;
  owner = std::move(loop);
}

void DriverCore::connect() {
  connecting_ = engine->connect(now());
  after(false);
}

void DriverCore::disconnect() {
  engine->disconnect(now());
  after(false);
  channels_ = {};
  connecting_ = 0;
}

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
