// Owns: how often a key was asked for lately, whether it is held or not. A count-min sketch of 4-bit counters that are
// halved every ten accesses per entry (TinyLFU: Einziger, Friedman, Manes, ACM TOS 2017), its four counters in one
// block of 64 bytes, so that counting touches one cache line. It doubles with the number of entries; a doubled sketch
// starts from copies, so nothing counted is lost.
#pragma once

#include <cstdint>
#include <vector>

#include "memory/allocation.hpp"

namespace tiercel {

class Sketch {
 public:
  static constexpr unsigned kMost = 15;

  unsigned frequency(std::uint32_t hash) const;
  void count(std::uint32_t hash);
  // Makes room for what so many entries need.
  void fit(std::size_t entries);
  std::size_t sample() const { return fits_ * 10; }  // accesses between two halvings
  std::size_t bytes() const { return allocated_bytes(words_.capacity() * sizeof(std::uint64_t)); }
  void clear();

 private:
  static constexpr std::size_t kBlock = 8;  // words of 16 counters
  static constexpr std::size_t kEntriesPerWord = 1;

  struct Place {
    std::size_t word;
    unsigned shift;
  };
  Place place(std::uint32_t hash, std::uint32_t mixed, unsigned row) const;
  void halve();

  std::vector<std::uint64_t> words_;  // a power of two, at least one block
  std::size_t fits_ = 0, counted_ = 0;
};

}  // namespace tiercel
