// Depthwise convolutions of 3×3 kernels at stride 1: each channel has a kernel of its own. They do little with much memory,
// so two rows of results are made at once, while the pixels under them stay in registers.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kindling {

// Geometry of a convolution of channels-last images, or of the gradient for its input, which is one with the kernel
// turned round.
struct Depthwise {
  int64_t batch, height, width, channels;  // of what is read
  int64_t outHeight, outWidth;             // of the result
  int64_t top, left;                       // padding in front
  bool isTurned;

  // Whether it is faster than oneDNN, by measurement.
  bool pays() const;
  // Bytes of scratch memory.
  size_t bytes() const { return sizeof(float) * static_cast<size_t>(10 * channels); }

  // y = x ∗ w + bias; w is [channels, 1, 3, 3], bias may be null.
  void forward(const float* x, const float* w, const float* bias, float* y, char* scratch) const;

 private:
  // Rows `row` and row + 1 of one image; w is [tap][channels].
  void twoRows(const float* x, const float* w, const float* shift, float* y, int64_t n, int64_t row) const;
};

}  // namespace kindling
