// Depthwise convolutions of 3×3 kernels at stride 1: each channel has a kernel of its own. They do little with much memory,
// so two rows of results are made at once, while the pixels under them stay in registers.
#pragma once

#include <cstddef>

#include "maps.h"

namespace kindling {

struct Depthwise : Maps {
  // Whether it is faster than oneDNN, by measurement.
  bool pays(Kind kind) const;
  // Bytes of scratch memory.
  size_t bytes() const { return sizeof(float) * static_cast<size_t>(taps() * in + out); }

  // y = x ∗ w + bias; w is [channels, 1, 3, 3], bias may be null.
  void forward(const float* x, const float* w, const float* bias, float* y, char* scratch) const;
  // x = gradient for the input, from y, the gradient of the result.
  void data(const float* y, const float* w, float* x, char* scratch) const;
};

}  // namespace kindling
