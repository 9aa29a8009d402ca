// Convolutions of 3×3 kernels at stride 1 by Winograd's minimal filtering F(4×4, 3×3): 36 products where there were 144.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kindling {

// Geometry of a convolution of channels-last images; `top` and `left` are the padding in front.
struct Winograd {
  int64_t batch, height, width, in;       // of x
  int64_t outHeight, outWidth, out;       // of y
  int64_t top, left;

  int64_t tilesDown() const { return (outHeight + 3) / 4; }
  int64_t tilesAcross() const { return (outWidth + 3) / 4; }
  int64_t tiles() const { return batch * tilesDown() * tilesAcross(); }
  // Whether it is faster than a direct convolution, by measurement.
  bool pays() const;
  // Bytes of scratch memory.
  size_t forwardBytes() const;
  size_t weightBytes() const;

  // y = x ∗ w + bias; w is [out, in, 3, 3], bias may be null.
  void forward(const float* x, const float* w, const float* bias, float* y, char* scratch) const;
  // y = x ∗ w' where w' is [in, out, 3, 3] with its taps turned round: the gradient for the input of the convolution
  // whose weights w' are.
  void turned(const float* x, const float* w, float* y, char* scratch) const;
  // w = gradient for the weights [out, in, 3, 3] from x and the gradient of y.
  void weights(const float* x, const float* y, float* w, char* scratch) const;

 private:
  // The products, in the time of elementwise operations.
  int64_t work() const { return tiles() * in * out; }
  int64_t blockTiles() const;
  int64_t chunkTiles() const;
  // For the gradient for the weights: parts of the tiles that have sums of their own, or 1 where threads share the points.
  // The same for the same sizes, whatever the threads.
  int64_t parts() const;
  void multiply(const float* x, const float* u, const float* bias, float* y, char* scratch) const;
};

}  // namespace kindling
