// Owns: the fuzz target of the session. What it checks: session_input.hpp.
#include <cstdint>

#include "fuzz/session_input.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tiercel::test::session_input({data, size});
  return 0;
}
