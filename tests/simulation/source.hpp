// Owns: the source of truth: a version for each key, which only grows.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace tiercel::sim {

class Source {
 public:
  std::uint64_t version(const std::string& key) { return versions_[key]; }
  std::uint64_t commit(const std::string& key) { return ++versions_[key]; }

 private:
  std::map<std::string, std::uint64_t> versions_;
};

}  // namespace tiercel::sim
