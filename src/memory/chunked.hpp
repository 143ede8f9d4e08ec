// Owns: an array that grows by small chunks. Growing copies no element and stops nobody, and what is allocated is what
// is counted.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <vector>

#include "memory/allocation.hpp"

namespace tiercel {

template <class T, std::size_t kChunk>
class Chunked {
 public:
  T& operator[](std::size_t at) { return (*chunks_[at / kChunk])[at % kChunk]; }
  const T& operator[](std::size_t at) const { return (*chunks_[at / kChunk])[at % kChunk]; }

  std::size_t size() const { return chunks_.size() * kChunk; }  // a multiple of the chunk
  std::size_t bytes() const {
    return chunks_.size() * allocated_bytes(sizeof(Chunk)) + allocated_bytes(chunks_.capacity() * sizeof(void*));
  }
  void grow() { chunks_.push_back(std::make_unique<Chunk>()); }
  void clear() { decltype(chunks_)().swap(chunks_); }

 private:
  using Chunk = std::array<T, kChunk>;
  std::vector<std::unique_ptr<Chunk>> chunks_;
};

}  // namespace tiercel
