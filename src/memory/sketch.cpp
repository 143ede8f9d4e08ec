#include "memory/sketch.hpp"

#include <algorithm>
#include <bit>

namespace tiercel {
namespace {

constexpr unsigned kRows = 4;

std::uint32_t mix(std::uint32_t hash) {   // independent enough of the bits that choose the block
  hash *= 0x31848bab;
  return hash ^ (hash >> 14);
}

}  // namespace

// Row r has two words of the block to itself: 32 counters.
Sketch::Place Sketch::place(std::uint32_t hash, std::uint32_t mixed, unsigned row) const {
  const std::size_t block = (hash & (words_.size() / kBlock - 1)) * kBlock;
  const std::uint32_t bits = mixed >> (row * 8);
  return {block + std::size_t{row} * 2 + (bits & 1), (bits >> 1 & 15) * 4};
}

unsigned Sketch::frequency(std::uint32_t hash) const {
  if (words_.empty()) return 0;
  const std::uint32_t mixed = mix(hash);
  unsigned least = kMost;
  for (unsigned row = 0; row < kRows; ++row) {
    const Place at = place(hash, mixed, row);
    least = std::min(least, static_cast<unsigned>(words_[at.word] >> at.shift & 15));
  }
  return least;
}

void Sketch::count(std::uint32_t hash) {
  if (words_.empty()) return;
  const std::uint32_t mixed = mix(hash);
  bool counted = false;
  for (unsigned row = 0; row < kRows; ++row) {
    const Place at = place(hash, mixed, row);
    if ((words_[at.word] >> at.shift & 15) == kMost) continue;
    words_[at.word] += std::uint64_t{1} << at.shift;
    counted = true;
  }
  if (counted && ++counted_ >= sample()) halve();
}

void Sketch::fit(std::size_t entries) {
  if (entries <= fits_) return;
  fits_ = entries;
  if (entries <= words_.size() * kEntriesPerWord) return;
  const std::size_t old = words_.size();
  const std::size_t size = std::max(kBlock, std::bit_ceil((entries + kEntriesPerWord - 1) / kEntriesPerWord));
  std::vector<std::uint64_t> grown(size);
  for (std::size_t at = 0; old != 0 && at < size; at += old) {
    std::copy(words_.begin(), words_.end(), grown.begin() + static_cast<std::ptrdiff_t>(at));
  }
  words_.swap(grown);
}

void Sketch::halve() {
  std::size_t odd = 0;   // what the halving rounds away
  for (std::uint64_t& word : words_) {
    odd += static_cast<std::size_t>(std::popcount(word & 0x1111111111111111ULL));
    word = word >> 1 & 0x7777777777777777ULL;
  }
  counted_ = (counted_ - odd / kRows) / 2;
}

void Sketch::clear() {
  std::vector<std::uint64_t>().swap(words_);
  fits_ = counted_ = 0;
}

}  // namespace tiercel
