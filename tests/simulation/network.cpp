#include "simulation/network.hpp"

#include <algorithm>

namespace tiercel::sim {

Wire& Network::open(WireEnd& end, Connection which) {
  wires_.push_back(std::make_unique<Wire>());
  Wire& wire = *wires_.back();
  wire.which = which;
  wire.end = &end;
  wire.name = end.wire_name() + (which == Connection::raw ? " raw" : "") + " #" + std::to_string(wires_.size());
  schedule_.in(2 * delay(), [this, &wire] {
    if (wire.end == nullptr) return;
    if (schedule_.now() < refusing_until_) return wire.end->wire_refused(wire);
    wire.client = &redis_.connect();
    wire.end->wire_opened(wire);
  });
  return wire;
}

void Network::send(Wire& wire, std::string_view bytes) {
  while (!bytes.empty()) {
    const bool whole = chance_.of(0.7);
    const std::size_t size = whole ? bytes.size() : 1 + chance_.below(bytes.size());
    push(wire, wire.up, {std::string(bytes.substr(0, size)), false});
    bytes.remove_prefix(size);
  }
}

void Network::close(Wire& wire) {
  wire.end = nullptr;
  wire.down.lost = true;
  if (wire.client != nullptr) push(wire, wire.up, {{}, true});
}

void Network::abandon(Wire& wire) {
  if (chance_.of(0.3)) wire.up.lost = true;
  close(wire);
  if (wire.client != nullptr && wire.up.lost) redis_.disconnect(*wire.client);
}

void Network::push(Wire& wire, Wire::Direction& direction, Wire::Piece piece) {
  direction.pieces.push_back(std::move(piece));
  const Timestamp now = schedule_.now();
  direction.last_due = std::max(direction.last_due, now + delay() + slowness(direction, now));
  schedule_.at(direction.last_due, [this, &wire, &direction] { arrive(wire, direction); });
}

Duration Network::slowness(const Wire::Direction& direction, Timestamp now) {
  if (now >= direction.slow_until) return Duration{0};
  if (!direction.trickles) return direction.slower_by;
  const double share = static_cast<double>((now - direction.slow_since).count()) /
                       static_cast<double>((direction.slow_until - direction.slow_since).count());
  return Duration{static_cast<std::int64_t>(share * static_cast<double>(direction.slower_by.count()))};
}

// The first piece under way arrives, unless it is held up; then this comes again.
void Network::arrive(Wire& wire, Wire::Direction& direction) {
  const Timestamp now = schedule_.now();
  const bool up = &direction == &wire.up;
  const Timestamp again = std::max(direction.hole_until, up ? redis_paused_until_ : Timestamp{});
  if (again > now) {
    schedule_.at(again, [this, &wire, &direction] { arrive(wire, direction); });
    return;
  }
  Wire::Piece piece = std::move(direction.pieces.front());
  direction.pieces.pop_front();
  if (!direction.lost) bring(wire, direction, std::move(piece));
}

void Network::bring(Wire& wire, Wire::Direction& direction, Wire::Piece piece) {
  if (&direction == &wire.up) {
    redis_.set_time(schedule_.now());
    if (wire.ahead) end_pass();  // the server reads from a connection once in a pass
    trace_.add_bytes(schedule_.now(), "  Redis from " + wire.name + ": ", piece.last ? "end" : piece.bytes);
    piece.last ? redis_.disconnect(*wire.client) : redis_.feed(*wire.client, piece.bytes, schedule_.now());
    return carry();
  }
  if (wire.end == nullptr) return;
  trace_.add_bytes(schedule_.now(), "  at " + wire.name + ": ", piece.last ? "end" : piece.bytes);
  piece.last ? wire.end->wire_ended(wire) : wire.end->wire_brought(wire, std::move(piece.bytes));
}

// Others have sent something, too, before Redis comes to its pushes. What it writes in mid-pass is for a client that had not taken all.
bool Network::pass_goes_on() {
  if (chance_.of(0.6)) return false;
  schedule_.in(chance_.between(0us, kPassMax), [this] {
    end_pass();
    carry();
  });
  return true;
}

void Network::end_pass() {
  redis_.end_pass();
  for (const auto& wire : wires_) wire->ahead = false;
}

void Network::carry() {
  for (const auto& held : wires_) {
    Wire& wire = *held;
    if (wire.client == nullptr) continue;
    if (redis_.in_pass() && !wire.client->closed) {
      if (wire.client->out.empty() || !chance_.of(0.1)) continue;
      wire.ahead = true;
    }
    send_out(wire);
    if (wire.client->closed && !std::exchange(wire.server_done, true)) push(wire, wire.down, {{}, true});
  }
}

void Network::send_out(Wire& wire) {
  std::string& out = wire.client->out;
  if (!out.empty()) trace_.add_bytes(schedule_.now(), "  Redis to " + wire.name + ": ", out);
  while (!out.empty()) {
    const std::size_t size = chance_.of(0.7) ? out.size() : 1 + chance_.below(out.size());
    push(wire, wire.down, {out.substr(0, size), false});
    out.erase(0, size);
  }
}

// ---- faults

// `busy`: with bytes under way to Redis.
Wire* Network::any_alive(bool busy) {
  std::vector<Wire*> alive;
  for (const auto& wire : wires_) {
    const bool fits = !busy || !wire->up.pieces.empty();
    if (fits && wire->end != nullptr && wire->client != nullptr && !wire->client->closed) alive.push_back(wire.get());
  }
  return alive.empty() ? nullptr : alive[chance_.below(alive.size())];
}

void Network::cut_one() {
  Wire* wire = chance_.of(0.5) ? any_alive(true) : nullptr;
  if (wire == nullptr) wire = any_alive();
  if (wire != nullptr) cut(*wire);
}

// The engine learns of it soon; the server perhaps much later, and what was under way to it may still come, before or after that.
void Network::cut(Wire& wire) {
  WireEnd* end = wire.end;
  close(wire);
  if (chance_.of(0.4)) wire.up.lost = true;
  else if (chance_.of(0.6)) wire.up.hole_until = schedule_.now() + chance_.between(0ms, 3s);
  if (wire.up.lost && chance_.of(0.5)) redis_.disconnect(*wire.client);
  end->wire_ended(wire);
}

void Network::make_hole() {
  Wire* wire = any_alive();
  if (wire == nullptr) return;
  const Duration lasts = chance_.of(0.5) ? chance_.between(20ms, 200ms) : chance_.between(20ms, 8s);
  const Timestamp until = schedule_.now() + lasts;
  const std::uint64_t which = chance_.below(3);
  if (which != 1) wire->up.hole_until = until;
  if (which != 0) wire->down.hole_until = until;
}

void Network::slow_down() {
  Wire* wire = any_alive();
  if (wire == nullptr) return;
  Wire::Direction& direction = chance_.of(0.5) ? wire->up : wire->down;
  direction.slow_until = schedule_.now() + chance_.between(1s, 8s);
  direction.slow_since = schedule_.now();
  direction.slower_by = chance_.of(0.5) ? chance_.between(20ms, 200ms) : chance_.between(20ms, 2s);
  direction.trickles = chance_.of(0.5);
}

void Network::heal() {
  refusing_until_ = redis_paused_until_ = {};
  for (const auto& wire : wires_)
    wire->up.hole_until = wire->down.hole_until = wire->up.slow_until = wire->down.slow_until = {};
}

}  // namespace tiercel::sim
