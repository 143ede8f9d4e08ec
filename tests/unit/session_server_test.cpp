// Owns: the session against a real redis-server, over a blocking socket: that what session_test.cpp plays is what a
// server says.
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/session_rig.hpp"

namespace tiercel::test {
namespace {

using redis::Session;
using testing::ElementsAre;

sockaddr_in local(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

// Below the range from which connect() takes its own side's port: or a client that comes before its server could
// connect to itself.
int free_port() {
  static int next = 20'000 + getpid() % 12'000;
  for (int tries = 0; tries < 1000; ++tries) {
    next = next < 31'999 ? next + 1 : 20'000;
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    const sockaddr_in address = local(next);
    const bool free = bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    close(listener);
    if (free) return next;
  }
  std::abort();
}

// A redis-server of our own, ended with the object. Its first command waits until it listens.
class Server {
 public:
  explicit Server(std::vector<std::string> more = {}) : port(free_port()) {
    std::vector<std::string> words{"redis-server", "--port", std::to_string(port), "--bind",   "127.0.0.1",
                                   "--save",       "",       "--logfile",          "/dev/null"};
    words.insert(words.end(), more.begin(), more.end());
    std::vector<char*> arguments;
    for (auto& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    process_ = fork();
    if (process_ != 0) return;
    execvp(arguments[0], arguments.data());
    _exit(127);
  }
  ~Server() {
    kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
  }
  static bool installed() { return std::system("command -v redis-server >/dev/null 2>&1") == 0; }

  const int port;

 private:
  pid_t process_;
};

// A session and its socket.
struct Client {
  explicit Client(const Server& server, redis::SessionOptions options = {})
      : port(server.port), dice(1), session(std::move(options), told, dice) {}
  ~Client() { close(socket_); }

  static Timestamp now() {
    return Timestamp{std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch())};
  }
  // Until the server listens, which it does within the time of the test or never.
  void open() {
    session.start(now());
    open_again();
  }
  void open_again() {
    ASSERT_EQ(session.take_wish(), Session::Wish::open);
    const sockaddr_in address = local(port);
    for (int i = 0; i < 500; ++i) {
      socket_ = socket(AF_INET, SOCK_STREAM, 0);
      if (connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
        return session.opened(now());
      close(socket_);
      usleep(10'000);  // a real server starts in real time
    }
    FAIL() << "redis-server does not listen";
  }
  // Sends what is to be sent and reads until `done`, or nothing has come for five seconds.
  template <class Done>
  void talk_until(Done done) {
    while (!done()) {
      const auto output = session.output();
      if (!output.empty())
        session.sent(static_cast<std::size_t>(std::max<ssize_t>(0, write(socket_, output.data(), output.size()))));
      pollfd readable{socket_, POLLIN, 0};
      ASSERT_EQ(poll(&readable, 1, 5000), 1) << "nothing came";
      const auto room = session.receive_buffer();
      const ssize_t count = read(socket_, room.data(), room.size());
      if (count <= 0) return session.closed({ErrorCode::away, "connection closed", ""}, now());
      session.received(static_cast<std::size_t>(count), now());
    }
  }
  void connect_to_server() {
    open();
    talk_until([&] { return session.state() != Session::State::handshaking; });
    ASSERT_EQ(session.state(), Session::State::ready) << session.last_error()->message();
    ASSERT_THAT(told.take(), ElementsAre("ready"));
  }
  void ask(std::uint64_t operation, std::initializer_list<std::string_view> words, bool tracked = false) {
    ASSERT_EQ(session.submit(std::vector<std::string_view>(words), {operation, 0}, now(), tracked),
              Session::Submitted::queued);
  }
  // Asks, and waits for all replies.
  void run(std::uint64_t operation, std::initializer_list<std::string_view> words, bool tracked = false) {
    ask(operation, words, tracked);
    talk_until([&] { return session.in_flight() == 0; });
  }

  const int port;
  Dice dice;
  Told told;
  Session session;

 private:
  int socket_ = -1;
};

class SessionServer : public testing::Test {
 protected:
  void SetUp() override {
    if (!Server::installed()) GTEST_SKIP() << "redis-server is not installed";
  }
};

TEST_F(SessionServer, IsGreeted) {
  const Server server;
  redis::SessionOptions options;
  options.client_name = "tiercel-test";
  options.database = 2;
  Client client(server, options);
  client.connect_to_server();
  EXPECT_TRUE(client.session.tracks());
  EXPECT_FALSE(client.session.server_version().empty());
  EXPECT_EQ(client.session.run_id().size(), 40u);
  const auto wall = std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch());
  const auto theirs = Client::now().time_since_epoch() + client.session.server_offset();
  EXPECT_LT(std::chrono::abs(wall - theirs), 1s) << "the server runs on this machine";
  client.run(1, {"CLIENT", "LIST", "ID", std::to_string(client.session.client_id())});
  const auto told = client.told.take();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_THAT(told[0], testing::AllOf(testing::HasSubstr(" name=tiercel-test "), testing::HasSubstr(" db=2 "),
                                      testing::HasSubstr(" flags=t ")));
}

TEST_F(SessionServer, PushesAWriteOfAnotherBeforeTheReplyToALaterCommand) {
  const Server server;
  Client reader(server), writer(server);
  reader.connect_to_server();
  writer.connect_to_server();
  writer.run(1, {"SET", "k", "old"});
  reader.run(1, {"GET", "k"}, true);
  reader.run(2, {"GET", "untracked"});
  EXPECT_THAT(reader.told.take(), ElementsAre("reply 1.0 $old", "reply 2.0 null"));
  writer.run(2, {"SET", "k", "new"});
  writer.run(3, {"SET", "untracked", "new"});
  reader.run(3, {"GET", "k"}, true);
  EXPECT_THAT(reader.told.take(), ElementsAre("invalidated k", "reply 3.0 $new"))
      << "what was not tracked is not pushed";
  writer.run(4, {"FLUSHALL"});
  reader.run(4, {"PING"});
  EXPECT_THAT(reader.told.take(), ElementsAre("flushed", "reply 4.0 +PONG"));
}

TEST_F(SessionServer, PushesAnOwnWriteBehindItsReply) {
  const Server server;
  Client client(server);
  client.connect_to_server();
  client.ask(1, {"GET", "k"}, true);
  client.ask(2, {"SET", "k", "v"});
  client.run(3, {"GET", "k"}, true);
  EXPECT_THAT(client.told.take(), ElementsAre("reply 1.0 null", "reply 2.0 +OK", "invalidated k", "reply 3.0 $v"));
}

TEST_F(SessionServer, EndsThePredecessorOfASessionThatComesBack) {
  const Server server;
  Client client(server), witness(server);
  client.connect_to_server();
  witness.connect_to_server();
  const auto before = client.session.client_id();
  // As if the network had failed under it: our side is told, the server's is not.
  client.session.closed({ErrorCode::away, "cut", ""}, Client::now());
  client.session.advance(*client.session.next_deadline());
  client.open_again();
  client.talk_until([&] { return client.session.state() == Session::State::ready; });
  EXPECT_GT(client.session.client_id(), before);
  witness.run(1, {"CLIENT", "LIST", "ID", std::to_string(before)});
  EXPECT_THAT(witness.told.take(), ElementsAre("reply 1.0 =")) << "the server still has it";
}

TEST_F(SessionServer, RefusesAWrongPassword) {
  const Server server({"--requirepass", "secret"});
  redis::SessionOptions options;
  for (const std::string_view password : {"", "wrong", "secret"}) {
    options.password = password;
    Client client(server, options);
    client.open();
    client.talk_until([&] { return client.session.state() != Session::State::handshaking; });
    EXPECT_EQ(client.session.state(), password == "secret" ? Session::State::ready : Session::State::failed)
        << password;
    if (password == "secret") continue;
    EXPECT_EQ(client.session.last_error()->code, ErrorCode::authentication) << password;
  }
}

TEST_F(SessionServer, GoesOnForAUserThatMayDoLittle) {
  const Server server({"--user", "app", "on", ">pw", "~*", "+hello", "+get", "+set", "+ping"});
  redis::SessionOptions options;
  options.user = "app";
  options.password = "pw";
  Client client(server, options);
  client.open();
  client.talk_until([&] { return client.session.state() != Session::State::handshaking; });
  ASSERT_EQ(client.session.state(), Session::State::failed) << client.session.last_error()->message();
  EXPECT_THAT(client.session.last_error()->advice, testing::HasSubstr("TIME"))
      << "without TIME and INFO there is no clock";

  const Server enough({"--user", "app", "on", ">pw", "~*", "+hello", "+get", "+set", "+ping", "+time"});
  Client second(enough, options);
  second.connect_to_server();
  EXPECT_FALSE(second.session.tracks());
  second.run(1, {"GET", "k"}, true);
  EXPECT_THAT(second.told.take(), ElementsAre("reply 1.0 null"));
}

}  // namespace
}  // namespace tiercel::test
