// What is stale goes on serving while its refresh fails, and the source is not asked once a hit.
#include <gtest/gtest.h>

#include "support/two_engines.hpp"

namespace tiercel::test {
namespace {

// "k" is stale, and stays usable for an hour.
void store_stale(EngineRig& rig) {
  StoreOptions options;
  options.fresh_for = 1s;
  options.usable_for = 1h;
  rig.engine->store("k", "old", options, rig.now);
  rig.settle();
  rig.pass(2s);
}

bool wants_refresh(EngineRig& rig) {
  const Outcome outcome = rig.run(rig.load("k"));
  EXPECT_TRUE(outcome.stale);
  EXPECT_EQ(rig.value(outcome), "old");
  return outcome.refresh_wanted;
}

void refresh_behind(EngineRig& rig) {
  LoadOptions behind;
  behind.skip_value = behind.behind = behind.outlive_callers = true;
  rig.engine->get_or_load("k", behind, rig.now);
  rig.settle();
}

void end_refresh(EngineRig& rig, LoadResult::Kind kind) {
  refresh_behind(rig);
  LoadResult result;
  result.kind = kind;
  rig.finish_load(result);
  rig.settle();
}

TEST(FailSafe, AfterAFailedRefreshNoneIsAskedForForAWhile) {
  for (const bool with_redis : {false, true}) {
    EngineRig rig(with_redis);
    if (with_redis) rig.connect();
    store_stale(rig);
    EXPECT_TRUE(wants_refresh(rig));
    end_refresh(rig, LoadResult::Kind::failed);
    EXPECT_FALSE(wants_refresh(rig)) << with_redis;
    rig.engine->forget("k");
    if (with_redis) EXPECT_FALSE(wants_refresh(rig)) << "nor by who reads it from Redis";
    else store_stale(rig);
    rig.pass(EngineSettings{}.pass_for + 1ms);
    EXPECT_TRUE(wants_refresh(rig)) << with_redis;
  }
}

TEST(FailSafe, WhatIsNotToBeStoredRestsToo) {
  EngineRig rig(false);
  store_stale(rig);
  end_refresh(rig, LoadResult::Kind::answer_only);
  EXPECT_FALSE(wants_refresh(rig));
  end_refresh(rig, LoadResult::Kind::uncacheable);
  EXPECT_FALSE(wants_refresh(rig));
}

TEST(FailSafe, WhileAnotherProcessRefreshesNoneIsAskedFor) {
  Two two;
  store_stale(two.a);
  two.pass(2s);
  EXPECT_TRUE(wants_refresh(two.b));
  refresh_behind(two.a);
  refresh_behind(two.b);
  EXPECT_EQ(two.a.loads.size() + two.b.loads.size(), 1u);
  EXPECT_FALSE(wants_refresh(two.b));
  two.a.finish_load("new");
  two.settle();
  EXPECT_EQ(two.b.value(two.b.run(two.b.load("k"))), "new");
}

TEST(FailSafe, AnInvalidatedValueIsNoFallBack) {
  EngineRig rig;
  rig.connect();
  store_stale(rig);
  end_refresh(rig, LoadResult::Kind::failed);
  rig.run(rig.invalidate({"k"}));
  const OperationId id = rig.load("k");
  rig.settle();
  LoadResult failed;
  failed.kind = LoadResult::Kind::failed;
  rig.finish_load(failed);
  EXPECT_EQ(rig.run(id).kind, Outcome::Kind::load_failed);
}

}  // namespace
}  // namespace tiercel::test
