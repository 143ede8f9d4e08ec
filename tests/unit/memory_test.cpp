// L1: entries, the budget, who leaves, who expires, and many threads at once. The validator looks at everything after
// every test.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/dice.hpp"
#include "memory/deadlines.hpp"
#include "memory/index.hpp"
#include "memory/memory_store.hpp"
#include "memory/sketch.hpp"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TIERCEL_HEAP_IS_GLIBC 0
#else
#define TIERCEL_HEAP_IS_GLIBC 1
#endif

namespace tiercel {
namespace {

constexpr Timestamp kStart{Duration{5'000'000'000}};
constexpr Duration kSecond{1'000'000};

EntryRef entry(std::string_view key, std::size_t payload_bytes, Timestamp usable_until = kNever, char fill = 'x') {
  EntryFacts facts;
  facts.usable_until = facts.fresh_until = usable_until;
  return Entry::make(key, facts, {}, std::string(payload_bytes, fill));
}

class Memory : public testing::Test {
 protected:
  MemoryStore& open(std::size_t bytes_max, unsigned shards = 1) {
    return store_.emplace(MemoryOptions{.bytes_max = bytes_max, .shards = shards, .seed = 42});
  }
  void TearDown() override {
    if (!store_) return;
    const auto broken = store_->broken_invariant();
    EXPECT_FALSE(broken) << *broken;
    EXPECT_LE(store_->usage().bytes, store_->usage().bytes_max);
    store_->clear();
    EXPECT_EQ(store_->usage().bytes, 0u) << "an empty store costs nothing";
  }
  std::optional<MemoryStore> store_;
};

// ---- entries

RC_GTEST_PROP(Entry, ComesBackAsItWasMade, (const std::string& key, const std::string& payload)) {
  EntryFacts facts;
  for (auto& byte : facts.stamp.bytes) byte = *rc::gen::arbitrary<unsigned char>();
  facts.has_version = *rc::gen::arbitrary<bool>();
  if (facts.has_version) facts.version = *rc::gen::arbitrary<std::uint64_t>();
  facts.usable_until = *rc::gen::arbitrary<bool>() ? kNever : Timestamp{Duration{*rc::gen::arbitrary<std::int64_t>()}};
  facts.fresh_until =
      *rc::gen::arbitrary<bool>() ? facts.usable_until : Timestamp{Duration{*rc::gen::arbitrary<std::int64_t>()}};
  facts.as_of = Timestamp{Duration{*rc::gen::arbitrary<std::int64_t>()}};
  facts.generation = *rc::gen::arbitrary<std::uint32_t>();
  facts.load_cost = Duration{*rc::gen::arbitrary<std::uint32_t>()};
  facts.codec = CodecId{*rc::gen::arbitrary<std::uint8_t>()};
  std::vector<TagStamp> tags;
  for (const auto& name : *rc::gen::arbitrary<std::vector<std::string>>()) tags.push_back({name, facts.stamp});

  const EntryRef made = Entry::make(key, facts, tags, payload);
  RC_ASSERT(made->key() == key);
  RC_ASSERT(made->payload() == payload);
  RC_ASSERT(made->tags_count() == tags.size());
  RC_ASSERT(made->tags() == tags);
  const EntryFacts back = made->facts();
  RC_ASSERT(back.stamp == facts.stamp && made->stamp() == facts.stamp);
  RC_ASSERT(back.has_version == facts.has_version && back.version == facts.version);
  RC_ASSERT(back.usable_until == facts.usable_until && back.fresh_until == facts.fresh_until);
  RC_ASSERT(back.as_of == facts.as_of && back.generation == facts.generation);
  RC_ASSERT(back.load_cost == facts.load_cost && back.codec == facts.codec);
#if TIERCEL_HEAP_IS_GLIBC
  const std::size_t surplus = malloc_usable_size(const_cast<Entry*>(made.get())) + 8 - made->bytes();
  RC_ASSERT(surplus == 0 || surplus == 16);  // 16: a remainder too small to be a block of its own
#endif
}

TEST(Entry, IsLetGoOfWithItsLastReference) {
  EntryRef first = entry("k", 1000);
  EntryRef second = first;
  first = EntryRef();
  EXPECT_EQ(second->payload(), std::string(1000, 'x'));
  const EntryRef& same = second;
  second = same;  // to itself
  EXPECT_EQ(second->key(), "k");
}

// ---- the basics

TEST_F(Memory, FindsWhatWasInserted) {
  MemoryStore& store = open(1 << 20);
  EXPECT_FALSE(store.find("a", kStart));
  EXPECT_TRUE(store.insert(entry("a", 10), kStart));
  EXPECT_TRUE(store.insert(entry("b", 0), kStart));
  ASSERT_TRUE(store.find("a", kStart));
  EXPECT_EQ(store.find("a", kStart)->payload(), "xxxxxxxxxx");
  EXPECT_EQ(store.peek("b", kStart)->payload(), "");
  EXPECT_FALSE(store.find("", kStart));
  EXPECT_TRUE(store.erase("a"));
  EXPECT_FALSE(store.erase("a"));
  EXPECT_FALSE(store.find("a", kStart));
  EXPECT_EQ(store.usage().entries, 1u);
}

TEST_F(Memory, TheNewestEntryOfAKeyStands) {
  MemoryStore& store = open(1 << 20);
  for (const std::size_t bytes : {10u, 5000u, 1u, 0u}) {
    EXPECT_TRUE(store.insert(entry("a", bytes), kStart));
    EXPECT_EQ(store.find("a", kStart)->payload().size(), bytes);
    EXPECT_EQ(store.usage().entries, 1u);
    EXPECT_FALSE(store.broken_invariant());
  }
  const EntryRef same = store.find("a", kStart);
  EXPECT_TRUE(store.insert(same, kStart)) << "an entry may be put in its own place";
  EXPECT_EQ(store.find("a", kStart).get(), same.get());
}

TEST_F(Memory, AReferenceOutlivesEvictionAndTheStoreItself) {
  MemoryStore& store = open(64 << 10);
  store.insert(entry("kept", 1000), kStart);
  const EntryRef kept = store.find("kept", kStart),
                 erased = (store.insert(entry("erased", 1000), kStart), store.find("erased", kStart));
  for (int i = 0; i < 1000; ++i) {
    store.insert(entry("other" + std::to_string(i), 1000), kStart);
    store.find("other" + std::to_string(i), kStart);
  }
  store.erase("erased");
  EXPECT_GT(store.usage().evicted, 0u);
  store_.reset();
  EXPECT_EQ(kept->payload(), std::string(1000, 'x'));
  EXPECT_EQ(erased->payload(), std::string(1000, 'x'));
}

TEST_F(Memory, EraseIfTakesTheDoomedAndNobodyElse) {
  MemoryStore& store = open(8 << 20, 4);
  for (int i = 0; i < 3000; ++i) store.insert(entry((i % 3 == 0 ? "a:" : "b:") + std::to_string(i), 10), kStart);
  EXPECT_EQ(store.erase_if([](const Entry& e) { return e.key().starts_with("a:"); }), 1000u);
  EXPECT_EQ(store.usage().entries, 2000u);
  EXPECT_FALSE(store.find("a:0", kStart));
  EXPECT_TRUE(store.find("b:1", kStart));
  EXPECT_EQ(store.erase_if([](const Entry&) { return false; }), 0u);
  EXPECT_EQ(store.clear(), 2000u);
  EXPECT_FALSE(store.find("b:1", kStart));
  EXPECT_TRUE(store.insert(entry("b:1", 10), kStart));
}

TEST_F(Memory, VisitShowsEveryLiveEntryOnceAndMayCallTheStore) {
  MemoryStore& store = open(8 << 20, 4);
  for (int i = 0; i < 2000; ++i) store.insert(entry(std::to_string(i), 1, i % 2 ? kStart + kSecond : kNever), kStart);
  std::set<std::string> seen;
  const auto note = [&](const EntryRef& e) {
    EXPECT_TRUE(seen.emplace(e->key()).second);
    EXPECT_TRUE(store.peek(e->key(), kStart));  // would hang were a lock held
  };
  store.visit(kStart, note);
  EXPECT_EQ(seen.size(), 2000u);
  seen.clear();
  store.visit(kStart + kSecond, [&](const EntryRef& e) { seen.emplace(e->key()); });
  EXPECT_EQ(seen.size(), 1000u);
}

TEST(Index, KeepsKeysOfOneHashApart) {
  Nodes nodes;
  Index index(nodes);
  std::vector<EntryRef> held;
  for (int i = 0; i < 500; ++i) {
    held.push_back(entry("key" + std::to_string(i), 0));
    const NodeId id = nodes.take();
    nodes[id].entry = held.back().get();
    nodes[id].hash = i % 2 ? 7 : 0xFFFFFFFF;
    index.insert(id);
    ASSERT_TRUE(index.valid());
  }
  for (int i = 0; i < 500; i += 5) {
    const std::string key = "key" + std::to_string(i);
    const NodeId id = index.find(i % 2 ? 7 : 0xFFFFFFFF, key);
    ASSERT_NE(id, kNoNode);
    EXPECT_EQ(nodes[id].entry->key(), key);
    index.erase(id);
    EXPECT_EQ(index.find(i % 2 ? 7 : 0xFFFFFFFF, key), kNoNode);
  }
  EXPECT_TRUE(index.valid());
  EXPECT_EQ(index.size(), 400u);
}

// ---- the budget

TEST_F(Memory, RandomOperationsAgreeWithAModel) {
  for (const std::uint64_t seed : {1u, 2u, 3u}) {
    MemoryStore& store = open(64 << 20, 2);  // so large that nobody is evicted
    Dice dice(seed);
    std::unordered_map<std::string, std::pair<std::size_t, Timestamp>> model;
    Timestamp now = kStart;
    for (int step = 0; step < 30'000; ++step) {
      now += Duration{dice.next() % 5000};
      const std::string key = "key" + std::to_string(dice.next() % 3000);
      const auto held = model.find(key);
      switch (dice.next() % 8) {
        case 0:
          EXPECT_EQ(store.erase(key), model.erase(key) != 0);
          break;
        case 1:
        case 2:
        case 3: {
          const std::size_t bytes = dice.next() % 600;
          const Timestamp until = dice.next() % 2 ? kNever : now + Duration{dice.next() % 60'000'000};
          ASSERT_TRUE(store.insert(entry(key, bytes, until), now));
          model[key] = {bytes, until};
          break;
        }
        default: {
          const EntryRef found = store.find(key, now);
          const bool live = held != model.end() && now < held->second.second;
          ASSERT_EQ(static_cast<bool>(found), live) << key;
          if (found) { EXPECT_EQ(found->payload().size(), held->second.first); }
          if (!live && held != model.end()) model.erase(held);  // an expired entry is let go of when it is met
        }
      }
      if (step % 3000 == 0) { ASSERT_FALSE(store.broken_invariant()); }
    }
    std::size_t model_bytes = 0;
    for (const auto& [key, value] : model) model_bytes += entry(key, value.first)->bytes();
    std::size_t entry_bytes = 0;
    EXPECT_EQ(store.erase_if([&](const Entry& e) {
      entry_bytes += e.bytes();
      return false;
    }),
              0u);
    EXPECT_EQ(store.usage().entries, model.size());
    EXPECT_EQ(entry_bytes, model_bytes);
    EXPECT_GT(store.usage().bytes, model_bytes);
    EXPECT_EQ(store.usage().evicted, 0u);
  }
}

#if TIERCEL_HEAP_IS_GLIBC
TEST_F(Memory, AccountsWhatTheHeapHandsOut) {
  const auto heap = [] {
    const auto info = mallinfo2();
    return info.uordblks + info.hblkhd;
  };
  const std::size_t before = heap();
  MemoryStore& store = open(256 << 20, 4);
  const std::size_t empty = heap() - before;
  for (int i = 0; i < 100'000; ++i)
    store.insert(entry("user:" + std::to_string(i), static_cast<std::size_t>(i % 300), kStart + kSecond), kStart);
  const auto used = static_cast<double>(heap() - before - empty), counted = static_cast<double>(store.usage().bytes);
  EXPECT_NEAR(counted / used, 1, 0.002);
}
#endif

TEST_F(Memory, NeverExceedsItsBudget) {
  for (const std::size_t bytes_max : {std::size_t{4 << 10}, std::size_t{64 << 10}, std::size_t{1 << 20}}) {
    MemoryStore& store = open(bytes_max);
    Dice dice(bytes_max);
    for (int i = 0; i < 20'000; ++i) {
      const auto bytes = static_cast<std::size_t>(std::exp(dice.unit() * 11));  // to 60 KB, most of them small
      const std::string key = std::to_string(dice.next() % 2000);
      const bool taken = store.insert(entry(key, bytes), kStart);
      ASSERT_LE(store.usage().bytes, bytes_max);
      if (!taken) { EXPECT_FALSE(store.peek(key, kStart)) << "the old one is gone all the same"; }
      store.find(std::to_string(dice.next() % 2000), kStart);
      if (i % 1000 == 0) { ASSERT_FALSE(store.broken_invariant()); }
    }
    EXPECT_GT(store.usage().evicted, 0u);
    EXPECT_GT(store.usage().bytes, bytes_max / 2) << "and makes use of it";
  }
}

TEST_F(Memory, TheLargestValueFitsTheUsualStore) {
  MemoryStore& store = open(64 << 20, 0);
  EXPECT_TRUE(store.insert(entry("large", 8 << 20), kStart));
  EXPECT_TRUE(store.find("large", kStart));
  EXPECT_FALSE(store.insert(entry("large", 20 << 20), kStart)) << "larger than a shard";
  EXPECT_FALSE(store.find("large", kStart));
  EXPECT_EQ(store.usage().refused, 1u);
}

TEST_F(Memory, ALargeValueNobodyAskedForDoesNotDisplaceManyThatArePopular) {
  MemoryStore& store = open(1 << 20);
  for (int round = 0; round < 4; ++round) {
    for (int i = 0; i < 6000; ++i) {
      if (!store.find(std::to_string(i), kStart)) store.insert(entry(std::to_string(i), 100), kStart);
    }
  }
  const std::size_t before = store.usage().entries;
  // Asked for by five, it is more popular than any of them, but not than all it would displace.
  for (int i = 0; i < 5; ++i) store.insert(entry("large", 500 << 10), kStart);
  EXPECT_GE(store.usage().entries + 5, before);
  EXPECT_FALSE(store.peek("large", kStart));
}

TEST_F(Memory, WhatWasOftenHitIsRememberedWhenItIsGone) {
  MemoryStore& store = open(256 << 10);
  store.insert(entry("popular", 100), kStart);
  for (int i = 0; i < 10; ++i) store.find("popular", kStart);
  store.erase("popular");
  for (int round = 0; round < 3; ++round) {  // the others are asked for three times each, hit never
    for (int i = 0; i < 1500; ++i) store.erase(std::to_string(i)), store.insert(entry(std::to_string(i), 100), kStart);
  }
  ASSERT_GT(store.usage().evicted, 0u);
  store.insert(entry("popular", 100), kStart);
  for (int i = 2000; i < 2200; ++i) store.insert(entry(std::to_string(i), 100), kStart);  // through the window, and out
  EXPECT_TRUE(store.peek("popular", kStart));
  EXPECT_FALSE(store.peek("2000", kStart));
}

TEST_F(Memory, ALargerValueMustBeWorthAllItDisplacesTogether) {
  MemoryStore& store = open(256 << 10);
  const auto ask_for = [&](const std::string& key, std::size_t bytes) {
    store.erase(key);
    store.insert(entry(key, bytes), kStart);
  };
  for (int i = 0; i < 4500; ++i) ask_for(std::to_string(i % 1500), 100);  // three times each
  for (int i = 0; i < 5; ++i) {
    ask_for("as large as four", 600);
    ask_for("as large as one", 80);
  }
  for (int i = 2000; i < 2200; ++i) store.insert(entry(std::to_string(i), 100), kStart);  // through the window, and out
  EXPECT_TRUE(store.peek("as large as one", kStart)) << "five is more than three";
  EXPECT_FALSE(store.peek("as large as four", kStart)) << "but not than four times three";
}

TEST(Sketch, CountsSaturatesAgesAndKeepsItsCountsWhenItGrows) {
  Sketch sketch;
  Dice dice(5);
  const auto hash = [&] { return static_cast<std::uint32_t>(dice.next()); };
  EXPECT_EQ(sketch.frequency(1), 0u) << "nothing is counted before there is room";
  sketch.fit(100);
  const std::uint32_t often = hash(), once = hash();
  sketch.count(once);
  for (int i = 0; i < 40; ++i) sketch.count(often);
  EXPECT_EQ(sketch.frequency(once), 1u);
  EXPECT_EQ(sketch.frequency(often), Sketch::kMost);
  sketch.fit(1000);
  EXPECT_EQ(sketch.frequency(once), 1u);
  EXPECT_EQ(sketch.frequency(often), Sketch::kMost);
  for (std::size_t i = 0; i < sketch.sample(); ++i) sketch.count(hash());
  EXPECT_LE(sketch.frequency(often), Sketch::kMost / 2 + 4) << "halved, and hardly anybody shares all its counters";
  EXPECT_GE(sketch.frequency(often), Sketch::kMost / 2);
}

TEST_F(Memory, WithoutABudgetNothingIsKept) {
  MemoryStore& store = open(0);
  EXPECT_FALSE(store.insert(entry("a", 1), kStart));
  EXPECT_FALSE(store.find("a", kStart));
}

// ---- who leaves

// The plainest rival: exact LRU under the same budget, its overhead not even counted.
class Lru {
 public:
  explicit Lru(std::size_t bytes_max) : bytes_max_(bytes_max) {}
  bool access(std::uint64_t key, std::size_t bytes) {
    if (const auto at = where_.find(key); at != where_.end()) {
      order_.splice(order_.begin(), order_, at->second);
      return true;
    }
    order_.emplace_front(key, bytes);
    where_[key] = order_.begin();
    for (bytes_ += bytes; bytes_ > bytes_max_; order_.pop_back()) {
      bytes_ -= order_.back().second;
      where_.erase(order_.back().first);
    }
    return false;
  }

 private:
  std::size_t bytes_max_, bytes_ = 0;
  std::list<std::pair<std::uint64_t, std::size_t>> order_;
  std::unordered_map<std::uint64_t, std::list<std::pair<std::uint64_t, std::size_t>>::iterator> where_;
};

struct Ratios {
  double ours, lru;
};

template <class NextKey>
Ratios replay(MemoryStore& store, std::size_t bytes_max, int requests, NextKey next_key, int warming = 0) {
  Lru lru(bytes_max);
  int ours = 0, theirs = 0;
  for (int i = -warming; i < requests; ++i) {
    if (i == 0) ours = theirs = 0;
    const std::uint64_t key = next_key(i);
    const std::string name = std::to_string(key);
    const EntryRef made = entry(name, 100 + key % 200);
    theirs += lru.access(key, made->bytes());
    if (store.find(name, kStart)) ++ours;
    else store.insert(made, kStart);
  }
  const Ratios ratios{static_cast<double>(ours) / requests, static_cast<double>(theirs) / requests};
  std::printf("  hit ratio %.4f, LRU %.4f\n", ratios.ours, ratios.lru);
  return ratios;
}

class Zipf {
 public:
  Zipf(std::size_t keys, double exponent, std::uint64_t seed) : dice_(seed) {
    double sum = 0;
    for (std::size_t i = 1; i <= keys; ++i) cumulated_.push_back(sum += std::pow(static_cast<double>(i), -exponent));
  }
  std::uint64_t next() {
    const double at = dice_.unit() * cumulated_.back();
    return static_cast<std::uint64_t>(std::lower_bound(cumulated_.begin(), cumulated_.end(), at) - cumulated_.begin());
  }

 private:
  Dice dice_;
  std::vector<double> cumulated_;
};

TEST_F(Memory, HitsMoreThanLruOnAZipfTrace) {
  constexpr std::size_t kBytes = 512 << 10;
  Zipf zipf(50'000, 0.9, 11);
  const Ratios ratios = replay(open(kBytes), kBytes, 200'000, [&](int) { return zipf.next(); });
  EXPECT_GT(ratios.ours, ratios.lru + 0.05);
}

TEST_F(Memory, HitsMoreThanLruWhenScansPassThrough) {
  constexpr std::size_t kBytes = 512 << 10;
  Zipf zipf(20'000, 0.9, 12);
  std::uint64_t scanned = 1'000'000;
  const Ratios ratios = replay(open(kBytes), kBytes, 200'000, [&](int i) {
    return i / 3000 % 2 == 0 ? zipf.next()
                             : scanned++;  // every other 3,000 requests are for what is never asked for again
  });
  EXPECT_GT(ratios.ours, ratios.lru + 0.05);
}

TEST_F(Memory, HitsMoreThanLruOnALoopLargerThanTheStore) {
  constexpr std::size_t kBytes = 512 << 10;
  const Ratios ratios =
      replay(open(kBytes), kBytes, 100'000, [](int i) { return static_cast<std::uint64_t>(i % 2500); });
  EXPECT_GT(ratios.ours, ratios.lru + 0.3);
}

// Every key is asked for a few times soon after it appears and never again: frequency knows nothing, recency
// everything. The window must grow to it; while it does is not counted.
TEST_F(Memory, IsCloseToLruWhereRecencyIsEverything) {
  constexpr std::size_t kBytes = 512 << 10;
  Dice dice(13);
  const Ratios ratios = replay(
      open(kBytes), kBytes, 200'000,
      [&](int i) { return static_cast<std::uint64_t>(i / 4 + 100'000) + dice.next() % 1200; }, 300'000);
  EXPECT_GT(ratios.ours, ratios.lru - 0.02);
}

// ---- who expires

TEST_F(Memory, AnEntryIsGoneAtItsDeadlineAndNotBefore) {
  MemoryStore& store = open(1 << 20);
  store.insert(entry("a", 1, kStart + kSecond), kStart);
  EXPECT_TRUE(store.find("a", kStart + kSecond - Duration{1}));
  EXPECT_FALSE(store.peek("a", kStart + kSecond));
  EXPECT_EQ(store.usage().entries, 1u) << "peek changes nothing";
  EXPECT_FALSE(store.find("a", kStart + kSecond));
  EXPECT_EQ(store.usage().entries, 0u) << "find lets go of what it finds expired";
  EXPECT_EQ(store.usage().expired, 1u);
}

TEST_F(Memory, ExpiredMemoryIsReleasedWithoutBeingLookedFor) {
  MemoryStore& store = open(1 << 20);
  store.insert(entry("soon", 1000, kStart + kSecond), kStart);
  store.insert(entry("late", 1000, kStart + 3600 * kSecond), kStart);
  store.insert(entry("ever", 1000), kStart);
  const Timestamp due = store.release_expired(kStart, 0);
  EXPECT_GT(due, kStart);
  EXPECT_LE(due, kStart + kSecond + Deadlines::kTick);
  Timestamp next = due;
  while (next < kStart + 2 * kSecond) next = store.release_expired(next);
  EXPECT_EQ(store.usage().entries, 2u);
  EXPECT_EQ(store.usage().expired, 1u);
  EXPECT_LE(next, kStart + 3600 * kSecond + Deadlines::kTick);
  EXPECT_EQ(store.release_expired(kStart + 7200 * kSecond), kNever);
  EXPECT_EQ(store.usage().entries, 1u);
}

// Deadlines from now to a century away, time that jumps, and little work per call: what is due is released within a
// tick, what is not due never, and the time to come back is never too late.
TEST_F(Memory, ReleasesEachEntryWithinATickOfItsDeadline) {
  for (const std::uint64_t seed : {1u, 2u, 3u, 4u}) {
    MemoryStore& store = open(64 << 20, 2);
    Dice dice(seed);
    std::multimap<Timestamp, std::string> model;
    Timestamp now{};
    for (int i = 0; i < 4000; ++i) {
      const Timestamp until = now + Duration{static_cast<std::int64_t>(std::exp(dice.unit() * 36))};  // up to 136 years
      const std::string key = std::to_string(i);
      store.insert(entry(key, 1, until), now);
      model.emplace(until, key);
      if (i % 3 == 0) {
        Timestamp next = store.release_expired(now, 5);
        if (dice.next() % 4 == 0 && next != kNever) now = std::max(now, next);
        else now += Duration{static_cast<std::int64_t>(std::exp(dice.unit() * 16))};
        while ((next = store.release_expired(now, 7)) <= now) {}
      }
      const auto past = model.upper_bound(now - Deadlines::kTick);
      for (auto at = model.begin(); at != past; at = model.erase(at)) {
        ASSERT_FALSE(store.erase(at->second)) << "kept past its time";
      }
      const auto live = static_cast<std::size_t>(std::distance(model.upper_bound(now), model.end()));
      ASSERT_GE(store.usage().entries, live) << "released before its time";
      ASSERT_LE(store.usage().entries, model.size());
      if (const auto next = model.upper_bound(now); next != model.end()) {
        ASSERT_LE(store.release_expired(now, 0), next->first + Deadlines::kTick);
      }
      if (i % 500 == 0) { ASSERT_FALSE(store.broken_invariant()); }
    }
  }
}

TEST_F(Memory, ANewEntryBringsItsOwnDeadline) {
  MemoryStore& store = open(1 << 20);
  store.insert(entry("longer", 1, kStart + kSecond), kStart);
  store.insert(entry("shorter", 1, kStart + 100 * kSecond), kStart);
  store.insert(entry("endless", 1, kStart + kSecond), kStart);
  store.insert(entry("longer", 1, kStart + 100 * kSecond), kStart);
  store.insert(entry("shorter", 1, kStart + kSecond), kStart);
  store.insert(entry("endless", 1), kStart);
  const auto release_until = [&](Timestamp now) {
    while (store.release_expired(now) <= now) {}
  };
  release_until(kStart + 2 * kSecond);
  EXPECT_FALSE(store.erase("shorter"));
  EXPECT_EQ(store.usage().entries, 2u);
  release_until(kStart + 101 * kSecond);
  EXPECT_FALSE(store.erase("longer"));
  EXPECT_EQ(store.usage().entries, 1u);
}

TEST_F(Memory, OneCallReleasesNoMoreThanAsked) {
  MemoryStore& store = open(8 << 20);
  for (int i = 0; i < 1000; ++i) store.insert(entry(std::to_string(i), 1, kStart + kSecond), kStart);
  const Timestamp later = kStart + 10 * kSecond;
  int calls = 0;
  for (std::size_t before = 1000; before > 0; ++calls) {
    const Timestamp next = store.release_expired(later, 100);
    const std::size_t after = store.usage().entries;
    EXPECT_LE(before - after, 100u);
    EXPECT_EQ(next <= later, after > 0) << "who has more to do asks to be called at once";
    before = after;
  }
  EXPECT_GE(calls, 10);
  EXPECT_LE(calls, 70) << "moving between wheels costs work too, but no more than once a wheel";
}

// ---- threads

TEST(Entry, IsCountedByManyThreadsAtOnce) {
  std::atomic<bool> go{false};
  const EntryRef shared = entry("shared", 100);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      while (!go) std::this_thread::yield();
      for (int i = 0; i < 1'000'000; ++i) {
        const EntryRef mine = shared;
        ASSERT_EQ(mine->key(), "shared");
      }
    });
  }
  go = true;
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(shared->payload(), std::string(100, 'x'));
}

TEST_F(Memory, FourThreadsAtOnceKeepEveryInvariant) {
  MemoryStore& store = open(256 << 10, 2);
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&store, t] {
      Dice dice(t);
      for (int i = 0; i < 20'000; ++i) {
        const Timestamp now = kStart + Duration{i * 100};
        const std::uint64_t roll = dice.next();
        const std::string key = std::to_string(roll % 700);
        switch (roll / 1000 % 16) {
          case 0:
            store.erase(key);
            break;
          case 1:
          case 2:
          case 3:
          case 4:
            store.insert(entry(key, roll % 1500, now + Duration{roll % 3'000'000}, key[0]), now);
            break;
          case 5:
            store.release_expired(now, 16);
            break;
          case 6:
            if (i % 50 == 0) store.erase_if([&](const Entry& e) { return e.key() == key; });
            break;
          case 7:
            if (i % 200 == 0) store.visit(now, [](const EntryRef& e) { EXPECT_FALSE(e->key().empty()); });
            break;
          case 8:
            if (i % 2000 == 0) store.clear();
            break;
          case 9:
            EXPECT_LE(store.usage().bytes, std::size_t{256 << 10});
            break;
          default:
            if (const EntryRef found = store.find(key, now)) {
              EXPECT_EQ(found->key(), key);
              EXPECT_EQ(found->payload(), std::string(found->payload().size(), key[0]));
              found->tags_current_at.store(roll, std::memory_order_relaxed);
            }
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

}  // namespace
}  // namespace tiercel
