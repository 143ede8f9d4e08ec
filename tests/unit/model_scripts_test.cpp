// The scripts as the model of Redis runs them.
#include "cache/scripts.hpp"
#include "support/model_talk.hpp"

namespace tiercel::test {
namespace {

TEST_F(Model, ScriptsAreKnownByTheirDigestOnceTheyWereSeen) {
  const std::string digest = "e0e1f9fabfc9d4800c877a703b823ac0578ff8db";
  EXPECT_EQ(say({"SCRIPT", "LOAD", "return 1"}), reply_bulk(digest));
  EXPECT_EQ(say({"EVALSHA", "0123", "1", "k"}), "-NOSCRIPT No matching script. Please use EVAL.\r\n");
  const std::string loaded = say({"SCRIPT", "LOAD", script::kSwap});
  const std::string swap = loaded.substr(5, 40);
  EXPECT_EQ(say({"EVALSHA", swap, "1", "k", "", "new", "0"}), ":1\r\n");
  redis.forget_scripts();
  EXPECT_EQ(say({"EVALSHA", swap, "1", "k", "", "new", "0"}).substr(0, 9), "-NOSCRIPT");
  eval(script::kSwap, {"", "", "0"});
  EXPECT_EQ(say({"EVALSHA", swap, "1", "none", "", "", "0"}), ":1\r\n");
}

TEST_F(Model, SwapStoresOnlyWhereTheStampStands) {
  const std::string lease = record(RecordState::lease), value = record(RecordState::value);
  EXPECT_EQ(eval(script::kSwap, {stamp_of(lease), value, "0"}), ":0\r\n");  // nothing is there
  EXPECT_EQ(eval(script::kSwap, {"", lease, "2000"}), ":1\r\n");
  EXPECT_EQ(say({"PTTL", "k"}), ":2000\r\n");
  EXPECT_EQ(eval(script::kSwap, {"", value, "0"}), ":0\r\n");
  EXPECT_EQ(eval(script::kSwap, {stamp_of(lease), value, "0"}), ":1\r\n");
  EXPECT_EQ(redis.get("k"), value);
  EXPECT_EQ(say({"PTTL", "k"}), ":-1\r\n");
  EXPECT_EQ(eval(script::kSwap, {stamp_of(lease), "", "0"}), ":0\r\n");
  EXPECT_EQ(eval(script::kSwap, {stamp_of(value), "", "0"}), ":1\r\n");
  EXPECT_FALSE(redis.get("k"));
}

TEST_F(Model, ASwapIsPushedLikeAnyWrite) {
  const std::string lease = record(RecordState::lease), value = record(RecordState::value);
  redis.write("k", lease);
  say_tracked(me, {"GET", "k"});
  say_tracked(other, {"GET", "k"});
  EXPECT_EQ(eval(script::kSwap, {stamp_of(value), value, "0"}), ":0\r\n");
  EXPECT_EQ(eval(script::kSwap, {stamp_of(lease), value, "0"}), ":1\r\n" + reply_push("k"));
  EXPECT_EQ(pushed(other), reply_push("k"));
}

TEST_F(Model, ASwapWhereRedisIsFullStillComparesAndRemoves) {
  const std::string lease = record(RecordState::lease), value = record(RecordState::value);
  redis.write("k", lease);
  redis.refuse_writes = kOom;
  EXPECT_EQ(eval(script::kSwap, {stamp_of(value), value, "0"}), ":0\r\n");
  EXPECT_EQ(eval(script::kSwap, {stamp_of(lease), value, "0"}).substr(0, 5), "-OOM ");
  EXPECT_EQ(eval(script::kSwap, {stamp_of(lease), "", "0"}), ":1\r\n");
}

TEST_F(Model, StoreAndFloorGoByTheVersion) {
  const std::string five = record(RecordState::value, 5), floor = record(RecordState::floor, 0x100000007);
  EXPECT_EQ(eval(script::kStore, {five, "1000", u64(5)}), ":1\r\n");
  EXPECT_EQ(eval(script::kStore, {five, "0", u64(4)}), ":0\r\n");
  EXPECT_EQ(eval(script::kStore, {five, "0", u64(5)}), ":1\r\n");
  EXPECT_EQ(eval(script::kFloor, {floor, "1000", u64(4)}), ":0\r\n");
  EXPECT_EQ(eval(script::kFloor, {floor, "1000", u64(0x100000007)}), ":1\r\n");
  EXPECT_EQ(eval(script::kStore, {five, "0", u64(0xFFFFFFFF)}), ":0\r\n");  // by the upper half
  EXPECT_EQ(eval(script::kStore, {five, "0", u64(0x100000008)}), ":1\r\n");
  redis.write("k", record(RecordState::value));
  EXPECT_EQ(eval(script::kStore, {five, "0", u64(1)}), ":1\r\n");  // what has no version hinders nobody
  redis.write("k", record(RecordState::intent));
  EXPECT_EQ(eval(script::kStore, {five, "0", u64(9)}), ":2\r\n");
}

class Intent : public Model {
 protected:
  std::string begin(char who, std::uint64_t deadline, std::uint64_t at = 0, std::string_view life = "1000") {
    return eval(script::kIntentBegin, {header, std::string(16, who) + u64(deadline), life, u64(at), u64(99), "60000"});
  }
  std::string end(char who, std::string_view instead = "", std::string_view life = "0", std::uint64_t at = 0) {
    return eval(script::kIntentEnd, {std::string(16, who), u64(at), instead, life, std::string(16, 'n')});
  }
  std::string held() { return redis.get("k").value_or("<none>"); }

  std::string header = record(RecordState::intent).substr(0, 64);  // tokens begin at byte 64: no middle section
};

TEST_F(Intent, HoldsEveryWriterOnce) {
  redis.write("k", record(RecordState::value));
  EXPECT_EQ(begin('a', 10), ":0\r\n");
  EXPECT_EQ(held(), header + std::string(16, 'a') + u64(10));
  EXPECT_EQ(begin('b', 20), ":0\r\n");
  EXPECT_EQ(begin('a', 30), ":1\r\n");
  EXPECT_EQ(held(), header + std::string(16, 'b') + u64(20) + std::string(16, 'a') + u64(30));
  EXPECT_EQ(begin('c', 40, 25), ":0\r\n");  // b's time is over
  EXPECT_EQ(held(), header + std::string(16, 'a') + u64(30) + std::string(16, 'c') + u64(40));
}

TEST_F(Intent, LivesAsLongAsItsLongestWriter) {
  begin('a', 10, 0, "5000");
  begin('b', 10, 0, "1000");
  EXPECT_EQ(say({"PTTL", "k"}), ":5000\r\n");
  begin('b', 10, 0, "9000");
  EXPECT_EQ(say({"PTTL", "k"}), ":9000\r\n");
}

TEST_F(Intent, RefusesMoreWritersThanFit) {
  for (int who = 0; who < 64; ++who) EXPECT_EQ(begin(static_cast<char>('0' + who), 10), ":0\r\n") << who;
  EXPECT_EQ(begin('z', 10), ":-1\r\n");
}

TEST_F(Intent, IsGoneWithItsLastWriter) {
  begin('a', 10);
  begin('b', 20);
  EXPECT_EQ(end('a'), ":1\r\n");
  EXPECT_EQ(held(), header.substr(0, 8) + std::string(16, 'n') + header.substr(24) + std::string(16, 'b') + u64(20));
  EXPECT_EQ(say({"PTTL", "k"}), ":1000\r\n");
  EXPECT_EQ(end('a'), ":0\r\n");
  EXPECT_EQ(end('b', "tag", "500"), ":1\r\n");
  EXPECT_EQ(held(), "tag");
  EXPECT_EQ(say({"PTTL", "k"}), ":500\r\n");
  EXPECT_EQ(end('b'), ":0\r\n");
  EXPECT_EQ(held(), "<none>");  // whatever is there is invalidated
}

TEST_F(Intent, CarriesAVersionOnAsAFloor) {
  redis.write("k", record(RecordState::value, 7));
  begin('a', 10);
  const std::string carried =
      header.substr(0, 5) + '\1' + header.substr(6, 18) + u64(7) + header.substr(32, 8) + u64(99) + header.substr(48);
  EXPECT_EQ(held(), carried + std::string(16, 'a') + u64(10));
  EXPECT_EQ(say({"PTTL", "k"}), ":60000\r\n");
  EXPECT_EQ(end('a'), ":1\r\n");
  std::string floor = carried.substr(0, 3) + '\4' + carried.substr(4, 4) + std::string(16, 'n') + carried.substr(24);
  EXPECT_EQ(held(), floor.replace(32, 8, std::string(8, '\0')));
  EXPECT_EQ(say({"PTTL", "k"}), ":60000\r\n");
  begin('b', 20);
  EXPECT_EQ(held().substr(40, 8), u64(99)) << "a floor keeps its own end";
}

TEST_F(Model, ExtendingATagAsksForItsStamp) {
  const std::string tag = std::string(16, 's') + u64(7), longer = std::string(16, 's') + u64(9);
  EXPECT_EQ(eval(script::kExtendTag, {std::string(16, 's'), longer, "100"}), ":0\r\n");
  redis.write("k", tag);
  EXPECT_EQ(eval(script::kExtendTag, {std::string(16, 't'), longer, "100"}), ":0\r\n");
  EXPECT_EQ(eval(script::kExtendTag, {std::string(16, 's'), longer, "100"}), ":1\r\n");
  EXPECT_EQ(redis.get("k"), longer);
  EXPECT_EQ(say({"PTTL", "k"}), ":100\r\n");
}

TEST_F(Model, AScriptThatIsCalledWronglyIsAnError) {
  EXPECT_EQ(eval("return 2", {}).substr(0, 5), "-ERR ");
  EXPECT_EQ(eval(script::kSwap, {"", "v", "0.5"}).substr(0, 5), "-ERR ");
  EXPECT_EQ(eval(script::kSwap, {"", "v"}).substr(0, 5), "-ERR ");
  redis.write("k", record(RecordState::floor, 1));
  EXPECT_EQ(eval(script::kStore, {"v", "0", "short"}).substr(0, 5), "-ERR ");
}

}  // namespace
}  // namespace tiercel::test
