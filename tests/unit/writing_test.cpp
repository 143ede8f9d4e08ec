// Writes that announce themselves: from before the commit until after it nothing of before it is stored, in whatever process it was loaded.
#include <gtest/gtest.h>

#include "support/two_engines.hpp"

namespace tiercel::test {
namespace {

using Kind = Outcome::Kind;

OperationId begin(EngineRig& rig, std::vector<std::string> keys, std::vector<std::string> tags = {},
                  WritingOptions options = {}) {
  const OperationId id = rig.engine->begin_writing(keys, tags, options, rig.now);
  rig.take_events();
  return id;
}

OperationId end(EngineRig& rig, OperationId writing) {
  const OperationId id = rig.engine->end_writing(writing, rig.now);
  rig.take_events();
  return id;
}

TEST(Writing, WhatIsLoadedBetweenItsBeginAndItsEndIsStoredNowhere) {  // A1'
  Two two;
  two.b.cache("k", "old");
  const OperationId writing = begin(two.a, {"k"});
  two.settle();
  ASSERT_EQ(two.a.outcome(writing)->kind, Kind::announced);
  EXPECT_EQ(two.b.found("k"), "<none>");
  for (EngineRig* rig : {&two.a, &two.b}) {
    const OperationId load = rig->load("k");
    two.settle();
    ASSERT_EQ(rig->loads.size(), 1u);
    rig->finish_load("of before the commit");
    two.settle();
    EXPECT_EQ(rig->value(*rig->outcome(load)), "of before the commit");
    EXPECT_EQ(rig->found("k"), "<none>");
  }
  EXPECT_EQ(two.stored("k"), "<intent>");
  const Outcome ended = two.a.run(end(two.a, writing));
  EXPECT_EQ(ended.kind, Kind::invalidated);
  EXPECT_TRUE(ended.held);
  two.settle();
  EXPECT_EQ(two.stored("k"), "<nothing>");
  two.b.cache("k", "new");
  EXPECT_EQ(two.stored("k"), "new");
}

TEST(Writing, ALoadThatBeganBeforeItIsNotStoredAfterIt) {
  Two two;
  const OperationId load = two.b.load("k");
  two.settle();
  const OperationId writing = begin(two.a, {"k"});
  two.settle();
  two.a.run(end(two.a, writing));
  two.b.finish_load("old");
  two.settle();
  EXPECT_EQ(two.b.value(*two.b.outcome(load)), "old");
  EXPECT_EQ(two.stored("k"), "<nothing>");
}

TEST(Writing, ACallerWhoComesDuringItSharesNoLoadThatBeganBefore) {
  Two two;
  const OperationId writing = begin(two.a, {"k"});
  two.settle();
  two.b.load("k");
  two.settle();
  two.b.load("k");
  two.settle();
  EXPECT_EQ(two.b.loads.size(), 2u);
  two.a.run(end(two.a, writing));
}

TEST(Writing, NothingUnderItsTagsIsServedOrStored) {
  Two two;
  two.b.cache("k", "old", {"t"});
  const OperationId writing = begin(two.a, {}, {"t"});
  two.settle();
  EXPECT_EQ(two.b.found("k"), "<none>");
  EXPECT_EQ(two.b.run(two.b.read("k")).kind, Kind::miss);
  two.b.cache("k", "of before the commit", {"t"});
  EXPECT_EQ(two.b.run(two.b.read("k")).kind, Kind::miss);
  EXPECT_EQ(two.b.engine->stats().damaged, 0u);
  EXPECT_TRUE(two.a.run(end(two.a, writing)).held);
  two.settle();
  EXPECT_EQ(two.b.run(two.b.read("k")).kind, Kind::miss);
  two.b.cache("k", "new", {"t"});
  EXPECT_EQ(two.b.value(two.b.run(two.b.read("k"))), "new");
}

TEST(Writing, IsRenewedUntilItsEnd) {
  Two two;
  const OperationId writing = begin(two.a, {"k"}, {"t"});
  two.pass(9s);
  EXPECT_EQ(two.stored("k"), "<intent>");
  EXPECT_TRUE(two.a.run(end(two.a, writing)).held);
}

EngineSettings slow_to_settle() {
  EngineSettings settings = EngineRig::settings_for(true);
  settings.staleness = 5s;  // longer than an intent lasts
  return settings;
}

TEST(Writing, IsRenewedWhileItWaitsForOthersToHearOfIt) {
  EngineRig rig(slow_to_settle(), 1);
  rig.connect();
  const OperationId writing = begin(rig, {"k"}, {}, {.strict = true, .wait = true});
  rig.settle();
  rig.pass(4900ms);
  EXPECT_FALSE(rig.outcome(writing));
  EXPECT_TRUE(rig.redis().get("tiercel:v:k"));
  rig.pass(200ms);
  ASSERT_EQ(rig.outcome(writing)->kind, Kind::announced);
  EXPECT_TRUE(rig.run(end(rig, writing)).held);
}

TEST(Writing, WhoseConnectionWasLostWhileItWaitedIsNotAnnounced) {
  for (const bool strict : {true, false}) {
    EngineRig rig(slow_to_settle(), 1);
    rig.connect();
    const OperationId writing = begin(rig, {"k"}, {}, {.strict = strict, .wait = true});
    rig.settle();
    rig.pass(1s);
    rig.refuse_connections = true;
    rig.cut();
    rig.pass(5s);
    ASSERT_EQ(rig.outcome(writing)->kind, strict ? Kind::error : Kind::announced);
    if (strict) continue;
    EXPECT_TRUE(rig.outcome(writing)->degraded);
    const Outcome ended = rig.run(end(rig, writing));
    EXPECT_EQ(ended.kind, Kind::pending);
    EXPECT_FALSE(ended.held);
  }
}

TEST(Writing, TwoOfThemOverlapAndTheLaterEndEndsBoth) {
  Two two;
  const OperationId first = begin(two.a, {"k"}), second = begin(two.b, {"k"});
  two.settle();
  EXPECT_TRUE(two.a.run(end(two.a, first)).held);
  two.settle();
  EXPECT_EQ(two.stored("k"), "<intent>");  // the other's goes on
  EXPECT_TRUE(two.b.run(end(two.b, second)).held);
  EXPECT_EQ(two.stored("k"), "<nothing>");
}

TEST(Writing, OfAProcessThatDiesEndsByItself) {
  Two two;
  begin(two.a, {"k"}, {"t"});
  two.settle();
  two.a.refuse_connections = true;
  two.a.cut();
  for (int n = 0; n < 210; ++n) {
    two.b.now += 10ms;
    two.b.engine->advance(two.b.now);
    two.b.settle();
  }
  two.b.cache("k", "new", {"t"});
  EXPECT_EQ(two.stored("k"), "new");
}

TEST(Writing, SaysWhetherItWasHeldThroughout) {
  Two two;
  const OperationId writing = begin(two.a, {"k"});
  two.settle();
  two.b.run(two.b.invalidate({"k"}));  // takes the intent away
  const Outcome ended = two.a.run(end(two.a, writing));
  EXPECT_EQ(ended.kind, Kind::invalidated);
  EXPECT_FALSE(ended.held);
}

TEST(Writing, WasNotHeldIfARenewalThatEndsBehindItFoundItsTokenGone) {
  Two two;
  const OperationId writing = begin(two.a, {"k"});
  two.settle();
  two.b.run(two.b.invalidate({"k"}));
  two.a.now += 700ms;
  two.a.engine->advance(two.a.now);  // the renewal is on its way, and puts the intent back
  EXPECT_FALSE(two.a.run(end(two.a, writing)).held);
}

TEST(Writing, WithoutRedisItRaisesBeforeTheCommitOrGoesOnAndIsPending) {
  EngineRig rig;
  rig.refuse_connections = true;
  rig.connect();
  EXPECT_EQ(rig.outcome(begin(rig, {"k"}))->kind, Kind::error);
  const OperationId writing = begin(rig, {"k"}, {"t"}, {.strict = false, .wait = false});
  ASSERT_EQ(rig.outcome(writing)->kind, Kind::announced);
  EXPECT_TRUE(rig.outcome(writing)->degraded);
  const OperationId load = rig.load("k");
  rig.finish_load("of before the commit");
  EXPECT_EQ(rig.value(*rig.outcome(load)), "of before the commit");
  EXPECT_EQ(rig.found("k"), "<none>");
  EXPECT_EQ(rig.run(end(rig, writing)).kind, Kind::pending);
  EXPECT_EQ(rig.engine->stats().pending, 2u);
}

TEST(Writing, InMemoryAloneItFencesTheLoadsOfThisProcess) {
  EngineRig rig(false);
  const OperationId writing = begin(rig, {"k"}, {"t"});
  ASSERT_EQ(rig.outcome(writing)->kind, Kind::announced);
  rig.cache("k", "of before the commit");
  rig.cache("other", "of before the commit", {"t"});
  EXPECT_EQ(rig.found("k"), "<none>");
  EXPECT_EQ(rig.found("other"), "<none>");
  EXPECT_EQ(rig.run(end(rig, writing)).kind, Kind::invalidated);
  rig.cache("k", "new");
  EXPECT_EQ(rig.found("k"), "new");
}

TEST(Writing, WaitsUntilNobodyServesWhatHeHadInMemory) {
  Two two;
  two.b.cache("k", "old");
  two.b.hung = true;  // hears of nothing
  const OperationId writing = begin(two.a, {"k"}, {}, {.strict = true, .wait = true});
  two.settle();
  EXPECT_FALSE(two.a.outcome(writing));
  two.pass(1010ms);
  ASSERT_TRUE(two.a.outcome(writing));
  EXPECT_EQ(two.b.found("k"), "<none>");
}

TEST(Writing, ALoadOfATagThatIsBeingWrittenIsSharedByNobodyWhoComesLater) {
  Two two;
  const OperationId writing = begin(two.a, {}, {"t"});
  two.settle();
  two.b.load("k", {"t"});
  two.settle();
  two.b.load("k", {"t"});
  two.settle();
  EXPECT_EQ(two.b.loads.size(), 2u);
  two.b.finish_load("of before the commit");
  two.settle();
  EXPECT_EQ(two.stored("k"), "<nothing>");  // and no lease that others would wait for
  two.a.run(end(two.a, writing));
}

TEST(Writing, ThatHasEndedIsNotEndedTwice) {
  EngineRig rig;
  rig.connect();
  const OperationId writing = begin(rig, {"k"});
  rig.settle();
  rig.run(end(rig, writing));
  EXPECT_EQ(rig.engine->end_writing(writing, rig.now), 0u);
}

TEST(Writing, OfNothingBeginsAndEnds) {
  EngineRig rig;
  rig.connect();
  const OperationId writing = begin(rig, {});
  ASSERT_EQ(rig.run(writing).kind, Kind::announced);
  EXPECT_EQ(rig.run(end(rig, writing)).kind, Kind::invalidated);
}

TEST(Writing, WhoLeavesBeforeItHasBegunLeavesNoIntentBehind) {
  Two two;
  const OperationId writing = begin(two.a, {"k"});
  two.a.engine->cancel(writing, two.a.now);
  two.settle();
  EXPECT_EQ(two.stored("k"), "<nothing>");
}

TEST(Version, AnInvalidationThatNamesOneLeavesAFloor) {
  Two two;
  const std::string key = "k";
  EXPECT_EQ(two.a.run(two.a.engine->invalidate({&key, 1}, {}, two.a.now, 7)).kind, Kind::invalidated);
  EXPECT_EQ(two.stored("k"), "<floor>");
  StoreOptions options;
  options.usable_for = 60s;
  options.version = 6;
  EXPECT_EQ(two.b.run(two.b.engine->store("k", "six", options, two.b.now)).kind, Kind::not_stored);
  const OperationId load = two.b.load("k");
  two.settle();
  LoadResult lagging;
  lagging.payload = "six";
  lagging.store = options;
  two.b.finish_load(lagging);
  two.settle();
  EXPECT_EQ(two.b.value(*two.b.outcome(load)), "six");
  EXPECT_EQ(two.stored("k"), "<pass>");
  options.version = 7;
  EXPECT_EQ(two.b.run(two.b.engine->store("k", "seven", options, two.b.now)).kind, Kind::stored);
  EXPECT_EQ(two.a.run(two.a.engine->invalidate({&key, 1}, {}, two.a.now, 6)).kind, Kind::invalidated);
  EXPECT_EQ(two.stored("k"), "seven");  // it is newer than what was invalidated
}

TEST(Version, AFloorOutlivesTheLeaseThatWasGivenBack) {
  Two two;
  const std::string key = "k";
  two.a.run(two.a.engine->invalidate({&key, 1}, {}, two.a.now, 7));
  const OperationId load = two.b.load("k");
  two.settle();
  two.b.engine->cancel(load, two.b.now);
  two.settle();
  EXPECT_EQ(two.stored("k"), "<floor>");
}

StoreOptions of_version(std::uint64_t version) {
  StoreOptions options;
  options.usable_for = 1h;
  options.version = version;
  return options;
}

// What may be stored now: the lowest version from `first` on that is not refused.
Kind stored_as(EngineRig& rig, std::uint64_t version) {
  return rig.run(rig.engine->store("k", std::to_string(version), of_version(version), rig.now)).kind;
}

TEST(Version, AWriteCarriesTheFloorOnThatAnInvalidationHadLeft) {
  Two two;
  const std::string key = "k";
  two.a.run(two.a.engine->invalidate({&key, 1}, {}, two.a.now, 7));
  const OperationId first = begin(two.a, {"k"}), second = begin(two.b, {"k"});
  two.settle();
  two.pass(3s);  // both are renewed
  two.a.run(end(two.a, first));
  EXPECT_EQ(two.stored("k"), "<intent>");
  EXPECT_TRUE(two.b.run(end(two.b, second)).held);
  EXPECT_EQ(two.stored("k"), "<floor>");
  EXPECT_EQ(stored_as(two.b, 6), Kind::not_stored);
  const OperationId load = two.a.load("k");
  two.settle();
  LoadResult lagging;
  lagging.payload = "six";
  lagging.store = of_version(6);
  two.a.finish_load(lagging);
  two.settle();
  EXPECT_EQ(two.a.value(*two.a.outcome(load)), "six");
  EXPECT_EQ(two.stored("k"), "<pass>");
  EXPECT_EQ(stored_as(two.b, 7), Kind::stored);
}

TEST(Version, AWriteLeavesTheVersionOfTheValueItDroppedAsAFloorForAMinute) {
  Two two;
  ASSERT_EQ(stored_as(two.a, 7), Kind::stored);
  const OperationId writing = begin(two.b, {"k"});
  two.settle();
  two.b.run(end(two.b, writing));
  EXPECT_EQ(two.stored("k"), "<floor>");
  EXPECT_EQ(two.a.engine->stats().damaged, 0u);
  two.pass(50s);
  EXPECT_EQ(stored_as(two.a, 6), Kind::not_stored);
  two.pass(11s);
  EXPECT_EQ(stored_as(two.a, 6), Kind::stored);
}

TEST(Version, TheFloorOutlivesAWriterWhoDied) {
  Two two;
  ASSERT_EQ(stored_as(two.a, 7), Kind::stored);
  begin(two.b, {"k"});
  two.settle();
  two.b.refuse_connections = true;
  two.b.cut();
  for (int n = 0; n < 30; ++n) two.a.pass(100ms);
  const OperationId load = two.a.load("k");
  two.a.settle();
  ASSERT_EQ(two.a.loads.size(), 1u);
  LoadResult lagging;
  lagging.payload = "six";
  lagging.store = of_version(6);
  two.a.finish_load(lagging);
  two.a.run(load);
  EXPECT_EQ(two.stored("k"), "<pass>");
}

TEST(Version, OnMemoryAnInvalidationThatNamesOneLeavesAFloorToo) {
  EngineRig rig(false);
  const std::string key = "k";
  rig.run(rig.engine->invalidate({&key, 1}, {}, rig.now, 7));
  EXPECT_EQ(stored_as(rig, 6), Kind::not_stored);
  const OperationId load = rig.load("k");
  LoadResult lagging;
  lagging.payload = "six";
  lagging.store = of_version(6);
  rig.finish_load(lagging);
  EXPECT_EQ(rig.value(rig.run(load)), "six");
  EXPECT_EQ(rig.found("k"), "<none>");
  EXPECT_EQ(stored_as(rig, 7), Kind::stored);
  EXPECT_EQ(stored_as(rig, 8), Kind::stored);
  const OperationId writing = begin(rig, {"k"});
  rig.run(end(rig, writing));
  EXPECT_EQ(stored_as(rig, 7), Kind::not_stored) << "of the value that was dropped";
  rig.pass(61s);
  EXPECT_EQ(stored_as(rig, 7), Kind::stored);
  rig.run(rig.engine->invalidate({&key, 1}, {}, rig.now, 9));
  rig.run(rig.invalidate({"k"}));
  EXPECT_EQ(stored_as(rig, 1), Kind::stored) << "what names no version forgets them, as in Redis";
}

TEST(Fresh, AReadMayAskForLessThanTheStaleness) {
  EngineRig rig;
  rig.connect();
  rig.cache("k", "value");
  rig.hung = true;
  rig.pass(600ms);
  EXPECT_TRUE(rig.engine->find("k", rig.now));
  EXPECT_TRUE(rig.engine->find("k", rig.now, 800ms));
  EXPECT_FALSE(rig.engine->find("k", rig.now, 300ms));
  EXPECT_FALSE(rig.engine->find("k", rig.now, 0ms));
}

}  // namespace
}  // namespace tiercel::test
