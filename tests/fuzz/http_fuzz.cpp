// Owns: the fuzz target of the HTTP rules. What it checks: http_input.hpp.
#include <cstdint>

#include "fuzz/http_input.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tiercel::test::http_input({data, size});
  return 0;
}
