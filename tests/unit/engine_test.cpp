// The engine's paths, each against a model of Redis in virtual time.
#include <gtest/gtest.h>

#include <memory>

#include "cache/breaker.hpp"
#include "cache/pending.hpp"
#include "support/engine_rig.hpp"

namespace tiercel::test {
namespace {

using Kind = Outcome::Kind;

// ---- memory:// alone

TEST(MemoryOnly, ALoadIsStoredAndHitFromThenOn) {
  EngineRig rig(false);
  const OperationId id = rig.load("user:1", {"users"});
  ASSERT_EQ(rig.loads.size(), 1u);
  rig.finish_load("Ada");
  EXPECT_EQ(rig.run(id).kind, Kind::loaded);
  EXPECT_TRUE(rig.run(id).led);
  EXPECT_EQ(rig.found("user:1"), "Ada");
}

TEST(MemoryOnly, InvalidatingATagDropsWhatCarriesIt) {
  EngineRig rig(false);
  rig.cache("user:1", "Ada", {"users", "admins"});
  rig.cache("user:2", "Bob", {"users"});
  rig.cache("city:1", "Oslo", {"cities"});
  EXPECT_EQ(rig.run(rig.invalidate({}, {"users"})).kind, Kind::invalidated);
  EXPECT_EQ(rig.found("user:1"), "<none>");
  EXPECT_EQ(rig.found("user:2"), "<none>");
  EXPECT_EQ(rig.found("city:1"), "Oslo");
}

TEST(MemoryOnly, ALoadThatBeganBeforeATagWasInvalidatedIsNotServedAfter) {
  EngineRig rig(false);
  const OperationId early = rig.load("user:1", {"users"});
  rig.invalidate({}, {"users"});
  rig.finish_load("old");
  EXPECT_EQ(rig.value(rig.run(early)), "old");   // who had joined keeps the answer
  EXPECT_EQ(rig.found("user:1"), "<none>");
}

TEST(MemoryOnly, AKeyExpiresAtItsDeadlineAndItsMemoryIsFreed) {
  EngineRig rig(false);
  const OperationId id = rig.load("k");
  rig.finish_load("v", 5s);
  rig.run(id);
  rig.pass(4s);
  EXPECT_EQ(rig.found("k"), "v");
  rig.pass(1s);
  EXPECT_EQ(rig.found("k"), "<none>");
  rig.pass(1s);
  EXPECT_EQ(rig.engine->stats().l1_entries, 0u);
}

TEST(MemoryOnly, PatternsReachMatchingKeysAlone) {
  EngineRig rig(false);
  rig.cache("list:0:10", "a");
  rig.cache("list:10:10", "b");
  rig.cache("other", "c");
  EXPECT_EQ(rig.run(rig.engine->invalidate_matching("list:*", rig.now)).count, 2u);
  EXPECT_EQ(rig.found("list:0:10"), "<none>");
  EXPECT_EQ(rig.found("other"), "c");
}

TEST(MemoryOnly, ClearDropsEverything) {
  EngineRig rig(false);
  rig.cache("a", "1");
  rig.cache("b", "2", {"t"});
  rig.run(rig.engine->clear(rig.now));
  EXPECT_EQ(rig.found("a"), "<none>");
  EXPECT_EQ(rig.found("b"), "<none>");
}

// ---- flights

TEST(Flight, ThousandCallersOfOneColdKeyMakeOneLoad) {
  EngineRig rig;
  rig.connect();
  std::vector<OperationId> callers;
  for (int n = 0; n < 1000; ++n) callers.push_back(rig.load("hot"));
  rig.settle();
  ASSERT_EQ(rig.loads.size(), 1u);
  rig.finish_load("value");
  rig.settle();
  for (const OperationId caller : callers) EXPECT_EQ(rig.value(*rig.outcome(caller)), "value");
  EXPECT_TRUE(rig.outcome(callers[0])->led);
  EXPECT_FALSE(rig.outcome(callers[1])->led);
}

TEST(Flight, CancellingTheFirstCallerHarmsNoOther) {
  EngineRig rig(false);
  const OperationId first = rig.load("k"), second = rig.load("k");
  rig.engine->cancel(first, rig.now);
  rig.take_events();
  EXPECT_TRUE(rig.cancelled.empty());
  rig.finish_load("value");
  EXPECT_EQ(rig.value(*rig.outcome(second)), "value");
  EXPECT_FALSE(rig.outcome(first));
}

TEST(Flight, TheLastToLeaveCancelsTheLoad) {
  EngineRig rig(false);
  const OperationId first = rig.load("k"), second = rig.load("k");
  rig.engine->cancel(first, rig.now);
  rig.engine->cancel(second, rig.now);
  rig.take_events();
  ASSERT_EQ(rig.cancelled.size(), 1u);
  EXPECT_EQ(rig.cancelled[0], rig.loads[0].first);
  rig.load("k");
  EXPECT_EQ(rig.loads.size(), 2u);   // a new flight, a new load
}

TEST(Flight, AFailureAfterItsCallerLeftLetsTheNextWaiterLoad) {
  EngineRig rig(false);
  const OperationId first = rig.load("k"), second = rig.load("k");
  rig.engine->cancel(first, rig.now);
  LoadResult failed;
  failed.kind = LoadResult::Kind::failed;
  rig.finish_load(failed);
  EXPECT_FALSE(rig.outcome(second));
  ASSERT_EQ(rig.loads.size(), 1u);
  EXPECT_EQ(rig.loads[0].second, second);
  rig.finish_load("mine");
  EXPECT_EQ(rig.value(*rig.outcome(second)), "mine");
}

TEST(Flight, AFailureReachesAllWhoWaitAndIsNotStored) {
  EngineRig rig(false);
  const OperationId first = rig.load("k"), second = rig.load("k");
  LoadResult failed;
  failed.kind = LoadResult::Kind::failed;
  const FlightId flight = rig.finish_load(failed);
  EXPECT_EQ(rig.outcome(first)->kind, Kind::load_failed);
  EXPECT_EQ(rig.outcome(second)->kind, Kind::load_failed);
  EXPECT_EQ(rig.outcome(second)->flight, flight);
  EXPECT_EQ(rig.found("k"), "<none>");
}

TEST(Flight, AnUncacheableResultSendsTheOthersToTheirOwnLoaders) {
  EngineRig rig(false);
  const OperationId first = rig.load("k"), second = rig.load("k");
  LoadResult odd;
  odd.kind = LoadResult::Kind::uncacheable;
  rig.finish_load(odd);
  EXPECT_EQ(rig.outcome(first)->kind, Kind::loaded);
  EXPECT_TRUE(rig.outcome(first)->led);
  EXPECT_EQ(rig.outcome(second)->kind, Kind::run_loader);
}

TEST(Flight, AnInvalidationSealsItForLaterReaders) {
  EngineRig rig;
  rig.connect();
  const OperationId early = rig.load("k");
  rig.settle();
  ASSERT_EQ(rig.loads.size(), 1u);
  rig.run(rig.invalidate({"k"}));
  const OperationId late = rig.load("k");
  rig.settle();
  ASSERT_EQ(rig.loads.size(), 2u);
  rig.finish_load("old");
  rig.settle();
  EXPECT_EQ(rig.value(*rig.outcome(early)), "old");
  EXPECT_FALSE(rig.outcome(late));
  EXPECT_EQ(rig.found("k"), "<none>");   // never stored
  rig.finish_load("new");
  EXPECT_EQ(rig.value(rig.run(late)), "new");
  EXPECT_EQ(rig.found("k"), "new");
}

TEST(Flight, AnotherProcessWritingTheKeySealsIt) {
  EngineRig rig;
  rig.connect();
  rig.load("k");
  rig.settle();
  rig.redis().write("tiercel:v:k", "whatever");
  rig.settle();
  rig.finish_load("old");
  rig.settle();
  EXPECT_EQ(rig.redis().get("tiercel:v:k"), "whatever");
  EXPECT_EQ(rig.engine->stats().sealed, 1u);
}

// ---- Redis behind memory

TEST(ReadPath, WhatOneProcessLoadedAnotherFindsInRedis) {
  EngineRig first;
  EngineRig second(EngineRig::settings_for(true), 2, std::shared_ptr<ModelRedis>(&first.redis(), [](ModelRedis*) {}));
  first.connect();
  second.connect();
  first.cache("user:1", "Ada", {"users"});
  const Outcome seen = second.run(second.load("user:1", {"users"}));
  EXPECT_EQ(seen.kind, Kind::hit);
  EXPECT_EQ(second.value(seen), "Ada");
  EXPECT_TRUE(second.loads.empty());
  EXPECT_EQ(second.found("user:1"), "Ada");   // and now from its memory
}

TEST(ReadPath, AChangeElsewhereLeavesMemoryByThePush) {
  EngineRig first;
  EngineRig second(EngineRig::settings_for(true), 2, std::shared_ptr<ModelRedis>(&first.redis(), [](ModelRedis*) {}));
  first.connect();
  second.connect();
  first.cache("user:1", "Ada", {"users"});
  second.run(second.load("user:1"));
  ASSERT_EQ(second.found("user:1"), "Ada");
  first.run(first.invalidate({"user:1"}));
  EXPECT_EQ(first.found("user:1"), "<none>");
  second.settle();
  EXPECT_EQ(second.found("user:1"), "<none>");
}

TEST(ReadPath, ATagInvalidatedElsewhereMakesEntriesMissInMemoryAndInRedis) {
  EngineRig first;
  EngineRig second(EngineRig::settings_for(true), 2, std::shared_ptr<ModelRedis>(&first.redis(), [](ModelRedis*) {}));
  first.connect();
  second.connect();
  first.cache("user:1", "Ada", {"users"});
  second.run(second.load("user:1"));
  ASSERT_EQ(second.found("user:1"), "Ada");
  const std::size_t before = first.redis().log.size();
  EXPECT_EQ(first.run(first.invalidate({}, {"users"})).kind, Kind::invalidated);
  EXPECT_EQ(first.redis().log.size(), before + 2);   // the any-tag's and the tag's, whatever stands behind the tag
  second.settle();
  EXPECT_EQ(second.found("user:1"), "<none>");
  EXPECT_EQ(second.run(second.read("user:1")).kind, Kind::miss);  // the record is still in Redis, under an old stamp
  EXPECT_TRUE(first.redis().get("tiercel:v:user:1"));
}

TEST(ReadPath, AStampMadeWhileRedisWasNotAskedIsNotTakenForTheTags) {
  auto redis = std::make_shared<ModelRedis>();
  EngineRig rig(true, 1, redis), other(true, 2, redis);
  rig.connect();
  other.connect();
  redis->refuse_writes = "OOM command not allowed when used memory > 'maxmemory'.";
  rig.cache("a", "1", {"t"});  // kept for its age, under a stamp of its own
  redis->refuse_writes.clear();
  rig.cache("b", "2", {"t"});
  other.run(other.invalidate({}, {"t"}));
  rig.settle();
  EXPECT_EQ(rig.found("b"), "<none>");
  EXPECT_EQ(rig.run(rig.read("b")).kind, Kind::miss);
}

TEST(ReadPath, AMissingTagIsStale) {
  EngineRig rig;
  rig.connect();
  rig.cache("user:1", "Ada", {"users"});
  rig.redis().remove("tiercel:t:users");  // evicted
  rig.settle();
  EXPECT_EQ(rig.found("user:1"), "<none>");
  EXPECT_EQ(rig.run(rig.read("user:1")).kind, Kind::miss);
}

TEST(ReadPath, ATagChangedBetweenTheRecordAndItsOwnReplyIsSeen) {
  // The process knows an old stamp of the tag; the push that changes it comes in front of the record's reply.
  EngineRig rig;
  rig.connect();
  rig.cache("user:1", "Ada", {"users"});
  rig.engine->forget("user:1");
  const OperationId id = rig.read("user:1");
  rig.redis().write("tiercel:t:users", encode_tag({Stamp{}, kServerNever}));
  EXPECT_EQ(rig.run(id).kind, Kind::miss);
}

TEST(ReadPath, AllQuestionsOfOneTickLeaveInOneWrite) {
  EngineRig rig;
  rig.connect();
  const std::uint64_t before = rig.engine->stats().redis_writes;
  for (int n = 0; n < 100; ++n) rig.read("k" + std::to_string(n));
  rig.settle();
  EXPECT_EQ(rig.engine->stats().redis_writes, before + 1);
}

TEST(ReadPath, DamagedOldNewAndForeignRecordsAreCountedMisses) {
  EngineRig rig;
  rig.connect();
  rig.cache("k", "value");
  const std::string good = *rig.redis().get("tiercel:v:k");
  std::string newer = good, flipped = good;
  newer[2] = 7;
  flipped.back() = static_cast<char>(flipped.back() ^ 1);
  std::uint64_t damaged = rig.engine->stats().damaged;
  for (const std::string& bytes : {newer, flipped, good.substr(0, 40), std::string("{\"json\": 1}"), std::string()}) {
    rig.redis().write("tiercel:v:k", bytes);
    rig.settle();
    EXPECT_EQ(rig.run(rig.read("k")).kind, Kind::miss);
    EXPECT_EQ(rig.engine->stats().damaged, ++damaged);
  }
}

TEST(ReadPath, ALeaseOfALaterVersionIsAMissAndNotDamage) {
  EngineRig rig;
  rig.connect();
  Header lease;
  lease.state = RecordState::lease;
  rig.redis().write("tiercel:v:k", encode_record(lease, {}, {}, {}));
  EXPECT_EQ(rig.run(rig.read("k")).kind, Kind::miss);
  EXPECT_EQ(rig.engine->stats().damaged, 0u);
}

TEST(ReadPath, ANullPushEmptiesMemory) {
  EngineRig rig;
  rig.connect();
  rig.cache("k", "value");
  ASSERT_EQ(rig.found("k"), "value");
  rig.redis().flush_all();
  rig.settle();
  EXPECT_EQ(rig.found("k"), "<none>");
  rig.cache("k", "again");
  EXPECT_EQ(rig.found("k"), "again");
}

// ---- own writes

TEST(Store, OwnWriteLeavesMemoryAtSubmitAndComesBackWithItsHeader) {
  EngineRig rig;
  rig.connect();
  rig.cache("k", "old");
  const OperationId id = rig.store("k", "new");
  EXPECT_EQ(rig.found("k"), "<none>");  // submitted, not acknowledged
  EXPECT_EQ(rig.run(id).kind, Kind::stored);
  EXPECT_EQ(rig.found("k"), "new");
}

TEST(Store, AnEarlierReadDoesNotBringBackTheOldValue) {
  // The read is on the wire before the write: its reply comes first, fills memory, and must leave it again when the write is acknowledged.
  EngineRig rig;
  rig.connect();
  rig.cache("k", "old");
  rig.engine->forget("k");
  const OperationId read = rig.read("k");
  const OperationId write = rig.invalidate({"k"});
  rig.settle();
  EXPECT_EQ(rig.value(*rig.outcome(read)), "old");
  EXPECT_EQ(rig.outcome(write)->kind, Kind::invalidated);
  EXPECT_EQ(rig.found("k"), "<none>");
}

TEST(Store, AnEarlierReadDoesNotBringBackTheOldValueWhereNoPushComes) {
  EngineRig rig;
  rig.redis().refuse_tracking = true;
  rig.connect();
  rig.cache("k", "old");
  rig.engine->forget("k");
  rig.read("k");
  rig.run(rig.invalidate({"k"}));
  EXPECT_EQ(rig.found("k"), "<none>");
}

TEST(Store, AnotherWriterBehindOursKeepsOursOutOfMemory) {
  EngineRig rig;
  rig.connect();
  const std::string theirs = encode_record({}, {}, {}, "theirs");
  rig.redis().after = [&](const std::vector<std::string>& command) {
    if (command[0] == "SET" && command[1] == "tiercel:v:k") rig.redis().write("tiercel:v:k", theirs);
  };
  ASSERT_EQ(rig.run(rig.store("k", "mine")).kind, Kind::stored);
  EXPECT_EQ(rig.found("k"), "<none>");
}

TEST(Store, TooLargeIsRefusedAndTheOldValueIsGone) {
  EngineSettings settings = EngineRig::settings_for(true);
  settings.value_bytes_max = 1000;
  EngineRig rig(settings, 1);
  rig.connect();
  rig.cache("k", "old");
  const Outcome outcome = rig.run(rig.store("k", std::string(1001, 'x')));
  EXPECT_EQ(outcome.kind, Kind::not_stored);
  EXPECT_EQ(outcome.error->code, ErrorCode::too_large);
  EXPECT_EQ(rig.run(rig.read("k")).kind, Kind::miss);
}

TEST(Store, ATagLivesAtLeastTwiceAsLongAsWhatIsFilledUnderIt) {
  EngineRig rig;
  rig.connect();
  rig.run(rig.store("k", "v", {"t"}, std::chrono::hours{24 * 30}));
  const auto tag = decode_tag(*rig.redis().get("tiercel:t:t"));
  const auto record = rig.redis().get("tiercel:v:k");
  const Result<Record> stored = decode_record(*record);
  ASSERT_TRUE(stored.ok());
  EXPECT_GE(tag->deadline - ServerTime{Duration{1'800'000'000'000'000 + rig.now.time_since_epoch().count()}},
            std::chrono::hours{24 * 60});
  for (const TagStamp& own : stored->tags) {
    if (own.name == "t") { EXPECT_EQ(own.stamp, tag->stamp); }
  }
  EXPECT_EQ(rig.run(rig.read("k")).kind, Kind::hit);
}

// ---- invalidation by pattern

TEST(Pattern, ReachesEveryPageOfTheScanAndNothingElse) {
  EngineRig rig;
  rig.connect();
  for (int n = 0; n < 50; ++n) rig.cache("list:" + std::to_string(n), "x");
  rig.cache("lists", "y");
  const Outcome outcome = rig.run(rig.engine->invalidate_matching("list:*", rig.now));
  EXPECT_EQ(outcome.kind, Kind::invalidated);
  EXPECT_EQ(outcome.count, 50u);
  EXPECT_EQ(rig.run(rig.read("list:7")).kind, Kind::miss);
  EXPECT_EQ(rig.found("lists"), "y");
}

// ---- Redis away, slow, refusing

TEST(RedisAway, MemoryIsNotTrustedBeyondItsAgeWhileTheConnectionIsDown) {
  EngineRig rig;
  rig.connect();
  rig.cache("k", "value");
  rig.pass(10s);
  ASSERT_EQ(rig.found("k"), "value");  // the heartbeat keeps it trusted
  rig.refuse_connections = true;
  rig.cut();
  EXPECT_EQ(rig.found("k"), "value");  // as of the last heartbeat
  rig.pass(rig.engine->settings().staleness);
  EXPECT_EQ(rig.found("k"), "<none>");
}

TEST(RedisAway, AConnectionThatSaysNothingIsAsGoodAsNone) {
  EngineRig rig;
  rig.connect();
  rig.cache("k", "value");
  rig.hung = true;
  rig.pass(900ms);
  EXPECT_EQ(rig.found("k"), "value");
  rig.pass(700ms);
  EXPECT_EQ(rig.found("k"), "<none>");
}

TEST(RedisAway, LoadsGoOnOncePerKeyAndStaleness) {
  EngineRig rig;
  rig.refuse_connections = true;
  rig.connect();
  for (int n = 0; n < 10; ++n) {
    const OperationId id = rig.load("k");
    if (!rig.loads.empty()) rig.finish_load("v");
    EXPECT_EQ(rig.value(*rig.outcome(id)), "v");
    rig.pass(300ms);
  }
  EXPECT_EQ(rig.engine->stats().loads, 3u);
}

TEST(RedisAway, InvalidationsAreKeptAndSentBeforeRedisIsUsedAgain) {
  EngineRig rig;
  rig.connect();
  rig.cache("k", "old", {"t"});
  rig.cache("other", "old", {"t"});
  rig.cache("page:1", "old");
  rig.refuse_connections = true;
  rig.cut();
  EXPECT_EQ(rig.run(rig.invalidate({"k"}, {"t"})).kind, Kind::pending);
  EXPECT_EQ(rig.run(rig.engine->invalidate_matching("page:*", rig.now)).kind, Kind::pending);
  EXPECT_EQ(rig.engine->stats().pending, 3u);
  rig.refuse_connections = false;
  rig.pass(6s);  // the longest back-off
  EXPECT_EQ(rig.engine->stats().redis_state, "ready");
  EXPECT_EQ(rig.engine->stats().pending, 0u);
  EXPECT_EQ(rig.run(rig.read("k")).kind, Kind::miss);
  EXPECT_EQ(rig.run(rig.read("other")).kind, Kind::miss);
  EXPECT_EQ(rig.run(rig.read("page:1")).kind, Kind::miss);
}

TEST(RedisAway, TooManyPendingInvalidationsBecomeOneOfEverything) {
  EngineSettings settings = EngineRig::settings_for(true);
  settings.pending_max = 10;
  EngineRig rig(settings, 1);
  rig.connect();
  rig.cache("bystander", "old");
  rig.refuse_connections = true;
  rig.cut();
  for (int n = 0; n < 11; ++n) rig.invalidate({"k" + std::to_string(n)});
  EXPECT_EQ(rig.engine->stats().pending, 1u);
  rig.refuse_connections = false;
  rig.pass(6s);
  EXPECT_EQ(rig.run(rig.read("bystander")).kind, Kind::miss);
  rig.cache("bystander", "new");
  EXPECT_EQ(rig.run(rig.read("bystander")).kind, Kind::hit);
}

TEST(RedisAway, AWriteWhoseReplyWasNotSeenIsAPendingInvalidation) {
  EngineRig rig;
  rig.connect();
  const OperationId id = rig.store("k", "value");
  rig.refuse_connections = true;
  rig.cut();
  EXPECT_EQ(rig.outcome(id)->kind, Kind::not_stored);
  EXPECT_EQ(rig.engine->stats().pending, 1u);
}

TEST(RedisAway, AFillWhoseReplyWasNotSeenIsRightWhetherItWasStoredOrNot) {
  EngineRig rig;
  rig.connect();
  const OperationId id = rig.load("k");
  rig.settle();
  rig.finish_load("value");
  rig.refuse_connections = true;
  rig.cut();
  EXPECT_EQ(rig.value(*rig.outcome(id)), "value");
  EXPECT_EQ(rig.engine->stats().pending, 0u);  // it was stored only if its lease stood
}

TEST(RedisSlow, AReadPastItsBudgetIsAMissAndTheOrderIsKept) {
  EngineRig rig;
  rig.connect();
  rig.run(rig.store("a", "1"));
  rig.run(rig.store("b", "2"));
  rig.engine->forget("a");
  rig.engine->forget("b");
  rig.hung = true;
  const OperationId slow = rig.read("a");
  rig.pass(100ms);
  ASSERT_TRUE(rig.outcome(slow));
  EXPECT_EQ(rig.outcome(slow)->kind, Kind::miss);
  EXPECT_TRUE(rig.outcome(slow)->degraded);
  const OperationId next = rig.read("b");
  rig.hung = false;
  EXPECT_EQ(rig.value(rig.run(next)), "2");  // not the late reply to "a"
}

TEST(RedisSlow, AfterThreeOverrunsItIsLeftAloneThenTriedAgain) {
  EngineRig rig;
  rig.connect();
  rig.run(rig.store("k", "v"));
  rig.engine->forget("k");
  rig.hung = true;
  for (int n = 0; n < 3; ++n) {
    const OperationId id = rig.read("k");
    EXPECT_FALSE(rig.outcome(id));
    rig.pass(100ms);
    EXPECT_TRUE(rig.outcome(id));
  }
  EXPECT_TRUE(rig.outcome(rig.read("k")));  // answered at once: Redis was not asked
  EXPECT_EQ(rig.engine->stats().redis_state, "resting");
  EXPECT_EQ(rig.run(rig.invalidate({"k"})).kind, Kind::pending);
  rig.hung = false;
  rig.pass(1s);
  EXPECT_EQ(rig.run(rig.read("k")).kind, Kind::miss);  // invalidated before Redis was trusted again
  EXPECT_EQ(rig.engine->stats().redis_state, "ready");
}

TEST(RedisRefuses, ALoadIsAnsweredAlthoughRedisIsFull) {
  EngineRig rig;
  rig.connect();
  rig.redis().refuse_writes = "OOM command not allowed when used memory > 'maxmemory'.";
  const OperationId id = rig.load("k", {"t"});
  rig.settle();
  rig.finish_load("value");
  EXPECT_EQ(rig.value(rig.run(id)), "value");
}

TEST(RedisRefuses, ATagIsInvalidatedByDeletionWhereRedisIsFull) {
  EngineRig rig;
  rig.connect();
  rig.cache("k", "value", {"t"});
  rig.redis().refuse_writes = "OOM command not allowed when used memory > 'maxmemory'.";
  EXPECT_EQ(rig.run(rig.invalidate({}, {"t"})).kind, Kind::invalidated);
  EXPECT_FALSE(rig.redis().get("tiercel:t:t"));
  EXPECT_EQ(rig.run(rig.read("k")).kind, Kind::miss);
}

TEST(RedisRefuses, NothingUnderATagIsServedWhileItsInvalidationIsRefused) {
  EngineRig rig;
  rig.connect();
  rig.cache("k", "value", {"t"});
  rig.redis().refuse_writes = "READONLY You can't write against a read only replica.";
  EXPECT_EQ(rig.run(rig.invalidate({}, {"t"})).kind, Kind::pending);
  EXPECT_EQ(rig.run(rig.read("k")).kind, Kind::miss);
  EXPECT_EQ(rig.found("k"), "<none>");
  rig.redis().refuse_writes.clear();
  rig.pass(2s);  // the replay is tried again by itself
  EXPECT_EQ(rig.engine->stats().pending, 0u);
  EXPECT_EQ(rig.run(rig.read("k")).kind, Kind::miss);
}

TEST(RedisAway, WhatIsPendingGoesInFrontOfTheFirstRead) {
  for (const bool by_tag : {true, false}) {
    auto redis = std::make_shared<ModelRedis>();
    EngineRig rig(true, 1, redis), other(true, 2, redis);
    rig.connect();
    other.connect();
    other.cache("k", "old", {"t"});
    rig.cut();
    rig.run(by_tag ? rig.invalidate({}, {"t"}) : rig.invalidate({"k"}));
    rig.pass(200ms);
    ASSERT_EQ(rig.engine->stats().redis_state, "ready");
    const OperationId load = rig.load("k", {"t"});
    rig.settle();
    EXPECT_FALSE(rig.outcome(load)) << "it is to load: " << (by_tag ? "the tag" : "the key") << " was owed to Redis";
  }
}

TEST(RedisAway, MoreTagsThanOnePipelineTakesAreSettledByTheRoot) {
  EngineSettings settings = EngineRig::settings_for(true);
  settings.pending_max = 100'000;
  EngineRig rig(settings, 1);
  rig.connect();
  rig.cache("k", "old", {"t"});
  rig.cut();
  rig.run(rig.invalidate({}, {"t"}));
  for (int n = 0; n < 12'000; ++n) rig.run(rig.invalidate({}, {"tag:" + std::to_string(n)}));
  rig.pass(5s);
  EXPECT_EQ(rig.run(rig.read("k")).kind, Kind::miss);
  EXPECT_EQ(rig.engine->stats().pending, 0u);
  EXPECT_EQ(rig.engine->stats().pending_overflows, 1u);
}

TEST(RedisAway, TheVersionOfAPendingInvalidationIsRemembered) {
  auto redis = std::make_shared<ModelRedis>();
  EngineRig rig(true, 1, redis), other(true, 2, redis);
  rig.connect();
  other.connect();
  const auto store = [](EngineRig& by, std::uint64_t version) {
    StoreOptions options;
    options.usable_for = 60s;
    options.version = version;
    return by.run(by.engine->store("k", "of a version", options, by.now)).kind;
  };
  rig.cut();
  const std::vector<std::string> keys{"k"};
  EXPECT_EQ(rig.run(rig.engine->invalidate(keys, {}, rig.now, 10)).kind, Kind::pending);
  EXPECT_EQ(store(rig, 9), Kind::not_stored);
  EXPECT_EQ(rig.found("k"), "<none>");
  rig.pass(3s);
  EXPECT_EQ(rig.run(rig.read("k")).kind, Kind::miss);
  other.pass(3s);
  EXPECT_EQ(store(other, 9), Kind::not_stored);
  EXPECT_EQ(store(other, 10), Kind::stored);
}

TEST(RedisAway, WhatWasAskedForBeforeAnOwedInvalidationLeftDoesNotComeBack) {
  auto redis = std::make_shared<ModelRedis>();
  EngineRig rig(true, 1, redis), other(true, 2, redis);
  rig.connect();
  other.connect();
  other.cache("k", "old");
  bool removed = false;
  redis->after = [&](const ModelRedis::Words& command) {
    if (removed || command != ModelRedis::Words{"GET", "tiercel:v:k"}) return;
    removed = true;  // the answer is not read yet, and what cannot be stored takes the old value away
    rig.store("k", std::string(9u << 20, 'x'));
  };
  rig.read("k");
  rig.step();  // the answer comes; the removal has not left
  ASSERT_TRUE(removed);
  EXPECT_EQ(rig.found("k"), "<none>");
  rig.settle();
  EXPECT_EQ(rig.run(rig.read("k")).kind, Kind::miss);
}

TEST(RedisRefuses, NoKeyUnderAPatternWhoseInvalidationIsRefusedIsServed) {
  EngineRig rig;
  rig.connect();
  rig.cache("page:1", "old");
  rig.redis().refuse_unlinks = "READONLY You can't write against a read only replica.";
  EXPECT_EQ(rig.run(rig.engine->invalidate_matching("page:*", rig.now)).kind, Kind::pending);
  for (int n = 0; n < 3; ++n) {
    EXPECT_EQ(rig.run(rig.read("page:1")).kind, Kind::miss);
    EXPECT_EQ(rig.found("page:1"), "<none>");
    rig.pass(2s);  // a replay that is refused again
  }
  rig.redis().refuse_unlinks.clear();
  rig.pass(2s);
  EXPECT_EQ(rig.engine->stats().pending, 0u);
  EXPECT_EQ(rig.run(rig.read("page:1")).kind, Kind::miss);
}

TEST(RedisRefuses, NoKeyWhoseInvalidationIsRefusedIsServedWhateverIsReplayed) {
  EngineRig rig;
  rig.connect();
  rig.cache("k", "old");
  rig.redis().refuse_unlinks = "READONLY You can't write against a read only replica.";
  EXPECT_EQ(rig.run(rig.invalidate({"k"})).kind, Kind::pending);
  for (int n = 0; n < 3; ++n) {
    const OperationId reads = rig.read("k");  // goes out behind the replay, before its refusal is known
    EXPECT_NE(rig.value(rig.run(reads)), "old");
    EXPECT_EQ(rig.found("k"), "<none>");
    rig.pass(1100ms);
  }
}

TEST(RedisRefuses, ALoadIsKeptForTheStalenessWhereRedisIsFull) {
  EngineRig rig;
  rig.connect();
  rig.redis().refuse_writes = "OOM command not allowed when used memory > 'maxmemory'.";
  rig.cache("k", "value");
  EXPECT_EQ(rig.found("k"), "value");
  EXPECT_EQ(rig.engine->stats().stores, 0u);
  EXPECT_GE(rig.engine->stats().redis_errors, 1u);
  rig.pass(1100ms);
  EXPECT_EQ(rig.found("k"), "<none>");
}

TEST(RedisRefuses, AValueTooLargeLeavesNoOldOneAlthoughItsRemovalIsRefused) {
  EngineSettings settings = EngineRig::settings_for(true);
  settings.value_bytes_max = 100;
  EngineRig rig(settings, 1);
  rig.connect();
  rig.run(rig.store("k", "old"));
  rig.redis().refuse_unlinks = "READONLY You can't write against a read only replica.";
  EXPECT_EQ(rig.run(rig.store("k", std::string(101, 'x'))).kind, Kind::not_stored);
  EXPECT_EQ(rig.run(rig.read("k")).kind, Kind::miss);
  EXPECT_EQ(rig.engine->stats().pending, 1u);
  EXPECT_EQ(rig.engine->stats().stores_refused, 1u);
}

TEST(Pattern, AReplayThatTakesLongIsNotBegunAgain) {
  EngineRig rig;
  rig.connect();
  rig.refuse_connections = true;
  rig.cut();
  rig.run(rig.engine->invalidate_matching("page:*", rig.now));
  rig.refuse_connections = false;
  rig.redis().slow_scans = true;
  for (int n = 0; n < 200; ++n) {  // a page every 50 ms, so that the replay's next turn comes while it scans
    rig.now += 50ms;
    rig.engine->advance(rig.now);
    rig.step();
  }
  ASSERT_GT(rig.redis().count("SCAN"), 30u);  // each page takes its time
  const auto begun = std::count_if(rig.redis().log.begin(), rig.redis().log.end(),
                                   [](const auto& run) { return run[0] == "SCAN" && run[1] == "0"; });
  EXPECT_EQ(begun, 1);
}

TEST(Stats, AStaleHitIsAHit) {
  EngineRig rig;
  rig.connect();
  StoreOptions options;
  options.fresh_for = 1s;
  options.usable_for = 60s;
  rig.engine->store("k", "value", options, rig.now);
  rig.settle();
  rig.pass(2s);
  const OperationId memory = rig.load("k");
  EXPECT_TRUE(rig.outcome(memory)->stale);
  rig.engine->forget("k");
  EXPECT_TRUE(rig.run(rig.read("k")).stale);
  const EngineStats stats = rig.engine->stats();
  EXPECT_EQ(stats.hits, 1u);
  EXPECT_EQ(stats.redis_hits, 1u);
  EXPECT_EQ(stats.stale_hits, 2u);
  EXPECT_EQ(stats.misses, 0u);
}

TEST(Stats, TheErrorShownIsTheLastOne) {
  EngineRig rig;
  rig.connect();
  rig.refuse_connections = true;
  rig.cut({ErrorCode::away, "cable pulled", ""});
  EXPECT_NE(rig.engine->stats().redis_error.find("cable pulled"), std::string::npos);
  rig.pass(30s);
  EXPECT_NE(rig.engine->stats().redis_error.find("connection refused"), std::string::npos);
}

TEST(Flight, ALoaderThatCouldNotBeginLeavesItsPlaceToTheNext) {
  EngineRig rig(false);
  const OperationId gone = rig.engine->get_or_load("k", {}, rig.now);
  const OperationId waits = rig.engine->get_or_load("k", {}, rig.now);
  rig.take_events();
  rig.engine->cancel(gone, rig.now);
  LoadResult result;
  result.kind = LoadResult::Kind::not_run;
  rig.finish_load(std::move(result));
  ASSERT_EQ(rig.loads.size(), 1u);
  EXPECT_EQ(rig.loads.front().second, waits);
  const OperationId joins = rig.load("k");
  rig.finish_load("value");
  EXPECT_EQ(rig.value(*rig.outcome(waits)), "value");
  EXPECT_EQ(rig.value(*rig.outcome(joins)), "value");
  EXPECT_EQ(rig.engine->stats().load_failures, 0u);
}

TEST(ReadPath, AnEntryOfAnEarlierConnectionIsServedForTheStalenessOnly) {
  EngineRig rig;
  rig.connect();
  rig.cache("k", "old");
  rig.cut();
  rig.redis().remove("tiercel:v:k");  // nobody told us
  rig.settle();
  rig.pass(400ms);
  ASSERT_EQ(rig.engine->stats().redis_state, "ready");
  rig.pass(1s);
  EXPECT_EQ(rig.found("k"), "<none>");
}

TEST(Forget, FromAnyThreadATagAPatternOrEverythingLeavesMemory) {
  EngineRig rig;
  rig.connect();
  rig.cache("a", "1", {"t"});
  rig.cache("page:1", "2");
  rig.cache("b", "3");
  rig.engine->forget_tag("t");
  EXPECT_EQ(rig.found("a"), "<none>");
  rig.engine->forget_matching("page:*");
  EXPECT_EQ(rig.found("page:1"), "<none>");
  EXPECT_EQ(rig.found("b"), "3");
  rig.engine->forget_all();
  EXPECT_EQ(rig.found("b"), "<none>");
}

TEST(Connect, NobodyIsEndedOnAServerThatDoesNotTellWhoItIs) {
  EngineRig rig;
  rig.redis().anonymous = true;
  rig.connect();
  rig.cut();
  rig.pass(6s);
  ASSERT_EQ(rig.engine->stats().redis_state, "ready");
  for (const auto& command : rig.redis().log) EXPECT_FALSE(command[0] == "CLIENT" && command[1] == "KILL");
}

TEST(Connect, ARejectedPasswordIsAnErrorForTheOperator) {
  EngineRig rig;
  rig.redis().password = "secret";
  const OperationId id = rig.engine->connect(rig.now);
  rig.settle();
  ASSERT_EQ(rig.outcome(id)->kind, Kind::error);
  EXPECT_EQ(rig.outcome(id)->error->code, ErrorCode::authentication);
}

TEST(Connect, AChangeOfStateIsToldOnce) {
  EngineRig rig;
  rig.connect();
  ASSERT_EQ(rig.notices.size(), 1u);
  rig.refuse_connections = true;
  rig.cut();
  rig.pass(30s);
  EXPECT_EQ(rig.notices.size(), 2u);
  EXPECT_GT(rig.opened, 5);
  rig.refuse_connections = false;
  rig.pass(6s);
  EXPECT_EQ(rig.notices.size(), 3u);
}

TEST(Connect, WithoutTrackingMemoryHoldsValuesForTheStalenessOnly) {
  EngineRig rig;
  rig.redis().refuse_tracking = true;
  rig.connect();
  rig.cache("k", "value", {"t"});
  EXPECT_EQ(rig.engine->stats().tracking, "off");
  EXPECT_EQ(rig.found("k"), "value");
  rig.pass(1100ms);
  EXPECT_EQ(rig.found("k"), "<none>");
  EXPECT_EQ(rig.run(rig.read("k")).kind, Kind::hit);
}

TEST(Command, ARawCommandHasItsOwnUntrackedConnection) {
  EngineRig rig;
  rig.connect();
  const std::string_view ping[] = {"PING"};
  const Outcome outcome = rig.run(rig.engine->command(ping, rig.now));
  ASSERT_EQ(outcome.kind, Kind::reply);
  EXPECT_EQ(outcome.reply->get().text, "PONG");
  EXPECT_EQ(rig.opened, 2);
}

TEST(Engine, DisconnectEndsWhatIsInFlightAndConnectsAgain) {
  EngineRig rig;
  rig.connect();
  rig.cache("k", "value");
  rig.engine->forget("k");
  const OperationId id = rig.read("k");
  rig.engine->disconnect(rig.now);
  rig.take_events();
  EXPECT_EQ(rig.outcome(id)->kind, Kind::miss);
  rig.connect();
  EXPECT_EQ(rig.value(rig.run(rig.read("k"))), "value");
}

// ---- the small state machines

TEST(Breaker, OpensAfterOverrunsInARowAndTriesOnce) {
  Breaker breaker(3, 1s);
  const Timestamp t{10s};
  EXPECT_FALSE(breaker.overran(t));
  EXPECT_FALSE(breaker.overran(t));
  breaker.answered();
  EXPECT_FALSE(breaker.overran(t));
  EXPECT_FALSE(breaker.overran(t));
  EXPECT_TRUE(breaker.overran(t));
  EXPECT_FALSE(breaker.allows(t + 999ms));
  EXPECT_TRUE(breaker.allows(t + 1s));
  EXPECT_FALSE(breaker.allows(t + 1s));  // one tries
  EXPECT_FALSE(breaker.overran(t + 1s));  // it did not open again: it never closed
  EXPECT_FALSE(breaker.allows(t + 1500ms));
  EXPECT_TRUE(breaker.allows(t + 2s));
  breaker.answered();
  EXPECT_TRUE(breaker.allows(t + 2s));
}

TEST(PendingQueue, CoalescesAndOverflowsIntoTheRoot) {
  Pending pending(3);
  pending.add_key("a");
  pending.add_key("a");
  pending.add_tag("a");
  pending.add_pattern("p:*");
  EXPECT_EQ(pending.size(), 3u);
  EXPECT_TRUE(pending.covers("p:1"));
  EXPECT_FALSE(pending.covers("q"));
  pending.add_key("b");
  EXPECT_EQ(pending.size(), 1u);
  EXPECT_TRUE(pending.covers("q"));
}

}  // namespace
}  // namespace tiercel::test
