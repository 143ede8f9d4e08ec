// What users do beyond all measure: a hundred thousand names in one call, a loader that never ends, a write that is held past its time. Nothing is lost,
// and nobody else waits for it.
#include <gtest/gtest.h>

#include "support/two_engines.hpp"

namespace tiercel::test {
namespace {

using Kind = Outcome::Kind;

std::vector<std::string> names(const std::string& prefix, std::size_t count) {
  std::vector<std::string> all;
  for (std::size_t number = 0; number < count; ++number) all.push_back(prefix + std::to_string(number));
  return all;
}

TEST(ManyNames, AHundredThousandKeysGoInPartsAndAreConfirmed) {
  EngineRig rig;
  rig.connect();
  const std::string long_name(480, 'k');  // so that all of them together are more than a write may be
  for (const char* number : {"0", "55555", "99999"}) rig.cache(long_name + number, "old");
  const OperationId id = rig.invalidate(names(long_name, 100'000));
  rig.redis().log.clear();
  EXPECT_LT(rig.engine->output(Connection::tracked).size(), 4u << 20);
  const Outcome outcome = rig.run(id);
  EXPECT_EQ(outcome.kind, Kind::invalidated);
  EXPECT_EQ(outcome.count, 3u);
  EXPECT_EQ(rig.redis().log.size(), 196u);  // 512 to a command
  EXPECT_FALSE(rig.redis().get("tiercel:v:" + long_name + "99999"));
}

TEST(ManyNames, ThoseOfAVersionAndTagsToo) {
  EngineRig rig;
  rig.connect();
  const std::vector<std::string> keys = names("k", 20'000), none;
  const OperationId versioned = rig.engine->invalidate(keys, none, rig.now, 7);
  EXPECT_EQ(rig.run(versioned).kind, Kind::invalidated);
  EXPECT_EQ(rig.run(rig.invalidate({}, names("t", 20'000))).kind, Kind::invalidated);
  EXPECT_TRUE(rig.redis().get("tiercel:v:k19999"));  // a floor
  EXPECT_TRUE(rig.redis().get("tiercel:t:t19999"));
}

TEST(ManyNames, EachAnswerIsToComeWithinTheBudgetAndNotAllOfThem) {
  EngineRig rig;
  rig.connect();
  const OperationId id = rig.invalidate(names("k", 100'000));
  for (int part = 0; part < 196 && !rig.outcome(id); ++part) {
    rig.now += 60ms;
    rig.engine->advance(rig.now);
    rig.step();
  }
  ASSERT_TRUE(rig.outcome(id));
  EXPECT_EQ(rig.outcome(id)->kind, Kind::invalidated);
}

TEST(ManyNames, WhatWasNotSentWhenTheConnectionWentIsKept) {
  EngineRig rig;
  rig.connect();
  rig.cache("k5999", "old");
  const OperationId id = rig.invalidate(names("k", 6'000));
  rig.cut();
  ASSERT_TRUE(rig.outcome(id));
  EXPECT_EQ(rig.outcome(id)->kind, Kind::pending);
  EXPECT_EQ(rig.engine->stats().pending, 6'000u);
  rig.pass(1s);  // connects again, and sends them first
  EXPECT_EQ(rig.engine->stats().pending, 0u);
  EXPECT_FALSE(rig.redis().get("tiercel:v:k5999"));
}

// ---- loaders that never end

TEST(EndlessLoad, WhoComesAfterItsLongestTimeDoesNotWaitForIt) {
  for (const bool with_redis : {false, true}) {
    EngineRig rig(with_redis);
    if (with_redis) rig.connect();
    const OperationId stuck = rig.load("k");
    rig.settle();
    rig.pass(29s);
    const OperationId joined = rig.load("k");
    rig.settle();
    EXPECT_EQ(rig.loads.size(), 1u);
    rig.pass(4s);  // its lease, too, has ended
    const OperationId later = rig.load("k");
    rig.settle();
    ASSERT_EQ(rig.loads.size(), 2u) << with_redis;
    const auto endless = rig.loads.front();
    rig.loads.pop_front();
    rig.finish_load("new");
    rig.settle();
    EXPECT_EQ(rig.value(*rig.outcome(later)), "new");
    EXPECT_FALSE(rig.outcome(stuck));
    EXPECT_FALSE(rig.outcome(joined));

    rig.loads.push_back(endless);  // it ends after all
    rig.finish_load("old");
    rig.settle();
    EXPECT_EQ(rig.value(*rig.outcome(stuck)), "old");
    EXPECT_EQ(rig.value(*rig.outcome(joined)), "old");
    EXPECT_EQ(rig.found("k"), "new") << "what is newer was overwritten";
  }
}

TEST(EndlessLoad, OneThatTookLongAndWasNotOvertakenIsKept) {
  EngineRig rig(false);
  const OperationId slow = rig.load("k");
  rig.pass(40s);
  rig.finish_load("late");
  EXPECT_EQ(rig.value(rig.run(slow)), "late");
  EXPECT_EQ(rig.found("k"), "late");
}

TEST(EndlessLoad, AnInvalidationReachesOneThatNobodyJoinsAnyMore) {
  EngineRig rig(false);
  rig.load("k");
  rig.pass(31s);
  rig.run(rig.invalidate({"k"}));
  rig.finish_load("old");
  EXPECT_EQ(rig.found("k"), "<none>");
}

// ---- writes that are held past their time

TEST(HeldTooLong, AWriteWhoseProcessSleptThroughItsRenewalsSaysSoAndInvalidatesAllTheSame) {
  Two two;
  const std::vector<std::string> keys{"k"}, no_tags;
  const OperationId writing = two.a.engine->begin_writing(keys, no_tags, {}, two.a.now);
  two.a.run(writing);
  ASSERT_EQ(two.stored("k"), "<intent>");
  two.b.pass(5s);  // a sleeps, and nothing renews its intent
  two.b.cache("k", "between");
  ASSERT_EQ(two.stored("k"), "between");
  two.a.now = two.b.now;
  const Outcome ended = two.a.run(two.a.engine->end_writing(writing, two.a.now));
  EXPECT_EQ(ended.kind, Kind::invalidated);
  EXPECT_FALSE(ended.held);
  EXPECT_EQ(two.stored("k"), "<nothing>");
}

}  // namespace
}  // namespace tiercel::test
