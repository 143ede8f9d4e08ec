// Two processes at one model of Redis: an engine each, whose bytes are carried until nothing moves.
#pragma once

#include <memory>
#include <string>

#include "entry/record.hpp"
#include "support/engine_rig.hpp"

namespace tiercel::test {

struct Two {
  Two() {
    a.connect();
    b.connect();
  }
  void settle() {
    for (int rounds = 0; rounds < 100; ++rounds) {
      const bool moved_a = a.step(), moved_b = b.step();
      if (!moved_a && !moved_b) return;
    }
    std::abort();
  }
  void pass(Duration duration) {
    for (Duration step{0}; step < duration; step += 10ms) {
      for (EngineRig* rig : {&a, &b}) {
        rig->now += 10ms;
        rig->engine->advance(rig->now);
      }
      settle();
    }
  }
  std::string stored(const std::string& key) {
    const auto bytes = redis->get("tiercel:v:" + key);
    if (!bytes) return "<nothing>";
    const auto header = decode_header(bytes->substr(0, kHeaderBytes));
    if (header && header->state == RecordState::intent) return "<intent>";
    if (header && header->state == RecordState::floor) return "<floor>";
    const auto record = decode_record(*bytes);
    if (!record) return "<damage>";
    switch (record->header.state) {
      case RecordState::value:
        return std::string(record->payload);
      case RecordState::lease:
        return "<lease>";
      case RecordState::pass:
        return "<pass>";
      default:
        return "<other>";
    }
  }

  std::shared_ptr<ModelRedis> redis = std::make_shared<ModelRedis>();
  EngineRig a{true, 1, redis}, b{true, 2, redis};
};

}  // namespace tiercel::test
