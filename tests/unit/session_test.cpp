// Owns: the tests of src/redis without a server: literal bytes and virtual time. With one: session_server_test.cpp.
#include <deque>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "fuzz/session_input.hpp"
#include "redis/backoff.hpp"
#include "redis/errors.hpp"
#include "redis/server_clock.hpp"
#include "redis/slots.hpp"
#include "support/mutated.hpp"
#include "support/session_rig.hpp"

namespace tiercel::test {
namespace {

using redis::Session;
using redis::SessionOptions;
using State = Session::State;
using Submitted = Session::Submitted;
using Wish = Session::Wish;
using testing::ElementsAre;
using testing::IsEmpty;

const std::string kPush = ">2\r\n" + bulk("invalidate") + "*2\r\n" + bulk("a") + bulk("b");
const std::string kFlush = ">2\r\n" + bulk("invalidate") + "_\r\n";
const std::string kNoPermission = "-NOPERM this user has no permissions\r\n";
const std::string kTime = time_reply(1'700'000'000'000'000);

Error lost_connection() { return {ErrorCode::away, "connection reset", ""}; }

// ---- handshake

TEST(SessionHandshake, GoesOutAsOnePipelineInOneWrite) {
  SessionOptions options;
  options.user = "app";
  options.password = "p w";
  options.client_name = "tiercel";
  options.database = 3;
  SessionRig rig(options);
  rig.open();
  EXPECT_EQ(rig.session.state(), State::handshaking);
  EXPECT_EQ(rig.session.in_flight(), 0u) << "the handshake's own commands are not the listener's";
  EXPECT_EQ(rig.session.writes(), 1u);
  EXPECT_EQ(rig.taken(), command_bytes({"HELLO", "3", "AUTH", "app", "p w", "SETNAME", "tiercel"}) +
                             command_bytes({"SELECT", "3"}) + command_bytes({"CLIENT", "TRACKING", "ON", "OPTIN"}) +
                             command_bytes({"INFO", "server"}) + command_bytes({"TIME"}) + command_bytes({"PING"}));
}

TEST(SessionHandshake, LeavesOutWhatIsNotAskedFor) {
  SessionOptions options;
  options.tracking = redis::TrackingWish::off;
  SessionRig rig(options);
  rig.open();
  EXPECT_EQ(rig.taken(), command_bytes({"HELLO", "3"}) + command_bytes({"INFO", "server"}) + command_bytes({"TIME"}) +
                             command_bytes({"PING"}));
  rig.feed(hello_reply() + info_reply() + kTime + "+PONG\r\n");
  EXPECT_EQ(rig.session.state(), State::ready);
  EXPECT_FALSE(rig.session.tracks());
}

TEST(SessionHandshake, APasswordAloneIsTheDefaultUsers) {
  SessionOptions options;
  options.password = "secret";
  SessionRig rig(options);
  rig.open();
  EXPECT_TRUE(rig.taken().starts_with(command_bytes({"HELLO", "3", "AUTH", "default", "secret"})));
}

TEST(SessionHandshake, MakesItReadyHoweverTheRepliesAreCut) {
  for (std::size_t piece = 1; piece <= handshake_reply().size(); ++piece) {
    SessionRig rig;
    rig.open();
    EXPECT_EQ(rig.session.generation(), 0u);
    rig.feed(handshake_reply(), piece);
    ASSERT_EQ(rig.session.state(), State::ready) << piece;
    EXPECT_THAT(rig.told.take(), ElementsAre("ready"));
    EXPECT_NE(rig.session.generation(), 0u);
    EXPECT_EQ(rig.session.server_version(), "7.0.15");
    EXPECT_EQ(rig.session.run_id(), "abc");
    EXPECT_EQ(rig.session.client_id(), 7u);
    EXPECT_TRUE(rig.session.tracks());
    EXPECT_FALSE(rig.session.last_error());
    EXPECT_EQ(rig.session.take_wish(), Wish::none);
  }
}

TEST(SessionHandshake, IsNotDoneBeforeItsLastByte) {
  SessionRig rig;
  rig.open();
  const std::string reply = handshake_reply();
  rig.feed(reply.substr(0, reply.size() - 1));
  EXPECT_EQ(rig.session.state(), State::handshaking);
  EXPECT_EQ(rig.submit(1, {"GET", "k"}), Submitted::down);
  rig.feed(reply.substr(reply.size() - 1));
  EXPECT_EQ(rig.session.state(), State::ready);
}

// What the server says, and how the attempt ends.
struct Answer {
  std::string bytes;
  State state;
  ErrorCode code;
};

void expect_end(const Answer& answer, SessionOptions options = {}) {
  SessionRig rig(options);
  rig.open();
  rig.feed(answer.bytes);
  EXPECT_EQ(rig.session.state(), answer.state) << answer.bytes;
  ASSERT_TRUE(rig.session.last_error()) << answer.bytes;
  EXPECT_EQ(rig.session.last_error()->code, answer.code) << answer.bytes;
  EXPECT_FALSE(rig.session.last_error()->advice.empty()) << answer.bytes;
  EXPECT_THAT(rig.told.take(), ElementsAre(std::string("down ") + name_of(answer.code)));
  EXPECT_EQ(rig.session.take_wish(), Wish::close);
  EXPECT_EQ(rig.session.take_wish(), Wish::none);
  EXPECT_EQ(rig.session.generation(), 0u);
  rig.wait();
  EXPECT_EQ(rig.session.take_wish(), Wish::open) << "it is tried again, later";
}

TEST(SessionHandshake, AReplyOfUnexpectedTypeIsAProtocolErrorAndTriedAgain) {
  const std::string hello = hello_reply(), ok = "+OK\r\n", info = info_reply();
  for (const std::string& bytes :
       {std::string("+OK\r\n"), std::string(":1\r\n"), std::string("%1\r\n+proto\r\n:2\r\n"),
        std::string("$3\r\nabc\r\n"), std::string("_\r\n"), hello + ":1\r\n", hello + "+YES\r\n", hello + ok + ":1\r\n",
        hello + ok + "_\r\n", hello + ok + info + "+OK\r\n", hello + ok + info + "*2\r\n+1\r\n+x\r\n",
        hello + ok + info + "*2\r\n+1\r\n+1000000\r\n", hello + ok + info + "*2\r\n+-1\r\n+1\r\n",
        hello + ok + info + "*2\r\n$19\r\n9223372036854775807\r\n+1\r\n", hello + ok + info + kTime + ":1\r\n",
        std::string("HTTP/1.1 400 Bad Request\r\n")}) {
    expect_end({bytes, State::waiting, ErrorCode::protocol});
  }
}

TEST(SessionHandshake, AServerThatIsTooOldNeedsTheOperator) {
  for (const std::string& bytes : {hello_reply("6.0.16"), hello_reply("5.0.14"), hello_reply("6.1.240"),
                                   "%1\r\n+proto\r\n:3\r\n+OK\r\n" + bulk("redis_version:6.0.3")}) {
    expect_end({bytes, State::failed, ErrorCode::too_old});
  }
}

TEST(SessionHandshake, NewerVersionsAndForksAreTaken) {
  for (const std::string_view version :
       {"6.2.0", "6.2", "6.10.1", "7.0.15", "7.4.0-rc1", "8.0.0", "10.1", "255.255.255", "unstable", ""}) {
    SessionRig rig;
    rig.open();
    rig.feed(hello_reply(version) + handshake_reply().substr(hello_reply().size()));
    EXPECT_EQ(rig.session.state(), State::ready) << version;
    EXPECT_EQ(rig.session.server_version(), version.empty() ? "7.0.15" : version) << "INFO knows it too";
  }
}

TEST(SessionHandshake, AWrongPasswordNeedsTheOperator) {
  expect_end({"-NOAUTH HELLO must be called with the client already authenticated\r\n", State::failed,
              ErrorCode::authentication});
  expect_end(
      {"-WRONGPASS invalid username-password pair or user is disabled.\r\n", State::failed, ErrorCode::authentication});
}

TEST(SessionHandshake, ARefusedDatabaseOrNameOrCommandNeedsTheOperator) {
  SessionOptions options;
  options.database = 99;
  expect_end({hello_reply() + "-ERR DB index is out of range\r\n", State::failed, ErrorCode::refused}, options);
  expect_end({hello_reply() + "-ERR SELECT is not allowed in cluster mode\r\n", State::failed, ErrorCode::cluster},
             options);
  expect_end({"-ERR Client names cannot contain spaces, newlines or special characters.\r\n", State::failed,
              ErrorCode::refused});
  expect_end({"-DENIED Redis is running in protected mode\r\n", State::failed, ErrorCode::refused});
}

TEST(SessionHandshake, AProxyThatAnswersMovedIsACluster) {
  expect_end({"-MOVED 1234 10.0.0.1:6379\r\n", State::failed, ErrorCode::cluster});
  expect_end({hello_reply() + "-MOVED 1234 10.0.0.1:6379\r\n", State::failed, ErrorCode::cluster});
}

TEST(SessionHandshake, WhatPassesByItselfIsTriedAgainSoon) {
  const std::string before_ping = hello_reply() + "+OK\r\n" + info_reply() + kTime;
  expect_end({before_ping + "-LOADING Redis is loading the dataset in memory\r\n", State::waiting, ErrorCode::loading});
  expect_end({before_ping + "-MASTERDOWN Link with MASTER is down\r\n", State::waiting, ErrorCode::away});
  expect_end({hello_reply() + "-BUSY Redis is busy running a script.\r\n", State::waiting, ErrorCode::slow});
  expect_end({"-ERR max number of clients reached\r\n", State::waiting, ErrorCode::away});
}

TEST(SessionHandshake, LoadingThenReady) {
  SessionRig rig;
  rig.open();
  rig.feed(hello_reply() + "+OK\r\n" + info_reply() + kTime + "-LOADING Redis is loading the dataset in memory\r\n");
  EXPECT_EQ(rig.session.take_wish(), Wish::close);
  rig.wait();
  rig.reopen();
  EXPECT_TRUE(rig.taken().starts_with("*2\r\n$5\r\nHELLO\r\n")) << "nothing of the first attempt is left in the output";
  rig.feed(handshake_reply());
  EXPECT_THAT(rig.told.take(), ElementsAre("down loading", "ready"));
  EXPECT_FALSE(rig.session.last_error());
}

TEST(SessionHandshake, GoesOnWithoutWhatIsNotPermitted) {
  SessionRig rig;
  rig.open();
  rig.feed(hello_reply() + kNoPermission + kNoPermission + kTime + kNoPermission);
  EXPECT_EQ(rig.session.state(), State::ready);
  EXPECT_FALSE(rig.session.tracks());
  EXPECT_EQ(rig.session.run_id(), "");
  rig.taken();
  EXPECT_EQ(rig.submit(1, {"GET", "k"}, true), Submitted::queued);
  EXPECT_EQ(rig.taken(), command_bytes({"GET", "k"})) << "no CLIENT CACHING where nothing is tracked";
}

TEST(SessionHandshake, TakesTheTimeFromInfoWhereTimeIsNotPermitted) {
  SessionRig rig;
  rig.open();
  rig.feed(hello_reply() + "+OK\r\n" + info_reply("abc", "server_time_usec:1700000000000000\r\n") + kNoPermission +
           "+PONG\r\n");
  EXPECT_EQ(rig.session.state(), State::ready);
  EXPECT_EQ(rig.session.server_offset(), Duration{1'700'000'000'000'000} - rig.now.time_since_epoch());
  expect_end({hello_reply() + "+OK\r\n" + info_reply() + kNoPermission, State::failed, ErrorCode::refused});
}

TEST(SessionHandshake, TheClocksOffsetIsTakenAtTheMiddleOfTheRoundTrip) {
  SessionRig rig;
  rig.open();
  rig.now += 10ms;
  rig.feed(handshake_reply());
  EXPECT_EQ(rig.session.server_offset(), Duration{1'700'000'000'000'000} - (rig.now - 5ms).time_since_epoch());
}

TEST(SessionHandshake, ASilentServerIsGivenUp) {
  SessionRig rig;
  rig.session.start(rig.now);
  EXPECT_EQ(rig.session.take_wish(), Wish::open);
  rig.pass(1900ms);
  EXPECT_EQ(rig.session.state(), State::opening);
  rig.session.opened(rig.now);
  rig.pass(1900ms);
  EXPECT_EQ(rig.session.state(), State::handshaking);
  rig.pass(100ms);
  EXPECT_THAT(rig.told.take(), ElementsAre("down away"));
  EXPECT_EQ(rig.session.take_wish(), Wish::close);
  EXPECT_EQ(rig.session.state(), State::waiting);
}

TEST(SessionHandshake, AConnectionThatDoesNotComeIsGivenUp) {
  SessionRig rig;
  rig.session.start(rig.now);
  EXPECT_EQ(rig.session.take_wish(), Wish::open);
  rig.pass(2s);
  EXPECT_THAT(rig.told.take(), ElementsAre("down away"));
  EXPECT_EQ(rig.session.take_wish(), Wish::close);
  rig.wait();
  EXPECT_EQ(rig.session.take_wish(), Wish::open);
}

// ---- the predecessor

TEST(SessionPredecessor, IsEndedBeforeTheFirstCommand) {
  SessionRig rig;
  rig.connect(handshake_reply(7));
  rig.session.closed(lost_connection(), rig.now);
  rig.wait();
  rig.reopen();
  rig.taken();
  rig.told.take();
  rig.feed(handshake_reply(9));
  EXPECT_EQ(rig.taken(), command_bytes({"CLIENT", "KILL", "ID", "7"}));
  EXPECT_EQ(rig.session.state(), State::handshaking);
  EXPECT_EQ(rig.submit(1, {"GET", "k"}), Submitted::down);
  rig.feed(":1\r\n");
  EXPECT_THAT(rig.told.take(), ElementsAre("ready"));
  EXPECT_EQ(rig.submit(1, {"GET", "k"}), Submitted::queued);
}

TEST(SessionPredecessor, IsEndedAfterAnEndOfOursToo) {
  SessionRig rig;
  rig.connect(handshake_reply(7));
  rig.session.end(rig.now);
  EXPECT_EQ(rig.session.take_wish(), Wish::close);
  rig.connect(handshake_reply(9));
  EXPECT_EQ(rig.taken(), command_bytes({"CLIENT", "KILL", "ID", "7"}));
}

TEST(SessionPredecessor, OnAnotherServerIsAStrangerAndLeftAlone) {
  for (const auto& reply : {handshake_reply(9, "other"), handshake_reply(6), handshake_reply(7)}) {
    SessionRig rig;
    rig.connect(handshake_reply(7));
    rig.session.closed(lost_connection(), rig.now);
    rig.wait();
    rig.reopen();
    rig.taken();
    rig.feed(reply);
    EXPECT_EQ(rig.taken(), "");
    EXPECT_EQ(rig.session.state(), State::ready);
  }
}

TEST(SessionPredecessor, IsRememberedOverAttemptsThatFail) {
  SessionRig rig;
  rig.connect(handshake_reply(7));
  rig.session.closed(lost_connection(), rig.now);
  for (int id = 8; id < 11; ++id) {
    rig.wait();
    rig.reopen();
    rig.feed(handshake_reply(id));   // the kill is on its way when this one breaks, too
    EXPECT_TRUE(rig.taken().ends_with(command_bytes({"CLIENT", "KILL", "ID", "7"})));
    rig.session.closed(lost_connection(), rig.now);
  }
  rig.wait();
  rig.reopen();
  rig.feed(handshake_reply(11) + ":0\r\n");
  EXPECT_EQ(rig.session.state(), State::ready) << "it was gone already";
}

TEST(SessionPredecessor, ThatMayNotBeEndedIsNoReasonToStop) {
  SessionRig rig;
  rig.connect(handshake_reply(7));
  rig.session.closed(lost_connection(), rig.now);
  rig.wait();
  rig.reopen();
  rig.feed(handshake_reply(9) + kNoPermission);
  EXPECT_EQ(rig.session.state(), State::ready);
}

// ---- commands and replies

TEST(SessionPipeline, WhatIsAskedInOneTickLeavesInOneWrite) {
  SessionRig rig;
  rig.connect();
  const auto before = rig.session.writes();
  for (std::uint64_t i = 1; i <= 100; ++i) EXPECT_EQ(rig.submit(i, {"GET", "k"}), Submitted::queued);
  EXPECT_EQ(rig.session.writes(), before + 1);
  EXPECT_EQ(rig.session.in_flight(), 100u);
  std::string expected;
  for (int i = 0; i < 100; ++i) expected += command_bytes({"GET", "k"});
  EXPECT_EQ(rig.taken(), expected);
  EXPECT_EQ(rig.session.output(), "");
  rig.submit(101, {"GET", "k"});
  EXPECT_EQ(rig.session.writes(), before + 2);
}

TEST(SessionPipeline, OutputIsSentInAnyPieces) {
  SessionRig rig;
  rig.connect();
  std::string expected, sent;
  for (std::uint64_t i = 1; i <= 50; ++i) {
    const std::string key(i, 'k');
    rig.submit(i, {"SET", key, "v"});
    expected += command_bytes({"SET", key, "v"});
    const std::size_t piece = std::min<std::size_t>(i, rig.session.output().size());
    sent += rig.session.output().substr(0, piece);
    rig.session.sent(piece);
  }
  EXPECT_EQ(sent + rig.taken(), expected);
}

TEST(SessionPipeline, RepliesGoToTheirCommandsInOrder) {
  SessionRig rig;
  rig.connect();
  for (std::uint64_t i = 1; i <= 4; ++i) rig.submit(i, {"GET", "k"});
  rig.feed("$1\r\na\r\n_\r\n-ERR no\r\n*1\r\n:1\r\n");
  EXPECT_THAT(rig.told.take(),
              ElementsAre("reply 1.0 $a", "reply 2.0 null", "reply 3.0 -ERR no", "reply 4.0 array( 1)"));
  EXPECT_EQ(rig.session.in_flight(), 0u);
}

TEST(SessionPipeline, ATrackedCommandIsPrecededByCachingWhoseReplyIsSwallowed) {
  SessionRig rig;
  rig.connect();
  rig.taken();
  rig.submit(1, {"GET", "k"}, true);
  rig.submit(2, {"GET", "l"}, false);
  rig.submit(3, {"GET", "m"}, true);
  EXPECT_EQ(rig.session.in_flight(), 3u);
  const std::string caching = command_bytes({"CLIENT", "CACHING", "YES"});
  EXPECT_EQ(rig.taken(), caching + command_bytes({"GET", "k"}) + command_bytes({"GET", "l"}) + caching +
                             command_bytes({"GET", "m"}));
  rig.feed("+OK\r\n$1\r\nk\r\n$1\r\nl\r\n+OK\r\n$1\r\nm\r\n");
  EXPECT_THAT(rig.told.take(), ElementsAre("reply 1.0 $k", "reply 2.0 $l", "reply 3.0 $m"));
}

// Replies to a tracked, a tracked and a plain command; whether the session says that it tracks during each.
std::string tracks_during(SessionRig& rig, std::string_view replies) {
  std::string tracked;
  rig.told.also = [&](std::string_view line) {
    tracked += std::string(line.substr(0, 7)) + (rig.session.tracks() ? " tracked; " : " untracked; ");
  };
  rig.submit(1, {"GET", "k"}, true);
  rig.submit(2, {"GET", "k"}, true);
  rig.submit(3, {"GET", "k"});
  rig.feed(replies);
  return tracked;
}

TEST(SessionPipeline, ARefusedCachingMakesItsReplyUntrackedAndShiftsNothing) {
  SessionRig rig;
  rig.connect();
  const auto generation = rig.session.generation();
  EXPECT_EQ(tracks_during(rig, "-BUSY script\r\n+a\r\n+OK\r\n+b\r\n+c\r\n"),
            "reply 1 untracked; reply 2 tracked; reply 3 tracked; ");
  EXPECT_EQ(rig.session.generation(), generation);
}

TEST(SessionPipeline, ACachingThatIsNotPermittedEndsTrackingForTheSession) {
  SessionRig rig;
  rig.connect();
  const auto generation = rig.session.generation();
  EXPECT_EQ(tracks_during(rig, kNoPermission + "+a\r\n" + kNoPermission + "+b\r\n+c\r\n"),
            "reply 1 untracked; reply 2 untracked; reply 3 untracked; ");
  EXPECT_EQ(rig.session.generation(), generation) << "what was tracked still is";
  rig.taken();
  rig.submit(4, {"GET", "k"}, true);
  EXPECT_EQ(rig.taken(), command_bytes({"GET", "k"}));
}

TEST(SessionPipeline, AServerThatHasForgottenTrackingMakesOlderEntriesUnverified) {
  SessionRig rig;
  rig.connect();
  const auto generation = rig.session.generation();
  const std::string off = "-ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN\r\n";
  EXPECT_EQ(tracks_during(rig, off + "+a\r\n" + off + "+b\r\n+c\r\n"),
            "reply 1 untracked; reply 2 untracked; reply 3 untracked; ");
  EXPECT_GT(rig.session.generation(), generation);
}

TEST(SessionPipeline, MovedMakesOlderEntriesUnverifiedBeforeItIsTold) {
  SessionRig rig;
  rig.connect();
  const auto generation = rig.session.generation();
  rig.told.also = [&](std::string_view) { EXPECT_GT(rig.session.generation(), generation); };
  rig.submit(1, {"GET", "k"});
  rig.feed("-MOVED 1 10.0.0.1:6379\r\n");
  EXPECT_THAT(rig.told.take(), ElementsAre("reply 1.0 -MOVED 1 10.0.0.1:6379"));
}

TEST(SessionPipeline, AnOversizedReplyKeepsTheOrder) {
  SessionOptions options;
  options.value_bytes_max = 100;
  for (const std::size_t piece : {1u, 7u, 100'000u}) {
    SessionRig rig(options);
    rig.open();
    rig.feed(hello_reply() + "+OK\r\n" + kNoPermission + kTime + "+PONG\r\n");
    rig.told.take();
    rig.submit(1, {"GET", "k"}, true);
    rig.submit(2, {"GET", "l"}, true);
    rig.feed("+OK\r\n" + bulk(std::string(101, 'x')) + kPush + "+OK\r\n" + bulk("small"), piece);
    EXPECT_THAT(rig.told.take(),
                ElementsAre("reply 1.0 oversized:101", "invalidated a", "invalidated b", "reply 2.0 $small"));
  }
}

TEST(SessionPipeline, IsFullPastTheCommandsInFlight) {
  SessionOptions options;
  options.in_flight_max = 3;
  SessionRig rig(options);
  rig.connect();
  for (std::uint64_t i = 1; i <= 3; ++i) EXPECT_EQ(rig.submit(i, {"GET", "k"}, true), Submitted::queued);
  const std::string before(rig.session.output());
  EXPECT_EQ(rig.submit(4, {"GET", "k"}), Submitted::full);
  EXPECT_EQ(rig.session.output(), before) << "nothing of it is sent";
  rig.feed("+OK\r\n");
  EXPECT_EQ(rig.submit(4, {"GET", "k"}), Submitted::full) << "that was the reply to CLIENT CACHING";
  rig.feed("_\r\n");
  EXPECT_EQ(rig.submit(4, {"GET", "k"}), Submitted::queued);
  EXPECT_THAT(rig.told.take(), ElementsAre("reply 1.0 null"));
}

TEST(SessionPipeline, IsFullPastTheBytesUnwritten) {
  SessionOptions options;
  options.write_buffer_max = 1000;
  SessionRig rig(options);
  rig.connect();
  EXPECT_EQ(rig.submit(1, {"SET", "k", std::string(5000, 'v')}), Submitted::queued) << "one may pass it";
  EXPECT_EQ(rig.submit(2, {"GET", "k"}), Submitted::full);
  rig.taken();
  EXPECT_EQ(rig.submit(2, {"GET", "k"}), Submitted::queued);
}

TEST(SessionPipeline, TheListenerMaySubmitFromWithinAReply) {
  SessionRig rig;
  rig.connect();
  std::uint64_t next = 2;
  rig.told.also = [&](std::string_view line) {
    if (line.starts_with("reply") && next <= 3) rig.submit(next++, {"GET", "k"});
  };
  rig.submit(1, {"GET", "k"});
  rig.feed("+a\r\n+b\r\n+c\r\n");
  EXPECT_THAT(rig.told.take(), ElementsAre("reply 1.0 +a", "reply 2.0 +b", "reply 3.0 +c"));
}

TEST(SessionPipeline, AnEndFromWithinAReplyStopsTheReading) {
  SessionRig rig;
  rig.connect();
  rig.submit(1, {"GET", "k"});
  rig.submit(2, {"GET", "k"});
  rig.told.also = [&](std::string_view line) {
    if (line.starts_with("reply")) rig.session.end(rig.now);
  };
  rig.feed("+a\r\n+b\r\n?");
  EXPECT_THAT(rig.told.take(), ElementsAre("reply 1.0 +a", "lost 2 closed", "down closed"));
  EXPECT_EQ(rig.session.state(), State::ended);
}

// ---- pushes

TEST(SessionPushes, AreToldInWireOrderBetweenReplies) {
  const std::string stream = kPush + "+OK\r\n" + kPush + "$1\r\nk\r\n" + kFlush + "+OK\r\n$1\r\nl\r\n" + kPush +
                             ">3\r\n+message\r\n+c\r\n+m\r\n:1\r\n";
  for (std::size_t piece = 1; piece <= stream.size(); ++piece) {
    SessionRig rig;
    rig.connect();
    rig.submit(1, {"GET", "k"}, true);
    rig.submit(2, {"GET", "l"}, true);
    rig.submit(3, {"DEL", "l"});
    rig.feed(stream, piece);
    EXPECT_THAT(rig.told.take(),
                ElementsAre("invalidated a", "invalidated b", "invalidated a", "invalidated b", "reply 1.0 $k",
                            "flushed", "reply 2.0 $l", "invalidated a", "invalidated b", "reply 3.0 1"));
    EXPECT_EQ(rig.session.pushes_ignored(), 1u);
  }
}

TEST(SessionPushes, OfAKeyTooLongToReadFlushEverything) {
  SessionOptions options;
  options.value_bytes_max = 1000;
  SessionRig rig(options);
  rig.connect();
  rig.feed(">2\r\n" + bulk("invalidate") + "*2\r\n" + bulk("a") + bulk(std::string(1001, 'k')));
  EXPECT_THAT(rig.told.take(), ElementsAre("invalidated a", "flushed"));
}

TEST(SessionPushes, OfAnUnexpectedShapeAreAProtocolError) {
  for (const std::string& push :
       {std::string(">0\r\n"), std::string(">1\r\n:1\r\n"), ">1\r\n" + bulk("invalidate"),
        ">2\r\n" + bulk("invalidate") + ":1\r\n", ">2\r\n" + bulk("invalidate") + "*1\r\n:1\r\n",
        ">3\r\n" + bulk("invalidate") + "_\r\n_\r\n"}) {
    SessionRig rig;
    rig.connect();
    rig.submit(1, {"GET", "k"});
    rig.feed(push);
    EXPECT_THAT(rig.told.take(), ElementsAre("lost 1 protocol", "down protocol")) << push;
    EXPECT_EQ(rig.session.take_wish(), Wish::close);
  }
}

TEST(SessionPushes, AReplyWithoutASlotClosesTheConnection) {
  SessionRig rig;
  rig.connect();
  rig.submit(1, {"GET", "k"});
  rig.feed("+a\r\n+b\r\n+c\r\n");
  EXPECT_THAT(rig.told.take(), ElementsAre("reply 1.0 +a", "down protocol"));
  EXPECT_EQ(rig.session.take_wish(), Wish::close);
  EXPECT_EQ(rig.session.state(), State::waiting);
  EXPECT_EQ(rig.session.output(), "");
}

TEST(SessionPushes, GarbageAmongRepliesLosesTheRest) {
  SessionRig rig;
  rig.connect();
  for (std::uint64_t i = 1; i <= 3; ++i) rig.submit(i, {"GET", "k"}, true);
  rig.feed("+OK\r\n$1\r\nk\r\n+OK\r\n$1\r\nkkk");
  EXPECT_THAT(rig.told.take(), ElementsAre("reply 1.0 $k", "lost 2 protocol", "lost 3 protocol", "down protocol"));
}

TEST(SessionPushes, AnUnexpectedReplyToCachingClosesTheConnection) {
  SessionRig rig;
  rig.connect();
  rig.submit(1, {"GET", "k"}, true);
  rig.feed("$1\r\nk\r\n");
  EXPECT_THAT(rig.told.take(), ElementsAre("lost 1 protocol", "down protocol"));
}

// ---- watermark and generation

TEST(SessionWatermark, IsTheSendTimeOfTheNewestAnsweredCommand) {
  SessionRig rig;
  rig.connect();
  const Timestamp first = rig.now += 1ms;
  rig.submit(1, {"GET", "k"}, true);
  const Timestamp second = rig.now += 10ms;
  rig.submit(2, {"GET", "k"}, true);
  rig.now += 100ms;
  rig.feed("+OK\r\n");
  EXPECT_LT(rig.session.watermark(), first) << "CLIENT CACHING's reply says nothing of the command behind it";
  rig.feed("_\r\n");
  EXPECT_EQ(rig.session.watermark(), first);
  rig.feed("+OK\r\n_\r\n");
  EXPECT_EQ(rig.session.watermark(), second);
}

TEST(SessionWatermark, IsPublishedAfterThePushesInFrontAndBeforeItsReplyIsTold) {
  SessionRig rig;
  rig.connect();
  const Timestamp before = rig.session.watermark();
  const Timestamp asked = rig.now += 1ms;
  rig.submit(1, {"GET", "k"});
  rig.now += 5ms;
  int told = 0;
  rig.told.also = [&](std::string_view line) {
    EXPECT_EQ(rig.session.watermark(), line.starts_with("reply") ? asked : before) << line;
    ++told;
  };
  rig.feed(kPush + kFlush + "_\r\n");
  EXPECT_EQ(told, 4);
}

TEST(SessionWatermark, StartsAtTheHandshakesSendTimeAfterTheGenerationIsThere) {
  SessionRig rig;
  const Timestamp asked = rig.now;
  rig.open();
  rig.now += 50ms;
  rig.told.also = [&](std::string_view) {
    EXPECT_NE(rig.session.generation(), 0u);
    EXPECT_EQ(rig.session.watermark(), asked);
  };
  rig.feed(handshake_reply());
  EXPECT_THAT(rig.told.take(), ElementsAre("ready"));
}

TEST(SessionGeneration, IsNothingBeforeALossIsToldAndAnotherAfterReconnection) {
  SessionRig rig;
  rig.connect();
  const auto first = rig.session.generation();
  rig.submit(1, {"GET", "k"});
  rig.told.also = [&](std::string_view line) {
    EXPECT_EQ(rig.session.generation() == 0, !line.starts_with("ready")) << line;
    EXPECT_EQ(rig.submit(9, {"GET", "k"}), line.starts_with("ready") ? Submitted::queued : Submitted::down);
  };
  rig.session.closed(lost_connection(), rig.now);
  EXPECT_THAT(rig.told.take(), ElementsAre("lost 1 away", "down away"));
  EXPECT_FALSE(rig.session.tracks());
  EXPECT_EQ(rig.session.in_flight(), 0u);
  rig.wait();
  rig.reopen();
  rig.feed(handshake_reply(9) + ":1\r\n");
  EXPECT_THAT(rig.told.take(), ElementsAre("ready"));
  EXPECT_GT(rig.session.generation(), first);
}

TEST(SessionGeneration, AConnectionLostInMidReplyLeavesNothingToTheNext) {
  SessionRig rig;
  rig.connect();
  rig.submit(1, {"GET", "k"});
  rig.feed("*2\r\n$100\r\nhalf a value");
  rig.session.closed(lost_connection(), rig.now);
  rig.wait();
  rig.reopen();
  rig.feed(handshake_reply(9) + ":1\r\n");
  EXPECT_THAT(rig.told.take(), ElementsAre("lost 1 away", "down away", "ready"));
}

TEST(SessionGeneration, TheClockOfTheLastServerIsNotThatOfTheNext) {
  SessionRig rig;
  rig.connect();
  rig.session.closed(lost_connection(), rig.now);
  rig.wait();
  rig.reopen();
  rig.feed(hello_reply() + "+OK\r\n" + info_reply("other") + kNoPermission);
  EXPECT_EQ(rig.session.last_error()->code, ErrorCode::refused) << "it tells its time neither by TIME nor by INFO";
}

// ---- heartbeat and silence

SessionOptions with_heartbeat() {
  SessionOptions options;
  options.heartbeat_every = 300ms;
  return options;
}

TEST(SessionHeartbeat, AsksForTimeWhenIdleWhichMovesWatermarkAndOffset) {
  SessionRig rig(with_heartbeat());
  rig.connect();
  rig.taken();
  rig.pass(299ms);
  EXPECT_EQ(rig.taken(), "");
  rig.wait();
  const Timestamp asked = rig.now;
  EXPECT_EQ(rig.taken(), command_bytes({"TIME"}));
  EXPECT_EQ(rig.session.in_flight(), 0u) << "it is not the listener's";
  rig.pass(1ms);
  EXPECT_EQ(rig.taken(), "") << "one at a time";
  rig.feed(time_reply(1'800'000'000'000'000));
  EXPECT_EQ(rig.session.watermark(), asked);
  EXPECT_EQ(rig.session.server_offset(), Duration{1'800'000'000'000'000} - (rig.now - 500us).time_since_epoch());
  EXPECT_THAT(rig.told.take(), IsEmpty());
  rig.wait();
  EXPECT_EQ(rig.taken(), command_bytes({"TIME"}));
}

TEST(SessionHeartbeat, IsNotNeededWhileCommandsGoOutButTheClockIsAskedNowAndThen) {
  SessionRig rig(with_heartbeat());
  rig.connect();
  rig.taken();
  std::string out;
  for (int i = 0; i < 150; ++i) {   // 30 seconds
    rig.submit(1, {"GET", "k"});
    rig.feed(rig.taken().find("TIME") == std::string::npos ? "_\r\n" : kTime + "_\r\n");
    rig.pass(200ms);
    EXPECT_TRUE(i >= 148 || rig.session.output().empty()) << i;
  }
  EXPECT_EQ(rig.taken(), command_bytes({"TIME"}));
}

TEST(SessionHeartbeat, ThatIsNotPermittedStillMovesTheWatermark) {
  SessionRig rig(with_heartbeat());
  rig.connect();
  rig.wait();
  const auto offset = rig.session.server_offset();
  rig.feed(kNoPermission);
  EXPECT_EQ(rig.session.watermark(), rig.now);
  EXPECT_EQ(rig.session.server_offset(), offset);
  EXPECT_EQ(rig.session.state(), State::ready);
}

TEST(SessionHeartbeat, IsNeverSentUnlessAskedFor) {
  SessionRig rig;
  rig.connect();
  rig.taken();
  EXPECT_EQ(rig.session.next_deadline(), std::nullopt);
  rig.pass(1h);
  EXPECT_EQ(rig.taken(), "");
}

TEST(SessionHeartbeat, UnansweredMakesASilentServerKnown) {
  SessionRig rig(with_heartbeat());
  rig.connect();
  rig.wait();
  rig.wait();
  EXPECT_THAT(rig.told.take(), ElementsAre("down away"));
}

// ---- a heartbeat that is asked for

constexpr auto kAnyTime = 1'800'000'000'000'000;

TEST(SessionBeat, IsOneForAllWhoAskBeforeItLeaves) {
  SessionRig rig;
  rig.connect();
  rig.taken();
  for (int n = 0; n < 1000; ++n) {
    rig.session.beat(rig.now);
    rig.now += 1us;
    rig.submit(1, {"GET", "k"});
  }
  const Timestamp last = rig.now - 1us;
  const std::string out = rig.taken();
  EXPECT_EQ(out.find("TIME"), out.rfind("TIME"));
  rig.feed(time_reply(kAnyTime));
  EXPECT_EQ(rig.session.watermark(), last) << "of who came last";
  rig.feed("_\r\n");
  EXPECT_EQ(rig.session.watermark(), last) << "never back";
}

TEST(SessionBeat, ThatIsUnderWaySaysNothingToWhoComesThen) {
  SessionRig rig;
  rig.connect();
  rig.taken();
  rig.session.beat(rig.now);
  EXPECT_EQ(rig.taken(), command_bytes({"TIME"}));
  const Timestamp first = rig.now;
  rig.now += 1ms;
  rig.session.beat(rig.now);
  EXPECT_EQ(rig.taken(), command_bytes({"TIME"})) << "a second one, at once";
  const Timestamp second = rig.now;
  rig.now += 1ms;
  rig.session.beat(rig.now);
  EXPECT_EQ(rig.taken(), "") << "two are under way";
  EXPECT_EQ(rig.session.in_flight(), 0u);
  rig.feed(time_reply(kAnyTime));
  EXPECT_EQ(rig.session.watermark(), first);
  EXPECT_EQ(rig.taken(), command_bytes({"TIME"})) << "for who came meanwhile";
  const Timestamp third = rig.now;
  rig.feed(time_reply(kAnyTime));
  EXPECT_EQ(rig.session.watermark(), second);
  rig.feed(time_reply(kAnyTime));
  EXPECT_EQ(rig.session.watermark(), third);
}

TEST(SessionBeat, ThatHasLeftInPartIsUnderWay) {
  SessionRig rig;
  rig.connect();
  rig.taken();
  rig.session.beat(rig.now);
  rig.session.sent(1);
  const Timestamp first = rig.now;
  rig.now += 1ms;
  rig.session.beat(rig.now);
  rig.taken();
  rig.feed(time_reply(kAnyTime));
  EXPECT_EQ(rig.session.watermark(), first);
}

TEST(SessionBeat, IsForgottenWithItsConnection) {
  SessionRig rig;
  rig.connect();
  rig.taken();
  rig.session.beat(rig.now);
  rig.session.closed({ErrorCode::away, "", ""}, rig.now);
  rig.session.beat(rig.now);
  EXPECT_EQ(rig.session.output(), "");
  rig.wait();
  rig.reopen();
  rig.taken();
  rig.feed(handshake_reply());
  rig.session.beat(rig.now);
  EXPECT_EQ(rig.taken(), command_bytes({"TIME"}));
}

TEST(SessionSilence, GivesTheConnectionUpWhenRepliesAreOwed) {
  SessionRig rig;
  rig.connect();
  rig.pass(1h);   // nothing owed, nothing wrong
  rig.submit(1, {"GET", "k"});
  rig.pass(3s);
  rig.submit(2, {"GET", "k"});
  rig.pass(1999ms);
  EXPECT_EQ(rig.session.state(), State::ready);
  rig.pass(1ms);
  EXPECT_THAT(rig.told.take(), ElementsAre("lost 1 away", "lost 2 away", "down away"));
  EXPECT_EQ(rig.session.take_wish(), Wish::close);
}

TEST(SessionSilence, EndsWithEveryByte) {
  SessionRig rig;
  rig.connect();
  rig.submit(1, {"GET", "k"});
  for (const char byte : std::string("$3\r\nab")) {
    rig.pass(4s);
    rig.feed(std::string(1, byte));
    EXPECT_EQ(rig.session.state(), State::ready);
    EXPECT_EQ(rig.session.next_deadline(), rig.now + 5s);
  }
  rig.wait();
  EXPECT_THAT(rig.told.take(), ElementsAre("lost 1 away", "down away"));
}

// ---- back-off

TEST(SessionBackoff, GrowsToALimitWithFullJitter) {
  std::vector<Duration> longest(12, Duration{0}), shortest(12, Duration{1h});
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SessionRig rig({}, seed);
    rig.open();
    for (std::size_t i = 0; i < longest.size(); ++i) {
      rig.session.closed(lost_connection(), rig.now);
      const Duration delay = *rig.session.next_deadline() - rig.now;
      longest[i] = std::max(longest[i], delay);
      shortest[i] = std::min(shortest[i], delay);
      rig.wait();
      rig.reopen();
    }
  }
  Duration limit = 50ms;
  for (std::size_t i = 0; i < longest.size(); ++i, limit = std::min<Duration>(limit * 2, 5s)) {
    EXPECT_LE(longest[i], limit) << i;
    EXPECT_GT(longest[i], limit * 9 / 10) << i;
    EXPECT_LT(shortest[i], limit / 10) << i;
  }
}

Duration delay_after(SessionRig& rig) {
  rig.session.closed(lost_connection(), rig.now);
  return *rig.session.next_deadline() - rig.now;
}

TEST(SessionBackoff, BeginsAnewAfterAConnectionThatHeldAndOnlyThen) {
  Duration at_once{0}, later{0};
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    for (const bool held : {false, true}) {
      SessionRig rig({}, seed);
      rig.open();
      for (int id = 7; id < 17; ++id) {
        rig.feed(handshake_reply(id) + (id > 7 ? ":1\r\n" : ""));
        rig.session.closed(lost_connection(), rig.now);
        rig.wait();
        rig.reopen();
      }
      rig.feed(handshake_reply(17) + ":1\r\n");
      ASSERT_EQ(rig.session.state(), State::ready);
      if (held) rig.pass(5s);
      auto& longest = held ? later : at_once;
      longest = std::max(longest, delay_after(rig));
    }
  }
  EXPECT_GT(at_once, 4s) << "a server that drops us each time is not to be stormed";
  EXPECT_LE(later, 50ms);
}

TEST(SessionBackoff, WhatNeedsTheOperatorIsTriedAgainSlowly) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    SessionRig rig({}, seed);
    rig.open();
    rig.feed("-WRONGPASS no\r\n");
    const Duration delay = *rig.session.next_deadline() - rig.now;
    EXPECT_GE(delay, 2500ms);
    EXPECT_LE(delay, 5s);
    rig.session.take_wish();
    rig.wait();
    rig.reopen();
    rig.feed(handshake_reply());
    EXPECT_EQ(rig.session.state(), State::ready) << "the password was set right meanwhile";
  }
}

// ---- end and start

TEST(SessionEnd, LosesWhatIsInFlightAndDoesNotComeBack) {
  SessionRig rig;
  rig.connect();
  rig.submit(1, {"GET", "k"});
  rig.session.end(rig.now);
  EXPECT_THAT(rig.told.take(), ElementsAre("lost 1 closed", "down closed"));
  EXPECT_EQ(rig.session.take_wish(), Wish::close);
  EXPECT_EQ(rig.session.next_deadline(), std::nullopt);
  EXPECT_EQ(rig.session.output(), "");
  rig.feed("+late\r\n");
  rig.session.closed(lost_connection(), rig.now);
  rig.pass(1h);
  EXPECT_THAT(rig.told.take(), IsEmpty());
  EXPECT_EQ(rig.session.take_wish(), Wish::none);
  rig.connect(handshake_reply(9));
  rig.feed(":1\r\n");
  EXPECT_EQ(rig.session.state(), State::ready);
}

TEST(SessionEnd, OfWhatWasNeverOpenedClosesNothing) {
  SessionRig rig;
  rig.session.end(rig.now);
  EXPECT_EQ(rig.session.take_wish(), Wish::none);
  rig.session.start(rig.now);
  rig.session.end(rig.now);
  EXPECT_EQ(rig.session.take_wish(), Wish::none) << "the driver had not heard of it";
  rig.session.start(rig.now);
  EXPECT_EQ(rig.session.take_wish(), Wish::open);
  rig.session.end(rig.now);
  EXPECT_EQ(rig.session.take_wish(), Wish::close);
  rig.session.opened(rig.now);
  EXPECT_EQ(rig.session.output(), "");
}

TEST(SessionEnd, WhileWaitingIsQuiet) {
  SessionRig rig;
  rig.open();
  rig.session.closed(lost_connection(), rig.now);
  rig.told.take();
  rig.session.end(rig.now);
  EXPECT_THAT(rig.told.take(), IsEmpty());
  EXPECT_EQ(rig.session.take_wish(), Wish::none);
  EXPECT_EQ(rig.session.next_deadline(), std::nullopt);
}

TEST(SessionEnd, ALargeOutputThatWasNotWrittenIsDroppedWithTheConnection) {
  SessionRig rig;
  rig.connect();
  rig.submit(1, {"SET", "k", std::string(3'000'000, 'v')});
  rig.session.sent(1000);
  rig.session.closed(lost_connection(), rig.now);
  rig.wait();
  rig.reopen();
  EXPECT_TRUE(rig.taken().starts_with("*2\r\n$5\r\nHELLO\r\n"));
}

// ---- the parts

TEST(RedisErrors, SayWhatTheyMeanAndWhatToDo) {
  const std::pair<std::string_view, ErrorCode> known[] = {
      {"NOAUTH Authentication required.", ErrorCode::authentication},
      {"WRONGPASS invalid username-password pair or user is disabled.", ErrorCode::authentication},
      {"ERR invalid password", ErrorCode::authentication},
      {"ERR AUTH <password> called without any password configured for the default user.", ErrorCode::authentication},
      {"NOPERM this user has no permissions to run the 'get' command", ErrorCode::refused},
      {"LOADING Redis is loading the dataset in memory", ErrorCode::loading},
      {"READONLY You can't write against a read only replica.", ErrorCode::refused},
      {"OOM command not allowed when used memory > 'maxmemory'.", ErrorCode::refused},
      {"MISCONF Redis is configured to save RDB snapshots", ErrorCode::refused},
      {"NOREPLICAS Not enough good replicas to write.", ErrorCode::refused},
      {"WRONGTYPE Operation against a key holding the wrong kind of value", ErrorCode::refused},
      {"NOSCRIPT No matching script.", ErrorCode::refused},
      {"MOVED 3999 127.0.0.1:6381", ErrorCode::cluster},
      {"ASK 3999 127.0.0.1:6381", ErrorCode::cluster},
      {"CLUSTERDOWN The cluster is down", ErrorCode::cluster},
      {"CROSSSLOT Keys in request don't hash to the same slot", ErrorCode::cluster},
      {"TRYAGAIN Multiple keys request during rehashing of slot", ErrorCode::cluster},
      {"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", ErrorCode::away},
      {"BUSY Redis is busy running a script.", ErrorCode::slow},
      {"NOPROTO unsupported protocol version", ErrorCode::too_old},
      {"ERR unknown command `HELLO`, with args beginning with: `3`, ", ErrorCode::too_old},
      {"ERR Unknown subcommand or wrong number of arguments for 'TRACKING'", ErrorCode::too_old},
      {"ERR max number of clients reached", ErrorCode::away},
      {"DENIED Redis is running in protected mode", ErrorCode::refused},
  };
  for (const auto& [reply, code] : known) {
    const Error error = redis::classify(reply);
    EXPECT_EQ(error.code, code) << reply;
    EXPECT_FALSE(error.advice.empty()) << reply;
    EXPECT_EQ(error.what, "the server answered: " + std::string(reply));
  }
  EXPECT_EQ(redis::classify("ERR syntax error").code, ErrorCode::refused);
  EXPECT_EQ(redis::classify("").code, ErrorCode::refused);
}

TEST(RedisErrors, QuoteTheServerInWordsFitForALog) {
  EXPECT_EQ(redis::quoted("a\r\nb\x1b[31m\xff"), "a??b?[31m?");
  EXPECT_EQ(redis::quoted(std::string(1000, 'x')), std::string(200, 'x') + "...");
}

TEST(ServerClock, KeepsTheBetterSampleUntilDriftOrContradiction) {
  const auto at = [](std::int64_t micros) { return Timestamp{Duration{micros}}; };
  const auto server = [](std::int64_t micros) { return ServerTime{Duration{micros}}; };
  redis::ServerOffset clock;
  EXPECT_FALSE(clock.known());
  clock.learn(server(1'000'500), at(0), at(1000));                  // offset 1 s, within 0.5 ms
  EXPECT_EQ(clock.offset(), Duration{1'000'000});
  clock.learn(server(1'104'000), at(100'000), at(110'000));         // 0.999 s within 5 ms: the first is better
  EXPECT_EQ(clock.offset(), Duration{1'000'000});
  clock.learn(server(1'200'400), at(200'000), at(200'600));         // a quicker round trip
  EXPECT_EQ(clock.offset(), Duration{1'000'100});
  clock.learn(server(61'105'000), at(60'100'000), at(60'110'000));  // a minute later the first has drifted
  EXPECT_EQ(clock.offset(), Duration{1'000'000});
  clock.learn(server(100'000'000), at(60'200'000),
              at(61'200'000));  // slow, but they contradict: the server's clock was set
  EXPECT_EQ(clock.offset(), Duration{39'300'000});
}

RC_GTEST_PROP(SlotsProperty, AreAQueue, (const std::vector<bool>& pushes)) {
  redis::Slots slots;
  std::deque<std::uint64_t> model;
  std::uint64_t next = 0;
  for (int round = 0; round < 5; ++round) {
    for (const bool push : pushes) {
      if (push || model.empty()) {
        slots.push({.kind = redis::Slot::Kind::command, .token = {++next, 0}, .sent = {}});
        model.push_back(next);
      } else {
        RC_ASSERT(slots.pop().token.operation == model.front());
        model.pop_front();
      }
      RC_ASSERT(slots.size() == model.size());
    }
  }
}

TEST(SessionCorpus, EveryFileAndItsMutationsHoldWhatTheFuzzTargetChecks) {
  const int files = run_corpus(TIERCEL_TESTS_FOLDER "/fuzz/corpus/session_fuzz", 300,
                               [](const Bytes& bytes) { session_input(bytes); });
  EXPECT_GE(files, 10) << "the corpus is missing";
}

}  // namespace
}  // namespace tiercel::test
