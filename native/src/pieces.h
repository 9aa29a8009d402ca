#pragma once

#include <cstdint>

namespace kindling {

// Calls body(first, count) for pieces of about the same size, none above `most`.
template <class Body>
inline void eachPiece(int64_t size, int64_t most, Body&& body) {
  if (size <= most) {
    if (size > 0) body(int64_t(0), size);
    return;
  }
  const int64_t pieces = (size + most - 1) / most, least = size / pieces, larger = size % pieces;
  for (int64_t i = 0, first = 0; i < pieces; i++) {
    const int64_t count = least + (i < larger ? 1 : 0);
    body(first, count);
    first += count;
  }
}

}  // namespace kindling
