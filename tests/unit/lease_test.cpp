// Loads over processes: two engines at one model of Redis. What stands under the key decides who loads and what may be stored.
#include <algorithm>

#include <gtest/gtest.h>

#include <functional>

#include "support/two_engines.hpp"

namespace tiercel::test {
namespace {

using Kind = Outcome::Kind;

TEST(Lease, AValueLoadedBeforeAnInvalidationIsStoredNowhere) {  // A1
  Two two;
  const OperationId load = two.a.load("k");
  two.settle();
  const OperationId invalidation = two.b.invalidate({"k"});
  two.settle();
  ASSERT_EQ(two.b.outcome(invalidation)->kind, Kind::invalidated);
  two.a.finish_load("old");
  two.settle();
  EXPECT_EQ(two.a.value(*two.a.outcome(load)), "old");  // who had asked before gets the answer
  EXPECT_EQ(two.stored("k"), "<nothing>");
  EXPECT_EQ(two.a.found("k"), "<none>");
  EXPECT_EQ(two.a.engine->stats().sealed, 1u);
}

TEST(Lease, AFillThatIsOnItsWayWhenTheKeyIsInvalidatedIsRefused) {  // A1, the push not yet read
  Two two;
  const OperationId load = two.a.load("k");
  two.settle();
  two.b.invalidate({"k"});
  while (two.b.step()) continue;
  two.a.finish_load("old");  // knows nothing yet
  two.settle();
  EXPECT_EQ(two.a.value(*two.a.outcome(load)), "old");
  EXPECT_EQ(two.stored("k"), "<nothing>");
  EXPECT_EQ(two.a.found("k"), "<none>");
}

TEST(Lease, ALateFillDoesNotPassForThatOfTheNextLease) {  // A4
  Two two;
  const OperationId late = two.a.load("k");
  two.settle();
  two.b.invalidate({"k"});
  while (two.b.step()) continue;
  two.b.load("k");
  while (two.b.step()) continue;
  ASSERT_EQ(two.stored("k"), "<lease>");
  two.a.finish_load("old");
  two.settle();
  EXPECT_EQ(two.a.value(*two.a.outcome(late)), "old");
  EXPECT_EQ(two.stored("k"), "<lease>");
  two.b.finish_load("new");
  two.settle();
  EXPECT_EQ(two.stored("k"), "new");
}

TEST(Lease, OneProcessLoadsAndTheOtherIsWokenByThePush) {
  Two two;
  const OperationId leads = two.a.load("k");
  two.settle();
  const OperationId waits = two.b.load("k");
  two.settle();
  EXPECT_TRUE(two.b.loads.empty());
  two.a.finish_load("value");
  two.settle();
  EXPECT_EQ(two.a.value(*two.a.outcome(leads)), "value");
  ASSERT_TRUE(two.b.outcome(waits));
  EXPECT_EQ(two.b.value(*two.b.outcome(waits)), "value");
  EXPECT_EQ(two.b.engine->stats().loads, 0u);
}

// What ends the wait: that the fill is pushed, or that everything is.
void expect_end_of_wait_between_replies(const std::function<void(Two&)>& end) {
  Two two;
  two.a.load("k", {"t"});
  two.settle();
  const OperationId waits = two.b.load("k", {"t"});
  bool done = false;
  two.redis->after = [&](const ModelRedis::Words& command) {
    if (done || command != ModelRedis::Words{"GET", "tiercel:v:k"}) return;
    done = true;  // before GET of the tag, which is in the same pipeline
    end(two);
  };
  two.b.step();
  two.settle();
  ASSERT_TRUE(done);
  if (!two.b.loads.empty()) two.b.finish_load("value");
  two.settle();
  ASSERT_TRUE(two.b.outcome(waits));
  EXPECT_EQ(two.b.value(*two.b.outcome(waits)), "value");
}

TEST(Lease, WhoIsToldOfTheFillBeforeTheTagsHaveComeDoesNotWaitForIt) {
  expect_end_of_wait_between_replies([](Two& two) {
    two.a.finish_load("value");
    while (two.a.step()) continue;
  });
}

TEST(Lease, WhoIsToldThatEverythingWentBeforeTheTagsHaveComeDoesNotWait) {
  expect_end_of_wait_between_replies([](Two& two) { two.redis->flush_all(); });
}

TEST(Lease, OfTwoWhoBidAtOnceOneLeads) {
  Two two;
  two.a.load("k");
  two.b.load("k");
  two.settle();
  EXPECT_EQ(two.a.loads.size() + two.b.loads.size(), 1u);
}

TEST(Lease, ALeaderThatDiesCostsTheOthersItsLease) {
  Two two;
  two.a.load("k");
  two.settle();
  two.a.refuse_connections = true;
  two.a.cut();
  const OperationId waits = two.b.load("k");
  two.settle();
  ASSERT_TRUE(two.b.loads.empty());
  for (int n = 0; n < 210 && two.b.loads.empty(); ++n) {
    two.b.now += 10ms;
    two.b.engine->advance(two.b.now);
    two.b.settle();
  }
  ASSERT_EQ(two.b.loads.size(), 1u);
  two.b.finish_load("value");
  two.b.settle();
  EXPECT_EQ(two.b.value(*two.b.outcome(waits)), "value");
}

TEST(Lease, IsRenewedWhileItsLoaderRuns) {
  Two two;
  const OperationId load = two.a.load("k");
  two.settle();
  two.pass(9s);
  EXPECT_EQ(two.stored("k"), "<lease>");
  two.a.finish_load("value");
  two.settle();
  EXPECT_EQ(two.a.value(*two.a.outcome(load)), "value");
  EXPECT_EQ(two.stored("k"), "value");
  EXPECT_EQ(two.a.found("k"), "value");
}

TEST(Lease, IsNotRenewedForEver) {
  Two two;
  two.a.load("k");
  two.settle();
  two.pass(33s);
  EXPECT_EQ(two.stored("k"), "<nothing>");
  two.a.finish_load("value");
  two.settle();
  EXPECT_EQ(two.stored("k"), "<nothing>");
}

TEST(Lease, AnInvalidationDuringARenewalIsSeen) {
  Two two;
  two.a.load("k");
  two.settle();
  two.b.invalidate({"k"});
  while (two.b.step()) continue;  // the push waits in A's socket
  two.a.now += 700ms;
  two.a.engine->advance(two.a.now);  // the renewal is sent
  two.settle();
  two.a.finish_load("old");
  two.settle();
  EXPECT_EQ(two.stored("k"), "<nothing>");
  const OperationId later = two.a.load("k");
  two.settle();
  EXPECT_EQ(two.a.loads.size(), 1u);  // another load, not the sealed one's answer
  EXPECT_FALSE(two.a.outcome(later));
}

TEST(Lease, ALoadThatIsCancelledGivesItBack) {
  Two two;
  const OperationId load = two.a.load("k");
  two.settle();
  const OperationId waits = two.b.load("k");
  two.settle();
  two.a.engine->cancel(load, two.a.now);
  two.settle();
  EXPECT_EQ(two.a.cancelled.size(), 1u);
  ASSERT_EQ(two.b.loads.size(), 1u);  // at once, not when the lease runs out
  two.b.finish_load("value");
  two.settle();
  EXPECT_EQ(two.b.value(*two.b.outcome(waits)), "value");
}

TEST(Lease, ABidWhoseCallerHasGoneIsGivenBack) {
  Two two;
  const OperationId load = two.a.load("k");
  two.a.step();
  two.a.step();  // looked; the bid is on its way
  two.a.engine->cancel(load, two.a.now);
  two.settle();
  EXPECT_EQ(two.stored("k"), "<nothing>");
}

TEST(Lease, AfterAFailureEverybodyLoadsForHimselfAndNobodyQueues) {
  Two two;
  const OperationId fails = two.a.load("k");
  two.settle();
  const OperationId waits = two.b.load("k");
  two.settle();
  LoadResult failed;
  failed.kind = LoadResult::Kind::failed;
  two.a.finish_load(failed);
  two.settle();
  EXPECT_EQ(two.a.outcome(fails)->kind, Kind::load_failed);
  EXPECT_EQ(two.stored("k"), "<pass>");
  ASSERT_EQ(two.b.loads.size(), 1u);
  two.b.finish_load("value");
  two.settle();
  EXPECT_EQ(two.b.value(*two.b.outcome(waits)), "value");
  EXPECT_EQ(two.stored("k"), "<pass>");
  two.pass(1100ms);
  two.b.cache("k", "later");
  EXPECT_EQ(two.stored("k"), "later");
}

TEST(Lease, TakesThePlaceOfAValueWhoseTagHasChanged) {
  Two two;
  two.a.cache("k", "old", {"t"});
  two.b.run(two.b.invalidate({}, {"t"}));
  two.settle();
  const OperationId load = two.a.load("k", {"t"});
  two.settle();
  ASSERT_EQ(two.a.loads.size(), 1u);
  EXPECT_EQ(two.stored("k"), "<lease>");
  two.a.finish_load("new");
  two.settle();
  EXPECT_EQ(two.a.value(*two.a.outcome(load)), "new");
  EXPECT_EQ(two.a.value(two.a.run(two.a.read("k"))), "new");
}

TEST(Lease, TakesThePlaceOfWhatIsNoRecord) {
  Two two;
  for (const std::string& foreign : {std::string("?"), std::string(200, 'x'), std::string("TL\0", 3)}) {
    two.redis->write("tiercel:v:k", foreign);
    two.a.load("k");
    two.settle();
    ASSERT_EQ(two.a.loads.size(), 1u);
    two.a.finish_load("new");
    two.settle();
    EXPECT_EQ(two.stored("k"), "new");
    two.a.run(two.a.invalidate({"k"}));
  }
}

TEST(Lease, PatienceHasAnEnd) {
  Two two;
  two.a.load("k");
  two.settle();
  const OperationId waits = two.b.load("k");
  two.pass(2100ms);  // the leader renews, and goes on
  ASSERT_EQ(two.b.loads.size(), 1u);
  two.b.finish_load("own");
  two.settle();
  EXPECT_EQ(two.b.value(*two.b.outcome(waits)), "own");
  EXPECT_EQ(two.stored("k"), "<lease>");  // stored nowhere: it had no lease
  EXPECT_EQ(two.b.found("k"), "<none>");
  two.a.finish_load("value");
  two.settle();
  EXPECT_EQ(two.stored("k"), "value");
}

TEST(Lease, ALoadWhoseKeyIsTrackedNoMoreIsNotJoinedBeyondTheStaleness) {  // A16
  Two two;
  two.a.load("k");
  two.settle();
  two.b.load("k");
  two.settle();
  for (EngineRig* rig : {&two.a, &two.b}) rig->now += 2100ms;  // B's loop was busy past its patience ...
  two.a.engine->advance(two.a.now);
  while (two.a.step()) continue;  // ... and the renewal's push is the first it hears
  while (two.b.step()) continue;
  ASSERT_EQ(two.b.loads.size(), 1u);  // without a lease
  two.a.run(two.a.invalidate({"k"}));
  two.pass(1100ms);
  two.b.load("k");
  two.settle();
  EXPECT_EQ(two.b.loads.size(), 2u);
}

TEST(Lease,
     ALoadUnderWhichNothingStandsIsNotJoinedBeyondTheStaleness) {  // A16: the removal of nothing is pushed to nobody
  Two two;
  two.redis->refuse_writes = "OOM command not allowed when used memory > 'maxmemory'.";
  two.a.load("k");
  two.settle();
  ASSERT_EQ(two.a.loads.size(), 1u);
  ASSERT_EQ(two.stored("k"), "<nothing>");
  two.b.run(two.b.invalidate({"k"}));
  two.pass(1100ms);
  two.a.load("k");
  two.settle();
  EXPECT_EQ(two.a.loads.size(), 2u);
}

TEST(Lease, IsRenewedAgainAfterAnAnswerThatWasLost) {
  Two two;
  two.a.load("k");
  two.settle();
  two.a.hung = true;
  two.a.now += 700ms;
  two.a.engine->advance(two.a.now);  // the renewal is sent, and never answered
  two.a.hung = false;
  two.a.cut();
  two.settle();
  two.b.now = two.a.now;
  two.pass(9s);
  EXPECT_EQ(two.stored("k"), "<lease>");
}

TEST(Lease, WhoWaitsIsWokenWhenTheConnectionIsLost) {
  Two two;
  two.a.load("k");
  two.settle();
  two.b.load("k");
  two.settle();
  two.b.refuse_connections = true;
  two.b.cut();
  EXPECT_EQ(two.b.loads.size(), 1u);
}

// b, without tracking, waits for what a loads.
struct Polling : Two {
  Polling() {
    b.cut();
    redis->refuse_tracking = true;
    b.pass(6s);
    a.now = b.now;
    a.engine->advance(a.now);
    settle();
    a.load("k");
    settle();
    waits = b.load("k");
    settle();
  }
  std::size_t asked() const {
    return static_cast<std::size_t>(
        std::count(redis->log.begin(), redis->log.end(), ModelRedis::Words{"GET", "tiercel:v:k"}));
  }
  OperationId waits = 0;
};

TEST(Lease, WhoWaitsPollsWhereNoPushComes) {
  Polling two;
  ASSERT_EQ(two.b.engine->stats().tracking, "off");
  ASSERT_TRUE(two.b.loads.empty());
  two.a.finish_load("value");
  two.settle();
  two.pass(13ms);
  ASSERT_TRUE(two.b.outcome(two.waits));
  EXPECT_EQ(two.b.value(*two.b.outcome(two.waits)), "value");
}

TEST(Lease, WhoPollsAsksLessAndLessOften) {
  Polling two;
  const std::size_t before = two.asked();
  two.pass(300ms);
  const std::size_t early = two.asked() - before;
  EXPECT_GE(early, 4u);
  EXPECT_LE(early, 9u);
  two.pass(1500ms);
  EXPECT_LE(two.asked() - before - early, 1500u / 80 + 1) << "never sooner than half of 160 ms";
  EXPECT_GE(two.asked() - before - early, 1500u / 200) << "nor later than five quarters of it";
}

TEST(Lease, APushWhileTheTagsAreStillAskedForWakesAllTheSame) {
  Two two;
  two.a.load("k");
  two.settle();
  two.redis->after = [&](const ModelRedis::Words& command) {
    if (command == ModelRedis::Words{"GET", "tiercel:v:k"}) {
      two.redis->after = nullptr;
      two.redis->remove("tiercel:v:k");  // the lease that was just read; a tag is read behind it
    }
  };
  two.b.load("k", {"t"});
  two.settle();
  EXPECT_EQ(two.b.loads.size(), 1u) << "it bids, and does not wait for a lease that is gone";
}

TEST(Lease, AWaiterThatWasSealedIsWokenAllTheSame) {
  Two two;
  two.a.load("k");
  two.settle();
  const OperationId waits = two.b.load("k");
  two.settle();
  two.b.invalidate({"k"});
  two.settle();
  ASSERT_EQ(two.b.loads.size(), 1u);  // the lease is gone: it bids
  two.b.finish_load("new");
  two.settle();
  EXPECT_EQ(two.b.value(*two.b.outcome(waits)), "new");
}

// ---- refreshes

OperationId refresh(EngineRig& rig, std::string_view key) {
  LoadOptions options;
  options.skip_value = true;
  const OperationId id = rig.engine->get_or_load(key, options, rig.now);
  rig.take_events();
  return id;
}

TEST(Refresh, TheOldValueServesUntilTheNewOneReplacesIt) {
  Two two;
  two.a.cache("k", "old");
  const OperationId id = refresh(two.a, "k");
  two.settle();
  EXPECT_EQ(two.b.value(two.b.run(two.b.read("k"))), "old");
  two.a.finish_load("new");
  two.settle();
  EXPECT_EQ(two.a.value(*two.a.outcome(id)), "new");
  EXPECT_EQ(two.stored("k"), "new");
  EXPECT_EQ(two.a.found("k"), "new");
}

TEST(Refresh, OfAllProcessesOneRefreshesBehind) {
  Two two;
  two.a.cache("k", "old");
  LoadOptions behind;
  behind.skip_value = behind.behind = behind.outlive_callers = true;
  const OperationId a = two.a.engine->get_or_load("k", behind, two.a.now);
  const OperationId b = two.b.engine->get_or_load("k", behind, two.b.now);
  two.settle();
  ASSERT_EQ(two.a.loads.size() + two.b.loads.size(), 1u);
  EngineRig& elected = two.a.loads.empty() ? two.b : two.a;
  EngineRig& other = two.a.loads.empty() ? two.a : two.b;
  const OperationId others = two.a.loads.empty() ? a : b;
  EXPECT_EQ(other.outcome(others)->kind, Kind::hit);
  EXPECT_EQ(other.value(*other.outcome(others)), "old");
  elected.finish_load("new");
  two.settle();
  EXPECT_EQ(two.stored("k"), "new");
  EXPECT_EQ(other.found("k"), "<none>");
}

TEST(Refresh, StoresNothingOverAnInvalidation) {
  Two two;
  two.a.cache("k", "old");
  refresh(two.a, "k");
  two.settle();
  two.b.run(two.b.invalidate({"k"}));
  two.a.finish_load("older than the invalidation");
  two.settle();
  EXPECT_EQ(two.stored("k"), "<nothing>");
  EXPECT_EQ(two.a.found("k"), "<none>");
}

TEST(Refresh, TheOldValueDoesNotComeBackWhereTheNewOneIsRefused) {
  Two two;
  two.a.cache("k", "old");
  two.redis->refuse_writes = "OOM command not allowed when used memory > 'maxmemory'.";
  refresh(two.a, "k");
  two.settle();
  two.a.finish_load("new");
  two.settle();
  EXPECT_EQ(two.a.found("k"), "new");
  two.pass(1500ms);
  EXPECT_NE(two.a.value(two.a.run(two.a.read("k"))), "old");
}

TEST(Refresh, ATooLargeValueLeavesNoOldOneInMemory) {
  EngineSettings settings = EngineRig::settings_for(false);
  settings.value_bytes_max = 100;
  EngineRig rig(settings, 1);
  rig.cache("k", "old");
  refresh(rig, "k");
  rig.finish_load(std::string(101, 'x'));
  EXPECT_EQ(rig.found("k"), "<none>");
}

TEST(Refresh, TakesAnothersLease) {
  Two two;
  two.a.load("k");
  two.settle();
  const OperationId id = refresh(two.b, "k");
  two.settle();
  two.b.finish_load("refreshed");
  two.settle();
  EXPECT_EQ(two.b.value(*two.b.outcome(id)), "refreshed");
  EXPECT_EQ(two.stored("k"), "refreshed");
  two.a.finish_load("earlier");
  two.settle();
  EXPECT_EQ(two.stored("k"), "refreshed");
}

// ---- versions

OperationId store(EngineRig& rig, std::string value, std::uint64_t version) {
  StoreOptions options;
  options.usable_for = 60s;
  options.version = version;
  const OperationId id = rig.engine->store("k", std::move(value), options, rig.now);
  rig.take_events();
  return id;
}

TEST(Version, ANewerOrEqualOneReplacesAndAnOlderOneDoesNot) {
  Two two;
  EXPECT_EQ(two.a.run(store(two.a, "seven", 7)).kind, Kind::stored);
  const Outcome older = two.b.run(store(two.b, "six", 6));
  EXPECT_EQ(older.kind, Kind::not_stored);
  EXPECT_EQ(older.error->code, ErrorCode::superseded);
  EXPECT_EQ(two.stored("k"), "seven");
  EXPECT_EQ(two.b.run(store(two.b, "seven again", 7)).kind, Kind::stored);
  const std::uint64_t beyond_doubles = (1ull << 53) + 1;
  EXPECT_EQ(two.b.run(store(two.b, "big", beyond_doubles)).kind, Kind::stored);
  EXPECT_EQ(two.a.run(store(two.a, "one less", beyond_doubles - 1)).kind, Kind::not_stored);
  EXPECT_EQ(two.a.run(store(two.a, "top bit", 1ull << 63)).kind, Kind::stored);
  EXPECT_EQ(two.stored("k"), "top bit");
}

TEST(Version, ALoadThatBringsAnOlderOneThanWasKnownIsNotStored) {
  Two two;
  StoreOptions options;
  options.usable_for = 60s;
  options.version = 7;
  options.tags = {"t"};
  two.a.engine->store("k", "seven", options, two.a.now);
  two.settle();
  two.b.run(two.b.invalidate({}, {"t"}));
  two.settle();
  const OperationId load = two.a.load("k");
  two.settle();
  LoadResult lagging;
  lagging.payload = "six";
  lagging.store.usable_for = 60s;
  lagging.store.version = 6;
  two.a.finish_load(lagging);
  two.settle();
  EXPECT_EQ(two.a.value(*two.a.outcome(load)), "six");
  EXPECT_EQ(two.stored("k"), "<pass>");
}

}  // namespace
}  // namespace tiercel::test
