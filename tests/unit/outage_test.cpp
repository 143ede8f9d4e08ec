// While Redis cannot be used memory may serve for longer than `staleness`, as outage_staleness says; and says so.
#include <gtest/gtest.h>

#include "support/two_engines.hpp"

namespace tiercel::test {
namespace {

using Kind = Outcome::Kind;

EngineSettings settings() {
  EngineSettings settings = EngineRig::settings_for(true);
  settings.outage_staleness = 30s;
  return settings;
}

struct Outage : testing::Test {
  Outage() {
    rig.connect();
    rig.cache("k", "value", {"t"});
    rig.cache("other", "value");
    rig.pass(20s);  // tracked, and known to be current by every heartbeat
  }
  void lose_redis() {
    rig.refuse_connections = true;
    rig.cut();
  }
  Outcome read(const std::string& key = "k") { return rig.run(rig.read(key)); }

  EngineRig rig{settings(), 1};
};

TEST_F(Outage, MemoryServesForSoLongAndSaysSo) {
  lose_redis();
  rig.pass(29s);
  const Outcome outcome = read();
  EXPECT_EQ(rig.value(outcome), "value");
  EXPECT_TRUE(outcome.degraded);
  const OperationId load = rig.load("k", {"t"});
  ASSERT_TRUE(rig.loads.empty());
  EXPECT_TRUE(rig.run(load).degraded);
  EXPECT_EQ(rig.engine->stats().outage_hits, 2u);
  EXPECT_TRUE(rig.engine->look("k", rig.now)->outage);
  rig.pass(2s);
  EXPECT_EQ(read().kind, Kind::miss);
}

TEST_F(Outage, WithinStalenessItIsAHitLikeAnyOther) {
  lose_redis();
  rig.pass(600ms);
  EXPECT_EQ(rig.value(read()), "value");
  EXPECT_FALSE(read().degraded);
}

TEST_F(Outage, WithoutTheSettingStalenessIsTheEnd) {
  EngineRig plain(true, 2);
  plain.connect();
  plain.cache("k", "value");
  plain.refuse_connections = true;
  plain.cut();
  plain.pass(2s);
  EXPECT_EQ(plain.run(plain.read("k")).kind, Kind::miss);
}

TEST_F(Outage, WhatThisProcessInvalidatedIsNotServed) {
  lose_redis();
  rig.pass(2s);
  EXPECT_EQ(rig.run(rig.invalidate({"other"}, {"t"})).kind, Kind::pending);
  EXPECT_EQ(read("k").kind, Kind::miss);
  EXPECT_EQ(read("other").kind, Kind::miss);
}

TEST_F(Outage, WhoAsksForLessGetsLess) {
  lose_redis();
  rig.pass(2s);
  ReadOptions options;
  options.fresh = 500ms;
  EXPECT_EQ(rig.run(rig.engine->read("k", options, rig.now)).kind, Kind::miss);
  EXPECT_EQ(rig.found("k"), "<none>");  // whoever cannot be told
}

TEST_F(Outage, ItEndsWithTheOutage) {
  lose_redis();
  rig.pass(5s);
  rig.redis().remove("tiercel:v:other");
  rig.refuse_connections = false;
  while (rig.engine->stats().redis_state != "ready") {
    rig.now += 10ms;
    rig.engine->advance(rig.now);
    rig.settle();
  }
  EXPECT_EQ(read("other").kind, Kind::miss);
  EXPECT_EQ(read("k").degraded, false);  // verified
  EXPECT_EQ(rig.engine->stats().outage_hits, 0u);
}

TEST_F(Outage, ARedisThatHangsIsOneToo) {
  rig.hung = true;
  rig.pass(2s);
  for (int overruns = 0; overruns < 3; ++overruns) {
    rig.read("nothing");
    rig.pass(150ms);
  }
  ASSERT_EQ(rig.engine->stats().redis_state, "resting");
  const Outcome outcome = read();
  EXPECT_EQ(rig.value(outcome), "value");
  EXPECT_TRUE(outcome.degraded);
}

}  // namespace
}  // namespace tiercel::test
