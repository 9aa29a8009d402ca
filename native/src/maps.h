// Geometry of a convolution of channels-last images.
#pragma once

#include <algorithm>
#include <cstdint>

namespace kindling {

// What is computed: the result, the gradient for the input, or that for the weights and the bias.
enum Kind : int64_t { Forward, Data, Weight };

struct Maps {
  int64_t batch, height, width, in;    // of x
  int64_t outHeight, outWidth, out;    // of y
  int64_t kernelHeight, kernelWidth, strideDown, strideAcross, top, left;

  int64_t taps() const { return kernelHeight * kernelWidth; }
};

}  // namespace kindling
