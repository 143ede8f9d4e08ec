// Reads that want no staleness, or find the watermark too old: one heartbeat serves them all, and what memory holds does not travel again.
#include <gtest/gtest.h>

#include "support/two_engines.hpp"

namespace tiercel::test {
namespace {

using Kind = Outcome::Kind;

OperationId read_now(EngineRig& rig, std::string_view key) {
  ReadOptions options;
  options.fresh = Duration{0};
  const OperationId id = rig.engine->read(key, options, rig.now);
  rig.take_events();
  return id;
}

OperationId load_now(EngineRig& rig, std::string_view key) {
  LoadOptions options;
  options.fresh = Duration{0};
  const OperationId id = rig.engine->get_or_load(key, options, rig.now);
  rig.take_events();
  return id;
}

std::size_t occurrences(std::string_view text, std::string_view of) {
  std::size_t count = 0;
  for (std::size_t at = text.find(of); at != text.npos; at = text.find(of, at + 1)) ++count;
  return count;
}

TEST(Beats, AThousandReadersOfNowShareOneCommand) {
  EngineRig rig;
  rig.connect();
  for (int n = 0; n < 10; ++n) rig.cache("k" + std::to_string(n), "value", {"tag"});
  const std::uint64_t commands = rig.engine->stats().redis_commands;
  std::vector<OperationId> readers;
  for (int n = 0; n < 1000; ++n) {
    rig.now += 1us;
    const std::string key = "k" + std::to_string(n % 10);
    readers.push_back(n % 2 == 0 ? read_now(rig, key) : load_now(rig, key));
  }
  EXPECT_EQ(occurrences(rig.engine->output(Connection::tracked), "TIME"), 1u);
  rig.settle();
  for (const OperationId id : readers) {
    ASSERT_EQ(rig.outcome(id)->kind, Kind::hit);
    EXPECT_TRUE(rig.outcome(id)->from_memory);
  }
  EXPECT_EQ(rig.engine->stats().redis_commands, commands) << "no key was asked for";
}

TEST(Beats, WhatChangedBeforeTheReadIsNotServed) {
  Two two;
  two.a.cache("k", "old");
  two.settle();
  const OperationId invalidation = two.b.invalidate({"k"});
  while (two.b.step()) continue;
  ASSERT_EQ(two.b.outcome(invalidation)->kind, Kind::invalidated);
  two.a.now += 1ms;
  ASSERT_EQ(two.a.found("k"), "old") << "it has not read the push yet";
  const OperationId read = read_now(two.a, "k");
  two.settle();
  EXPECT_EQ(two.a.outcome(read)->kind, Kind::miss);
}

TEST(Beats, ATagThatChangedBeforeTheReadIsSeen) {
  Two two;
  two.a.cache("k", "old", {"tag"});
  two.settle();
  two.b.invalidate({}, {"tag"});
  while (two.b.step()) continue;
  two.a.now += 1ms;
  const OperationId read = read_now(two.a, "k");
  two.settle();
  EXPECT_EQ(two.a.outcome(read)->kind, Kind::miss);
}

// A heartbeat that left before the change says nothing to who comes after it.
TEST(Beats, TheHeartbeatThatIsUnderWayDoesNotServeWhoComesNow) {
  Two two;
  two.a.cache("k", "old");
  two.settle();
  two.a.now += 1ms;
  const OperationId first = read_now(two.a, "k");
  two.a.send();  // answered by the model, not read yet
  two.b.invalidate({"k"});
  while (two.b.step()) continue;
  two.a.now += 1ms;
  const OperationId second = read_now(two.a, "k");
  two.settle();
  EXPECT_EQ(two.a.value(*two.a.outcome(first)), "old") << "it began before";
  EXPECT_EQ(two.a.outcome(second)->kind, Kind::miss);
}

TEST(Beats, ReadsAfterAPauseShareOneToo) {
  EngineRig rig;
  rig.connect();
  for (int n = 0; n < 100; ++n) rig.cache("k" + std::to_string(n), "value");
  rig.now += 2s;  // the process stood still: nothing was heard for longer than the staleness
  const std::uint64_t commands = rig.engine->stats().redis_commands;
  std::vector<OperationId> readers;
  for (int n = 0; n < 100; ++n) readers.push_back(rig.read("k" + std::to_string(n)));
  rig.settle();
  for (const OperationId id : readers) EXPECT_TRUE(rig.outcome(id)->from_memory);
  EXPECT_EQ(rig.engine->stats().redis_commands, commands);
}

TEST(Beats, WhatMemoryDoesNotHoldIsAskedForAtOnce) {
  EngineRig rig;
  rig.connect();
  rig.cache("k", "value");
  rig.engine->forget("k");
  rig.now += 1ms;
  const OperationId read = read_now(rig, "k");
  EXPECT_EQ(occurrences(rig.engine->output(Connection::tracked), "TIME"), 0u);
  EXPECT_EQ(rig.value(rig.run(read)), "value");
}

TEST(Beats, WithoutTrackingEveryReadAsksForItself) {
  EngineRig rig;
  rig.redis().refuse_tracking = true;
  rig.connect();
  rig.cache("k", "value");
  rig.now += 1ms;
  const OperationId read = read_now(rig, "k");
  EXPECT_EQ(occurrences(rig.engine->output(Connection::tracked), "TIME"), 0u);
  EXPECT_FALSE(rig.run(read).from_memory);
}

TEST(Beats, ALostConnectionEndsTheWait) {
  EngineRig rig;
  rig.connect();
  rig.cache("k", "value");
  rig.now += 1ms;
  rig.refuse_connections = true;
  const OperationId read = read_now(rig, "k"), load = load_now(rig, "k");
  rig.cut();
  EXPECT_EQ(rig.outcome(read)->kind, Kind::miss);
  EXPECT_TRUE(rig.outcome(read)->degraded);
  ASSERT_EQ(rig.loads.size(), 1u);
  rig.finish_load("loaded");
  EXPECT_EQ(rig.value(rig.run(load)), "loaded");
}

TEST(Beats, ARedisThatHangsCostsOneBudget) {
  EngineRig rig;
  rig.connect();
  rig.cache("k", "value");
  rig.now += 1ms;
  rig.hung = true;
  const OperationId read = read_now(rig, "k"), load = load_now(rig, "k");
  rig.pass(100ms);
  EXPECT_TRUE(rig.outcome(read)->degraded);
  ASSERT_EQ(rig.loads.size(), 1u);
  rig.hung = false;
  rig.settle();  // the late answer comes to a flight that loads
  rig.finish_load("loaded");
  EXPECT_EQ(rig.value(rig.run(load)), "loaded");
}

TEST(Beats, WhoeverLeavesWhileItWaitsHarmsNobody) {
  EngineRig rig;
  rig.connect();
  rig.cache("k", "value");
  rig.now += 1ms;
  const OperationId leaves = read_now(rig, "k"), leaves_too = load_now(rig, "k");
  rig.now += 1us;
  const OperationId stays = load_now(rig, "k");
  rig.engine->cancel(leaves, rig.now);
  rig.engine->cancel(leaves_too, rig.now);
  EXPECT_EQ(rig.value(rig.run(stays)), "value");
  EXPECT_TRUE(rig.loads.empty());
}

}  // namespace
}  // namespace tiercel::test
