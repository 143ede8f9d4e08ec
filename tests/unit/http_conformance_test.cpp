// The tables of tests/conformance/http, which tests/python/test_http_conformance.py reads as well: each case names the section it is from.
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "support/http_rules.hpp"

namespace tiercel::test {
namespace {

std::vector<std::string> tables() {
  std::vector<std::string> names;
  for (const auto& file : std::filesystem::directory_iterator(TIERCEL_TESTS_FOLDER "/conformance/http"))
    names.push_back(file.path().string());
  std::sort(names.begin(), names.end());
  return names;
}

std::map<std::string, HttpRule> all_rules() {
  std::map<std::string, HttpRule> rules = reading_rules();
  rules.merge(reuse_rules());
  rules.merge(resource_rules());
  return rules;
}

TEST(HttpConformance, EveryCaseOfTheTablesHolds) {
  const auto rules = all_rules();
  std::set<std::string> used;
  std::size_t cases = 0;
  for (const std::string& table : tables()) {
    const Json read = read_json(table);
    for (const Json& one : read.at("cases").list()) {
      SCOPED_TRACE(table + ": " + one.at("section").text() + ": " + one.at("what").text());
      const std::string name = one.at("rule").text();
      used.insert(name);
      ++cases;
      const auto rule = rules.find(name);
      ASSERT_NE(rule, rules.end()) << "no rule called " << name;
      const Json is = rule->second(one);
      EXPECT_EQ(is, one.at("is"));
    }
  }
  EXPECT_GE(cases, 400u);
  for (const auto& [name, rule] : rules) EXPECT_TRUE(used.count(name)) << "no table has a case of " << name;
}

}  // namespace
}  // namespace tiercel::test
