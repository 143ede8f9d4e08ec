// The model of Redis: what the engine's other tests stand on. What is claimed here was looked up on a redis-server 7.0.15.
#include "support/model_talk.hpp"

namespace tiercel::test {
namespace {

// ---- commands

TEST_F(Model, SetTakesItsOptions) {
  EXPECT_EQ(say({"SET", "k", "1", "NX", "PX", "1000"}), "+OK\r\n");
  EXPECT_EQ(say({"SET", "k", "2", "NX"}), "_\r\n");
  EXPECT_EQ(say({"SET", "k", "2", "NX", "GET"}), reply_bulk("1"));
  EXPECT_EQ(say({"SET", "k", "3", "GET"}), reply_bulk("1"));
  EXPECT_EQ(say({"SET", "new", "3", "XX"}), "_\r\n");
  EXPECT_EQ(say({"SET", "k", "3", "PX", "0"}), "-ERR invalid expire time in 'set' command\r\n");
  EXPECT_EQ(say({"SET", "k", "3", "PX", "soon"}), "-ERR value is not an integer or out of range\r\n");
  EXPECT_EQ(say({"SET", "k", "3", "PXX", "1"}), "-ERR syntax error\r\n");
  EXPECT_EQ(say({"PTTL", "k"}), ":-1\r\n");  // the life went with the value that was replaced
}

TEST_F(Model, RangesCountFromEitherEnd) {
  say({"SET", "k", "0123456789"});
  EXPECT_EQ(say({"GETRANGE", "k", "2", "4"}), reply_bulk("234"));
  EXPECT_EQ(say({"GETRANGE", "k", "8", "63"}), reply_bulk("89"));
  EXPECT_EQ(say({"GETRANGE", "k", "-3", "-1"}), reply_bulk("789"));
  EXPECT_EQ(say({"GETRANGE", "k", "-100", "1"}), reply_bulk("01"));
  EXPECT_EQ(say({"GETRANGE", "k", "10", "-1"}), reply_bulk(""));
  EXPECT_EQ(say({"GETRANGE", "k", "-1", "-3"}), reply_bulk(""));
  EXPECT_EQ(say({"GETRANGE", "none", "0", "-1"}), reply_bulk(""));
}

TEST_F(Model, LivesAreCountedDownAndChanged) {
  EXPECT_EQ(say({"PTTL", "k"}), ":-2\r\n");
  EXPECT_EQ(say({"PEXPIRE", "k", "5"}), ":0\r\n");
  say({"SET", "k", "v", "PX", "1000"});
  pass(400ms);
  EXPECT_EQ(say({"PTTL", "k"}), ":600\r\n");
  EXPECT_EQ(say({"PEXPIRE", "k", "50"}), ":1\r\n");
  pass(50ms);
  EXPECT_EQ(say({"GET", "k"}), "_\r\n");
  say({"SET", "k", "v"});
  EXPECT_EQ(say({"PEXPIRE", "k", "0"}), ":1\r\n");
  EXPECT_FALSE(redis.get("k"));
}

TEST_F(Model, KillEndsTheConnectionInTruth) {
  EXPECT_EQ(say({"CLIENT", "KILL", "ID", std::to_string(other.id)}), ":1\r\n");
  EXPECT_TRUE(other.closed);
  EXPECT_EQ(say(other, {"SET", "k", "zombie"}), "");
  EXPECT_FALSE(redis.get("k"));
  EXPECT_EQ(say({"CLIENT", "KILL", "ID", std::to_string(other.id)}), ":0\r\n");
}

// ---- tracking

TEST_F(Model, AReadIsTrackedOnceAndOnlyIfItWasAskedFor) {
  say({"SET", "k", "1"});
  say({"GET", "k"});
  say(other, {"SET", "k", "2"});
  EXPECT_EQ(pushed(me), "");
  say_tracked(me, {"GET", "k"});
  say(other, {"SET", "k", "3"});
  EXPECT_EQ(pushed(me), reply_push("k"));
  say(other, {"SET", "k", "4"});
  EXPECT_EQ(pushed(me), "");
}

TEST_F(Model, CachingReachesTheNextCommandAlone) {
  say_tracked(me, {"PING"});
  say({"GET", "k"});
  say(other, {"SET", "k", "1"});
  EXPECT_EQ(pushed(me), "");
  say({"CLIENT", "CACHING", "YES"});
  say({"CLIENT", "SETNAME", "x"});  // other CLIENT commands leave it
  say({"GET", "k"});
  say(other, {"SET", "k", "2"});
  EXPECT_EQ(pushed(me), reply_push("k"));
}

TEST_F(Model, AnAbsentKeyIsTrackedToo) {
  EXPECT_EQ(say_tracked(me, {"GET", "k"}), "_\r\n");
  EXPECT_EQ(say_tracked(other, {"GETRANGE", "k", "0", "63"}), reply_bulk(""));
  redis.write("k", "1");
  EXPECT_EQ(pushed(me), reply_push("k"));
  EXPECT_EQ(pushed(other), reply_push("k"));
}

TEST_F(Model, TheWriterIsToldBehindItsReplyOthersAtOnce) {
  say_tracked(me, {"GET", "k"});
  say_tracked(other, {"GET", "k"});
  EXPECT_EQ(say({"SET", "k", "1"}), "+OK\r\n" + reply_push("k"));
  EXPECT_EQ(pushed(other), reply_push("k"));
  say_tracked(me, {"GET", "k"});
  EXPECT_EQ(say({"DEL", "k"}), ":1\r\n" + reply_push("k"));
  say_tracked(me, {"GET", "k"});
  EXPECT_EQ(say({"DEL", "k"}), ":0\r\n");  // nothing changed
  say({"SET", "k", "1"});
  pushed(me);
  say_tracked(me, {"GET", "k"});
  EXPECT_EQ(say({"PEXPIRE", "k", "100"}), ":1\r\n" + reply_push("k"));
}

TEST_F(Model, ASetThatIsNotDonePushesNothing) {
  say({"SET", "k", "1"});
  say_tracked(me, {"GET", "k"});
  EXPECT_EQ(say({"SET", "k", "2", "NX"}), "_\r\n");
  redis.refuse_writes = kOom;
  EXPECT_EQ(say({"SET", "k", "2"}), "-" + std::string(kOom) + "\r\n");
}

TEST_F(Model, AWriteCommandIsNeverTrackedEvenIfItReads) {
  say({"SET", "k", "1"});
  say_tracked(me, {"SET", "k", "2", "NX", "GET"});
  say(other, {"SET", "k", "3"});
  EXPECT_EQ(pushed(me), "");
}

TEST_F(Model, AnExpiryFoundByAReadIsPushedAndTheReadIsTracked) {
  say({"SET", "k", "1", "PX", "10"});
  say_tracked(me, {"GET", "k"});
  say_tracked(other, {"GET", "k"});
  pass(10ms);
  EXPECT_EQ(pushed(other), "");
  EXPECT_EQ(say_tracked(me, {"GET", "k"}), "_\r\n" + reply_push("k"));
  EXPECT_EQ(pushed(other), reply_push("k"));
  redis.write("k", "2");
  EXPECT_EQ(pushed(me), reply_push("k"));
  EXPECT_EQ(pushed(other), "");
}

TEST_F(Model, ActiveExpiryPushes) {
  say({"SET", "k", "1", "PX", "10"});
  say_tracked(me, {"GET", "k"});
  pass(9ms);
  redis.set_time(now);
  redis.expire_due();
  EXPECT_EQ(pushed(me), "");
  pass(1ms);
  redis.set_time(now);
  redis.expire_due();
  EXPECT_EQ(pushed(me), reply_push("k"));
  EXPECT_EQ(redis.keys(), 0u);
}

TEST_F(Model, AFlushIsPushedToAllAndForgetsWhoReadWhat) {
  say_tracked(me, {"GET", "k"});
  redis.flush_all();
  EXPECT_EQ(pushed(me), ">2\r\n" + reply_bulk("invalidate") + "_\r\n");
  redis.write("k", "1");
  EXPECT_EQ(pushed(me), "");
}

TEST_F(Model, ARestartEndsEveryConnectionAndCountsClientsAnew) {
  say({"SET", "k", "1"});
  redis.restart("another", true);
  EXPECT_TRUE(me.closed && other.closed);
  ModelRedis::Client& fresh = redis.connect();
  EXPECT_EQ(fresh.id, 1u);
  EXPECT_EQ(say(fresh, {"GET", "k"}), reply_bulk("1"));
  EXPECT_NE(say(fresh, {"INFO", "server"}).find("run_id:another"), std::string::npos);
}

}  // namespace
}  // namespace tiercel::test
