// Tags that come with the result of a load: the any-tag stands for them while it runs (A10 for tags that nobody could name before).
#include <gtest/gtest.h>

#include "support/two_engines.hpp"

namespace tiercel::test {
namespace {

using Kind = Outcome::Kind;

struct LateTagsTest : testing::Test {
  static OperationId load(EngineRig& rig, const std::string& key = "k", bool refresh = false) {
    LoadOptions options;
    options.tags_of_result = true;
    options.skip_value = refresh;
    const OperationId id = rig.engine->get_or_load(key, options, rig.now);
    rig.take_events();
    return id;
  }
  static void finish(EngineRig& rig, const std::string& value, std::vector<std::string> tags) {
    LoadResult result;
    result.payload = value;
    result.store.usable_for = 60s;
    result.store.tags = std::move(tags);
    rig.finish_load(std::move(result));
  }
  // Loads and stores: what the result names is carried.
  void cache(const std::string& value, std::vector<std::string> tags) {
    load(two.a);
    two.settle();
    finish(two.a, value, std::move(tags));
    two.settle();
  }
  bool serves(EngineRig& rig, const std::string& key = "k") {
    const OperationId read = rig.read(key);
    two.settle();
    return rig.outcome(read)->kind == Kind::hit;
  }

  Two two;
};

TEST_F(LateTagsTest, TheResultsTagsAreCarried) {
  cache("value", {"t", "u"});
  EXPECT_EQ(two.a.found("k"), "value");
  EXPECT_TRUE(serves(two.b));
  two.b.invalidate({}, {"u"});
  two.settle();
  EXPECT_FALSE(serves(two.b));
  EXPECT_FALSE(serves(two.a));
}

TEST_F(LateTagsTest, ATagInvalidatedDuringTheLoadKeepsItOut) {
  two.a.invalidate({}, {"t"});  // so that the tag exists, and its next stamp is no first one
  const OperationId id = load(two.a);
  two.settle();
  two.b.invalidate({}, {"t"});
  while (two.b.step()) continue;
  finish(two.a, "old", {"t"});  // the push has not been read
  two.settle();
  EXPECT_EQ(two.a.value(*two.a.outcome(id)), "old");  // who had asked gets it
  EXPECT_FALSE(serves(two.b));
  EXPECT_EQ(two.a.found("k"), "<none>");
}

// The load's tags are unknown, so that any of them may be the one.
TEST_F(LateTagsTest, NobodyJoinsItBehindTheInvalidationOfATag) {
  load(two.a);
  two.settle();
  two.b.invalidate({}, {"t"});
  two.settle();
  load(two.a);
  two.settle();
  EXPECT_EQ(two.a.loads.size(), 2u);
}

// A load without a lease has not looked at the any-tag, so that no push of it would come.
TEST_F(LateTagsTest, NorOneThatRunsBesideAPassOnceItIsOld) {
  load(two.a);
  two.settle();
  LoadResult failed;
  failed.kind = LoadResult::Kind::failed;
  two.a.finish_load(failed);
  two.settle();
  ASSERT_EQ(two.stored("k"), "<pass>");
  load(two.a);
  two.pass(500ms);
  two.b.invalidate({}, {"t"});
  two.pass(1500ms);
  load(two.a);
  two.settle();
  EXPECT_EQ(two.a.loads.size(), 2u);
}

TEST_F(LateTagsTest, AnInvalidationByTheSameProcessSealsIt) {
  load(two.a);
  two.settle();
  two.a.run(two.a.invalidate({}, {"t"}));
  finish(two.a, "old", {"t"});
  two.settle();
  EXPECT_FALSE(serves(two.a));
}

TEST_F(LateTagsTest, AKeyThatIsInvalidatedLeavesItAlone) {
  load(two.a);
  two.settle();
  two.b.invalidate({"other"});
  two.settle();
  finish(two.a, "value", {"t"});
  two.settle();
  EXPECT_TRUE(serves(two.b));
}

// At every place between the any-tag and the tag, and between the reads of the fill.
TEST_F(LateTagsTest, WhereverTheInvalidationFallsNothingOldIsCurrent) {
  for (int behind = 0; behind < 12; ++behind) {
    const std::string key = "k" + std::to_string(behind);
    two.a.invalidate({}, {"t"});
    two.settle();
    load(two.a, key);
    two.settle();
    int commands = 0;
    bool struck = false;
    two.redis->after = [&](const ModelRedis::Words&) {
      if (struck || commands++ != behind) return;
      struck = true;
      two.b.invalidate({}, {"t"});
      while (two.b.step()) continue;
    };
    finish(two.a, "old", {"t"});
    two.settle();
    two.redis->after = nullptr;
    if (!struck) break;  // the fill has no more commands
    EXPECT_FALSE(serves(two.b, key)) << "behind command " << behind;
    EXPECT_EQ(two.a.found(key), "<none>");
  }
}

TEST_F(LateTagsTest, ARefreshIsHeldToItToo) {
  cache("value", {"t"});
  load(two.a, "k", true);
  two.settle();
  two.b.invalidate({}, {"t"});
  while (two.b.step()) continue;
  finish(two.a, "old", {"t"});
  two.settle();
  EXPECT_FALSE(serves(two.b));
}

TEST_F(LateTagsTest, AFullRedisDropsTheAnyTagBeforeTheTags) {
  two.a.invalidate({}, {"t"});
  load(two.a);
  two.settle();
  // The any-tag is refused; room is made before the tag.
  two.redis->refuse_writes = "OOM command not allowed when used memory > 'maxmemory'.";
  two.redis->after = [&](const ModelRedis::Words& command) {
    if (command[0] == "SET" && command[1] == "tiercel:a") two.redis->refuse_writes.clear();
  };
  const OperationId invalidation = two.b.invalidate({}, {"t"});
  while (two.b.step()) continue;
  ASSERT_EQ(two.b.outcome(invalidation)->kind, Kind::invalidated);
  finish(two.a, "old", {"t"});
  two.settle();
  EXPECT_FALSE(serves(two.b));
}

TEST_F(LateTagsTest, AWriteUnderWayOrEndedKeepsItOut) {
  for (const bool ends : {false, true}) {
    load(two.a);
    two.settle();
    const std::string tag = "t";
    const OperationId writing = two.b.engine->begin_writing({}, {&tag, 1}, {}, two.b.now);
    while (two.b.step()) continue;
    if (ends) two.b.engine->end_writing(writing, two.b.now);
    while (two.b.step()) continue;
    finish(two.a, "old", {"t"});
    two.settle();
    if (!ends) two.b.engine->end_writing(writing, two.b.now);
    two.settle();
    EXPECT_FALSE(serves(two.b));
    two.pass(2s);
  }
}

TEST_F(LateTagsTest, OnMemoryAlone) {
  EngineRig rig(false);
  load(rig);
  finish(rig, "value", {"t"});
  EXPECT_EQ(rig.found("k"), "value");
  rig.invalidate({}, {"t"});
  EXPECT_EQ(rig.found("k"), "<none>");
  load(rig);
  rig.invalidate({}, {"t"});
  finish(rig, "old", {"t"});
  EXPECT_EQ(rig.found("k"), "<none>");
}

TEST_F(LateTagsTest, AnInvalidationIsOneRoundTripAndMakesNoAnyTagWhereNobodyNeedsOne) {
  two.redis->log.clear();
  two.a.run(two.a.invalidate({"k"}, {"t", "u"}));
  EXPECT_EQ(two.redis->log.size(), 4u);  // UNLINK, any-tag, two tags: in one write
  EXPECT_FALSE(two.redis->get("tiercel:a"));
}

TEST_F(LateTagsTest, MoreTagsThanAnEntryCarriesAreAnsweredAndNotStored) {
  const OperationId id = load(two.a);
  two.settle();
  std::vector<std::string> tags;
  for (int n = 0; n < 65; ++n) tags.push_back("t" + std::to_string(n));
  finish(two.a, "value", tags);
  two.settle();
  EXPECT_EQ(two.a.value(*two.a.outcome(id)), "value");
  EXPECT_EQ(two.stored("k"), "<pass>");
}

}  // namespace
}  // namespace tiercel::test
