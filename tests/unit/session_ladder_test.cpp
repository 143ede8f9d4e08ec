// Owns: the tests of what a session does with a server that gives less than it is asked for: RESP2, tracking in broadcast mode or none, no probe.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/session_rig.hpp"

namespace tiercel::test {
namespace {

using redis::SessionOptions;
using redis::Tracking;
using redis::TrackingWish;
using State = redis::Session::State;
using testing::ElementsAre;
using testing::HasSubstr;

const std::string kTime = time_reply(1'700'000'000'000'000);
const std::string kUnknown = "-ERR unknown command 'HELLO', with args beginning with: '3'\r\n";
const std::string kNoAuth = "-NOAUTH Authentication required.\r\n";
const std::string kNoPermission = "-NOPERM this user has no permissions\r\n";
const std::string kSyntax = "-ERR syntax error\r\n";

SessionOptions all_options() {
  SessionOptions options;
  options.user = "app";
  options.password = "p w";
  options.client_name = "tiercel";
  options.database = 3;
  options.prefixes = {"n:v:", "n:g"};
  options.probe = {"EVAL", "return 1", "1", "n:g"};
  return options;
}

std::string info_of(const std::string& text) { return bulk("# Server\r\n" + text); }

// Past a HELLO that was answered like that; SELECT, tracking, the probe, INFO, TIME and PING of that pipeline are refused.
struct Resp2 : SessionRig {
  explicit Resp2(const std::string& hello = kUnknown) : SessionRig(all_options()) {
    open();
    taken();
    feed(hello + kNoAuth + kNoAuth + kNoAuth + kNoAuth + kNoAuth + kNoAuth);
  }
};

TEST(SessionLadder, WhereHelloIsNotKnownAllIsSaidAgainInResp2) {
  for (const std::string& hello :
       {kUnknown, std::string("-NOPROTO unsupported protocol version\r\n"), kNoPermission,
        std::string("-unsupported command 'hello'\r\n"), "*2\r\n" + bulk("proto") + ":2\r\n"}) {
    Resp2 rig(hello);
    EXPECT_EQ(rig.session.state(), State::handshaking) << hello;
    EXPECT_EQ(rig.taken(), command_bytes({"AUTH", "app", "p w"}) + command_bytes({"CLIENT", "SETNAME", "tiercel"}) +
                               command_bytes({"SELECT", "3"}) + command_bytes({"CLIENT", "ID"}) +
                               command_bytes({"EVAL", "return 1", "1", "n:g"}) + command_bytes({"INFO", "server"}) +
                               command_bytes({"TIME"}) + command_bytes({"PING"}));
    rig.feed("+OK\r\n+OK\r\n+OK\r\n:17\r\n:1\r\n" + info_of("redis_version:7.0.15\r\nrun_id:abc\r\n") + kTime +
             "+PONG\r\n");
    EXPECT_THAT(rig.told.take(), ElementsAre("ready"));
    EXPECT_EQ(rig.session.facts().protocol, 2u);
    EXPECT_EQ(rig.session.tracking(), Tracking::off);
    EXPECT_EQ(rig.session.client_id(), 17u);
    EXPECT_EQ(rig.session.run_id(), "abc");
    rig.submit(1, {"GET", "k"}, true);
    EXPECT_EQ(rig.taken(), command_bytes({"GET", "k"}));
    rig.feed("$-1\r\n");
    EXPECT_THAT(rig.told.take(), ElementsAre("reply 1.0 null"));
  }
}

TEST(SessionLadder, WithoutAUserThePasswordAloneIsSaid) {
  SessionOptions options;
  options.password = "p";
  SessionRig rig(options);
  rig.open();
  rig.taken();
  rig.feed(kUnknown + kNoAuth + kNoAuth + kNoAuth + kNoAuth);
  EXPECT_TRUE(rig.taken().starts_with(command_bytes({"AUTH", "p"})));
  rig.feed("-WRONGPASS invalid username-password pair\r\n");
  EXPECT_EQ(rig.session.state(), State::failed);
  EXPECT_EQ(rig.session.last_error()->code, ErrorCode::authentication);
}

TEST(SessionLadder, AProxyMayHideInfoAndClientButNotTheTime) {
  Resp2 rig;
  const std::string said = "+OK\r\n" + kSyntax + "+OK\r\n" + kSyntax + ":1\r\n" + kSyntax;
  rig.feed(said + kTime + kSyntax);
  EXPECT_EQ(rig.session.state(), State::ready);
  EXPECT_EQ(rig.session.server_version(), "");
  Resp2 timeless;
  timeless.feed(said + kSyntax);
  EXPECT_EQ(timeless.session.state(), State::failed);
  EXPECT_THAT(timeless.session.last_error()->message(), HasSubstr("TIME"));
}

TEST(SessionLadder, AServerBehindAProxyIsTooOldWhereItSaysSo) {
  Resp2 rig;
  rig.feed("+OK\r\n+OK\r\n+OK\r\n:17\r\n:1\r\n" + info_of("redis_version:6.0.16\r\n"));
  EXPECT_EQ(rig.session.state(), State::failed);
  EXPECT_EQ(rig.session.last_error()->code, ErrorCode::too_old);
}

TEST(SessionLadder, TheNextConnectionAsksForAllAgain) {
  Resp2 rig;
  rig.session.closed({ErrorCode::away, "connection reset", ""}, rig.now);
  rig.wait();
  rig.reopen();
  EXPECT_TRUE(rig.taken().starts_with("*7\r\n$5\r\nHELLO\r\n"));
  rig.feed(hello_reply() + "+OK\r\n+OK\r\n:1\r\n" + info_reply() + kTime + "+PONG\r\n");
  EXPECT_EQ(rig.session.facts().protocol, 3u);
  EXPECT_EQ(rig.session.tracking(), Tracking::optin);
}

// ---- tracking

std::string after_refused_optin(SessionRig& rig, const std::string& refusal) {
  rig.open();
  rig.taken();
  rig.feed(hello_reply() + "+OK\r\n" + refusal + ":1\r\n" + info_reply() + kTime + "+PONG\r\n");
  return rig.taken();
}

const std::string kBroadcast = command_bytes({"CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "n:v:", "PREFIX", "n:g"});

TEST(SessionLadder, WhereOptinIsNotKnownBroadcastIsAskedFor) {
  SessionRig rig(all_options());
  EXPECT_EQ(after_refused_optin(rig, kSyntax), kBroadcast);
  rig.feed("+OK\r\n");
  EXPECT_EQ(rig.session.state(), State::ready);
  EXPECT_EQ(rig.session.tracking(), Tracking::broadcast);
  EXPECT_THAT(rig.session.facts().tracking_refused->what, HasSubstr("syntax error"));
  rig.submit(1, {"GET", "k"}, true);
  EXPECT_EQ(rig.taken(), command_bytes({"GET", "k"})) << "CLIENT CACHING is of OPTIN alone";
  rig.feed("_\r\n");
  EXPECT_TRUE(rig.session.tracks());
}

TEST(SessionLadder, WhereBroadcastIsRefusedTooNothingIsTracked) {
  SessionRig rig(all_options());
  EXPECT_EQ(after_refused_optin(rig, kSyntax), kBroadcast);
  rig.feed("-ERR no such mode\r\n");
  EXPECT_EQ(rig.session.state(), State::ready);
  EXPECT_EQ(rig.session.tracking(), Tracking::off);
  EXPECT_THAT(rig.session.facts().tracking_refused->what, HasSubstr("syntax error")) << "of what was wished for";
}

TEST(SessionLadder, WhoMayNotTrackMayNotInAnotherModeEither) {
  SessionRig rig(all_options());
  EXPECT_EQ(after_refused_optin(rig, kNoPermission), "");
  EXPECT_EQ(rig.session.state(), State::ready);
  EXPECT_EQ(rig.session.tracking(), Tracking::off);
}

TEST(SessionLadder, AWishForOneModeIsForNoOther) {
  SessionOptions options = all_options();
  options.tracking = TrackingWish::optin;
  SessionRig optin(options);
  EXPECT_EQ(after_refused_optin(optin, kSyntax), "");
  EXPECT_EQ(optin.session.tracking(), Tracking::off);
  options.tracking = TrackingWish::broadcast;
  SessionRig broadcast(options);
  broadcast.open();
  EXPECT_THAT(broadcast.taken(), HasSubstr(kBroadcast));
  broadcast.feed(hello_reply() + "+OK\r\n+OK\r\n:1\r\n" + info_reply() + kTime + "+PONG\r\n");
  EXPECT_EQ(broadcast.session.tracking(), Tracking::broadcast);
}

TEST(SessionLadder, InBroadcastModeTheWatermarkWaitsForAnAnswerOfALaterPass) {
  SessionRig rig(all_options());
  after_refused_optin(rig, kSyntax);
  rig.feed("+OK\r\n");
  const Timestamp begin = rig.session.watermark();
  rig.pass(1ms);
  const Timestamp first = rig.now;
  rig.submit(1, {"GET", "a"});
  rig.pass(1ms);
  rig.submit(2, {"GET", "b"});  // perhaps in the pass of the first: it was sent before that was answered
  rig.pass(1ms);
  rig.feed("_\r\n_\r\n");
  EXPECT_EQ(rig.session.watermark(), begin) << "what the pass has to push may still follow";
  rig.pass(1ms);
  rig.submit(3, {"GET", "c"});
  rig.pass(1ms);
  rig.feed("_\r\n");
  EXPECT_EQ(rig.session.watermark(), first);
}

TEST(SessionLadder, TrackingThatEndsInMidLifeIsAFact) {
  SessionRig rig;
  rig.connect();
  ASSERT_EQ(rig.session.tracking(), Tracking::optin);
  rig.submit(1, {"GET", "k"}, true);
  rig.feed("-ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN\r\n_\r\n");
  EXPECT_EQ(rig.session.tracking(), Tracking::off);
  EXPECT_EQ(rig.session.facts().tracking, Tracking::off);
  EXPECT_THAT(rig.session.facts().tracking_refused->what, HasSubstr("CLIENT CACHING"));
}

// ---- the probe

TEST(SessionLadder, AProbeThatIsRefusedForGoodIsAFact) {
  for (const std::string& refusal :
       {kNoPermission, std::string("-ERR unknown command 'EVAL'\r\n"), std::string("-unsupported\r\n")}) {
    SessionRig rig(all_options());
    rig.open();
    rig.feed(hello_reply() + "+OK\r\n+OK\r\n" + refusal + info_reply() + kTime + "+PONG\r\n");
    EXPECT_EQ(rig.session.state(), State::ready);
    EXPECT_FALSE(rig.session.facts().answers_probe) << refusal;
  }
}

TEST(SessionLadder, AProbeThatIsRefusedForTheStateOfTheDataSaysNothing) {
  for (const char* refusal : {"-OOM command not allowed\r\n", "-READONLY You can't write\r\n", "-MISCONF disk\r\n"}) {
    SessionRig rig(all_options());
    rig.open();
    rig.feed(hello_reply() + "+OK\r\n+OK\r\n" + std::string(refusal) + info_reply() + kTime + "+PONG\r\n");
    EXPECT_TRUE(rig.session.facts().answers_probe) << refusal;
  }
}

}  // namespace
}  // namespace tiercel::test
