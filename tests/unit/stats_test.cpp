// Counters and histograms: the stated error, the edges, and many threads at once.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <thread>
#include <vector>

#include "base/dice.hpp"
#include "stats/counters.hpp"
#include "stats/histogram.hpp"

namespace tiercel {
namespace {

double exact_quantile(std::vector<std::int64_t> sorted, double share) {
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(sorted.size())));
  return static_cast<double>(sorted[std::max<std::size_t>(rank, 1) - 1]);
}

TEST(Histogram, QuantilesAreWithinTheStatedError) {
  Dice dice(3);
  Histogram histogram;
  std::vector<std::int64_t> all;
  double sum = 0;
  for (int i = 0; i < 100'000; ++i) {
    const auto us = static_cast<std::int64_t>(std::exp(dice.unit() * 20));  // 1 us to 8 minutes, evenly over the powers
    all.push_back(us);
    sum += static_cast<double>(us);
    histogram.record(Duration{us});
  }
  std::sort(all.begin(), all.end());
  for (const double share : {0.0, 0.001, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 1.0}) {
    const double want = exact_quantile(all, share), said = histogram.quantile_us(share);
    EXPECT_GE(said, want) << share;
    EXPECT_LE(said, want * (1 + Histogram::kErrorMax)) << share;
  }
  EXPECT_EQ(histogram.count(), 100'000u);
  EXPECT_DOUBLE_EQ(histogram.mean_us(), sum / 100'000);
  EXPECT_EQ(histogram.max_us(), static_cast<double>(all.back()));
}

TEST(Histogram, EveryDurationAloneIsWithinTheStatedError) {
  for (std::int64_t us = 0; us < std::int64_t{1} << 36; us = us * 21 / 20 + 1) {
    Histogram histogram;
    histogram.record(Duration{us});
    histogram.record(Duration{us * 2 + 2});  // so that the longest recorded does not give the answer away
    const double said = histogram.quantile_us(0.5);
    EXPECT_GE(said, static_cast<double>(us));
    EXPECT_LE(said, static_cast<double>(us) * (1 + Histogram::kErrorMax));
    if (us < 64) { EXPECT_EQ(said, static_cast<double>(us)); }
  }
}

TEST(Histogram, EmptyNegativeAndEndlessAreAnswered) {
  Histogram histogram;
  EXPECT_EQ(histogram.count(), 0u);
  EXPECT_EQ(histogram.mean_us(), 0);
  EXPECT_EQ(histogram.quantile_us(0.5), 0);
  histogram.record(Duration{-5});
  EXPECT_EQ(histogram.quantile_us(1), 0);
  histogram.record(Duration{1025});
  EXPECT_EQ(histogram.quantile_us(1), 1025) << "never above the longest recorded";
  histogram.record(Duration{std::int64_t{1} << 60});
  EXPECT_EQ(histogram.quantile_us(1), std::ldexp(1, 60));
  EXPECT_EQ(histogram.max_us(), std::ldexp(1, 60));
  EXPECT_EQ(histogram.count(), 3u);
}

TEST(Histogram, LosesNothingWhenManyThreadsRecord) {
  Histogram histogram;
  Counters counters;
  std::atomic<bool> go{false};
  std::vector<std::thread> threads;
  for (int t = 1; t <= 4; ++t) {
    threads.emplace_back([&, t] {
      while (!go) std::this_thread::yield();  // so that they do not run one after the other
      for (int i = 0; i < 100'000; ++i) {
        histogram.record(Duration{t % 2 == 0 ? 10 : 20});
        counters.hits.add();
        counters.redis_bytes_in.add(3);
        if (i % 1000 == 0) { EXPECT_LE(histogram.quantile_us(0.5), 20); }
      }
    });
  }
  go = true;
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(histogram.count(), 400'000u);
  EXPECT_EQ(histogram.mean_us(), 15);
  EXPECT_EQ(histogram.max_us(), 20);
  EXPECT_EQ(histogram.quantile_us(0.5), 10);
  EXPECT_EQ(histogram.quantile_us(0.51), 20);
  EXPECT_EQ(counters.hits.get(), 400'000u);
  EXPECT_EQ(counters.redis_bytes_in, 1'200'000u);
  EXPECT_EQ(counters.misses.get(), 0u);
}

}  // namespace
}  // namespace tiercel
