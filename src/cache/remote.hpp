// Owns: what the cache sees of Redis. Only engine.cpp knows that a redis::Session stands behind it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/time.hpp"
#include "entry/record.hpp"

namespace tiercel {

using TaskId = std::uint64_t;

// Which reply of a task: the kind of the question and its index among questions of that kind.
struct Step {
  std::uint16_t kind = 0;
  std::uint16_t index = 0;
  friend bool operator==(const Step&, const Step&) = default;
};

class Remote {
 public:
  virtual ~Remote() = default;
  virtual bool ready() const = 0;              // connected, handshake done
  virtual bool tracks() const = 0;             // the server tells us of changes to what we read with `tracked`
  virtual bool tells_late()
      const = 0;  // ... but perhaps behind replies of the same pass of the server's loop: broadcast
  virtual bool runs_scripts() const = 0;  // without them nothing can be stored under a lease
  // Queues a command whose reply goes to the task. False: too much is in flight, or not connected; nothing was queued.
  virtual bool submit(std::span<const std::string_view> arguments, TaskId task, Step step, Timestamp now,
                      bool tracked) = 0;
  virtual void beat(Timestamp now) = 0;  // a command of `now` or later will be answered; Core::beats is told
  // Of a script of script::kAll, by which the server knows it; empty: it is to be sent by its text.
  virtual std::string_view digest(std::string_view script) const = 0;
  virtual Duration server_offset() const = 0;  // ServerTime minus Timestamp
  virtual const ServerId& server_id() const = 0;  // of the present connection, or the last

  // Any thread.
  virtual std::uint32_t generation() const = 0;  // 0: not ready
  // The last that was not 0. With no session, the watermark is the last one of this generation's.
  virtual std::uint32_t last_generation() const = 0;
  virtual Timestamp watermark() const = 0;
};

}  // namespace tiercel
