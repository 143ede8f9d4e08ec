// Owns: what a hit needs of a Cache object, in C++. `CacheCore` is the native base class of tiercel.Cache.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include <nanobind/nanobind.h>

#include "base/time.hpp"
#include "cache/engine.hpp"

namespace tiercel::python {

namespace nb = nanobind;

class DriverCore;

// This process' clock: CLOCK_BOOTTIME, microseconds, plus what tests have added by shift_clock.
Timestamp now();
void shift_clock(Duration by);
Duration clock_shift();  // what shift_clock has added so far
// Grows by one in every forked child (pthread_atfork): an engine of another epoch belongs to the parent and is not to be touched.
std::uint64_t fork_epoch();

// A codec as Python gives it: `codec.id` (int, CodecId), `codec.decode(bytes) -> value`, `codec.encode(value) -> bytes`.
struct Decoder {
  CodecId id = CodecId::raw;
  nb::object decode;
  // The value of a payload. A null object without a Python error: the entry is of another codec. With a Python error: it does not decode.
  nb::object operator()(CodecId codec, std::string_view payload) const {
    if (codec != id) return {};
    nb::object bytes = nb::steal(PyBytes_FromStringAndSize(payload.data(), static_cast<Py_ssize_t>(payload.size())));
    if (!bytes.is_valid()) return {};
    const nb::object held = decode;  // another thread's first call may put its own in place meanwhile
    return nb::steal(PyObject_CallOneArg(held.ptr(), bytes.ptr()));
  }
};

class CacheCore {
 public:
  // The L1 hit for a canonical key, or nothing: no engine yet, an engine of the parent process, caching disabled, or not a hit.
  // Never blocks beyond a shard's lock; the GIL is held by the caller and stays held.
  EntryRef find(std::string_view key, std::optional<Duration> fresh = {}, double early = 0) const {
    if (!enabled || engine == nullptr || engine_epoch != fork_epoch()) return {};
    if (fresh == Duration{0}) return {};  // "now" is the owner's to answer
    return engine->find(key, now(), fresh, early);
  }
  // Whether engine and driver are there and this process' own.
  bool alive() const { return engine != nullptr && engine_epoch == fork_epoch(); }
  void attach(nb::object driver_of_engine);
  // Leaves the parent's engine and driver as they are, for good: freeing them would touch locks, sockets and an epoll set that
  // belong to the parent.
  void abandon();

  std::shared_ptr<Engine> engine;  // null until first use
  std::uint64_t engine_epoch = 0;  // fork_epoch() when it was made
  bool enabled = true;  // TIERCEL_ENABLED
  Decoder untyped;  // Tiercel's own codec, for `get` without type=
  nb::object driver_object;  // the tiercel._driver.Driver that owns the engine's I/O
  DriverCore* driver = nullptr;  // the same, in C++
};

}  // namespace tiercel::python
