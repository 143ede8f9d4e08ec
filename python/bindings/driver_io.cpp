// Owns: the bytes and the time of a DriverCore: the engine's buffer for what is received, one write a tick, one timer, one owner.
#include <algorithm>
#include <utility>

#include "driver_core.hpp"
#include "python_calls.hpp"

namespace tiercel::python {
namespace {

std::size_t index_of(Connection connection) { return static_cast<std::size_t>(connection); }

}  // namespace

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
  if (!owner.is(loop)) return;  // of a loop that has since been relieved
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
    if (channels_[i].write.is_valid() && !channels_[i].paused && !engine->output(static_cast<Connection>(i)).empty())
      return true;
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
    if (!bytes.is_valid()) return write_unraisable(self());
    engine->sent(connection, output.size());
    nb::object write = channels_[i].write;
    nb::object written = nb::steal(PyObject_CallOneArg(write.ptr(), bytes.ptr()));
    if (!written.is_valid()) write_unraisable(write.ptr());
  }
}

void DriverCore::schedule_tick() {
  if (tick_scheduled_ || owner.is_none()) return;
  if (!output_waits()) {
    const std::optional<Timestamp> next = engine->next_deadline();
    if (!next || *next >= timer_at_) return;
  }
  if (!tick_callable_.is_valid()) tick_callable_ = nb::steal(PyObject_GetAttrString(self(), "_tick"));
  if (!tick_callable_.is_valid()) return write_unraisable(self());
  PyObject* arguments[] = {owner.ptr(), tick_callable_.ptr()};
  nb::object handle = nb::steal(PyObject_VectorcallMethod(names().call_soon, arguments, 2, nullptr));
  if (!handle.is_valid()) return PyErr_Clear();  // closed: the next owner begins anew
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
  if (!ring_callable_.is_valid()) return write_unraisable(self());
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

void DriverCore::end_inbox() {
  for (Waiter* waiter : std::exchange(inbox_, {})) {
    if (waiter->request->connects()) {
      inbox_.push_back(waiter);  // its own deadline ends it
      continue;
    }
    if (waiter->state == Waiter::State::pending || waiter->request->must_be_done()) begin(waiter);
    Py_DECREF(waiter);
  }
  after(false);
}

}  // namespace tiercel::python
