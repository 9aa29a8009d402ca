// Convolutions of small images with many channels, as matrix products tap by tap. Most of the time of such layers goes
// into the weights, and of a 3×3 kernel on a 2×2 image five taps of nine always look at padding: those are left out.
#pragma once

#include <cstddef>

#include "maps.h"

namespace kindling {

struct SmallMaps : Maps {
  // Whether it is faster than oneDNN, by measurement.
  bool pays() const;
  // Bytes of scratch memory.
  size_t bytes(Kind kind) const;

  // y = x ∗ w + bias; w is [out, in, kernelHeight, kernelWidth], bias may be null.
  void forward(const float* x, const float* w, const float* bias, float* y, char* scratch) const;
  // x = gradient for the input, from y, the gradient of the result.
  void data(const float* y, const float* w, float* x, char* scratch) const;
  // w = gradient for the weights.
  void weights(const float* x, const float* y, float* w, char* scratch) const;

 private:
  // The products, in the time of elementwise operations.
  int64_t work() const { return batch * outHeight * outWidth * in * out / 4; }
  // The position under tap `k` of the window at `place` on one axis; negative outside the image.
  static int64_t under(int64_t place, int64_t k, int64_t stride, int64_t before, int64_t size) {
    const int64_t at = place * stride - before + k;
    return at < size ? at : -1;
  }
};

}  // namespace kindling
