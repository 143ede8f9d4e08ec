// Owns: the fuzz target of the RESP3 parser. What it checks: resp_input.hpp.
#include <cstdint>

#include "fuzz/resp_input.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tiercel::test::resp_input({data, size});
  return 0;
}
