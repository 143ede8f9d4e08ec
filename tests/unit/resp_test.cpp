// Owns: the tests of src/resp: literal bytes, properties over any cut of the bytes, limits, adversarial input.
#include <cmath>
#include <limits>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/dice.hpp"
#include "fuzz/resp_input.hpp"
#include "resp/parser.hpp"
#include "resp/serializer.hpp"
#include "support/mutated.hpp"

namespace tiercel::test {
namespace {

using resp::Limits;
using resp::Parser;
using resp::Value;

std::string read_whole(std::string_view bytes, const Limits& limits = {}) {
  return read_in_pieces(bytes, bytes.size(), limits);
}
std::string bulk(std::string_view text) {
  return "$" + std::to_string(text.size()) + "\r\n" + std::string(text) + "\r\n";
}
std::string repeated(std::string_view text, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += text;
  return out;
}

struct Literal {
  std::string_view bytes, value;
};
constexpr Literal kLiterals[] = {
    {"+OK\r\n", "+OK"},
    {"+\r\n", "+"},
    {"-ERR no\r\n", "-ERR no"},
    {":0\r\n", "0"},
    {":-1\r\n", "-1"},
    {":+7\r\n", "7"},
    {":9223372036854775807\r\n", "9223372036854775807"},
    {":-9223372036854775808\r\n", "-9223372036854775808"},
    {"$0\r\n\r\n", "$"},
    {"$5\r\nhello\r\n", "$hello"},
    {"$4\r\n\r\n\r\n\r\n", "$\r\n\r\n"},
    {"$-1\r\n", "null"},
    {"*-1\r\n", "null"},
    {"_\r\n", "null"},
    {"#t\r\n", "true"},
    {"#f\r\n", "false"},
    {",1.5\r\n", "real:1.500000"},
    {",+2\r\n", "real:2.000000"},
    {",-0.25e1\r\n", "real:-2.500000"},
    {",inf\r\n", "real:inf"},
    {",-inf\r\n", "real:-inf"},
    {"(3492890328409238509324850943850943825024385\r\n", "big:3492890328409238509324850943850943825024385"},
    {"(-12\r\n", "big:-12"},
    {"=8\r\ntxt:text\r\n", "=text"},
    {"=4\r\nmkd:\r\n", "="},
    {"!9\r\nERR a\r\nbc\r\n", "!ERR a\r\nbc"},
    {"*0\r\n", "array("},
    {"*2\r\n$1\r\na\r\n:3\r\n", "array( $a 3"},
    {"*2\r\n*1\r\n_\r\n*0\r\n", "array( array( null) array()"},
    {"%1\r\n+key\r\n*1\r\n#t\r\n", "map( +key array( true)"},
    {"%1\r\n*1\r\n:1\r\n%0\r\n", "map( array( 1) map()"},
    {"~2\r\n:1\r\n:2\r\n", "set( 1 2"},
    {">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n", "push( $invalidate array( $k)"},
    {">2\r\n+invalidate\r\n_\r\n", "push( +invalidate null"},
    {"|1\r\n+ttl\r\n:3600\r\n$1\r\nv\r\n", "$v"},
    {"|0\r\n:1\r\n", "1"},
    {"*2\r\n|1\r\n+a\r\n*1\r\n+b\r\n:1\r\n:2\r\n", "array( 1 2"},
};
std::string closed(std::string_view value) {   // the literals above leave out the last bracket for brevity
  return value.find('(') == value.npos ? std::string(value) : std::string(value) + ")";
}

TEST(Resp, EveryTypeIsReadFromItsBytes) {
  for (const auto& [bytes, value] : kLiterals) EXPECT_EQ(read_whole(bytes), closed(value) + "\nmore") << bytes;
}

TEST(Resp, NotANumberIsADouble) {
  Parser parser;
  write_into(parser, ",nan\r\n");
  ASSERT_EQ(parser.next(), Parser::Next::value);
  EXPECT_EQ(parser.value().type, Value::Type::real);
  EXPECT_TRUE(std::isnan(parser.value().real));
}

TEST(Resp, AStreamCutAtAnyByteGivesTheSameValues) {
  std::string stream, values;
  for (const auto& [bytes, value] : kLiterals) {
    stream += bytes;
    values += closed(value) + "\n";
  }
  for (std::size_t piece = 1; piece <= stream.size(); ++piece)
    EXPECT_EQ(read_in_pieces(stream, piece, {}), values + "more") << piece;
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    Parser parser;
    std::string told;
    for (const auto part : {std::string_view(stream).substr(0, cut), std::string_view(stream).substr(cut)}) {
      write_into(parser, part);
      while (parser.next() == Parser::Next::value) told += described(parser.value()) + "\n";
    }
    EXPECT_EQ(told, values) << "cut at " << cut;
  }
}

TEST(Resp, NothingIsGivenBeforeItsLastByteIsThere) {
  for (const auto& [bytes, value] : kLiterals) {
    for (std::size_t length = 0; length < bytes.size(); ++length)
      EXPECT_EQ(read_whole(bytes.substr(0, length)), "more") << bytes;
  }
}

TEST(Resp, WhatIsNotResp3IsAProtocolError) {
  for (const std::string_view bytes : {"HTTP/1.1 400 Bad Request\r\n",
                                       "\r\n",
                                       "\x15\x03\x03",
                                       "+OK\n\n\r\n",
                                       "+a\rb\r\n",
                                       "+a\nb\r\n",
                                       ":\r\n",
                                       ":-\r\n",
                                       ":+-1\r\n",
                                       ":--1\r\n",
                                       ":1a\r\n",
                                       ": 1\r\n",
                                       ":1 \r\n",
                                       ":01\r\n",
                                       ":0x1\r\n",
                                       ":9223372036854775808\r\n",
                                       ":-9223372036854775809\r\n",
                                       ":99999999999999999999\r\n",
                                       "$\r\n\r\n",
                                       "$-\r\n",
                                       "$-2\r\n",
                                       "$+1\r\na\r\n",
                                       "$01\r\na\r\n",
                                       "$1a\r\n",
                                       "$3\r\nabcd\r\n",
                                       "$3\r\nabc\n\r",
                                       "$1\ra\r\n",
                                       "$9999999999999999999\r\n",
                                       "$99999999999999999999999\r\n",
                                       "$999999999999999999\r\n",
                                       "*-2\r\n",
                                       "*x\r\n",
                                       "*99999999999999999999\r\n",
                                       "%-1\r\n",
                                       "~-1\r\n",
                                       ">-1\r\n",
                                       "|-1\r\n",
                                       "=-1\r\n",
                                       "!-1\r\n",
                                       "$?\r\n",
                                       "*?\r\n",
                                       "%?\r\n",
                                       "~?\r\n",
                                       ";4\r\n",
                                       ".\r\n",
                                       "#x\r\n",
                                       "#true\r\n",
                                       "#\r\n",
                                       "_x\r\n",
                                       ",\r\n",
                                       ",x\r\n",
                                       ",1.2.3\r\n",
                                       ",1e\r\n",
                                       ",0x10\r\n",
                                       ",infinity\r\n",
                                       ",nan(1)\r\n",
                                       ",1e999\r\n",
                                       ",+-1\r\n",
                                       ",-+1\r\n",
                                       "(\r\n",
                                       "(-\r\n",
                                       "(12a\r\n",
                                       "=3\r\ntxt\r\n",
                                       "=5\r\ntext:\r\n",
                                       "*1\r\n>1\r\n+x\r\n",
                                       "*1\r\n?\r\n",
                                       "%1\r\n+a\r\n?\r\n"}) {
    const std::string whole = read_whole(bytes);
    EXPECT_TRUE(whole.starts_with("error: the server sent ")) << bytes << whole;
    for (std::size_t piece = 1; piece < bytes.size(); ++piece)
      EXPECT_EQ(read_in_pieces(bytes, piece, {}), whole) << bytes;
  }
}

TEST(Resp, AfterAnErrorNothingIsReadUntilReset) {
  Parser parser;
  write_into(parser, "+first\r\n?");
  EXPECT_EQ(parser.next(), Parser::Next::value);
  ASSERT_EQ(parser.next(), Parser::Next::error);
  EXPECT_EQ(parser.error().code, ErrorCode::protocol);
  EXPECT_FALSE(parser.error().advice.empty());
  for (int i = 0; i < 100; ++i) {
    write_into(parser, repeated("+OK\r\n", 1000));
    ASSERT_EQ(parser.next(), Parser::Next::error);
  }
  EXPECT_LE(parser.capacity(), 1u << 17) << "what nobody reads is not kept";
  parser.reset();
  write_into(parser, "+OK\r\n");
  ASSERT_EQ(parser.next(), Parser::Next::value);
  EXPECT_TRUE(parser.value().is_ok());
}

TEST(Resp, AResetInTheMiddleForgetsWhatWasOpen) {
  for (const std::string_view half : {"*3\r\n:1\r\n", "$10\r\nabc", "+half a li", "|1\r\n+a\r\n"}) {
    Parser parser;
    write_into(parser, half);
    ASSERT_EQ(parser.next(), Parser::Next::more);
    parser.reset();
    write_into(parser, "$2\r\nok\r\n");
    ASSERT_EQ(parser.next(), Parser::Next::value) << half;
    EXPECT_EQ(described(parser.value()), "$ok");
  }
}

// ---- properties

// A value as bytes and as described() tells it, made together.
struct Sample {
  std::string bytes, told;
};

Sample sample(Dice& dice, unsigned depth) {
  const auto below = [&](std::uint64_t bound) { return dice.next() % bound; };
  const auto text = [&](std::size_t length, bool any) {
    std::string out;
    for (std::size_t i = 0; i < length; ++i)
      out += any ? static_cast<char>(below(256)) : static_cast<char>('a' + below(26));
    return out;
  };
  const auto attribute = below(10) == 0 ? "|1\r\n" + sample(dice, 0).bytes + sample(dice, 0).bytes : std::string{};
  const auto aggregate = [&](char type, std::string name, std::size_t each) {
    const std::size_t count = below(5);
    Sample out{attribute + type + std::to_string(count) + "\r\n", std::move(name)};
    for (std::size_t i = 0; i < count * each; ++i) {
      const Sample item = sample(dice, depth - 1);
      out.bytes += item.bytes;
      out.told += " " + item.told;
    }
    out.told += ")";
    return out;
  };
  switch (below(depth == 0 ? 9 : 12)) {
    case 0:
      return {attribute + "_\r\n", "null"};
    case 1:
      return {attribute + "#t\r\n", "true"};
    case 2: {
      const auto number = std::to_string(static_cast<std::int64_t>(dice.next()));
      return {attribute + ":" + number + "\r\n", number};
    }
    case 3: {
      const auto words = text(below(80), false);
      return {attribute + "+" + words + "\r\n", "+" + words};
    }
    case 4: {
      const auto words = text(below(20), false);
      return {attribute + "-" + words + "\r\n", "-" + words};
    }
    case 5:
      return {attribute + "(123456789012345678901234567890\r\n", "big:123456789012345678901234567890"};
    case 6:
      return {attribute + "=7\r\ntxt:abc\r\n", "=abc"};
    case 7:
      return {attribute + ",0.5\r\n", "real:0.500000"};
    case 8: {
      const auto bytes = text(below(20) == 0 ? below(40'000) : below(40), true);
      return {attribute + bulk(bytes), "$" + bytes};
    }
    case 9:
      return aggregate('*', "array(", 1);
    case 10:
      return aggregate('%', "map(", 2);
    default:
      return aggregate('~', "set(", 1);
  }
}

RC_GTEST_PROP(RespProperty, AnyValuesCutAnyWayAreReadAsTheyAre, ()) {
  Dice dice(*rc::gen::arbitrary<std::uint64_t>());
  Sample all;
  const auto count = *rc::gen::inRange(1, 12);
  for (int i = 0; i < count; ++i) {
    const Sample one = sample(dice, 4);
    all.bytes += one.bytes;
    all.told += one.told + "\n";
  }
  Parser parser;
  std::string told;
  const std::uint64_t piece_max = std::uint64_t{1} << (dice.next() % 16);
  for (std::string_view left = all.bytes; !left.empty();) {
    const std::size_t piece = std::min<std::size_t>(left.size(), 1 + dice.next() % piece_max);
    write_into(parser, left.substr(0, piece));
    left.remove_prefix(piece);
    while (parser.next() == Parser::Next::value) told += described(parser.value()) + "\n";
  }
  RC_ASSERT(told == all.told);
  RC_ASSERT(parser.buffered() == 0u);
}

RC_GTEST_PROP(RespProperty, WhatIsWrittenParsesBack, (const std::vector<std::string>& some)) {
  std::vector<std::string> arguments = some;
  arguments.insert(arguments.begin(), "SET");
  std::string bytes, told = "array(";
  for (const auto& argument : arguments) told += " $" + argument;
  resp::append_command(bytes, std::vector<std::string_view>(arguments.begin(), arguments.end()));
  RC_ASSERT(read_in_pieces(bytes, 7, {}) == told + ")\nmore");
}

RC_GTEST_PROP(RespProperty, AnOwnedValueSaysWhatTheViewSaid, ()) {
  Dice dice(*rc::gen::arbitrary<std::uint64_t>());
  const Sample one = sample(dice, 4);
  auto parser = std::make_unique<Parser>();
  write_into(*parser, one.bytes);
  RC_ASSERT(parser->next() == Parser::Next::value);
  resp::OwnedValue first(parser->value());
  parser.reset();                                     // the buffer is gone
  const resp::OwnedValue moved(std::move(first));
  RC_ASSERT(described(moved.get()) == one.told);
}

RC_GTEST_PROP(RespProperty, AnyBytesEndTheSameWayHoweverTheyAreCut, (const std::vector<std::uint8_t>& bytes)) {
  resp_input(bytes);
}

// ---- too large

TEST(RespOversized, ALongBulkIsReadPastAndGivesItsLength) {
  Limits limits;
  limits.bulk_bytes_max = 10;
  const std::string stream = bulk("0123456789") + bulk("0123456789x") + bulk(std::string(100'000, '\n')) + "+next\r\n";
  for (const std::size_t piece : {1u, 2u, 3u, 17u, 1000u, 1'000'000u}) {
    EXPECT_EQ(read_in_pieces(stream, piece, limits), "$0123456789\noversized:11\noversized:100000\n+next\nmore")
        << piece;
  }
}

TEST(RespOversized, ItTakesItsPlaceWithinAnArray) {
  Limits limits;
  limits.bulk_bytes_max = 10;
  const std::string stream =
      "*4\r\n$1\r\na\r\n" + bulk(std::string(50, 'x')) + "=50\r\n" + std::string(50, 'y') + "\r\n$1\r\nb\r\n:1\r\n";
  for (std::size_t piece = 1; piece <= stream.size(); ++piece) {
    EXPECT_EQ(read_in_pieces(stream, piece, limits), "array( $a oversized:50 oversized:50 $b)\n1\nmore") << piece;
  }
}

TEST(RespOversized, ItsBytesAreNotKept) {
  Limits limits;
  limits.bulk_bytes_max = 1000;
  Parser parser(limits);
  write_into(parser, "*2\r\n$4\r\nkeep\r\n$50000000\r\n");
  for (int i = 0; i < 500; ++i) {
    write_into(parser, std::string(100'000, 'x'));
    ASSERT_EQ(parser.next(), Parser::Next::more);
    ASSERT_LT(parser.capacity(), 300'000u);
  }
  write_into(parser, "\r\n+OK\r\n");
  ASSERT_EQ(parser.next(), Parser::Next::value);
  EXPECT_EQ(described(parser.value()), "array( $keep oversized:50000000)");
  EXPECT_EQ(parser.next(), Parser::Next::value);
}

TEST(RespOversized, ItsEndIsStillChecked) {
  Limits limits;
  limits.bulk_bytes_max = 2;
  for (const std::size_t piece : {1u, 2u, 100u}) {
    EXPECT_TRUE(read_in_pieces("$3\r\nabcd\r\n", piece, limits).starts_with("error")) << piece;
    EXPECT_TRUE(read_in_pieces("$3\r\nabc\rx", piece, limits).starts_with("error")) << piece;
  }
}

TEST(RespOversized, PastTheMessagesLimitBulksAreReadPastToo) {
  Limits limits;
  limits.bulk_bytes_max = 100'000;
  limits.message_bytes_max = 250'000;
  const std::string stream = "*4\r\n" + repeated(bulk(std::string(90'000, 'x')), 4) + "+next\r\n";
  const std::string told = read_in_pieces(stream, 1000, limits);
  EXPECT_TRUE(told.ends_with(" oversized:90000 oversized:90000)\n+next\nmore"));
  EXPECT_EQ(told.find("oversized"), told.rfind("oversized") - 16);
}

TEST(RespOversized, ATooLongReplyOfShortBulksHasAnEndWhereverItIsCut) {
  Limits limits;
  limits.bulk_bytes_max = 500;
  limits.message_bytes_max = 1000;
  const std::string stream = "*100\r\n" + repeated(bulk(std::string(400, 'x')), 100);
  for (const std::size_t piece : {1u, 7u, 300u, 5000u, 1'000'000u}) {
    EXPECT_EQ(read_in_pieces(stream, piece, limits), "error: the server sent a reply without end") << piece;
  }
}

// ---- limits

TEST(RespLimits, DepthIsBounded) {
  Limits limits;
  limits.depth_max = 3;
  EXPECT_EQ(read_whole("*1\r\n*1\r\n*1\r\n:1\r\n", limits), "array( array( array( 1)))\nmore");
  EXPECT_TRUE(read_whole("*1\r\n*1\r\n*1\r\n*1\r\n", limits).starts_with("error"));
  EXPECT_TRUE(read_whole(repeated("*1\r\n", 1'000'000)).starts_with("error"));
  EXPECT_TRUE(read_whole(repeated("%1\r\n", 1'000'000)).starts_with("error"));
  EXPECT_TRUE(read_whole(repeated("|1\r\n", 1'000'000)).starts_with("error"));
}

TEST(RespLimits, ItemsAreCountedOverAllLevelsAndAnewForEachReply) {
  Limits limits;
  limits.items_max = 6;
  const std::string six = "*2\r\n*2\r\n:1\r\n:2\r\n*2\r\n:3\r\n:4\r\n";
  EXPECT_EQ(read_whole(six + six, limits), repeated("array( array( 1 2) array( 3 4))\n", 2) + "more");
  EXPECT_TRUE(read_whole("*3\r\n*2\r\n:1\r\n:2\r\n*2\r\n", limits).starts_with("error"));
  EXPECT_TRUE(read_whole("%4\r\n", limits).starts_with("error")) << "a map's count is of pairs";
  EXPECT_TRUE(read_whole(repeated("|0\r\n", 7), limits).starts_with("error"))
      << "a chain of empty attributes has an end";
  EXPECT_TRUE(read_whole("%999999999999999999\r\n").starts_with("error"));
}

TEST(RespLimits, AnAnnouncedCountReservesNothing) {
  Parser parser;
  write_into(parser, "*100000\r\n" + repeated(":1\r\n", 100'000));
  ASSERT_EQ(parser.next(), Parser::Next::value);
  EXPECT_EQ(parser.value().items.size(), 100'000u);
  EXPECT_EQ(parser.value().items.capacity(), 131'072u) << "grown by doubling, not reserved";
}

TEST(RespLimits, AnAnnouncedLengthDoesNotAllocateItAll) {
  Parser parser;
  write_into(parser, "$8000000\r\n");
  ASSERT_EQ(parser.next(), Parser::Next::more);
  EXPECT_GE(parser.prepare().size(), 1u);
  EXPECT_LE(parser.capacity(), 256u << 10);
}

TEST(RespLimits, LinesAreBounded) {
  Limits limits;
  limits.line_bytes_max = 5;
  EXPECT_EQ(read_whole("+12345\r\n", limits), "+12345\nmore");
  for (const std::size_t piece : {1u, 3u, 100u}) {
    EXPECT_TRUE(read_in_pieces("+123456\r\n", piece, limits).starts_with("error"));
    EXPECT_TRUE(read_in_pieces("-1234567890", piece, limits).starts_with("error")) << "also without its end";
  }
}

TEST(RespLimits, AReplyOfLinesHasAnEndToo) {
  Limits limits;
  limits.message_bytes_max = 10'000;
  EXPECT_TRUE(read_whole("*1000\r\n" + repeated("+" + std::string(90, 'x') + "\r\n", 1000), limits)
                  .starts_with("error: the server sent a reply without end"));
}

// ---- the buffer

TEST(RespBuffer, ALargeArrayByteByByteIsReadOnce) {   // begun anew at each byte, this would take 2*10^10 steps
  Parser parser;
  const std::string bytes = "*100000\r\n" + repeated(":7\r\n", 100'000);
  for (std::size_t i = 0; i + 1 < bytes.size(); ++i) {
    write_into(parser, std::string_view(bytes).substr(i, 1));
    ASSERT_EQ(parser.next(), Parser::Next::more);
  }
  write_into(parser, bytes.substr(bytes.size() - 1));
  ASSERT_EQ(parser.next(), Parser::Next::value);
  EXPECT_EQ(parser.value().items.size(), 100'000u);
}

TEST(RespBuffer, ItMovesAFewTimesForALargeValueAndOffersRoom) {
  Parser parser;
  const std::size_t length = 8'000'000;
  write_into(parser, "$" + std::to_string(length) + "\r\n");
  const char* last = nullptr;
  int moves = 0;
  for (std::size_t sent = 0; sent < length + 2;) {
    ASSERT_EQ(parser.next(), Parser::Next::more);
    const auto room = parser.prepare();
    ASSERT_GE(room.size(), 16u << 10);
    moves += room.data() != last;
    const std::size_t count = std::min<std::size_t>({room.size(), 5000, length + 2 - sent});
    for (std::size_t i = 0; i < count; ++i) room[i] = sent + i < length ? 'x' : (sent + i == length ? '\r' : '\n');
    parser.commit(count);
    sent += count;
    last = room.data() + count;
  }
  ASSERT_EQ(parser.next(), Parser::Next::value);
  EXPECT_EQ(parser.value().text, std::string(length, 'x'));
  EXPECT_LE(moves, 10);
  EXPECT_LE(parser.capacity(), length + (64u << 10)) << "no larger than the value";
}

TEST(RespBuffer, ItShrinksAgainAfterALargeValue) {
  Parser parser;
  write_into(parser, "+OK\r\n");
  ASSERT_EQ(parser.next(), Parser::Next::value);
  const std::size_t at_rest = parser.capacity();
  write_into(parser, bulk(std::string(5'000'000, 'x')));
  ASSERT_EQ(parser.next(), Parser::Next::value);
  EXPECT_GT(parser.capacity(), 5'000'000u);
  for (int i = 0; i < 20; ++i) {
    write_into(parser, "+OK\r\n");
    ASSERT_EQ(parser.next(), Parser::Next::value);
  }
  EXPECT_EQ(parser.capacity(), at_rest);
}

TEST(RespBuffer, ValuesLieWhereTheyWereReceived) {
  Parser parser;
  const auto room = parser.prepare();
  const std::string_view bytes = "$5\r\nhello\r\n";
  std::memcpy(room.data(), bytes.data(), bytes.size());
  parser.commit(bytes.size());
  ASSERT_EQ(parser.next(), Parser::Next::value);
  EXPECT_EQ(parser.value().text.data(), room.data() + 4) << "not a copy";
}

// ---- the corpus, and what is near it

TEST(RespCorpus, EveryFileAndItsMutationsHoldWhatTheFuzzTargetChecks) {
  const int files =
      run_corpus(TIERCEL_TESTS_FOLDER "/fuzz/corpus/resp_fuzz", 200, [](const Bytes& bytes) { resp_input(bytes); });
  EXPECT_GE(files, 10) << "the corpus is missing";
}

}  // namespace
}  // namespace tiercel::test
