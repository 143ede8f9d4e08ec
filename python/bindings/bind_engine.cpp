// Owns: `_core.DriverCore`, the native base of tiercel._driver.Driver, and the statistics as a dict.
#include <cstring>

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include "arguments.hpp"
#include "bind.hpp"
#include "cache_core.hpp"
#include "driver_core.hpp"
#include "operation.hpp"
#include "outcome.hpp"
#include "python_calls.hpp"
#include "waiter.hpp"

namespace tiercel::python {
namespace {

using namespace nb::literals;

Connection connection(int number) { return number == 0 ? Connection::tracked : Connection::raw; }

Duration seconds(double value) { return Duration{static_cast<std::int64_t>(value * 1e6)}; }

Dice::Seed seed_of(const nb::bytes& bytes) {
  Dice::Seed seed{};
  if (bytes.size() != sizeof seed) throw nb::value_error("seed: expected 32 bytes");
  std::memcpy(seed.data(), bytes.c_str(), sizeof seed);
  return seed;
}

redis::TrackingWish tracking_wish(std::string_view name) {
  using redis::TrackingWish;
  return name == "optin"       ? TrackingWish::optin
         : name == "broadcast" ? TrackingWish::broadcast
         : name == "off"       ? TrackingWish::off
                               : TrackingWish::automatic;
}

// The engine's settings from tiercel._settings.Settings.
EngineSettings engine_settings(nb::handle from) {
  const auto number = [&](const char* name) { return nb::cast<double>(from.attr(name)); };
  const auto count = [&](const char* name) { return nb::cast<std::uint64_t>(from.attr(name)); };
  EngineSettings settings;
  settings.name_space = nb::cast<std::string>(from.attr("namespace"));
  settings.memory_bytes_max = count("l1_bytes_max");
  settings.op_timeout = seconds(number("op_timeout"));
  settings.staleness = seconds(number("staleness"));
  const nb::object outage = from.attr("outage_staleness");
  settings.outage_staleness = outage.is_none() ? settings.staleness : seconds(nb::cast<double>(outage));
  if (nb::cast<std::string>(from.attr("after_restart")) == "distrust") settings.after_restart = AfterRestart::distrust;
  settings.breaker_overruns = static_cast<unsigned>(count("breaker_overruns"));
  settings.breaker_rest = seconds(number("breaker_rest"));
  settings.value_bytes_max = count("value_bytes_max");
  settings.pending_max = count("pending_max");
  settings.tracking = tracking_wish(nb::cast<std::string>(from.attr("tracking")));
  settings.connections_max = static_cast<unsigned>(count("max_connections"));
  if (nb::cast<bool>(from.attr("in_memory"))) return settings;
  RedisTarget target;
  target.user = nb::cast<std::string>(from.attr("user"));
  target.password = nb::cast<std::string>(from.attr("password"));
  target.database = static_cast<unsigned>(count("database"));
  const nb::object name = from.attr("client_name");
  target.client_name = name.is_none() ? "tiercel" : nb::cast<std::string>(name);
  settings.redis = std::move(target);
  return settings;
}

ErrorCode code_of(std::string_view name) {
  if (name == "authentication") return ErrorCode::authentication;
  if (name == "slow") return ErrorCode::slow;
  return ErrorCode::away;
}

LoadResult load_result(std::string_view kind, const nb::bytes& payload, int codec, nb::handle usable_for,
                       nb::handle fresh_for, nb::handle version, nb::handle tags) {
  using Kind = LoadResult::Kind;
  const auto duration = [](nb::handle value) { return std::max(Duration{1}, seconds(nb::cast<double>(value))); };
  LoadResult result;
  result.kind = kind == "value"         ? Kind::value
                : kind == "answer_only" ? Kind::answer_only
                : kind == "not_run"     ? Kind::not_run
                : kind == "failed"      ? Kind::failed
                                        : Kind::uncacheable;
  result.payload.assign(payload.c_str(), payload.size());
  result.store.codec = static_cast<CodecId>(codec);
  if (!usable_for.is_none()) result.store.usable_for = duration(usable_for);
  result.store.fresh_for = fresh_for.is_none() ? result.store.usable_for : duration(fresh_for);
  if (result.store.usable_for && *result.store.fresh_for > *result.store.usable_for)
    result.store.fresh_for = result.store.usable_for;
  result.store.version = version_of(version);
  result.store.tags = tags_of(tags);
  return result;
}

nb::dict latency(const EngineStats::Latency& from) {
  nb::dict made;
  made["count"] = from.count;
  made["mean_us"] = from.mean_us;
  made["p50_us"] = from.p50_us;
  made["p99_us"] = from.p99_us;
  made["max_us"] = from.max_us;
  return made;
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  return nb::inst_ready(self) ? nb::inst_ptr<DriverCore>(self)->traverse(visit, arg) : 0;
}

int clear(PyObject* self) {
  nb::inst_ptr<DriverCore>(self)->clear();
  return 0;
}

PyType_Slot slots[] = {
    {Py_tp_traverse, reinterpret_cast<void*>(traverse)}, {Py_tp_clear, reinterpret_cast<void*>(clear)}, {0, nullptr}};

}  // namespace

nb::dict stats_dict(const EngineStats& stats) {
  nb::dict made;
#define TIERCEL_STAT(name) made[#name] = stats.name
  TIERCEL_STAT(hits);
  TIERCEL_STAT(redis_hits);
  TIERCEL_STAT(misses);
  TIERCEL_STAT(stale_hits);
  TIERCEL_STAT(outage_hits);
  TIERCEL_STAT(loads);
  TIERCEL_STAT(load_failures);
  TIERCEL_STAT(joined);
  TIERCEL_STAT(loads_uncached);
  TIERCEL_STAT(stores);
  TIERCEL_STAT(stores_refused);
  TIERCEL_STAT(invalidations);
  TIERCEL_STAT(pending);
  TIERCEL_STAT(pending_overflows);
  TIERCEL_STAT(damaged);
  TIERCEL_STAT(oversized);
  TIERCEL_STAT(decode_failures);
  TIERCEL_STAT(verify_failures);
  TIERCEL_STAT(sealed);
  TIERCEL_STAT(pushes);
  TIERCEL_STAT(flushes);
  TIERCEL_STAT(redis_timeouts);
  TIERCEL_STAT(redis_errors);
  TIERCEL_STAT(reconnects);
  TIERCEL_STAT(redis_commands);
  TIERCEL_STAT(redis_bytes_in);
  TIERCEL_STAT(redis_bytes_out);
  TIERCEL_STAT(redis_writes);
  TIERCEL_STAT(l1_bytes);
  TIERCEL_STAT(l1_bytes_max);
  TIERCEL_STAT(l1_entries);
  TIERCEL_STAT(l1_evicted);
  TIERCEL_STAT(l1_expired);
  TIERCEL_STAT(redis_state);
  TIERCEL_STAT(redis_error);
  TIERCEL_STAT(redis_version);
  TIERCEL_STAT(tracking);
  TIERCEL_STAT(identified);
  TIERCEL_STAT(restarts);
  TIERCEL_STAT(restarted_at);
  TIERCEL_STAT(protocol);
  TIERCEL_STAT(scripts);
#undef TIERCEL_STAT
  made["redis_latency"] = latency(stats.redis_latency);
  made["load_latency"] = latency(stats.load_latency);
  return made;
}

void bind_engine(nb::module_& m) {
  if (!load_names() || !make_waiter_type(m.ptr()) || !make_operation_type(m.ptr())) throw nb::python_error();
  m.attr("loading") = nb::borrow(names().loading);
  bind_outcome(m);
  bind_cache(m);
  nb::class_<DriverCore>(m, "DriverCore", nb::type_slots(slots), nb::is_weak_referenceable())
      .def(
          "__init__",
          [](DriverCore* self, nb::handle settings, const nb::bytes& seed) {
            new (self) DriverCore(std::make_shared<Engine>(engine_settings(settings), seed_of(seed)));
          },
          "settings"_a, "seed"_a)
      .def_prop_ro("_owner", [](const DriverCore& d) { return d.owner; })
      .def("_set_owner", &DriverCore::set_owner, "loop"_a.none())
      .def_prop_ro("_waiting", &DriverCore::waiting)
      .def("_engine_connect", &DriverCore::connect)
      .def("_engine_disconnect", &DriverCore::disconnect)
      .def("_end_inbox", &DriverCore::end_inbox)
      .def("_receive_buffer", [](DriverCore& d, int c) { return d.receive_buffer(connection(c)); })
      .def("_received", [](DriverCore& d, int c, std::size_t bytes) { d.received(connection(c), bytes); })
      .def("_opened", [](DriverCore& d, int c, nb::object write) { d.opened(connection(c), std::move(write)); })
      .def("_closed",
           [](DriverCore& d, int c, const std::string& code, std::string what, std::string advice) {
             d.closed(connection(c), Error{code_of(code), std::move(what), std::move(advice)});
           })
      .def("_pause", [](DriverCore& d, int c, bool paused) { d.pause(connection(c), paused); })
      .def("_tick", &DriverCore::tick)
      .def("_ring", &DriverCore::ring)
      .def("_take_inbox", &DriverCore::take_inbox)
      .def("_cancel_by_id", &DriverCore::cancel_by_id)
      .def(
          "_finish_load",
          [](DriverCore& d, FlightId flight, const std::string& kind, const nb::bytes& payload, int codec,
             nb::handle usable_for, nb::handle fresh_for, nb::handle version, nb::handle tags, nb::object failure) {
            d.finish_load(flight, load_result(kind, payload, codec, usable_for, fresh_for, version, tags),
                          std::move(failure));
          },
          "flight"_a, "kind"_a, "payload"_a = nb::bytes("", 0), "codec"_a = 0, "usable_for"_a = nb::none(),
          "fresh_for"_a = nb::none(), "version"_a = nb::none(), "tags"_a = nb::make_tuple(), "failure"_a = nb::none());
  m.def("shift_clock", [](double by) { shift_clock(seconds(by)); }, "seconds"_a);
  m.def("fork_epoch", &fork_epoch);
}

}  // namespace tiercel::python
