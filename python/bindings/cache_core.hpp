// Owns: what a hit needs of a Cache object, in C++. `CacheCore` is the native base class of tiercel.Cache.
#pragma once

#include <memory>
#include <string_view>

#include <nanobind/nanobind.h>

#include "base/time.hpp"
#include "cache/engine.hpp"

namespace tiercel::python {

namespace nb = nanobind;

// This process' clock: CLOCK_BOOTTIME, microseconds.
Timestamp now();
// Grows by one in every forked child (pthread_atfork): an engine of another epoch belongs to the parent and is not to be touched.
std::uint64_t fork_epoch();

class CacheCore {
 public:
  // The L1 hit for a canonical key, or nothing: no engine yet, an engine of the parent process, caching disabled, or not a hit.
  // Never blocks beyond a shard's lock; the GIL is held by the caller and stays held.
  EntryRef find(std::string_view key) const {
    if (!enabled || engine == nullptr || engine_epoch != fork_epoch()) return {};
    return engine->find(key, now());
  }

  std::shared_ptr<Engine> engine;      // null until first use
  std::uint64_t engine_epoch = 0;      // fork_epoch() when it was made
  bool enabled = true;                 // TIERCEL_ENABLED
};

// A codec as Python gives it: `codec.id` (int, CodecId), `codec.decode(bytes) -> value`, `codec.encode(value) -> bytes`.
struct Decoder {
  CodecId id = CodecId::raw;
  nb::object decode;
  // The value of a payload. A null object without a Python error: the entry is of another codec. With a Python error: it does not decode.
  nb::object operator()(CodecId codec, std::string_view payload) const {
    if (codec != id) return {};
    nb::object bytes = nb::steal(PyBytes_FromStringAndSize(payload.data(), static_cast<Py_ssize_t>(payload.size())));
    if (!bytes.is_valid()) return {};
    return nb::steal(PyObject_CallOneArg(decode.ptr(), bytes.ptr()));
  }
};

}  // namespace tiercel::python
