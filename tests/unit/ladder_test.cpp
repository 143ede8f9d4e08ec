// Owns: the tests of the ladder: which rung an engine takes with which server, how it says so, and that each keeps the promise at its price.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "resp/serializer.hpp"
#include "support/engine_rig.hpp"

namespace tiercel::test {
namespace {

using Kind = Outcome::Kind;
using redis::TrackingWish;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string kValue = "tiercel:v:k";

EngineSettings wishing(TrackingWish wish) {
  EngineSettings settings = EngineRig::settings_for(true);
  settings.tracking = wish;
  return settings;
}

// A server without OPTIN, connected.
struct Broadcast : EngineRig {
  explicit Broadcast(EngineSettings settings = EngineRig::settings_for(true)) : EngineRig(std::move(settings), 1) {
    redis().refuse_optin = "ERR syntax error";
    connect();
  }
  // Another process says something, and the server's pass goes on: what it changed is not pushed yet.
  void in_an_open_pass(std::initializer_list<std::string_view> words) {
    redis().pass_goes_on = [] { return true; };
    std::string bytes;
    resp::append_command(bytes, words);
    redis().feed(other, bytes, now);
  }
  ModelRedis::Client& other = redis().connect();
};

struct Scriptless : EngineRig {
  Scriptless() {
    redis().refuse_scripts = "NOPERM this user has no permissions to run the 'eval' command";
    connect();
  }
};

std::size_t said(EngineRig& rig, const ModelRedis::Words& command) {
  return static_cast<std::size_t>(std::count(rig.redis().log.begin(), rig.redis().log.end(), command));
}

// ---- which rung, and how it is told

TEST(Ladder, TheBestRungIsTakenWithoutAWarning) {
  EngineRig rig;
  rig.connect();
  const EngineStats stats = rig.engine->stats();
  EXPECT_EQ(stats.tracking, "optin");
  EXPECT_EQ(stats.protocol, 3u);
  EXPECT_TRUE(stats.scripts);
  EXPECT_THAT(rig.notices, testing::ElementsAre("connected to Redis 7.0.15, RESP3, tracking optin"));
}

TEST(Ladder, BroadcastWhereOptinIsNotKnown) {
  Broadcast rig;
  EXPECT_EQ(rig.engine->stats().tracking, "broadcast");
  ASSERT_EQ(rig.notices.size(), 2u);
  EXPECT_THAT(rig.notices[1], AllOf(HasSubstr("broadcast"), HasSubstr("syntax error"), HasSubstr("every change")));
}

TEST(Ladder, NothingWherePermissionIsMissing) {
  EngineRig rig;
  rig.redis().refuse_tracking = true;
  rig.connect();
  EXPECT_EQ(rig.engine->stats().tracking, "off");
  EXPECT_THAT(rig.notices[1], AllOf(HasSubstr("NOPERM"), HasSubstr("client|tracking"), HasSubstr("`staleness`")));
}

TEST(Ladder, Resp2WhereHelloIsNotKnown) {
  EngineRig rig;
  rig.redis().refuse_hello = "ERR unknown command 'HELLO'";
  rig.connect();
  EXPECT_EQ(rig.engine->stats().protocol, 2u);
  EXPECT_EQ(rig.engine->stats().tracking, "off");
  EXPECT_THAT(rig.notices[1], AllOf(HasSubstr("RESP2"), HasSubstr("'HELLO'"), HasSubstr("proxy")));
}

TEST(Ladder, WhatIsNotWishedForIsNotMissed) {
  EngineRig rig(wishing(TrackingWish::off), 1);
  rig.connect();
  EXPECT_EQ(rig.engine->stats().tracking, "off");
  EXPECT_EQ(rig.notices.size(), 1u);
  EngineRig broadcast(wishing(TrackingWish::broadcast), 1);
  broadcast.connect();
  EXPECT_EQ(broadcast.engine->stats().tracking, "broadcast");
  EXPECT_EQ(broadcast.notices.size(), 1u);
}

TEST(Ladder, AWarningIsGivenOnceAndAgainWhenItChanges) {
  EngineRig rig;
  rig.redis().refuse_tracking = true;
  rig.connect();
  const auto warnings = [&rig] {
    return std::count_if(rig.notices.begin(), rig.notices.end(),
                         [](const std::string& text) { return text.starts_with("Redis gives less"); });
  };
  EXPECT_EQ(warnings(), 1);
  rig.cut();
  rig.pass(6s);
  EXPECT_EQ(warnings(), 1);
  rig.cut();
  rig.redis().refuse_tracking = false;
  rig.pass(6s);
  EXPECT_EQ(rig.engine->stats().tracking, "optin");
  rig.redis().forget_tracking();
  rig.read("k");
  rig.settle();
  EXPECT_EQ(rig.engine->stats().tracking, "off") << "the server has ended it by itself";
  EXPECT_EQ(warnings(), 2);
}

// ---- broadcast

TEST(LadderBroadcast, WhatIsFilledStaysInMemoryAlthoughItsOwnPushComesBehind) {
  Broadcast rig;
  rig.cache("k", "value", {"t"});
  rig.cache("other", "value");
  EXPECT_EQ(rig.found("other"), "value");
  rig.run(rig.read("k"));  // its tag was made with it, and that was pushed
  EXPECT_EQ(rig.found("k"), "value");
  rig.pass(5s);
  EXPECT_EQ(rig.found("k"), "value") << "for longer than `staleness`: the server tells of changes";
  EXPECT_EQ(rig.run(rig.store("k", "newer", {"t"})).kind, Kind::stored);
  EXPECT_EQ(rig.found("k"), "newer");
}

TEST(LadderBroadcast, ThePushOfItsOwnBidDoesNotOutdateALoad) {
  Broadcast rig;
  rig.cache("k", "value", {"t"});
  EXPECT_EQ(rig.engine->stats().stores, 1u);
  EXPECT_EQ(rig.engine->stats().sealed, 0u);
}

TEST(LadderBroadcast, AChangeByAnotherLeavesMemory) {
  Broadcast rig;
  rig.cache("k", "value", {"t"});
  rig.run(rig.read("k"));
  rig.redis().remove(kValue);
  rig.settle();
  EXPECT_EQ(rig.found("k"), "<none>");
  rig.cache("k", "value", {"t"});
  rig.run(rig.read("k"));
  rig.redis().remove("tiercel:t:t");
  rig.settle();
  EXPECT_EQ(rig.found("k"), "<none>");
}

TEST(LadderBroadcast, ALoadIsJoinedForNoLongerThanItsAgeAllows) {
  EngineSettings settings = EngineRig::settings_for(true);
  settings.staleness = 300ms;
  Broadcast rig(settings);
  rig.load("k");
  rig.settle();
  rig.pass(50ms);
  rig.redis().remove(kValue);  // an invalidation by another: its push is not told from that of our own bid
  rig.settle();
  rig.pass(310ms);
  const OperationId late = rig.load("k");
  rig.settle();
  ASSERT_EQ(rig.loads.size(), 2u);
  rig.finish_load("old");
  rig.settle();
  EXPECT_FALSE(rig.outcome(late));
  rig.finish_load("new");
  EXPECT_EQ(rig.value(rig.run(late)), "new");
}

// The writer had its answer before the pass was over, because something else still waited to be written to it; we ask in the same pass.
TEST(LadderBroadcast, AnAnswerOfThePassInWhichAChangeWasMadeMovesNoEntryOn) {
  EngineSettings settings = EngineRig::settings_for(true);
  settings.staleness = 300ms;
  Broadcast rig(settings);
  rig.cache("k", "old");
  rig.pass(250ms);
  rig.in_an_open_pass({"UNLINK", kValue});
  rig.now += 1ms;
  rig.read("another");
  rig.settle();
  rig.hung = true;
  rig.now += 299500us;
  EXPECT_EQ(rig.found("k"), "<none>") << "confirmed 300.5 ms ago";
}

TEST(LadderBroadcast, ATagIsAskedForWithEveryLookInRedis) {
  Broadcast rig;
  rig.cache("k", "old", {"t"});
  rig.run(rig.read("k"));  // by now the stamp of its tag is known
  rig.engine->forget("k");
  rig.in_an_open_pass({"UNLINK", "tiercel:t:t"});
  EXPECT_EQ(rig.run(rig.read("k")).kind, Kind::miss) << "although the push of its tag is still to come";
}

// ---- a change that is known of by a token

TEST(Ladder, WhoKnowsOfAChangeElsewhereGetsNothingOfBefore) {
  for (const bool broadcast : {false, true}) {
    EngineRig rig;
    rig.redis().refuse_tracking = !broadcast;
    rig.redis().refuse_optin = "ERR syntax error";
    rig.connect();
    rig.cache("k", "old");
    ASSERT_EQ(rig.found("k"), "old");
    rig.load("slow");
    rig.settle();
    rig.now += 1ms;
    rig.engine->expect_changes(rig.now);
    EXPECT_EQ(rig.found("k"), "<none>");
    EXPECT_EQ(rig.value(rig.run(rig.read("k"))), "old") << "Redis was asked, and nothing has changed";
    EXPECT_EQ(rig.found("k"), "old");
    rig.load("slow");
    rig.settle();
    EXPECT_EQ(rig.engine->stats().joined, 0u);
  }
}

TEST(Ladder, WhereTheServerTellsInTimeAKnownChangeCostsNothing) {
  EngineRig rig;
  rig.connect();
  rig.cache("k", "value");
  rig.now += 1ms;
  rig.engine->expect_changes(rig.now);
  EXPECT_EQ(rig.found("k"), "value");
}

// ---- RESP2

TEST(LadderResp2, ReadsLoadsAndInvalidationsWork) {
  EngineRig rig;
  rig.redis().refuse_hello = "ERR unknown command 'HELLO'";
  rig.connect();
  EXPECT_EQ(rig.run(rig.read("k")).kind, Kind::miss);
  rig.cache("k", "value", {"t"});
  rig.pass(1100ms);
  EXPECT_EQ(rig.found("k"), "<none>");
  EXPECT_EQ(rig.value(rig.run(rig.read("k"))), "value");
  EXPECT_EQ(rig.run(rig.invalidate({}, {"t"})).kind, Kind::invalidated);
  EXPECT_EQ(rig.run(rig.read("k")).kind, Kind::miss);
  EXPECT_EQ(rig.run(rig.engine->invalidate_matching("k*", rig.now)).kind, Kind::invalidated);
  EXPECT_EQ(rig.run(rig.read("k")).kind, Kind::miss);
}

// ---- without scripts

TEST(LadderScriptless, WhatIsLoadedStaysInThisProcessAndLeavesNoLease) {
  Scriptless rig;
  EXPECT_FALSE(rig.engine->stats().scripts);
  EXPECT_THAT(rig.notices[1], AllOf(HasSubstr("EVAL"), HasSubstr("NOPERM")));
  const OperationId id = rig.load("k", {"t"});
  rig.settle();
  rig.finish_load("value");
  const Outcome outcome = rig.run(id);
  EXPECT_EQ(rig.value(outcome), "value");
  EXPECT_TRUE(outcome.degraded);
  EXPECT_EQ(rig.redis().peek(kValue), nullptr);
  EXPECT_EQ(rig.found("k"), "value");
  rig.pass(1100ms);
  EXPECT_EQ(rig.found("k"), "<none>");
}

TEST(LadderScriptless, SetAndInvalidateNeedNone) {
  Scriptless rig;
  EXPECT_EQ(rig.run(rig.store("k", "value", {"t"})).kind, Kind::stored);
  rig.engine->forget("k");
  EXPECT_EQ(rig.value(rig.run(rig.read("k"))), "value");
  EXPECT_EQ(rig.run(rig.invalidate({"k"}, {"t"})).kind, Kind::invalidated);
  EXPECT_EQ(rig.run(rig.read("k")).kind, Kind::miss);
}

TEST(LadderScriptless, ARefreshTakesTheOldValueAwayForItCannotReplaceIt) {
  Scriptless rig;
  rig.run(rig.store("k", "old"));
  LoadOptions options;
  options.skip_value = true;
  const OperationId id = rig.engine->get_or_load("k", options, rig.now);
  rig.settle();
  rig.finish_load("new");
  EXPECT_EQ(rig.value(rig.run(id)), "new");
  rig.settle();
  EXPECT_EQ(rig.redis().peek(kValue), nullptr);
  EXPECT_EQ(rig.run(rig.read("k")).kind, Kind::miss);
}

TEST(LadderScriptless, AWriteThatIsToBeAnnouncedIsRefusedBeforeItsCommit) {
  Scriptless rig;
  const std::string key = "k";
  const Outcome outcome = rig.run(rig.engine->begin_writing({&key, 1}, {}, {}, rig.now));
  ASSERT_EQ(outcome.kind, Kind::error);
  EXPECT_EQ(outcome.error->code, ErrorCode::refused);
}

TEST(Ladder, NobodySaysClientCachingButWhoOptsIn) {
  Broadcast rig;
  rig.cache("k", "value");
  EXPECT_EQ(said(rig, {"CLIENT", "CACHING", "YES"}), 0u);
}

}  // namespace
}  // namespace tiercel::test
