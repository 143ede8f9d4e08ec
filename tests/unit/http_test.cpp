// The HTTP rules as tables: each row is a message and what RFC 9110, 9111, 9213 or our own rules make of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "http/cache_control.hpp"
#include "http/conditional.hpp"
#include "http/fields.hpp"
#include "http/kept.hpp"
#include "http/key.hpp"
#include "http/request.hpp"
#include "http/storable.hpp"
#include "http/stored.hpp"
#include "http/target.hpp"
#include "http/variants.hpp"
#include "http/vary.hpp"

namespace tiercel::http {
namespace {

using ::testing::ElementsAre;

constexpr std::int64_t kNow = 784111777;   // Sun, 06 Nov 1994 08:49:37 GMT
const std::vector<std::string> kCredentials{"authorization", "cookie", "x-api-key"};

std::vector<std::string> elements(std::string_view line) {
  std::vector<std::string> found;
  each_element(line, [&](std::string_view element) { found.emplace_back(element); });
  return found;
}

// ---- fields

TEST(HttpFields, ListsPartAtCommasOutsideQuotesAlone) {   // RFC 9110 5.6.1, 5.6.4
  EXPECT_THAT(elements(R"(a, b="x,y" ,,c="\",", d)"), ElementsAre("a", R"(b="x,y")", R"(c="\",")", "d"));
  EXPECT_THAT(elements(R"(private="x, no-store, b)"),
              ElementsAre("private=\"x", "no-store", "b"));   // unclosed: no quote at all
  EXPECT_THAT(elements(" , ,"), ElementsAre());
  EXPECT_FALSE(each_element("a=\"", [](std::string_view) {}));
}

TEST(HttpFields, DeltaSecondsAreDigitsAndNothingElse) {   // RFC 9111 1.2.2
  EXPECT_EQ(parse_delta_seconds("0060"), 60);
  EXPECT_EQ(parse_delta_seconds(std::string(5000, '9')), kDeltaSecondsMax);
  for (const char* bad : {"", "-1", "+1", "1.0", "1e3", "0x10", " 1", "1 ", "\xd9\xa1", "60s"})
    EXPECT_EQ(parse_delta_seconds(bad), std::nullopt) << bad;
  EXPECT_EQ(parse_delta_seconds(std::string(5000, '9') + "x"), std::nullopt);
}

TEST(HttpFields, DatesComeInThreeFormsStrictly) {   // RFC 9110 5.6.7
  for (const char* date :
       {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"}) {
    EXPECT_EQ(parse_date(date, kNow), kNow) << date;
  }
  EXPECT_EQ(parse_date("Sunday, 06-Nov-94 08:49:37 GMT", 1'900'000'000), kNow);   // 94 is not 2094 in 2030
  for (const char* bad : {"0", "-1", "", "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 UTC",
                          "Sun, 06 Nov 1994 08:49:37 GMT ", "sun, 06 nov 1994 08:49:37 gmt",
                          "Sun, 32 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT"}) {
    EXPECT_EQ(parse_date(bad, kNow), std::nullopt) << bad;
  }
}

TEST(HttpFields, LengthsAgreeOrAreNone) {   // RFC 9110 8.6
  const auto of = [](std::vector<Field> fields) { return content_length(fields); };
  EXPECT_EQ(of({{"Content-Length", "12"}}).bytes, 12u);
  EXPECT_EQ(of({{"content-length", "12"}, {"content-length", "12"}}).bytes, 12u);
  EXPECT_FALSE(of({{"x", "1"}}).present);
  EXPECT_FALSE(of({{"content-length", "12"}, {"content-length", "13"}}).bytes);
  EXPECT_FALSE(of({{"content-length", "1, 1"}}).bytes);
  EXPECT_FALSE(of({{"content-length", "-1"}}).bytes);
  EXPECT_FALSE(of({{"content-length", std::string_view("9999999999999999999")}}).bytes);
}

// ---- Cache-Control, RFC 9111 5.2

CacheControl control(std::vector<std::string> lines) {
  std::vector<Field> fields;
  for (const std::string& line : lines) fields.push_back({"Cache-Control", line});
  return parse_cache_control(fields);
}

TEST(HttpCacheControl, AllLinesCount) {
  const CacheControl c = control({"max-age=60", "private", "Must-Revalidate, s-maxage=\"5\""});
  EXPECT_EQ(c.max_age, 60);
  EXPECT_TRUE(c.is_private);
  EXPECT_TRUE(c.must_revalidate);
  EXPECT_EQ(c.s_maxage, 5);   // quoted arguments are accepted: 5.2
}

TEST(HttpCacheControl, DegenerateArgumentsRestrict) {
  for (const char* line : {"private", "PRIVATE", "private=", "private=\"\"", "private=\"set-cookie\"", "private=x",
                           "private ;x", "max-age=60,private"}) {
    EXPECT_TRUE(control({line}).is_private) << line;
  }
  for (const char* line : {"no-cache", "no-cache=\"a, b\"", "no-cache=", "x, no-cache"})
    EXPECT_TRUE(control({line}).no_cache) << line;
  EXPECT_FALSE(control({"x=\"private\""}).is_private);
  EXPECT_FALSE(control({"x=\"a, private, b\""}).is_private);
  EXPECT_FALSE(control({"privately"}).is_private);
  EXPECT_FALSE(control({"public=x"}).is_public);   // what permits is read strictly
  EXPECT_TRUE(control({"no-cache=\"x, no-store"}).no_store);
  EXPECT_TRUE(control({"no-cache=\"x, no-store"}).malformed);
}

TEST(HttpCacheControl, WhatRestrictsCountsHoweverItIsParted) {
  for (const char* line : {"must-revalidate; private", "public; private", "must-revalidate private", "\"private\"",
                           "proxy-revalidate, =private", "max-age=60; private"}) {
    EXPECT_TRUE(control({line}).is_private) << line;
  }
  for (const char* line : {"no-transform;no-store", "public no-store", "must-revalidate\tno-store", "\xa0no-store"})
    EXPECT_TRUE(control({line}).no_store) << line;
  EXPECT_TRUE(control({"public;no-cache"}).no_cache);
  EXPECT_FALSE(control({"x=\"a, private\""}).is_private);   // an argument is no directive
  EXPECT_FALSE(control({"x=private"}).is_private);
  EXPECT_FALSE(control({"x=\"private\", public"}).is_private);
}

TEST(HttpCacheControl, UnusableNumbersAreZeroAndTheFirstCounts) {   // RFC 9111 4.2.1
  for (const char* line : {"max-age", "max-age=", "max-age=-1", "max-age=1.0", "max-age=1e3", "max-age=\xd9\xa1",
                           "max-age=60;x", "max-age =60"}) {
    EXPECT_EQ(control({line}).max_age, 0) << line;
  }
  EXPECT_EQ(control({"max-age=" + std::string(5000, '1')}).max_age, kDeltaSecondsMax);
  EXPECT_EQ(control({"max-age=1", "max-age=60"}).max_age, 1);
}

// ---- targeted fields, RFC 9213 over RFC 8941

std::optional<CacheControl> targeted(std::vector<std::string> lines) {
  std::vector<Field> fields;
  for (const std::string& line : lines) fields.push_back({"Tiercel-Cache-Control", line});
  return parse_targeted(fields, kTargetedField);
}

TEST(HttpTargeted, IsAStrictDictionary) {
  const auto good = targeted({"max-age=60;x=\"y\", private=?0", "stale-if-error=5, x=(a \"b\" :aGk=:);z"});
  ASSERT_TRUE(good);
  EXPECT_EQ(good->max_age, 60);
  EXPECT_EQ(good->stale_if_error, 5);
  EXPECT_FALSE(good->is_private);
  EXPECT_TRUE(targeted({"no-store"})->no_store);
  EXPECT_EQ(targeted({"max-age=1, max-age=60"})->max_age, 60);   // the last counts in a dictionary
  EXPECT_EQ(targeted({"max-age=\"60\""})->max_age, std::nullopt);   // a wrong type is ignored
  EXPECT_EQ(targeted({"max-age=-60"})->max_age, 0);
}

TEST(HttpTargeted, InvalidOrEmptyMeansAbsent) {
  for (const char* bad :
       {"", "  ", "max-age=60,", ",max-age=60", "max-age=60 s-maxage=5", "Max-Age=60", "max-age=", "max-age=1e3",
        "max-age=60;", "x=\"a", "max-age=60\tx", "=60", "max-age=1234567890123456", "x=?2", "x=(a"}) {
    EXPECT_FALSE(targeted({bad})) << bad;
  }
}

// ---- Vary

TEST(HttpVary, NamesAreASortedSetAndStarMatchesNothing) {   // RFC 9110 12.5.5
  const std::vector<Field> fields{{"Vary", "Accept-Language, accept"}, {"vary", "ACCEPT"}};
  EXPECT_THAT(parse_vary(fields).names, ElementsAre("accept", "accept-language"));
  for (const char* any : {"*", "accept, *", "a b", "\"x"}) {
    const std::vector<Field> one{{"vary", any}};
    EXPECT_TRUE(parse_vary(one).any) << any;
  }
}

TEST(HttpVary, VariantsDifferByPresenceBoundariesAndLines) {   // RFC 9111 4.1
  const std::vector<std::string> names{"a", "b"};
  const std::vector<std::vector<Field>> requests{{},
                                                 {{"a", ""}},
                                                 {{"b", ""}},
                                                 {{"a", "x"}},
                                                 {{"a", "xb"}},
                                                 {{"a", "x"}, {"b", "x"}},
                                                 {{"a", "x"}, {"a", "x"}},
                                                 {{"a", "x, x"}},
                                                 {{"a", "x"}, {"a", "yz"}},
                                                 {{"a", "xy"}, {"a", "z"}}};
  std::vector<std::string> digests;
  for (const auto& request : requests) {
    const std::string digest = variant_digest(names, request);
    EXPECT_THAT(digests, ::testing::Not(::testing::Contains(digest)));
    digests.push_back(digest);
  }
  const std::vector<Field> other{{"A", "x"}, {"z", "y"}};
  EXPECT_EQ(variant_digest(names, other), digests[3]);
}

TEST(HttpVariants, AnIndexHoldsSixtyFourAndItsNamesOnlyGrow) {
  std::optional<Variants> index;
  for (int i = 0; i < 200; ++i) {
    const std::string value = std::to_string(i);
    const std::vector<Field> request{{"accept-language", value}};
    const Placement placement = place(index, {}, {"accept-language"}, request, kNow + 60, kNow);
    EXPECT_EQ(placement.refused, i >= 64) << i;
    if (!placement.refused) index = placement.index;
  }
  const std::vector<Field> plain;
  const Placement later =
      place(index, {}, {}, plain, kNow + 200, kNow + 61);   // all expired: room again, and the names stay
  ASSERT_TRUE(later.index);
  EXPECT_THAT(later.index->names, ElementsAre("accept-language"));
  EXPECT_EQ(later.index->known.size(), 1u);
  EXPECT_EQ(deadline_of(*later.index), kNow + 200);
  const std::vector<Variant> reserved(1, {std::string(16, 'r'), kNow + 5});
  EXPECT_EQ(place(std::nullopt, reserved, {"a"}, plain, 0, kNow).index->known.size(), 2u);
  EXPECT_FALSE(place(std::nullopt, {}, {}, plain, 0, kNow).index);
}

// ---- keys

std::string key(Target target) { return resource_key(target).value_or("refused"); }

TEST(HttpKey, TellsApartWhatIsAnotherResource) {
  const Target base{"http", "example.com", "", "/a", "q=1"};
  std::vector<std::string> keys{key(base)};
  for (const Target& other : std::vector<Target>{{"https", "example.com", "", "/a", "q=1"},
                                                 {"http", "example.com:81", "", "/a", "q=1"},
                                                 {"http", "example.com", "/r", "/a", "q=1"},
                                                 {"http", "example.com", "", "/A", "q=1"},
                                                 {"http", "example.com", "", "/%61", "q=1"},
                                                 {"http", "example.com", "", "/a%2F", "q=1"},
                                                 {"http", "example.com", "", "/a%3Fq=1", ""},
                                                 {"http", "example.com", "", "/a", ""},
                                                 {"http", "example.com", "", "/a", "q=1&q=1"},
                                                 {"http", "example.com", "", "/a", "q=%31"},
                                                 {"http", "example.com", "", "/a q=1", ""},
                                                 {"http", "example.com", "", "/\xe4", ""},
                                                 {"http", "example.com", "", "/a//", "q=1"},
                                                 {"http", "example.com", "/\xe4", "/", ""}}) {
    EXPECT_THAT(keys, ::testing::Not(::testing::Contains(key(other))));
    keys.push_back(key(other));
  }
  EXPECT_EQ(key({"http", "EXAMPLE.com", "", "/a", "q=1"}), keys[0]);
  // The path counts only where something has rewritten it, and the place of the cache where there are several.
  EXPECT_EQ(key({"http", "example.com", "", "/a", "q=1", "/a"}), keys[0]);
  EXPECT_EQ(key({"http", "example.com", "", "/%61", "q=1", "/a"}), key({"http", "example.com", "", "/%61", "q=1"}));
  for (const Target& other : std::vector<Target>{{"http", "example.com", "", "/a", "q=1", "/b"},
                                                 {"http", "example.com", "", "/a", "q=1", "/c"},
                                                 {"http", "example.com", "", "/%61", "q=1", "/%61"},
                                                 {"http", "example.com", "", "/a", "q=1", "/a", 1},
                                                 {"http", "example.com", "", "/a", "q=1", "/a", 2}}) {
    EXPECT_THAT(keys, ::testing::Not(::testing::Contains(key(other))));
    keys.push_back(key(other));
  }
  for (const char* host : {"a b", "a/b", "a?b", "user@a", "a,b", "a\r\nb"})
    EXPECT_EQ(key({"http", host, "", "/", ""}), "refused") << host;
  EXPECT_NE(variant_key(keys[0], "0123456789abcdef"), variant_key(keys[0], "0123456789abcdee"));
}

TEST(HttpKey, WhatTrustedProxiesSaidIsPartOfIt) {
  const Trusted trusted{{"x-forwarded-host", "x-forwarded-proto"}};
  std::vector<std::string> keys{key({"http", "a.example", "", "/", ""})};
  const std::vector<std::vector<Field>> requests{{},
                                                 {{"x-forwarded-host", "b.example"}},
                                                 {{"x-forwarded-host", "B.example"}},
                                                 {{"x-forwarded-proto", "https"}},
                                                 {{"x-forwarded-host", "b.example"}, {"x-forwarded-proto", "https"}},
                                                 {{"x-forwarded-host", "b.example"}, {"x-forwarded-host", "c.example"}},
                                                 {{"x-forwarded-host", "b.example, c.example"}}};
  for (const auto& request : requests) {
    const std::string digest = forwarded_of(trusted, request).digest;
    Target target{"http", "a.example", "", "/", ""};
    target.forwarded = digest;
    EXPECT_THAT(keys, ::testing::Not(::testing::Contains(key(target))));
    keys.push_back(key(target));
  }
  const std::vector<Field> said{{"x-forwarded-host", "b.example"}};
  EXPECT_TRUE(forwarded_of({}, said).digest.empty());   // nobody is trusted: nobody changes the key
}

TEST(HttpKey, ThePathAboveIsThatOfTheBytesToo) {
  const auto tags = unsafe_tags("/files/a/b", "/files/a%2Fb");
  EXPECT_THAT(tags, ::testing::Contains(stored_tags("/files").value().front()));
  EXPECT_THAT(tags, ::testing::Contains(stored_tags("/files/a").value().front()));
  EXPECT_EQ(unsafe_tags("/files/a", "/files/%61"), unsafe_tags("/files/a"));
  EXPECT_EQ(below_root("/api/cities", "/api"), "/cities");
  EXPECT_EQ(below_root("/api/cities", "/api/"), "/cities");
  EXPECT_EQ(below_root("/apis", "/api"), "/apis");
  EXPECT_EQ(below_root("/cities", "/api"), "/cities");
  EXPECT_EQ(below_root("/cities", ""), "/cities");
  EXPECT_EQ(percent_decoded("/a%2Fb%2f%C3%A4%zz%4"), "/a/b/\xc3\xa4%zz%4");
}

TEST(HttpKey, UnsafeRequestsDropTheirPathTheOneAboveAndAllBelow) {
  const auto dropped = [](std::string_view unsafe, std::string_view stored) {
    const auto tags = stored_tags(stored).value();
    for (const std::string& tag : unsafe_tags(unsafe)) {
      if (std::find(tags.begin(), tags.end(), tag) != tags.end()) return true;
    }
    return false;
  };
  for (const char* stored :
       {"/cities", "/cities/", "/cities/42", "/cities/42/", "/cities/42/streets/7", "//cities//42"}) {
    EXPECT_TRUE(dropped("/cities/42", stored)) << stored;
  }
  for (const char* stored : {"/", "/cities/43", "/cities/421", "/citie", "/towns", "/cities/43/42"})
    EXPECT_FALSE(dropped("/cities/42", stored)) << stored;
  EXPECT_TRUE(dropped("/", "/anything/below"));
  EXPECT_TRUE(dropped("/x", "/"));
  const std::string long_path = "/" + std::string(3000, 'x');
  EXPECT_TRUE(dropped(long_path, long_path + "/y"));
  EXPECT_LT(stored_tags(long_path).value().front().size(), 1024u);
  std::string deep;
  for (int i = 0; i < 33; ++i) deep += "/d";
  EXPECT_FALSE(stored_tags(deep));
  EXPECT_TRUE(stored_tags(deep.substr(2)));
}

// ---- requests

TEST(HttpRequest, GoesPastTheCacheForAReason) {
  const RequestRules rules(kCredentials, {}, true);
  const struct {
    const char* method;
    Field field;
    Bypass expected;
  } rows[] = {
      {"GET", {"host", "a"}, Bypass::none},
      {"HEAD", {"host", "a"}, Bypass::none},
      {"POST", {"host", "a"}, Bypass::method},
      {"OPTIONS", {"host", "a"}, Bypass::method},
      {"GET", {"content-length", "0"}, Bypass::none},
      {"GET", {"content-length", "1"}, Bypass::body},
      {"GET", {"Transfer-Encoding", "chunked"}, Bypass::body},
      {"GET", {"upgrade", "h2c"}, Bypass::upgrade},
      {"GET", {"X-HTTP-Method-Override", "DELETE"}, Bypass::method_override},
      {"GET", {"range", "bytes=0-1"}, Bypass::range},
      {"GET", {"if-match", "*"}, Bypass::precondition},
      {"GET", {"cache-control", "max-age=0, No-Store"}, Bypass::no_store},
      {"GET", {"cache-control", "max-age=0"}, Bypass::none},
      {"GET", {"cache-control", "only-if-cached"}, Bypass::none},
  };
  for (const auto& row : rows)
    EXPECT_EQ(rules.examine(row.method, {&row.field, 1}).bypass, row.expected) << row.method << " " << row.field.name;
  const std::vector<Field> hosts{{"host", "a"}, {"host", "b"}};
  EXPECT_EQ(rules.examine("GET", hosts).bypass, Bypass::host);
}

TEST(HttpRequest, NoCacheForcesAndPragmaOnlyAlone) {   // RFC 9111 5.2.1.4, 5.4
  const RequestRules rules(kCredentials, {}, true);
  const auto forced = [&](std::vector<Field> fields) { return rules.examine("GET", fields).forced; };
  EXPECT_TRUE(forced({{"cache-control", "no-cache"}}));
  EXPECT_TRUE(forced({{"pragma", "no-cache"}}));
  EXPECT_FALSE(forced({{"pragma", "no-cache"}, {"cache-control", "max-age=5"}}));
  EXPECT_FALSE(forced({{"cache-control", "max-age=0"}}));
}

TEST(HttpRequest, CredentialsAreHeadersOfTheListAndIdentityCookies) {
  const RequestRules rules(kCredentials, {}, true);
  const RequestRules named(kCredentials, {"session"}, false);
  const auto has = [](const RequestRules& r, Field field) { return r.examine("GET", {&field, 1}).credentialed; };
  for (const char* name : {"Authorization", "cookie", "X-API-Key"}) EXPECT_TRUE(has(rules, {name, ""})) << name;
  EXPECT_FALSE(has(rules, {"x-other", "secret"}));
  for (const char* cookies :
       {"session=1", "a=b; session=1", "session", " session = 1", ";session=1", "a=\"; session=1"})
    EXPECT_TRUE(has(named, {"cookie", cookies})) << cookies;
  for (const char* cookies : {"theme=dark", "xsession=1", "SESSION=1", "a=session=1", ""})
    EXPECT_FALSE(has(named, {"cookie", cookies})) << cookies;
  EXPECT_TRUE(has(named, {"authorization", "x"}));
  for (const char* cookie :
       {"\xa0session=x", "\x85session=x", "\x1fsession=x", "\x0bsession =x", "a=b;\x1csession\xa0=x"})
    EXPECT_TRUE(has(named, {"cookie", cookie})) << "Python's strip() finds a session in it";
  EXPECT_THROW(RequestRules({"host"}, {}, true), std::invalid_argument);
  EXPECT_THROW(RequestRules({"not a header"}, {}, true), std::invalid_argument);
}

// ---- the decision

struct Row {
  const char* what;
  int status;
  std::vector<Field> fields;
  Refusal refusal;
  std::optional<double> fresh_for;
  Source source = Source::none;
};

Decision decided(int status, const std::vector<Field>& fields, const Defaults& defaults, bool credentialed = false,
                 bool asks = false, bool secured = false) {
  ResponseFacts facts;
  facts.status = status;
  facts.fields = fields;
  facts.credentialed = credentialed;
  facts.asks = asks;
  facts.secured = secured;
  return decide(facts, defaults, kNow);
}

TEST(HttpDecision, WhatTheResponseSaysBeatsWhatWasSaidBeforehand) {
  const Defaults minute{true, 60.0, 0, false};
  const Row rows[] = {
      {"default", 200, {}, Refusal::none, 60, Source::defaults},
      {"1 targeted over 2",
       200,
       {{"tiercel-cache-control", "max-age=5"}, {"cache-control", "no-store"}},
       Refusal::none,
       5,
       Source::targeted},
      {"1 invalid is absent",
       200,
       {{"tiercel-cache-control", "max-age=5,"}, {"cache-control", "max-age=7"}},
       Refusal::none,
       7,
       Source::response},
      {"1 no-store over 2",
       200,
       {{"tiercel-cache-control", "no-store"}, {"cache-control", "max-age=7"}},
       Refusal::no_store,
       {}},
      {"1 hides Expires",
       200,
       {{"tiercel-cache-control", "public"}, {"expires", "0"}},
       Refusal::none,
       60,
       Source::defaults},
      {"2 s-maxage over max-age",
       200,
       {{"cache-control", "max-age=7, s-maxage=9"}},
       Refusal::none,
       9,
       Source::response},
      {"2 max-age over Expires",
       200,
       {{"cache-control", "max-age=7"}, {"expires", "0"}},
       Refusal::none,
       7,
       Source::response},
      {"2 Expires", 200, {{"expires", "Sun, 06 Nov 1994 08:50:37 GMT"}}, Refusal::none, 60, Source::response},
      {"2 Expires less Date",
       200,
       {{"expires", "Sun, 06 Nov 1994 08:50:37 GMT"}, {"date", "Sun, 06 Nov 1994 08:49:27 GMT"}},
       Refusal::none,
       60,
       Source::response},
      {"2 Expires invalid", 200, {{"expires", "0"}}, Refusal::expired, 0, Source::response},
      {"2 without a lifetime", 200, {{"cache-control", "public"}}, Refusal::none, 60, Source::defaults},
      {"2 max-age=0", 200, {{"cache-control", "max-age=0"}}, Refusal::expired, 0, Source::response},
      {"2 used up", 200, {{"cache-control", "max-age=7"}, {"age", "7"}}, Refusal::expired, 0, Source::response},
      {"2 partly used up", 200, {{"cache-control", "max-age=7"}, {"age", "3"}}, Refusal::none, 4, Source::response},
      {"defaults lift nothing", 200, {{"cache-control", "private"}}, Refusal::is_private, {}},
      {"all lines", 200, {{"cache-control", "max-age=7"}, {"cache-control", "no-cache"}}, Refusal::no_cache, {}},
      {"unclosed quote", 200, {{"cache-control", "max-age=7, x=\""}}, Refusal::malformed, {}},
      {"Set-Cookie", 200, {{"cache-control", "public, max-age=7"}, {"Set-Cookie", "a=b"}}, Refusal::set_cookie, {}},
      {"Vary: *", 200, {{"vary", "*"}}, Refusal::vary_any, 60, Source::defaults},
      {"two lengths", 200, {{"content-length", "1"}, {"content-length", "2"}}, Refusal::malformed, {}},
      {"CR in a value", 200, {{"x", "a\rb"}}, Refusal::malformed, {}},
      {"NUL in a value", 200, {{"x", std::string_view("a\0b", 3)}}, Refusal::malformed, {}},
      {"a name that is none", 200, {{"x y", "a"}}, Refusal::malformed, {}},
      {"206", 206, {}, Refusal::status, {}},
      {"content-range", 200, {{"content-range", "bytes 0-1/2"}}, Refusal::status, {}},
      {"304", 304, {}, Refusal::status, {}},
      {"404", 404, {}, Refusal::status, {}},
      {"302", 302, {}, Refusal::status, {}},
      {"416", 416, {}, Refusal::status, {}},
      {"204", 204, {}, Refusal::none, 60, Source::defaults},
  };
  for (const Row& row : rows) {
    const Decision d = decided(row.status, row.fields, minute);
    EXPECT_EQ(d.refusal, row.refusal) << row.what;
    EXPECT_EQ(d.fresh_for, row.fresh_for) << row.what;
    EXPECT_EQ(d.source, row.source) << row.what;
  }
  EXPECT_EQ(decided(200, {}, {}).refusal, Refusal::no_lifetime);
  EXPECT_EQ(decided(200, {}, {true, std::nullopt, 0, false}).fresh_for, std::nullopt);
}

TEST(HttpDecision, NothingThatMayBeOneCallersOwnIsStored) {   // "Who is asking"; RFC 9111 3.5 for the first
  const Defaults minute{true, 60.0, 0, false}, shared{true, 60.0, 0, true};
  const std::vector<Field> said{{"cache-control", "max-age=9"}}, open{{"cache-control", "public, max-age=9"}},
      s_maxage{{"cache-control", "s-maxage=9"}};
  EXPECT_EQ(decided(200, said, minute, true).refusal, Refusal::credentials);
  EXPECT_EQ(decided(200, {{"cache-control", "must-revalidate, max-age=9"}}, minute, true).refusal,
            Refusal::credentials);
  EXPECT_EQ(decided(200, open, minute, true).refusal, Refusal::none);
  EXPECT_EQ(decided(200, s_maxage, minute, true).refusal, Refusal::none);
  EXPECT_EQ(decided(200, {}, shared, true).refusal, Refusal::none);
  EXPECT_EQ(decided(200, {}, minute, false, true).refusal, Refusal::asks);
  EXPECT_EQ(decided(200, {{"cache-control", "immutable"}}, minute, false, true).refusal,
            Refusal::asks);   // the lifetime is a default's
  EXPECT_EQ(decided(200, said, minute, false, true).refusal, Refusal::none);
  EXPECT_EQ(decided(200, {}, shared, false, true).refusal, Refusal::none);
  EXPECT_EQ(decided(200, said, minute, false, true, true).refusal,
            Refusal::asks);   // a security scheme counts like Authorization
  EXPECT_EQ(decided(200, {}, shared, false, true, true).refusal, Refusal::asks);
  EXPECT_EQ(decided(200, open, minute, false, true, true).refusal, Refusal::none);
}

TEST(HttpDecision, AGuessIsNoMoreThanADefaultWhereTheRouteMayTellCallersApart) {   // RFC 9111 4.2.2
  const std::vector<Field> fields{{"last-modified", "Sun, 06 Nov 1994 08:39:37 GMT"}};
  ResponseFacts facts;
  facts.status = 200;
  facts.fields = fields;
  EXPECT_EQ(decide(facts, {}, kNow, {Profile::rfc}).source, Source::heuristic);
  facts.asks = true;
  EXPECT_EQ(decide(facts, {}, kNow, {Profile::rfc}).refusal, Refusal::asks);
}

TEST(HttpDecision, StaleOnErrorOnlyWhereNothingForbidsIt) {   // RFC 5861 4, RFC 9111 4.2.4
  const Defaults policy{true, 60.0, 30, false};
  EXPECT_EQ(decided(200, {}, policy).stale_for, 30);
  EXPECT_EQ(decided(200, {{"cache-control", "max-age=9, stale-if-error=5"}}, policy).stale_for, 5);
  EXPECT_EQ(decided(200, {{"cache-control", "must-revalidate"}}, policy).stale_for, 0);
  EXPECT_EQ(decided(200, {{"cache-control", "proxy-revalidate, stale-if-error=5"}}, policy).stale_for, 0);
  EXPECT_EQ(decided(200, {{"cache-control", "s-maxage=5"}}, policy).stale_for, 0);
}

TEST(HttpDecision, ConnectionHeadersAndOurOwnMarksAreNotKept) {   // RFC 9111 3.1, RFC 9110 7.6.1
  std::vector<Field> fields{{"connection", "close, X-Hop"}, {"x-hop", "1"}, {"X-HOP", "2"}};
  for (const char* name : {"transfer-encoding", "proxy-authenticate", "Tiercel-Cache-Control", "age", "x-cache"})
    fields.push_back({name, "1"});
  EXPECT_TRUE(kept_fields(fields).empty());
  for (const char* name : {"x-kept", "etag", "date", "cache-control", "vary", "proxy"}) fields.push_back({name, "1"});
  EXPECT_EQ(kept_fields(fields).size(), 6u);
}

// ---- at rest

StoredResponse sample() {
  StoredResponse stored;
  stored.status = 203;
  stored.is_public = true;
  stored.received = kNow;
  stored.age = 7;
  stored.lifetime = 60;
  stored.stale_while_revalidate = 30;
  stored.stale_if_error = 86400;
  stored.never_stale = true;
  stored.fields = {{"link", "<a>"}, {"link", "<b>"}, {"content-length", "5"}};
  stored.body = std::string_view("a\0\xff\r\n", 5);
  return stored;
}

TEST(HttpStored, ComesOutAsItWentIn) {
  const std::string bytes = encode(sample());
  const auto read = decode_response(bytes);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->status, 203);
  EXPECT_TRUE(read->is_public);
  EXPECT_FALSE(read->head);
  EXPECT_FALSE(read->ageless);
  EXPECT_EQ(read->fields.size(), 3u);
  EXPECT_EQ(read->fields[1].value, "<b>");
  EXPECT_EQ(read->body, sample().body);
  EXPECT_EQ(current_age(*read, kNow + 3), 10);
  EXPECT_EQ(current_age(*read, kNow - 100), 7);
  EXPECT_EQ(read->lifetime, 60);
  EXPECT_EQ(read->stale_while_revalidate, 30);
  EXPECT_EQ(read->stale_if_error, 86400);
  EXPECT_TRUE(read->never_stale);
  EXPECT_FALSE(read->validate_always);
}

TEST(HttpStored, IsUntrustedWhenReadBack) {
  const std::string good = encode(sample());
  for (std::size_t cut = 0; cut < good.size(); ++cut)
    EXPECT_FALSE(decode_response(good.substr(0, cut))) << cut;   // its Content-Length tells
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (const char c : {'\0', '\xff', '\x02'}) {
      std::string bad = good;
      bad[at] = c;
      const auto read = decode_response(bad);   // any answer but a read outside: the sanitizers watch
      EXPECT_TRUE(!read || read->body.size() <= bad.size());
    }
  }
  for (const char other : {'\0', '\x01', '\x03', '\xff'}) {
    std::string version = good;
    version[0] = other;
    EXPECT_FALSE(decode_response(version));
  }
  StoredResponse split = sample();
  split.fields = {{"x", "a\r\nset-cookie: b"}};
  EXPECT_FALSE(decode_response(encode(split)));
  for (const int status : {99, 100, 206, 304, 412, 416, 600, 65535}) {
    StoredResponse odd = sample();
    odd.status = status;
    EXPECT_FALSE(decode_response(encode(odd))) << status;
  }
  StoredResponse later = sample();
  later.received = -1;
  EXPECT_FALSE(decode_response(encode(later)));
  later.received = std::int64_t{1} << 62;  // would overflow what is reckoned with it
  EXPECT_FALSE(decode_response(encode(later)));
  EXPECT_FALSE(decode_variants(good));
}

TEST(HttpStored, IndexesComeOutAsTheyWentIn) {
  const Variants index{{"accept", "origin"}, {{std::string(16, 'd'), kNow}, {std::string(16, 'e'), 0}}};
  const std::string bytes = encode(index);
  const auto read = decode_variants(bytes);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->names, index.names);
  EXPECT_EQ(read->known[0].until, kNow);
  EXPECT_EQ(deadline_of(*read), 0);
  for (std::size_t cut = 0; cut < bytes.size(); ++cut) EXPECT_FALSE(decode_variants(bytes.substr(0, cut)));
  EXPECT_FALSE(decode_variants(bytes + "x"));
  EXPECT_FALSE(decode_response(bytes));
}

TEST(HttpConditional, EntityTagsGoBeforeDates) {   // RFC 9110 13.1.2, 13.1.3
  StoredResponse stored = sample();
  stored.fields = {{"etag", "W/\"a,b\""}, {"last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"}};
  const auto not_modified_for = [&](std::vector<Field> request) { return not_modified(request, stored, kNow); };
  EXPECT_TRUE(not_modified_for({{"if-none-match", "\"x\", \"a,b\""}}));
  EXPECT_TRUE(not_modified_for({{"if-none-match", "*"}}));
  EXPECT_FALSE(not_modified_for({{"if-none-match", "\"x\""}, {"if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT"}}));
  EXPECT_TRUE(not_modified_for({{"if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT"}}));
  EXPECT_FALSE(not_modified_for({{"if-modified-since", "Sun, 06 Nov 1994 08:49:36 GMT"}}));
  EXPECT_FALSE(not_modified_for({{"if-modified-since", "yesterday"}}));
}

}  // namespace
}  // namespace tiercel::http
