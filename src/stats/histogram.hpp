// Owns: how long things took. A log-linear histogram (as HdrHistogram, G. Tene): 32 buckets to each power of two, so
// what it says of a quantile is above the true value by at most 1/32 (3.2 %), and exact below 64 us, whatever the
// range; nothing is sampled or forgotten. Thread-safe without locks: recording is four relaxed atomic operations;
// reading while others record sees some of what they record. 9 KiB each, so it is for what is measured per system, not
// per key.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "base/time.hpp"

namespace tiercel {

class Histogram {
 public:
  // Durations below zero count as zero, those of two days and more as the longest there is; `max` and `mean` stay
  // exact.
  void record(Duration took);

  std::uint64_t count() const;
  double mean_us() const;
  double max_us() const;
  // The smallest recorded duration that at least this share of all do not exceed, rounded up to its bucket's end, and
  // never above the longest recorded; 0 when nothing was recorded. Requires 0 <= share <= 1.
  double quantile_us(double share) const;

  static constexpr double kErrorMax = 1.0 / 32;

 private:
  static constexpr unsigned kHalf = 32;  // buckets of one power of two
  static constexpr unsigned kRows = 32;  // powers of two: up to 2^37 us
  static constexpr unsigned kBuckets = kHalf * (kRows + 1);

  static unsigned bucket_of(std::uint64_t us);
  static std::uint64_t end_of(unsigned bucket);  // the largest value in it

  std::array<std::atomic<std::uint64_t>, kBuckets> buckets_{};
  std::atomic<std::uint64_t> total_us_{0}, longest_us_{0};
};

}  // namespace tiercel
