// Early refresh by XFetch: when, by whom, and that everybody else goes on being served.
#include <gtest/gtest.h>

#include <cmath>

#include "cache/early.hpp"
#include "support/two_engines.hpp"

namespace tiercel::test {
namespace {

using Kind = Outcome::Kind;
constexpr double kBeta = 1.0;

OperationId call(EngineRig& rig, std::string_view key, double early = kBeta) {
  LoadOptions options;
  options.early = early;
  const OperationId id = rig.engine->get_or_load(key, options, rig.now);
  rig.take_events();
  return id;
}

OperationId refresh_behind(EngineRig& rig, std::string_view key) {
  LoadOptions options;
  options.skip_value = options.behind = options.outlive_callers = true;
  options.early = kBeta;
  const OperationId id = rig.engine->get_or_load(key, options, rig.now);
  rig.take_events();
  return id;
}

// Cached for 60 s, by a load that took `cost`.
void cache_after(EngineRig& rig, std::string_view key, Duration cost) {
  const OperationId load = rig.load(key);
  rig.settle();
  rig.pass(cost);  // its lease is renewed
  rig.finish_load("value");
  rig.run(load);
}

// Close to the deadline of what was just cached, watermark and all.
void approach_deadline(EngineRig& rig, Duration left) {
  const Timestamp until = rig.engine->look("k", rig.now)->facts.fresh_until;
  rig.now = until - left;
  rig.engine->advance(rig.now);
  rig.settle();
}

TEST(Early, TheHeadStartIsExponentialWithTheCostAsItsMean) {
  Dice dice(7);
  constexpr int kDraws = 200'000;
  double sum = 0;
  int beyond_one = 0, beyond_three = 0;
  for (int n = 0; n < kDraws; ++n) {
    const double costs = static_cast<double>(head_start(100ms, dice).count()) / 100'000.0;
    sum += costs;
    beyond_one += costs > 1 ? 1 : 0;
    beyond_three += costs > 3 ? 1 : 0;
  }
  EXPECT_NEAR(sum / kDraws, 1.0, 0.01);
  EXPECT_NEAR(static_cast<double>(beyond_one) / kDraws, std::exp(-1.0), 0.005);
  EXPECT_NEAR(static_cast<double>(beyond_three) / kDraws, std::exp(-3.0), 0.003);
  EXPECT_EQ(head_start(Duration{0}, dice), Duration{0});
}

// Over seeds, the share of processes that refresh no later than a load's length before the deadline is 1/e; with beta 3, e^(-1/3).
TEST(Early, ProcessesDecideAtTheTimesOfTheDistribution) {
  int plain = 0, eager = 0;
  constexpr int kSeeds = 400;
  for (int seed = 1; seed <= kSeeds; ++seed) {
    EngineRig rig(false, static_cast<std::uint64_t>(seed));
    for (int n = 0; n < 10; ++n)
      cache_after(rig, "other " + std::to_string(n), 1s);  // the dice of neighbouring seeds begin alike
    cache_after(rig, "k", 1s);
    approach_deadline(rig, 1s);
    plain += rig.engine->find("k", rig.now, {}, 1.0) ? 0 : 1;
    eager += rig.engine->find("k", rig.now, {}, 3.0) ? 0 : 1;
    EXPECT_TRUE(rig.engine->find("k", rig.now)) << "who has no loader is served to the end";
  }
  EXPECT_NEAR(plain / double{kSeeds}, std::exp(-1.0), 0.08);
  EXPECT_NEAR(eager / double{kSeeds}, std::exp(-1.0 / 3), 0.08);
}

TEST(Early, OfAProcessOneCallerIsToldAndOnce) {
  EngineRig rig;
  rig.connect();
  cache_after(rig, "k", 1s);
  approach_deadline(rig, 1us);
  int told = 0;
  for (int n = 0; n < 100; ++n) {
    const auto outcome = rig.outcome(call(rig, "k"));
    ASSERT_TRUE(outcome && outcome->kind == Kind::hit && !outcome->stale);
    told += outcome->refresh_wanted ? 1 : 0;
  }
  EXPECT_EQ(told, 1);
  EXPECT_TRUE(rig.engine->find("k", rig.now, {}, kBeta)) << "decided: a hit is a hit again";
}

TEST(Early, IsOffWithoutBetaAndWithoutExpiry) {
  EngineRig rig;
  rig.connect();
  cache_after(rig, "k", 1s);
  approach_deadline(rig, 1us);
  const auto unasked = rig.outcome(call(rig, "k", 0));
  ASSERT_TRUE(unasked);
  EXPECT_FALSE(unasked->refresh_wanted);
  const OperationId load = rig.load("forever");
  rig.settle();
  rig.pass(10s);
  rig.finish_load("value", std::nullopt);
  rig.run(load);
  rig.pass(1h);
  const auto outcome = rig.outcome(call(rig, "forever", 1000));
  ASSERT_TRUE(outcome);
  EXPECT_FALSE(outcome->refresh_wanted);
}

TEST(Early, AHerdOfTwoProcessesMakesOneRefresh) {
  Two two;
  cache_after(two.a, "k", 1s);
  two.b.now = two.a.now;
  two.settle();
  ASSERT_EQ(two.b.outcome(call(two.b, "k")), std::nullopt);
  two.settle();
  approach_deadline(two.a, 1us);
  two.b.now = two.a.now;
  two.b.engine->advance(two.b.now);
  two.settle();
  int told = 0;
  std::vector<OperationId> refreshes;
  for (EngineRig* rig : {&two.a, &two.b}) {
    for (int n = 0; n < 200; ++n) {
      const auto outcome = rig->outcome(call(*rig, "k"));
      ASSERT_TRUE(outcome && outcome->kind == Kind::hit) << "everybody is served";
      if (!outcome->refresh_wanted) continue;
      ++told;
      refresh_behind(*rig, "k");
    }
  }
  EXPECT_EQ(told, 2) << "one in each process";
  two.settle();
  ASSERT_EQ(two.a.loads.size() + two.b.loads.size(), 1u) << "and of all processes one loads";
  EngineRig& winner = two.a.loads.empty() ? two.b : two.a;
  EXPECT_EQ(two.a.found("k"), "value");
  winner.finish_load("new");
  two.settle();
  EXPECT_EQ(two.stored("k"), "new");
  EXPECT_EQ(winner.found("k"), "new");
}

TEST(Early, WhoDecidedBeforeAnotherHadRefreshedLoadsNothing) {
  Two two;
  cache_after(two.a, "k", 1s);
  two.b.now = two.a.now;
  call(two.b, "k");
  two.settle();
  approach_deadline(two.a, 1us);
  two.b.now = two.a.now;
  two.b.engine->advance(two.b.now);
  two.settle();
  ASSERT_TRUE(two.b.outcome(call(two.b, "k"))->refresh_wanted);
  refresh_behind(two.a, "k");
  two.settle();
  two.a.finish_load("new");
  two.settle();
  two.redis->remove("tiercel:r:k");  // its election is over
  const OperationId late = refresh_behind(two.b, "k");
  two.settle();
  ASSERT_TRUE(two.b.loads.empty());
  EXPECT_EQ(two.b.value(*two.b.outcome(late)), "new");
}

TEST(Early, WhoIsElectedStaysSoForLongerThanALoadTakes) {
  EngineRig rig;
  rig.connect();
  cache_after(rig, "k", 10s);
  approach_deadline(rig, 1us);
  refresh_behind(rig, "k");
  rig.settle();
  ASSERT_EQ(rig.loads.size(), 1u);
  const auto election = std::find_if(rig.redis().log.begin(), rig.redis().log.end(), [](const auto& command) {
    return command.size() > 5 && command[1] == "tiercel:r:k";
  });
  ASSERT_NE(election, rig.redis().log.end());
  EXPECT_EQ((*election)[5], "15000");
}

}  // namespace
}  // namespace tiercel::test
