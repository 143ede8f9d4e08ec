// Owns: what an allocation really costs. glibc's malloc keeps 8 bytes beside every block and hands out multiples of 16,
// at least 32; accounting by the request alone would let a store of small entries grow by a fifth past its budget. (The
// test compares this with malloc_usable_size.) Blocks above the mmap threshold cost up to a page more, which is less
// than 4 % of them and not counted.
#pragma once

#include <algorithm>
#include <cstddef>

namespace tiercel {

constexpr std::size_t allocated_bytes(std::size_t requested) {
  if (requested == 0) return 0;
  return std::max<std::size_t>(32, (requested + 8 + 15) & ~std::size_t{15});
}

}  // namespace tiercel
