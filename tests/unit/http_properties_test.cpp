// What holds of the HTTP rules for any bytes: no crash, no read outside (the sanitizers watch), no work beyond linear in the input.
#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>
#include <string>

#include "base/dice.hpp"
#include "fuzz/http_input.hpp"
#include "support/mutated.hpp"

namespace tiercel::test {
namespace {

constexpr const char* kNames[] = {
    "cache-control", "vary",           "connection",    "if-none-match", "range",
    "cache-groups",  "cache-tag",      "surrogate-key", "etag",          "cookie",
    "location",      "content-length", "age",           "expires",       "tiercel-cache-control"};
constexpr const char* kPieces[] = {"max-age=",
                                   "private",
                                   "no-store",
                                   "\"",
                                   "\\",
                                   ",",
                                   ";",
                                   "=",
                                   " ",
                                   "\t",
                                   "*",
                                   "W/",
                                   "bytes=",
                                   "-",
                                   "0",
                                   "99999",
                                   "a",
                                   "(",
                                   ")",
                                   "?1",
                                   ":",
                                   "%",
                                   "/",
                                   "..",
                                   "?",
                                   "#",
                                   "&",
                                   "\n",
                                   "Sun, 06 Nov 1994 08:49:37 GMT",
                                   "\xe4",
                                   "session",
                                   "public",
                                   "http://",
                                   "[::1]"};

void run(const std::string& bytes) { http_input({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}); }

TEST(HttpProperties, NoHeadersCrashTheRules) {
  Dice dice(411);
  for (int i = 0; i < 20'000; ++i) {
    std::string input(1, static_cast<char>(dice.next() % 4));
    for (auto lines = dice.next() % 4; lines > 0; --lines) {
      if (input[0] == 0) input.append(kNames[dice.next() % std::size(kNames)]).append(": ");
      for (auto pieces = dice.next() % 12; pieces > 0; --pieces) input += kPieces[dice.next() % std::size(kPieces)];
      input += '\n';
    }
    run(input);
  }
}

TEST(HttpProperties, NorDoesWhatIsNearTheCorpus) {
  const int files =
      run_corpus(TIERCEL_TESTS_FOLDER "/fuzz/corpus/http_fuzz", 300, [](const Bytes& bytes) { http_input(bytes); });
  EXPECT_GT(files, 20);
}

// Seconds of this thread's own processor time: what else the machine does is not in it. The best of three.
double seconds_for(const std::string& input) {
  double best = 1e9;
  for (int i = 0; i < 3; ++i) {
    timespec begin{}, end{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
    run(input);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
    best = std::min(
        best, static_cast<double>(end.tv_sec - begin.tv_sec) + static_cast<double>(end.tv_nsec - begin.tv_nsec) * 1e-9);
  }
  return best;
}

std::string repeated(const std::string& piece, std::size_t bytes) {
  std::string text;
  while (text.size() < bytes) text += piece;
  return text;
}

// Eight times the input may take eight times the work, and something for sorting and caches: a quadratic rule takes 64 times.
void expect_linear(const std::string& begin, const std::string& piece) {
  constexpr std::size_t kBytes = 8'000;
  const double once = std::max(seconds_for(begin + repeated(piece, kBytes)), 100e-6);
  const double eight = seconds_for(begin + repeated(piece, 8 * kBytes));
  EXPECT_LT(eight / once, 30) << begin.substr(1) << " and " << piece << " again and again: " << once << " s, " << eight
                              << " s";
}

TEST(HttpProperties, NoValueCostsMoreThanLinearTime) {
  for (const char* name : kNames) {
    for (const char* piece :
         {",", "\"", "\\", "a,", "\"a\\", "a=\"b\",", "\"a\", ", "W/", "0-0,", " a", ";a", "9", "../"})
      expect_linear(std::string(1, '\0') + name + ": ", piece);
  }
}

TEST(HttpProperties, NorDoManyLines) {
  for (const char* line :
       {"x:1\n", "connection:a\n", "connection:a,b\nb:1\n", "cache-control:max-age=1\n", "vary:a\n", "\n",
        "if-none-match:\"a\"\n", "etag:\"a\"\n", "cache-groups:\"a\"\n", "age:5\n", "cookie:a=b\n"})
    expect_linear(std::string(1, '\0'), line);
}

TEST(HttpProperties, NorDoStructuredFieldsAndWords) {
  for (const char* piece :
       {"a,", "a;b", "(", "(a ", "\"", "\\\"", "a=1,", "1", ":", "aGk=", "%c3%bc", "a;b=\"c\"", "()", ", ", "?1,"}) {
    expect_linear(std::string("\1"), piece);
    expect_linear(std::string("\1\""), piece);
  }
  for (const char* piece : {"9", "/..", "/a", "../", "./", "%2e", "\"a\",", "W/\"a\" ", "&x", "x&", "utm_&",
                            "http:", "a:", "[", "#", "bytes=0-0,"}) {
    expect_linear(std::string("\2"), piece);
    expect_linear(std::string("\2http://a/"), piece);
    expect_linear(std::string("\2bytes="), piece);
  }
}

}  // namespace
}  // namespace tiercel::test
