// What goes wrong, and when.
#include "simulation/world.hpp"

namespace tiercel::sim {

void World::fault_later() {
  schedule.in(chance.around(plan.fault_every), [this] {
    if (quiet) return;
    auto fault = plan.faults.begin();
    std::advance(fault, static_cast<std::ptrdiff_t>(chance.below(plan.faults.size())));
    do_fault(*fault);
    fault_later();
  });
}

void World::do_fault(Fault fault) {
  ++faults_done;
  say("fault: " + std::string(name_of(fault)));
  Process& process = *processes[chance.below(processes.size())];
  redis.set_time(schedule.now());
  switch (fault) {
    case Fault::pause:
      return process.pause(chance.of(0.5) ? chance.between(1ms, 200ms) : chance.between(200ms, 4s));
    case Fault::crash:
      return process.crash(chance.between(1ms, 500ms));
    case Fault::cut:
    case Fault::hole:
    case Fault::slow:
    case Fault::refuse:
    case Fault::pause_redis:
      return fault_of_network(fault);
    default:
      fault_of_redis(fault);
      network.carry();
  }
}

void World::fault_of_network(Fault fault) {
  if (fault == Fault::cut) network.cut_one();
  if (fault == Fault::hole) network.make_hole();
  if (fault == Fault::slow) network.slow_down();
  if (fault == Fault::refuse) network.refuse_until(schedule.now() + chance.between(10ms, 3s));
  if (fault == Fault::pause_redis) network.pause_redis_until(schedule.now() + chance.between(5ms, 2s));
}

void World::fault_of_redis(Fault fault) {
  const auto names = redis.names();
  const std::string name = names.empty() ? "" : names[chance.below(names.size())];
  if (fault == Fault::flush) redis.flush_all();
  if (fault == Fault::evict) redis.remove(name);
  if (fault == Fault::untrack) redis.untrack(name);
  if (fault == Fault::forget_scripts) redis.forget_scripts();
  if (fault == Fault::set_clock) set_clock();
  if (fault == Fault::restart) redis.restart(std::to_string(chance.below(1'000'000'000)), true);
  if (fault == Fault::roll_back) roll_back();
  if (fault != Fault::full) return;
  redis.refuse_writes = "OOM command not allowed when used memory > 'maxmemory'.";
  schedule.in(chance.between(10ms, 1s), [this] { redis.refuse_writes.clear(); });
}

// To what it held when the last snapshot was taken: what it confirmed since is lost.
void World::roll_back() {
  redis.roll_back(std::to_string(chance.below(1'000'000'000)));
  history.rolled_back(schedule.now());
}

// Never far from the truth: what it has stored would live for too long.
void World::set_clock() {
  const Duration off = chance.between(-2s, 2s);
  redis.shift_wall(off - clock_off_);
  clock_off_ = off;
}

void World::heal() {
  say("all faults end");
  network.heal();
  redis.refuse_writes.clear();
}

}  // namespace tiercel::sim
