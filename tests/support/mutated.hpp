// Owns: inputs near a given one, from dice: for the tests that run a corpus without a fuzzer.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/dice.hpp"

namespace tiercel::test {

using Bytes = std::vector<std::uint8_t>;

inline Bytes mutated(Bytes bytes, Dice& dice) {
  for (auto changes = 1 + dice.next() % 4; changes > 0 && !bytes.empty(); --changes) {
    const std::size_t at = dice.next() % bytes.size();
    const auto place = bytes.begin() + static_cast<std::ptrdiff_t>(at);
    const auto byte = static_cast<std::uint8_t>("\r\n$*:%>0129-?"[dice.next() % 13]);
    switch (dice.next() % 4) {
      case 0:
        *place = byte;
        break;
      case 1:
        bytes.erase(place);
        break;
      case 2:
        bytes.insert(place, byte);
        break;
      default:
        *place ^= static_cast<std::uint8_t>(1u << (dice.next() % 8));
    }
  }
  return bytes;
}

// Calls `run` with every file of a corpus and so many mutations of each; how many files there were.
template <class Run>
int run_corpus(const std::string& folder, int mutations, Run run) {
  Dice dice(2024);
  int files = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    std::ifstream stream(file.path(), std::ios::binary);
    const Bytes bytes{std::istreambuf_iterator<char>(stream), {}};
    run(bytes);
    for (int i = 0; i < mutations; ++i) run(mutated(bytes, dice));
    ++files;
  }
  return files;
}

}  // namespace tiercel::test
