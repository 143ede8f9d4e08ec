// Keys, globs, and the bytes at rest: golden files, damage of every kind, and round trips.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <numeric>
#include <sstream>

#include "base/hash.hpp"
#include "entry/big_endian.hpp"
#include "entry/key.hpp"
#include "entry/record.hpp"

namespace tiercel {
namespace {

std::string read_golden(const std::string& name) {
  const auto path = std::filesystem::path(__FILE__).parent_path().parent_path() / "golden" / name;
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string golden(const std::string& name) { return read_golden("format-1/" + name + ".bin"); }

Stamp stamp_from(unsigned char first) {
  Stamp stamp;
  std::iota(stamp.bytes.begin(), stamp.bytes.end(), first);
  return stamp;
}

constexpr ServerTime kNow{Duration{1'700'000'000'000'000}};
constexpr Duration kHour{3'600'000'000};

struct Stated {
  std::string file;
  Header header;
  std::vector<TagStamp> tags;
  std::string validator, payload;
};

std::string all_bytes() {
  std::string bytes(256, '\0');
  std::iota(bytes.begin(), bytes.end(), '\0');
  return bytes;
}

std::vector<Stated> stated() {
  const TagStamp root{"", stamp_from(0x60)};
  std::string intent(stamp_from(0x90).view());
  write_u64(intent, 1'700'000'000'000'000);
  return {
      {"value", {.stamp = stamp_from(0x10)}, {}, "", "hello"},
      {"value_full",
       {RecordState::value, CodecId::tiercel, true, stamp_from(0x20), 0x0102030405060708, kNow, kNow + kHour,
        Duration{1234}},
       {root, {"users", stamp_from(0x70)}, {"städte", stamp_from(0x80)}},
       "\"etag-1\"",
       all_bytes()},
      {"value_empty", {.codec = CodecId::json, .stamp = stamp_from(0x30), .usable_until = kNow}, {}, "", ""},
      {"lease", {.state = RecordState::lease, .stamp = stamp_from(0x40), .usable_until = kNow}, {root}, "", ""},
      {"intent", {.state = RecordState::intent, .stamp = stamp_from(0x41), .usable_until = kNow}, {}, "", intent},
      {"pass", {.state = RecordState::pass, .stamp = stamp_from(0x42), .usable_until = kNow}, {}, "", ""},
      {"floor",
       {.state = RecordState::floor,
        .has_version = true,
        .stamp = stamp_from(0x43),
        .version = ~std::uint64_t{0},
        .usable_until = kNow},
       {},
       "",
       ""},
      {"unknown_codec", {.codec = CodecId{200}, .stamp = stamp_from(0x44)}, {}, "", "?"},
  };
}

// A record whose checksum is right, whatever else is wrong with it.
std::string sealed(std::string record) {
  const std::string covered = record.substr(0, 60) + record.substr(64);
  std::string sum;
  write_u32(sum, static_cast<std::uint32_t>(hash64(covered)));
  return record.replace(60, 4, sum);
}

void expect_damaged(const std::string& bytes, const std::string& why) {
  const auto record = decode_record(bytes);
  ASSERT_FALSE(record) << why;
  EXPECT_EQ(record.error().code, ErrorCode::damaged) << why;
}

// ---- records

TEST(Record, GoldenFilesDecodeToWhatIsStated) {
  for (const Stated& want : stated()) {
    const std::string bytes = golden(want.file);
    const auto record = decode_record(bytes);
    ASSERT_TRUE(record) << want.file << ": " << record.error().message();
    EXPECT_EQ(record->header, want.header) << want.file;
    EXPECT_EQ(record->tags, want.tags) << want.file;
    EXPECT_EQ(record->validator, want.validator) << want.file;
    EXPECT_EQ(record->payload, want.payload) << want.file;
    const auto header = decode_header(std::string_view(bytes).substr(0, kHeaderBytes));
    ASSERT_TRUE(header) << want.file;
    EXPECT_EQ(*header, want.header) << want.file;
  }
}

TEST(Record, EncodingGivesTheGoldenFilesAgain) {
  for (const Stated& given : stated()) {
    EXPECT_EQ(encode_record(given.header, given.tags, given.validator, given.payload), golden(given.file))
        << given.file;
  }
}

TEST(Record, TheChecksumCoversEverythingButItself) {
  for (const Stated& given : stated()) EXPECT_EQ(sealed(golden(given.file)), golden(given.file)) << given.file;
}

TEST(Record, EveryChangeOfAByteIsNoticed) {
  for (const Stated& given : stated()) {
    const std::string whole = golden(given.file);
    for (std::size_t at = 0; at < whole.size(); ++at) {
      for (int flip = 1; flip < 256; ++flip) {
        std::string bytes = whole;
        bytes[at] = static_cast<char>(bytes[at] ^ flip);
        ASSERT_FALSE(decode_record(bytes)) << given.file << " byte " << at << " xor " << flip;
        static_cast<void>(decode_header(bytes));   // has no checksum to go by, but must not crash
      }
    }
  }
}

TEST(Record, EveryTruncationAndEveryAppendedByteIsNoticed) {
  for (const Stated& given : stated()) {
    const std::string whole = golden(given.file);
    for (std::size_t length = 0; length < whole.size(); ++length) expect_damaged(whole.substr(0, length), given.file);
    for (const std::string& more : {std::string(1, '\0'), whole}) expect_damaged(whole + more, given.file);
    EXPECT_FALSE(decode_header(whole.substr(0, kHeaderBytes - 1))) << given.file;
  }
}

// Behind a right checksum: what a buggy or hostile writer, or a newer version, could store.
TEST(Record, WhatNoRecordOfOursSaysIsDamagedEvenIfTheChecksumIsRight) {
  const std::string whole = golden("value_full");
  const auto with = [&](std::size_t at, std::string_view bytes) {
    return sealed(std::string(whole).replace(at, bytes.size(), bytes));
  };
  ASSERT_TRUE(decode_record(with(0, "TL")));
  expect_damaged(with(0, "TM"), "another magic");
  expect_damaged(with(2, "\2"), "another format");
  expect_damaged(with(3, "\5"), "another state");
  expect_damaged(with(5, "\3"), "an unknown flag");
  expect_damaged(with(4, "\x80"), "an unknown flag");
  expect_damaged(with(5, std::string_view("\0", 1)), "a version without its flag");
  expect_damaged(with(7, "\2"), "fewer tags than there are");
  expect_damaged(with(7, "\4"), "more tags than there are");
  expect_damaged(with(7, "\xff"), "more tags than may be");
  expect_damaged(with(32, "\x7f"), "soft behind hard");
  expect_damaged(with(40, "\xff"), "a deadline beyond the clock");
  expect_damaged(with(55, "\xff"), "another length of the middle section");
  expect_damaged(with(52, "\xff"), "an absurd length of the middle section");
  expect_damaged(with(56, "\xff"), "an absurd length of the payload");
  expect_damaged(with(kHeaderBytes, "\xff\xff"), "a tag's name longer than the record");
  EXPECT_TRUE(decode_record(with(6, "\xc8"))) << "an unknown codec is its reader's business";
}

TEST(Record, TagsBeyondTheLimitsAreDamaged) {
  const auto encoded = [](const std::vector<TagStamp>& tags) {   // by hand: encode_record would refuse
    std::string middle;
    for (const TagStamp& tag : tags) {
      write_u16(middle, static_cast<std::uint16_t>(tag.name.size()));
      middle.append(tag.name).append(tag.stamp.view());
    }
    write_u16(middle, 0);
    std::string record = encode_record({}, {}, "", "").substr(0, kHeaderBytes) + middle, length;
    record[7] = static_cast<char>(tags.size());
    write_u32(length, static_cast<std::uint32_t>(middle.size()));
    return sealed(record.replace(52, 4, length));
  };
  std::vector<TagStamp> tags(kTagsMax, {"t", stamp_from(1)});
  EXPECT_TRUE(decode_record(encoded(tags)));
  tags.push_back({"", stamp_from(2)});
  EXPECT_TRUE(decode_record(encoded(tags))) << "the root is not counted";
  tags.back().name = "t";
  expect_damaged(encoded(tags), "65 names");
  expect_damaged(encoded({{"", stamp_from(1)}, {"", stamp_from(2)}}), "two roots");
  EXPECT_TRUE(decode_record(encoded({{std::string(kTagBytesMax, 'x'), stamp_from(1)}})));
  expect_damaged(encoded({{std::string(kTagBytesMax + 1, 'x'), stamp_from(1)}}), "a name too long");
}

TEST(Record, LoadCostSaturates) {
  const auto cost = [](Duration given) {
    Header header;
    header.load_cost = given;
    return decode_header(encode_record(header, {}, "", ""))->load_cost;
  };
  EXPECT_EQ(cost(Duration{0xFFFFFFFF}), Duration{0xFFFFFFFF});
  EXPECT_EQ(cost(Duration{0x100000000}), Duration{0xFFFFFFFF});
  EXPECT_EQ(cost(Duration{-1}), Duration{0});
}

Stamp any_stamp() {
  Stamp stamp;
  for (auto& byte : stamp.bytes) byte = *rc::gen::arbitrary<unsigned char>();
  return stamp;
}

RC_GTEST_PROP(Record, ComesBackAsItWasWritten, (const std::string& validator, const std::string& payload)) {
  const auto deadline = [] { return ServerTime{Duration{*rc::gen::inRange<std::int64_t>(1, std::int64_t{1} << 62)}}; };
  Header header;
  header.state = RecordState{*rc::gen::inRange<std::uint8_t>(0, 5)};
  header.codec = CodecId{*rc::gen::arbitrary<std::uint8_t>()};
  header.has_version = *rc::gen::arbitrary<bool>();
  if (header.has_version) header.version = *rc::gen::arbitrary<std::uint64_t>();
  header.stamp = any_stamp();
  ServerTime soft = deadline(), hard = deadline();
  if (soft > hard) std::swap(soft, hard);
  if (*rc::gen::arbitrary<bool>()) header.fresh_until = soft;
  if (*rc::gen::arbitrary<bool>()) header.usable_until = hard;
  header.load_cost = Duration{*rc::gen::arbitrary<std::uint32_t>()};
  std::vector<TagStamp> tags;
  if (*rc::gen::arbitrary<bool>()) tags.push_back({"", any_stamp()});
  for (auto& name :
       *rc::gen::resize(20, rc::gen::container<std::vector<std::string>>(rc::gen::nonEmpty<std::string>()))) {
    tags.push_back({name, any_stamp()});
  }
  const std::string bytes = encode_record(header, tags, validator, payload);
  const auto record = decode_record(bytes);
  RC_ASSERT(record.ok());
  RC_ASSERT(record->header == header);
  RC_ASSERT(record->tags == tags);
  RC_ASSERT(record->validator == validator);
  RC_ASSERT(record->payload == payload);
}

RC_GTEST_PROP(Record, ArbitraryBytesNeverDecode, (const std::string& noise)) {
  RC_ASSERT_FALSE(decode_record(noise).ok());
  std::string framed = golden("value_full");
  framed.replace(8, std::min(noise.size(), framed.size() - 8), noise, 0, framed.size() - 8);
  static_cast<void>(decode_record(sealed(framed)));   // a right checksum over noise: any answer, but no crash
}

TEST(TagRecord, GoldenFileAndBack) {
  const auto tag = decode_tag(golden("tag"));
  ASSERT_TRUE(tag);
  EXPECT_EQ(tag->stamp, stamp_from(0x50));
  EXPECT_EQ(tag->deadline, kNow + kHour);
  EXPECT_EQ(encode_tag(*tag), golden("tag"));
  for (const std::size_t length : {0u, 16u, 23u}) EXPECT_FALSE(decode_tag(golden("tag").substr(0, length)));
  EXPECT_FALSE(decode_tag(golden("tag") + "x"));
  EXPECT_FALSE(decode_tag(golden("tag").replace(16, 1, "\xff")));
}

TEST(RootRecord, GoldenFileAndBack) {
  const auto root = decode_root(golden("root"));
  ASSERT_TRUE(root);
  EXPECT_EQ(root->tag.stamp, stamp_from(0x60));
  EXPECT_EQ(root->tag.deadline, kServerNever);
  EXPECT_EQ(root->given_under.view(), stamp_from(0xa0).view());
  EXPECT_EQ(root->last_met.view(), stamp_from(0xb0).view());
  EXPECT_EQ(encode_root(*root), golden("root"));
  for (const std::size_t length : {0u, 24u, 55u}) EXPECT_FALSE(decode_root(golden("root").substr(0, length)));
  EXPECT_FALSE(decode_root(golden("root") + "x"));
  EXPECT_FALSE(decode_tag(golden("root")));
}

TEST(ServerId, OfARunIdThatIsNotToldIsNone) {
  EXPECT_FALSE(ServerId::of("").known());
  EXPECT_TRUE(ServerId::of("0123456789abcdef").known());
  EXPECT_NE(ServerId::of("0123456789abcdef"), ServerId::of("fedcba9876543210"));
}

TEST(Stamp, IsNewAtEveryRoll) {
  Dice dice(7), same(7);
  const Stamp first = Stamp::roll(dice), second = Stamp::roll(dice);
  EXPECT_NE(first, second);
  EXPECT_EQ(first, Stamp::roll(same));
}

// ---- keys

TEST(Key, ShortKeysAreThemselves) {
  for (const std::string& key :
       {std::string("user:42"), std::string("a b\n{c}\0\xff", 9), std::string(kKeyBytesMax, 'k')}) {
    EXPECT_EQ(canonical_key(key), key);
    EXPECT_TRUE(is_canonical_key(key));
  }
  EXPECT_FALSE(is_canonical_key(""));
  EXPECT_FALSE(is_canonical_key(std::string(kKeyBytesMax + 1, 'k')));
}

TEST(Key, LongKeysKeepTheirHeadAndEndInADigestOfTheWhole) {
  const std::string key(kKeyBytesMax + 1, 'k'), canonical = canonical_key(key);
  EXPECT_EQ(canonical.size(), kKeyBytesMax);
  EXPECT_EQ(canonical.substr(0, 478), key.substr(0, 478));
  // printf 'k%.0s' $(seq 513) | sha256sum
  EXPECT_EQ(canonical.substr(478), "~#45a7c7ef95c3417e800362f5672aba16");
  EXPECT_NE(canonical, canonical_key(key + "k"));
  EXPECT_EQ(canonical_key(canonical), canonical);
  EXPECT_LE(canonical_key(std::string(1 << 20, 'm')).size(), kKeyBytesMax);
}

TEST(Key, LongKeysAreCutBetweenCharacters) {
  for (std::size_t shift = 0; shift < 4; ++shift) {
    std::string key(shift, 'x');
    while (key.size() < 600) key += "\xF0\x9F\x90\xA6";   // a bird, four bytes
    const std::string canonical = canonical_key(key);
    const std::size_t head = canonical.size() - 34;
    EXPECT_EQ(canonical.substr(head, 2), "~#");
    EXPECT_EQ((head - shift) % 4, 0u);
    EXPECT_GT(head + 4, 478u);
  }
  EXPECT_EQ(canonical_key(std::string(600, '\x80')).size(), kKeyBytesMax) << "no UTF-8 at all";
}

TEST(KeySpace, NamesAndTheWayBack) {
  const KeySpace names("shop");
  EXPECT_EQ(names.value("user:42"), "shop:v:user:42");
  EXPECT_EQ(names.tag("users"), "shop:t:users");
  EXPECT_EQ(names.refresh("user:42"), "shop:r:user:42");
  EXPECT_EQ(names.any_tag(), "shop:a");
  EXPECT_EQ(names.root(), "shop:g");
  const auto parsed = [&](std::string_view key, KeySpace::Kind kind, std::string_view name) {
    const auto named = names.parse(key);
    return named && named->kind == kind && named->name == name;
  };
  EXPECT_TRUE(parsed("shop:v:user:42", KeySpace::Kind::value, "user:42"));
  EXPECT_TRUE(parsed("shop:t:users", KeySpace::Kind::tag, "users"));
  EXPECT_TRUE(parsed("shop:r:x", KeySpace::Kind::refresh, "x"));
  EXPECT_TRUE(parsed("shop:a", KeySpace::Kind::any_tag, ""));
  EXPECT_TRUE(parsed("shop:g", KeySpace::Kind::root, ""));
  for (const auto* other : {"", "shop", "shop:", "shop:v", "shop:v:", "shop:t:", "shop:x:y", "shop:gg", "shop:vv:x",
                            "shopv:x", "ship:v:x"}) {
    EXPECT_FALSE(names.parse(other)) << other;
  }
  EXPECT_FALSE(names.parse("shop:v:" + std::string(kKeyBytesMax + 1, 'x')));
  EXPECT_FALSE(names.parse("shop:t:" + std::string(kTagBytesMax + 1, 'x')));
}

TEST(KeySpace, NamespaceIsOfFewLetters) {
  for (const auto* name : {"a", "tiercel", "A.b_c-9"}) EXPECT_TRUE(is_namespace(name)) << name;
  for (const auto* name : {"", "a:b", "a b", "ü", "a*", "a\n"}) EXPECT_FALSE(is_namespace(name)) << name;
  EXPECT_TRUE(is_namespace(std::string(64, 'n')));
  EXPECT_FALSE(is_namespace(std::string(65, 'n')));
}

TEST(KeySpace, MatchFindsValuesOfThisNamespaceAlone) {
  const KeySpace names("a.b-c");
  EXPECT_TRUE(glob_match(names.match("user:*"), names.value("user:42")));
  EXPECT_TRUE(glob_match(names.match("*"), names.value("x")));
  EXPECT_FALSE(glob_match(names.match("*"), names.tag("x")));
  EXPECT_FALSE(glob_match(names.match("*"), KeySpace("aXb-c").value("x")));
}

// ---- globs

struct GlobCase {
  std::string_view pattern, text;
  bool matches;
};

TEST(Glob, MeansWhatItMeansInRedis) {
  const GlobCase table[] = {
      {"user:*", "user:42", true},
      {"user:*", "user:", true},
      {"user:*", "users:42", false},
      {"*", "anything", true},
      {"**", "x", true},
      {"*:*", "ab", false},
      {"a*b*c", "aXbYc", true},
      {"a*b*c", "aXbYcZ", false},
      {"a*b*c", "abcbc", true},
      {"h?llo", "hello", true},
      {"h?llo", "hllo", false},
      {"?", "x", true},
      {"h[ae]llo", "hallo", true},
      {"h[ae]llo", "hillo", false},
      {"h[^e]llo", "hallo", true},
      {"h[^e]llo", "hello", false},
      {"h[a-c]llo", "hbllo", true},
      {"h[a-c]llo", "hdllo", false},
      {"h[c-a]llo", "hbllo", true},
      {"[a-]", "-", false},
      {"[a-]", "a", true},
      {"[]", "x", false},
      {"[]x", "x", false},
      {"[^]", "x", true},
      {"[^", "x", true},
      {"[", "[", false},
      {"[abc", "b", true},
      {"[abc", "d", false},
      {"[\\]]", "]", true},
      {"[\\^a]", "^", true},
      {"[a\\-z]", "-", true},
      {"[a\\-z]", "m", false},
      {"[+--]", ",", true},
      {"[a-]]", "a", true},
      {"[a-]]", "^", true},
      {"\\*", "*", true},
      {"\\*", "x", false},
      {"a\\", "a\\", true},
      {"\\\\", "\\", true},
      {"a", "ab", false},
      {"ab", "a", false},
      {"a*", "a", true},
      {"a**", "a", true},
      {"a*?", "a", false},
      {"A", "a", false},
      {"[\x80-\x90]", "\x85", true},
      {"[a-\x90]", "\x85", false},
      {"*[", "x[", false},
      {"[[]", "[", true},
      {"[!a]", "b", false},
      {"[!a]", "!", true},
  };
  for (const GlobCase& row : table)
    EXPECT_EQ(glob_match(row.pattern, row.text), row.matches) << row.pattern << " against " << row.text;
}

std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (std::size_t at = 0; at + 1 < hex.size(); at += 2)
    bytes.push_back(static_cast<char>(std::stoi(hex.substr(at, 2), nullptr, 16)));
  return bytes;
}

// The answers of redis-server 7.0.15, asked by tests/golden/ask_redis_globs.py.
TEST(Glob, AgreesWithWhatRedisSaid) {
  std::istringstream file(read_golden("globs_of_redis.txt"));
  std::string line, word;
  std::getline(file, line);
  std::istringstream words(line);
  std::vector<std::string> texts;
  while (words >> word) texts.push_back(from_hex(word));
  std::size_t asked = 0;
  while (std::getline(file, line)) {
    const std::size_t space = line.find(' ');
    const std::string pattern = from_hex(line.substr(0, space)), answers = line.substr(space + 1);
    ASSERT_EQ(answers.size(), texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i, ++asked) {
      EXPECT_EQ(glob_match(pattern, texts[i]), answers[i] == '1') << "[" << pattern << "] against [" << texts[i] << "]";
    }
  }
  EXPECT_GT(asked, 170'000u);
}

TEST(Glob, ManyStarsDoNotTakeForever) {
  std::string pattern;
  for (int i = 0; i < 500; ++i) pattern += "*a";
  EXPECT_FALSE(glob_match(pattern + "b", std::string(5000, 'a')));  // exponential, or merely cubic, would not come back
  EXPECT_FALSE(glob_match(std::string(kPatternBytesMax + 1, '*'), "x"));
  EXPECT_TRUE(glob_match(std::string(kPatternBytesMax, '*'), "x"));
}

RC_GTEST_PROP(Glob, EscapedTextMatchesItselfAlone, (const std::string& noise)) {
  const auto text =
      *rc::gen::resize(60, rc::gen::container<std::string>(rc::gen::elementOf(std::string("*?[]^-\\ab\x80"))));
  RC_ASSERT(glob_match(escape_glob(text), text));
  RC_PRE(noise != text);
  RC_ASSERT_FALSE(glob_match(escape_glob(text), noise));
}

}  // namespace
}  // namespace tiercel
