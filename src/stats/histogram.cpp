#include "stats/histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/require.hpp"

namespace tiercel {
namespace {
constexpr auto kRelaxed = std::memory_order_relaxed;
}

// Rows 0 and 1 (below 64) have a bucket for each value; every row after it buckets twice as wide.
unsigned Histogram::bucket_of(std::uint64_t us) {
  const auto width = static_cast<unsigned>(std::bit_width(us | kHalf)) - static_cast<unsigned>(std::bit_width(kHalf));
  const std::uint64_t bucket = (us >> width) + std::uint64_t{width} * kHalf;
  return static_cast<unsigned>(std::min<std::uint64_t>(bucket, kBuckets - 1));
}

std::uint64_t Histogram::end_of(unsigned bucket) {
  if (bucket < 2 * kHalf) return bucket;
  const unsigned width = bucket / kHalf - 1;
  return ((std::uint64_t{bucket} - std::uint64_t{width} * kHalf + 1) << width) - 1;
}

void Histogram::record(Duration took) {
  const auto us = static_cast<std::uint64_t>(std::max<Duration::rep>(took.count(), 0));
  buckets_[bucket_of(us)].fetch_add(1, kRelaxed);
  total_us_.fetch_add(us, kRelaxed);
  std::uint64_t longest = longest_us_.load(kRelaxed);
  while (us > longest && !longest_us_.compare_exchange_weak(longest, us, kRelaxed)) {}
}

std::uint64_t Histogram::count() const {
  std::uint64_t count = 0;
  for (const auto& bucket : buckets_) count += bucket.load(kRelaxed);
  return count;
}

double Histogram::mean_us() const {
  const std::uint64_t recorded = count();
  return recorded == 0 ? 0 : static_cast<double>(total_us_.load(kRelaxed)) / static_cast<double>(recorded);
}

double Histogram::max_us() const { return static_cast<double>(longest_us_.load(kRelaxed)); }

double Histogram::quantile_us(double share) const {
  TIERCEL_REQUIRE(share >= 0 && share <= 1);
  const std::uint64_t recorded = count();
  if (recorded == 0) return 0;
  const auto wanted =
      std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(recorded))));
  std::uint64_t seen = 0;
  for (unsigned bucket = 0; bucket < kBuckets - 1; ++bucket) {
    seen += buckets_[bucket].load(kRelaxed);
    if (seen >= wanted) return std::min(static_cast<double>(end_of(bucket)), max_us());
  }
  return max_us();   // among those longer than the buckets reach, or recorded since they were counted
}

}  // namespace tiercel
