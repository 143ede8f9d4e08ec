#include "simulation/plan.hpp"

#include <algorithm>
#include <array>

namespace tiercel::sim {

using namespace std::chrono_literals;

std::string_view name_of(Fault fault) {
  static constexpr std::array<std::string_view, kFaults> names{
      "cut",  "hole",    "slow",      "refuse",         "pause_redis", "flush", "evict",    "untrack",
      "full", "restart", "set_clock", "forget_scripts", "pause",       "crash", "roll_back"};
  return names[static_cast<std::size_t>(fault)];
}

std::string_view name_of(Rule rule) {
  static constexpr std::array<std::string_view, kRules> names{
      "stale", "stale_asked", "own_write", "window", "back",    "herd",        "waiter", "unstored",
      "idle",  "unheld",      "discarded", "late",   "outcome", "convergence", "storm"};
  return names[static_cast<std::size_t>(rule)];
}

std::string_view name_of(Rung rung) {
  static constexpr std::array<std::string_view, kRungs> names{"optin", "broadcast", "off", "resp2", "no_scripts"};
  return names[static_cast<std::size_t>(rung)];
}

namespace {

// Leases as the engine has them from the issue that brought them.
template <class Settings>
void set_leases(Settings& settings, Chance& chance) {
  if constexpr (requires { settings.lease_for; }) settings.lease_for = chance.of(0.5) ? 2s : 400ms;
}

EngineSettings engine_settings(Chance& chance) {
  EngineSettings settings;
  settings.redis = RedisTarget{};
  settings.memory_bytes_max = chance.of(0.1) ? 0 : 4u << 20;
  settings.staleness = chance.one<Duration>({1s, 1s, 300ms, 50ms});
  settings.op_timeout = chance.of(0.8) ? 100ms : 60ms;
  settings.connections_max = chance.of(0.5) ? 2 : 1;
  if (chance.of(0.2)) settings.pending_max = 3;
  if (chance.of(0.3)) settings.breaker_rest = 200ms;
  set_leases(settings, chance);
  return settings;
}

std::set<Fault> some_faults(Chance& chance) {
  std::set<Fault> faults;
  if (chance.of(0.25)) return faults;
  const double share = chance.of(0.5) ? 0.2 : 0.8;
  for (int fault = 0; fault < kFaultsOfOld; ++fault) {
    if (chance.of(share)) faults.insert(static_cast<Fault>(fault));
  }
  return faults;
}

}  // namespace

Plan::Plan(std::uint64_t seed, const Focus& focus)
    : keys{{"k0", {"t0"}}, {"k1", {"t0", "t1"}}, {"k2", {"t1", "t2"}}, {"k3", {}}, {"k4", {}}}, tags{"t0", "t1", "t2"} {
  Chance chance(seed ^ 0x706c616e);
  std::rotate(keys.begin(), keys.begin() + static_cast<std::ptrdiff_t>(chance.below(keys.size())), keys.end());
  keys.resize(chance.of(0.5) ? keys.size() : 1 + chance.below(2));
  if (focus.versions && chance.of(0.5)) keys.push_back({"v0", {"t1"}});  // its loads and stores name versions
  processes = static_cast<unsigned>(2 + chance.below(3));
  callers = static_cast<unsigned>(2 + chance.below(4));
  length = chance.between(6s, 14s);
  think = chance.one<Duration>({5ms, 20ms, 60ms});
  settings = engine_settings(chance);
  settings.staleness = focus.staleness.value_or(settings.staleness);
  delay_min = 50us;
  delay_max = chance.one<Duration>({200us, 1ms, 4ms, 10ms});
  load_mean = chance.one<Duration>({1ms, 8ms, 40ms});
  load_max = 4s;
  slow_loads = chance.one({0.0, 0.0, 0.05});
  failing_loads = chance.one({0.0, 0.05, 0.3});
  odd_loads = chance.one({0.0, 0.03});
  writes = chance.one({0.0, 0.05, 0.2});
  announced = chance.one({0.0, 0.0, 0.5});
  cancels = chance.one({0.0, 0.05, 0.3});
  reads = chance.one({0.1, 0.5});
  life = chance.one<Duration>({0s, 60s, 1s, 200ms});
  fresh = chance.of(0.7) ? life : life / 2;
  const bool tracks = chance.of(0.93);
  faults = some_faults(chance);
  if (focus.faults) faults = *focus.faults;
  const bool only_loads = faults.empty() && chance.of(0.5);
  if (only_loads) {  // nothing but loads, some of them long: what must then hold is strictest
    writes = failing_loads = odd_loads = cancels = 0;
    slow_loads = 0.05;
  }
  fault_every = chance.one<Duration>({150ms, 600ms, 2s});
  Chance rungs(seed ^ 0x72756e67);  // of its own: what a seed has found stays found
  rung = !tracks           ? rungs.one({Rung::off, Rung::resp2})
         : rungs.of(0.1)   ? Rung::broadcast
         : rungs.of(0.015) ? Rung::no_scripts
                           : Rung::optin;
  rung = focus.rung.value_or(rung);
  Chance more(seed ^ 0x6d6f7265);
  if (!focus.faults && !calm() && more.of(0.3)) faults.insert(Fault::roll_back);
  if (more.of(0.5)) settings.after_restart = AfterRestart::distrust;
  if (more.of(0.3)) settings.outage_staleness = more.of(0.5) ? 3s : 10s;
  late_tags = more.of(0.4);
  sets = chance.one({0.0, 0.0, 0.3});
  aim(focus);
  lagging_loads = life == 0s || life == 60s ? chance.one({0.0, 0.2}) : 0;  // what expires is forgotten, version and all
  for (const Fault fault : {Fault::flush, Fault::evict, Fault::full, Fault::set_clock, Fault::roll_back}) {
    if (faults.contains(fault)) lagging_loads = 0;  // Redis does not keep the versions it knew
  }
  may_lag = lagging_loads > 0;
}

void Plan::aim(const Focus& focus) {
  if (focus.reads) reads = 0.9;
  if (focus.sets) {  // many, and long under way
    sets = 0.7;
    fault_every = 150ms;
    think = 5ms;
    delay_max = 10ms;
  }
  if (focus.sets || focus.lags) writes = 0.2;
  if (focus.lags) life = fresh = 60s;
}

std::string Plan::described() const {
  const auto ms = [](Duration duration) { return std::to_string(duration.count() / 1000) + " ms"; };
  std::string text = std::to_string(processes) + " processes of " + std::to_string(callers) + " callers, " +
                     std::to_string(keys.size()) + " keys, " + ms(length) + ", delta " + ms(settings.staleness) +
                     ", network up to " + ms(delay_max) + ", loads of " + ms(load_mean) + ", life " + ms(life) +
                     (rung == Rung::optin ? "" : ", a server of rung " + std::string(name_of(rung))) +
                     (settings.memory_bytes_max == 0 ? ", no memory" : "") + (late_tags ? ", late tags" : "") +
                     (trusts_restarts() ? "" : ", restarts distrusted");
  if (settings.outage_staleness > settings.staleness) text += ", delta of outages " + ms(settings.outage_staleness);
  if (calm()) return text + ", calm";
  text += ", every " + ms(fault_every) + " one of";
  for (const Fault fault : faults) text += " " + std::string(name_of(fault));
  return text;
}

}  // namespace tiercel::sim
