// After a reconnect memory is compared with Redis by stamps: no payload travels twice, nothing is loaded again, nothing that changed is served (A8).
#include <gtest/gtest.h>

#include "support/two_engines.hpp"

namespace tiercel::test {
namespace {

using Kind = Outcome::Kind;

void reconnect(Two& two) {
  two.b.cut();
  two.b.pass(6s);
  two.a.now = two.b.now;
  two.a.engine->advance(two.a.now);
  two.settle();
  ASSERT_EQ(two.b.engine->stats().redis_state, "ready");
}

TEST(Verify, AThousandEntriesCostAFewPercentOfTheirBytesAndNoLoad) {
  Two two;
  const std::string payload(4096, 'x');
  for (int n = 0; n < 500; ++n) two.b.cache("k" + std::to_string(n), payload, {"t"});
  const std::uint64_t loads = two.b.engine->stats().loads;
  reconnect(two);
  const std::uint64_t before = two.b.engine->stats().redis_bytes_in;
  for (int n = 0; n < 500; ++n) {
    const OperationId id = two.b.load("k" + std::to_string(n), {"t"});
    EXPECT_EQ(two.b.value(two.b.run(id)), payload);
    EXPECT_EQ(two.b.found("k" + std::to_string(n)), payload);
  }
  EXPECT_EQ(two.b.engine->stats().loads, loads);
  const double share = static_cast<double>(two.b.engine->stats().redis_bytes_in - before) / (500 * 4096);
  EXPECT_LT(share, 0.03);
}

TEST(Verify, WhatChangedMeanwhileIsReadInFull) {
  Two two;
  two.b.cache("k", "old");
  two.b.cut();
  two.a.run(two.a.store("k", "new"));
  reconnect(two);
  EXPECT_EQ(two.b.value(two.b.run(two.b.read("k"))), "new");
  EXPECT_EQ(two.b.found("k"), "new");
}

TEST(Verify, WhatWasInvalidatedMeanwhileIsAMiss) {
  Two two;
  two.b.cache("by key", "old");
  two.b.cache("by tag", "old", {"t"});
  two.b.cut();
  two.a.run(two.a.invalidate({"by key"}, {"t"}));
  reconnect(two);
  EXPECT_EQ(two.b.run(two.b.read("by key")).kind, Kind::miss);
  EXPECT_EQ(two.b.run(two.b.read("by tag")).kind, Kind::miss);
  EXPECT_EQ(two.b.found("by tag"), "<none>");
}

TEST(Verify, WhatWasClearedMeanwhileIsAMiss) {
  Two two;
  two.b.cache("k", "old");
  two.b.cut();
  two.a.run(two.a.engine->clear(two.a.now));
  reconnect(two);
  EXPECT_EQ(two.b.run(two.b.read("k")).kind, Kind::miss);
  EXPECT_EQ(two.b.found("k"), "<none>");
}

TEST(Verify, AChangeBehindTheComparisonIsPushed) {
  Two two;
  two.b.cache("k", "old");
  reconnect(two);
  ASSERT_EQ(two.b.value(two.b.run(two.b.read("k"))), "old");
  two.a.run(two.a.invalidate({"k"}));
  two.settle();
  EXPECT_EQ(two.b.found("k"), "<none>");
}

TEST(Refresh, AnOlderVersionDoesNotReplaceTheOneThatStands) {
  Two two;
  StoreOptions options;
  options.usable_for = 60s;
  options.version = 7;
  two.a.run(two.a.engine->store("k", "seven", options, two.a.now));
  LoadOptions refresh;
  refresh.skip_value = true;
  const OperationId id = two.a.engine->get_or_load("k", refresh, two.a.now);
  two.settle();
  LoadResult lagging;
  lagging.payload = "six";
  lagging.store = options;
  lagging.store.version = 6;
  two.a.finish_load(lagging);
  two.settle();
  EXPECT_EQ(two.a.value(*two.a.outcome(id)), "six");
  EXPECT_EQ(two.stored("k"), "seven");
}

}  // namespace
}  // namespace tiercel::test
