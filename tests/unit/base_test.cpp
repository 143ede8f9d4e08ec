// The vocabulary: digests, dice, results.
#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <string>

#include "base/dice.hpp"
#include "base/hash.hpp"
#include "base/result.hpp"
#include "entry/record.hpp"

namespace tiercel {
namespace {

TEST(Digest128, IsTheFirstHalfOfSha256) {
  const auto digest = digest128("abc");   // FIPS 180-4, example 1: ba7816bf 8f01cfea 414140de 5dae2223 ...
  const unsigned char expected[] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea,
                                    0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23};
  EXPECT_TRUE(std::equal(digest.begin(), digest.end(), std::begin(expected)));
}

TEST(Dice, TheSameSeedRollsTheSame) {
  Dice one(42), two(42), other(43);
  for (int n = 0; n < 100; ++n) EXPECT_EQ(one.next(), two.next());
  EXPECT_NE(one.next(), other.next());
}

TEST(Dice, AnAllZeroSeedStillRolls) {
  Dice dice(Dice::Seed{0, 0, 0, 0});
  std::set<std::uint64_t> seen;
  for (int n = 0; n < 1000; ++n) seen.insert(dice.next());
  EXPECT_GT(seen.size(), 990u);
}

TEST(Dice, UnitIsAboveZeroAtMostOneAndEven) {
  Dice dice(7);
  double sum = 0;
  for (int n = 0; n < 100'000; ++n) {
    const double roll = dice.unit();
    ASSERT_GT(roll, 0.0);
    ASSERT_LE(roll, 1.0);
    sum += roll;
  }
  EXPECT_NEAR(sum / 100'000, 0.5, 0.01);
}

TEST(Stamp, NoTwoAreAlike) {
  Dice dice(1);
  std::set<std::string> seen;
  for (int n = 0; n < 10'000; ++n) seen.emplace(Stamp::roll(dice).view());
  EXPECT_EQ(seen.size(), 10'000u);
}

TEST(Result, IsAValueOrAnErrorThatSaysWhatToDo) {
  const Result<int> good = 42;
  const Result<int> bad = Error{ErrorCode::away, "connection refused", "is Redis running?"};
  EXPECT_TRUE(good.ok());
  EXPECT_EQ(*good, 42);
  EXPECT_FALSE(bad);
  EXPECT_EQ(bad.error().message(), "connection refused: is Redis running?");
  EXPECT_STREQ(name_of(bad.error().code), "away");
}

}  // namespace
}  // namespace tiercel
