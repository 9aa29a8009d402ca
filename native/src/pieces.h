#pragma once

#include <cstdint>

namespace kindling {

// Calls body(first, count) for pieces of about the same size, none above `most`.
template <class Body>
inline void eachPiece(int64_t size, int64_t most, Body&& body) {
  const int64_t pieces = (size + most - 1) / most;
  for (int64_t i = 0; i < pieces; i++) {
    const int64_t first = size * i / pieces;
    body(first, size * (i + 1) / pieces - first);
  }
}

}  // namespace kindling
