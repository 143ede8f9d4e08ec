// Stored responses byte by byte: tests/golden/http-2, written by write_http_2.py from the documented form.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "http/stored.hpp"

namespace tiercel::http {
namespace {

std::string golden(const std::string& name) {
  std::ifstream file(std::string(TIERCEL_TESTS_FOLDER "/golden/http-2/") + name + ".bin", std::ios::binary);
  EXPECT_TRUE(file.is_open()) << name;
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

TEST(HttpGolden, APlainResponse) {
  const std::string bytes = golden("response");
  const auto read = decode_response(bytes);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->status, 200);
  EXPECT_EQ(read->received, 784111777);
  EXPECT_EQ(read->lifetime, 60);
  ASSERT_EQ(read->fields.size(), 2u);
  EXPECT_EQ(read->fields[0].name, "content-type");
  EXPECT_EQ(read->fields[0].value, "text/plain");
  EXPECT_EQ(read->body, "hello");
  EXPECT_EQ(encode(*read), bytes);
}

TEST(HttpGolden, AResponseWithEverythingSet) {
  const std::string bytes = golden("response_full");
  const auto read = decode_response(bytes);
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->is_public && read->head && read->ageless && read->validate_always && read->never_stale);
  EXPECT_EQ(read->status, 404);
  EXPECT_EQ(read->age, 7);
  EXPECT_EQ(read->lifetime, kDeltaSecondsMax);
  EXPECT_EQ(read->stale_while_revalidate, 30);
  EXPECT_EQ(read->stale_if_error, 86400);
  ASSERT_EQ(read->fields.size(), 3u);
  EXPECT_EQ(read->fields[1].value, "<b>");
  EXPECT_EQ(read->fields[2].value, "\"\xe4\"");
  EXPECT_EQ(read->body.size(), 256u);
  EXPECT_EQ(encode(*read), bytes);
}

TEST(HttpGolden, NoBodyAndNoExpiry) {
  const std::string bytes = golden("response_empty");
  const auto read = decode_response(bytes);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->status, 204);
  EXPECT_EQ(read->lifetime, std::nullopt);
  EXPECT_EQ(encode(*read), bytes);
}

TEST(HttpGolden, AnIndexOfVariants) {
  const std::string bytes = golden("variants");
  const auto read = decode_variants(bytes);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->names, (std::vector<std::string>{"accept", "origin"}));
  ASSERT_EQ(read->known.size(), 2u);
  EXPECT_EQ(read->known[0].until, 784111837);
  EXPECT_EQ(read->known[1].until, 0);
  EXPECT_EQ(encode(*read), bytes);
}

TEST(HttpGolden, AnotherVersionReadsAsAMiss) {
  EXPECT_FALSE(kind_of(golden("version_1")));
  EXPECT_FALSE(decode_response(golden("version_1")));
  for (const char* name : {"response", "response_full", "response_empty", "variants"}) {
    for (int version = 0; version < 256; ++version) {
      std::string bytes = golden(name);
      if (version == kStoredVersion) continue;
      bytes[0] = static_cast<char>(version);
      EXPECT_FALSE(kind_of(bytes) || decode_response(bytes) || decode_variants(bytes)) << name << " " << version;
    }
  }
}

}  // namespace
}  // namespace tiercel::http
