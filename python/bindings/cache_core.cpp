// Owns: this process' clock, the fork epoch, and the life of an engine in a Cache object.
#include "cache_core.hpp"

#include <pthread.h>
#include <atomic>
#include <ctime>

#include "driver_core.hpp"

namespace tiercel::python {
namespace {

std::atomic<std::uint64_t> epoch{1};
std::atomic<std::int64_t> shift_us{0};

// The handler runs in the child before anything else does; it may only do what a signal handler may.
const int registered = pthread_atfork(nullptr, nullptr, [] { epoch.fetch_add(1, std::memory_order_relaxed); });

}  // namespace

std::uint64_t fork_epoch() { return epoch.load(std::memory_order_relaxed); }

Timestamp now() {
  timespec time{};
  clock_gettime(CLOCK_BOOTTIME,
                &time);   // counts suspended time, so a sleeping laptop does not serve yesterday's values
  const std::int64_t us = std::int64_t{time.tv_sec} * 1'000'000 + time.tv_nsec / 1000;
  return Timestamp{Duration{us + shift_us.load(std::memory_order_relaxed)}};
}

Duration clock_shift() { return Duration{shift_us.load(std::memory_order_relaxed)}; }
void shift_clock(Duration by) { shift_us.fetch_add(by.count(), std::memory_order_relaxed); }

void CacheCore::attach(nb::object driver_of_engine) {
  if (driver_of_engine.is_none()) {
    engine.reset();
    driver = nullptr;
    driver_object.reset();
    return;
  }
  driver = nb::cast<DriverCore*>(driver_of_engine);
  engine = driver->engine;
  engine_epoch = fork_epoch();
  driver_object = std::move(driver_of_engine);
}

void CacheCore::abandon() {
  if (engine != nullptr) static_cast<void>(new std::shared_ptr<Engine>(std::move(engine)));
  engine.reset();
  driver = nullptr;
  if (driver_object.is_valid()) static_cast<void>(driver_object.release());
}

}  // namespace tiercel::python
