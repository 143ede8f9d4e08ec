// Redis restarts, or fails over, and has forgotten what it had acknowledged (A12): what it holds then is trusted, or it is not.
#include <gtest/gtest.h>

#include "support/engine_rig.hpp"

namespace tiercel::test {
namespace {

using Kind = Outcome::Kind;
constexpr const char* kOther = "fedcba9876543210fedcba9876543210fedcba98";

EngineSettings settings(AfterRestart after) {
  EngineSettings settings = EngineRig::settings_for(true);
  settings.after_restart = after;
  return settings;
}

struct Pair {
  explicit Pair(AfterRestart after) : a(settings(after), 1, redis), b(settings(after), 2, redis) {
    a.connect();
    b.connect();
  }
  // What is cached and then invalidated comes back with the snapshot of before.
  void bring_back() {
    a.cache("k", "old", {"t"});
    b.run(b.read("k"));
    redis->save();
    ASSERT_EQ(a.run(a.invalidate({"k"}, {"t"})).kind, Kind::invalidated);
    settle();
    redis->roll_back(kOther);
  }
  void settle() {
    for (bool moved = true; moved;) {
      const bool moved_a = a.step(), moved_b = b.step();
      moved = moved_a || moved_b;
    }
  }
  static void reconnect(EngineRig& rig) {
    rig.cut();
    rig.pass(6s);
    ASSERT_EQ(rig.engine->stats().redis_state, "ready");
  }

  std::shared_ptr<ModelRedis> redis = std::make_shared<ModelRedis>();
  EngineRig a, b;
};

std::size_t said(const EngineRig& rig, std::string_view words) {
  return static_cast<std::size_t>(std::count_if(rig.notices.begin(), rig.notices.end(), [words](const auto& notice) {
    return notice.find(words) != std::string::npos;
  }));
}

TEST(Restart, WhatASnapshotBringsBackIsServedWhereRestartsAreTrustedAndThatIsSaidOnce) {
  Pair two(AfterRestart::trust);
  two.bring_back();
  for (EngineRig* rig : {&two.a, &two.b}) {
    Pair::reconnect(*rig);
    EXPECT_EQ(rig->value(rig->run(rig->read("k"))), "old");
    Pair::reconnect(*rig);
    EXPECT_EQ(said(*rig, "restarted or failed over"), 1u);
    EXPECT_EQ(rig->engine->stats().restarts, 1u);
    EXPECT_GT(rig->engine->stats().restarted_at, 1.8e9);
  }
}

TEST(Restart, WhatASnapshotBringsBackIsNotServedWhereRestartsAreDistrusted) {
  Pair two(AfterRestart::distrust);
  two.bring_back();
  for (EngineRig* rig : {&two.a, &two.b}) {
    Pair::reconnect(*rig);
    EXPECT_EQ(rig->run(rig->read("k")).kind, Kind::miss);
    EXPECT_EQ(rig->found("k"), "<none>");
    EXPECT_EQ(said(*rig, "restarted or failed over"), 1u);
    EXPECT_EQ(rig->engine->stats().restarts, 1u);
  }
}

TEST(Restart, WhatMemoryHoldsIsNotVerifiedByARecordThatCameBack) {
  Pair two(AfterRestart::distrust);
  two.a.cache("k", "old");
  two.redis->save();
  two.b.run(two.b.invalidate({"k"}));
  two.a.hung = true;  // the push does not come
  two.redis->roll_back(kOther);
  two.a.hung = false;
  Pair::reconnect(two.a);
  EXPECT_EQ(two.a.run(two.a.read("k")).kind, Kind::miss);
  EXPECT_EQ(two.a.found("k"), "<none>");
}

TEST(Restart, ItsOwnInvalidationOfATagIsNotUndoneByTheTagThatCameBack) {
  Pair two(AfterRestart::distrust);
  two.a.cache("k", "old", {"t"});
  two.redis->save();
  ASSERT_EQ(two.a.run(two.a.invalidate({}, {"t"})).kind, Kind::invalidated);
  two.redis->roll_back(kOther);
  two.a.cut();
  for (int tries = 0; tries < 100 && two.a.engine->stats().redis_state != "ready"; ++tries) two.a.pass(10ms);
  two.a.load("other", {"t"});  // asks for the tag
  two.a.settle();
  EXPECT_EQ(two.a.found("k"), "<none>");  // although it is not older than `staleness` allows
}

TEST(Restart, AnAnnouncedWriteThatWasInterruptedByOneWasNotHeld) {
  for (const auto after : {AfterRestart::trust, AfterRestart::distrust}) {
    Pair two(after);
    const std::vector<std::string> keys{"k"};
    const OperationId writing = two.a.engine->begin_writing(keys, {}, {}, two.a.now);
    ASSERT_EQ(two.a.run(writing).kind, Kind::announced);
    two.redis->save();
    two.b.run(two.b.invalidate({"k"}));  // it is gone ...
    two.redis->roll_back(kOther);  // ... and comes back
    two.a.cut();
    for (int tries = 0; tries < 100 && two.a.engine->stats().redis_state != "ready"; ++tries) two.a.pass(10ms);
    EXPECT_FALSE(two.a.run(two.a.engine->end_writing(writing, two.a.now)).held);
  }
}

// The read leaves in the same write as the check of the root, and is answered behind it.
TEST(Restart, NoReadOfTheNewSessionGoesByTheOldRoot) {
  Pair two(AfterRestart::distrust);
  two.bring_back();
  two.a.cut();
  for (int tries = 0; tries < 1000 && two.a.engine->stats().redis_state != "ready"; ++tries) {
    two.a.now += 10ms;
    two.a.engine->advance(two.a.now);
    while (two.a.engine->stats().redis_state != "ready" && two.a.step()) continue;
  }
  const OperationId read = two.a.read("k");
  two.redis->after = [&](const ModelRedis::Words& command) {  // and were it refused, none would go by it either
    if (command[0].starts_with("EVAL"))
      two.redis->refuse_writes = "OOM command not allowed when used memory > 'maxmemory'.";
  };
  EXPECT_EQ(two.a.run(read).kind, Kind::miss);
}

TEST(Restart, ARootThatCannotBeRenewedServesNobody) {
  Pair two(AfterRestart::distrust);
  two.bring_back();
  two.redis->refuse_writes = "OOM command not allowed when used memory > 'maxmemory'.";
  Pair::reconnect(two.a);
  EXPECT_EQ(two.a.run(two.a.read("k")).kind, Kind::miss);
  two.redis->refuse_writes.clear();
  two.a.cache("k", "new");
  EXPECT_EQ(two.a.found("k"), "new");
}

TEST(Restart, OfManyWhoReconnectOneRenewsTheRoot) {
  Pair two(AfterRestart::distrust);
  two.bring_back();
  Pair::reconnect(two.a);
  const std::string root = *two.redis->get("tiercel:g");
  two.a.cache("new", "value");
  Pair::reconnect(two.b);
  EXPECT_EQ(*two.redis->get("tiercel:g"), root);
  EXPECT_EQ(two.b.value(two.b.run(two.b.read("new"))), "value");
}

TEST(Restart, AProcessThatComesAfterTheRestartNoticesItByTheRoot) {
  Pair two(AfterRestart::distrust);
  two.bring_back();
  EngineRig late(settings(AfterRestart::distrust), 3, two.redis);
  late.connect();
  EXPECT_EQ(late.run(late.read("k")).kind, Kind::miss);
  EXPECT_EQ(said(late, "restarted or failed over"), 1u);
}

TEST(Restart, OneThatTrustsHidesItFromNobodyWhoDoesNot) {
  Pair two(AfterRestart::trust);
  two.bring_back();
  Pair::reconnect(two.a);
  EngineRig third(settings(AfterRestart::trust), 3, two.redis);
  third.connect();
  EXPECT_EQ(said(third, "restarted or failed over"), 0u);  // said by the first that met it
  EngineRig wary(settings(AfterRestart::distrust), 4, two.redis);
  wary.connect();
  EXPECT_EQ(wary.run(wary.read("k")).kind, Kind::miss);
}

TEST(Restart, AConnectionThatOnlyBreaksIsNone) {
  Pair two(AfterRestart::distrust);
  two.a.cache("k", "value");
  Pair::reconnect(two.a);
  EXPECT_EQ(two.a.value(two.a.run(two.a.read("k"))), "value");
  EXPECT_EQ(two.a.engine->stats().restarts, 0u);
  EXPECT_TRUE(two.a.engine->stats().identified);
}

TEST(Restart, AServerThatDoesNotTellWhoItIsCannotBeDistrustedWhichIsSaid) {
  Pair two(AfterRestart::distrust);
  two.redis->anonymous = true;
  two.bring_back();
  Pair::reconnect(two.a);
  EXPECT_EQ(two.a.value(two.a.run(two.a.read("k"))), "old");
  EXPECT_EQ(said(two.a, "does not tell its run_id"), 1u);
  EXPECT_FALSE(two.a.engine->stats().identified);
}

// A fill under a lease that the snapshot holds too, of a load from before what was lost.
TEST(Restart, ALeaseThatCameBackMakesNothingCurrent) {
  Pair two(AfterRestart::distrust);
  const OperationId load = two.a.load("k");
  two.settle();
  two.redis->save();
  two.b.run(two.b.invalidate({"k"}));
  two.a.hung = true;
  two.redis->roll_back(kOther);
  two.a.hung = false;
  Pair::reconnect(two.a);
  if (!two.a.loads.empty()) two.a.finish_load("old");
  two.a.settle();
  EXPECT_EQ(two.a.value(*two.a.outcome(load)), "old");
  Pair::reconnect(two.b);
  EXPECT_EQ(two.b.run(two.b.read("k")).kind, Kind::miss);
}

}  // namespace
}  // namespace tiercel::test
