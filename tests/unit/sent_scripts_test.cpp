// Scripts go by their digests; a server that has forgotten them is sent the text, and what was read behind a script is read again behind that.
#include <gtest/gtest.h>

#include "support/two_engines.hpp"

namespace tiercel::test {
namespace {

using Kind = Outcome::Kind;

// Scripts that went as text, but for the probe of the handshake.
std::size_t texts(EngineRig& rig) { return rig.redis().count("EVAL") - 1; }

TEST(Scripts, GoByTheDigestsThatTheHandshakeBroughtBack) {
  EngineRig rig;
  rig.connect();
  rig.cache("k", "value", {"tag"});
  EXPECT_EQ(rig.found("k"), "value");
  EXPECT_GT(rig.redis().count("EVALSHA"), 0u);
  EXPECT_EQ(texts(rig), 0u);
}

TEST(Scripts, AFillWhoseScriptWasForgottenEntersMemoryAllTheSame) {
  EngineRig rig;
  rig.connect();
  const OperationId load = rig.load("k");
  rig.settle();
  rig.redis().forget_scripts();
  rig.finish_load("value");
  EXPECT_EQ(rig.value(rig.run(load)), "value");
  EXPECT_EQ(texts(rig), 1u);
  EXPECT_EQ(rig.found("k"), "value") << "its header was read again behind the text";
  EXPECT_EQ(rig.engine->stats().stores, 1u);
  EXPECT_EQ(rig.engine->stats().redis_errors, 0u);
  rig.cache("other", "value");
  EXPECT_EQ(texts(rig), 1u) << "the server knows it again";
}

TEST(Scripts, AFillIsRefusedBehindAnInvalidationThatCameInBetween) {
  Two two;
  const OperationId load = two.a.load("k");
  two.settle();
  two.redis->forget_scripts();
  two.a.finish_load("old");
  two.a.send();  // NOSCRIPT is on its way
  two.b.invalidate({"k"});
  while (two.b.step()) continue;
  two.settle();
  EXPECT_EQ(two.a.value(*two.a.outcome(load)), "old");
  EXPECT_EQ(two.stored("k"), "<nothing>");
  EXPECT_EQ(two.a.found("k"), "<none>");
}

TEST(Scripts, ABidIsDecidedByTheKeyAsItStandsBehindTheText) {
  EngineRig rig;
  rig.connect();
  rig.cache("k", "old", {"tag"});
  rig.run(rig.invalidate({}, {"tag"}));
  rig.redis().forget_scripts();
  const OperationId load = rig.load("k", {"tag"});  // a swap of what may not be served
  rig.settle();
  ASSERT_EQ(rig.loads.size(), 1u);
  rig.finish_load("new");
  EXPECT_EQ(rig.value(rig.run(load)), "new");
  EXPECT_EQ(rig.found("k"), "new");
  EXPECT_EQ(rig.engine->stats().loads, 2u);
}

TEST(Scripts, ARenewalHoldsThroughAServerThatForgets) {
  Two two;
  const OperationId load = two.a.load("k");
  two.settle();
  for (int n = 0; n < 10; ++n) {
    two.redis->forget_scripts();
    two.pass(500ms);
  }
  EXPECT_EQ(two.stored("k"), "<lease>");
  two.a.finish_load("value");
  two.settle();
  EXPECT_EQ(two.a.value(*two.a.outcome(load)), "value");
  EXPECT_EQ(two.stored("k"), "value");
}

TEST(Scripts, AWriteIsAnnouncedAndEndedToAServerThatForgets) {
  Two two;
  two.a.cache("k", "old");
  two.settle();
  const std::vector<std::string> keys{"k"};
  two.redis->forget_scripts();
  const OperationId writing = two.a.engine->begin_writing(keys, {}, {}, two.a.now);
  two.settle();
  ASSERT_EQ(two.a.outcome(writing)->kind, Kind::announced);
  EXPECT_EQ(two.stored("k"), "<intent>");
  two.redis->forget_scripts();
  const OperationId end = two.a.engine->end_writing(writing, two.a.now);
  two.settle();
  EXPECT_TRUE(two.a.outcome(end)->held);
  EXPECT_EQ(two.stored("k"), "<nothing>");
}

TEST(Scripts, WhatNobodyWaitsForIsSentAgainToo) {
  Two two;
  const OperationId load = two.a.load("k");
  two.settle();
  two.redis->forget_scripts();
  two.a.engine->cancel(load, two.a.now);  // its lease is released
  two.settle();
  EXPECT_EQ(two.stored("k"), "<nothing>");
}

TEST(Scripts, ALargeValueGoesWithTheText) {
  EngineRig rig;
  rig.connect();
  const std::size_t by_digest = rig.redis().count("EVALSHA");
  rig.cache("k", std::string(20'000, 'v'));
  EXPECT_EQ(rig.redis().count("EVALSHA"), by_digest);
  EXPECT_EQ(texts(rig), 1u);
  EXPECT_EQ(rig.found("k").size(), 20'000u);
}

TEST(Scripts, WhereLoadingIsNotPermittedTheTextIsSent) {
  EngineRig rig;
  rig.redis().refuse_script_load = true;
  rig.connect();
  rig.cache("k", "value");
  EXPECT_EQ(rig.found("k"), "value");
  EXPECT_EQ(rig.redis().count("EVALSHA"), 0u);
}

}  // namespace
}  // namespace tiercel::test
