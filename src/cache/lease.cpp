#include "cache/lease.hpp"

#include <algorithm>
#include <array>

#include "base/planted.hpp"
#include "cache/scripts.hpp"
#include "cache/steps.hpp"

namespace tiercel {

Lease::Lease(Core& core) : stamp_(Stamp::roll(core.dice)) {
  if (!planted::is(planted::Bug::lease_per_client)) return;
  stamp_ = planted::kept_for<Stamp>().try_emplace(&core, stamp_).first->second;
}

std::string Lease::bid(Core& core, const Lookup::Seen& over, Timestamp now) {
  floor_.reset();
  if (over.header && over.header->has_version && !planted::is(planted::Bug::floor_dropped)) {
    const ServerTime at = core.server_now(now);
    floor_until_ = at + floor_for(core);
    if (over.header->state != RecordState::value) floor_until_ = std::min(floor_until_, over.header->usable_until);
    if (floor_until_ > at) floor_ = over.header->version;
  }
  if (over.header) load_cost_ = over.header->load_cost;
  return bytes(core, RecordState::lease, core.settings.lease_for, now);
}

Duration Lease::life(Core& core, Duration state_for, Timestamp now) const {
  return floor_ ? std::max(state_for, floor_until_ - core.server_now(now)) : state_for;
}

// Its state ends at the soft deadline; the floor it carries, and the record, at the hard one.
std::string Lease::bytes(Core& core, RecordState state, Duration state_for, Timestamp now) const {
  Header header;
  header.state = state;
  header.stamp = stamp_;
  header.has_version = floor_.has_value();
  header.version = floor_.value_or(0);
  header.fresh_until = core.server_now(now) + state_for;
  header.usable_until = core.server_now(now) + life(core, state_for, now);
  header.load_cost = load_cost_;
  return encode_record(header, {}, {}, {});
}

bool Lease::renew(Core& core, Task& task, std::string_view key, Timestamp now) {
  const std::string record = core.names.value(key);
  const std::string lease = bytes(core, RecordState::lease, core.settings.lease_for, now);
  const std::string px = milliseconds(life(core, core.settings.lease_for, now));
  if (!core.run_script(task, ask::step(ask::renewed), script::kSwap, record, {stamp(), lease, px}, now)) return false;
  ++outstanding_;
  const std::array<std::string_view, 4> getrange{"GETRANGE", record, "0", "63"};  // tracked again: the swap has pushed
  if (core.read_behind(task, ask::step(ask::lease_seen), getrange, now)) ++outstanding_;
  return true;
}

bool Lease::take(Step step, const resp::Value& value) {
  outstanding_ -= outstanding_ > 0 ? 1 : 0;
  if (value.is_error())
    return true;  // refused, and so will the fill be: nothing is lost that a fill could not find out
  if (step.kind == ask::renewed) return value.integer == 1;
  return value.is_string() && stamp_bytes(value.text) == stamp();
}

void Lease::release(Core& core, std::string_view key, Timestamp now) {
  std::string floor, px = "0";
  if (floor_ && floor_until_ > core.server_now(now)) {
    const Duration left = floor_until_ - core.server_now(now);
    floor = bytes(core, RecordState::floor, left, now);
    px = milliseconds(left);
  }
  core.run_script_and_forget(script::kSwap, core.names.value(key), {stamp(), floor, px}, now);
}

void Lease::pass(Core& core, std::string_view key, Timestamp now) {
  if (planted::is(planted::Bug::lease_kept)) return;
  const Duration state_for = core.settings.pass_for;
  core.run_script_and_forget(
      script::kSwap, core.names.value(key),
      {stamp(), bytes(core, RecordState::pass, state_for, now), milliseconds(life(core, state_for, now))}, now);
}

Duration patience(const Core& core, const Header& lease) {
  return std::max(core.settings.lease_for, std::min(4 * lease.load_cost, core.settings.load_max));
}

}  // namespace tiercel
