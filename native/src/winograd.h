// Convolutions of 3×3 kernels by Winograd's minimal filtering: for 4×4 results 36 products instead of 144 at stride 1,
// and 81 at stride 2.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kindling {

// Geometry of a convolution of channels-last images, or of the gradient for its input, which is one with the kernel
// turned round.
struct Winograd {
  int64_t batch, height, width, in;   // of what is read
  int64_t outHeight, outWidth, out;   // of the result
  int64_t stride;                     // 1 or 2
  bool isTurned;                      // the gradient for the input: at stride 2 the result is the larger image
  int64_t top, left;                  // where the first tile begins: so far outside what is read
  int64_t skipTop = 0, skipLeft = 0;  // and so far outside the result

  // Rows and columns of results in a tile.
  int64_t tileOut() const { return stride == 2 && isTurned ? 8 : 4; }
  int64_t tilesDown() const { return (outHeight + skipTop + tileOut() - 1) / tileOut(); }
  int64_t tilesAcross() const { return (outWidth + skipLeft + tileOut() - 1) / tileOut(); }
  int64_t tiles() const { return batch * tilesDown() * tilesAcross(); }
  // Whether it is faster than a direct convolution, by measurement.
  bool pays() const;
  // Bytes of scratch memory.
  size_t forwardBytes() const;
  size_t weightBytes() const;

  // y = x ∗ w + bias; w is [out, in, 3, 3], or [in, out, 3, 3] if turned; bias may be null.
  void forward(const float* x, const float* w, const float* bias, float* y, char* scratch) const;
  // w = gradient for the weights [out, in, 3, 3] from x and the gradient of y.
  void weights(const float* x, const float* y, float* w, char* scratch) const;

  // The products, in the time of elementwise operations.
  int64_t work() const { return (stride == 1 ? 1 : 2) * tiles() * in * out; }
  // For the gradient for the weights: parts of the tiles that have sums of their own, or 1 where the points are shared out.
  // The same for the same sizes, whatever the threads.
  int64_t parts() const;
};

}  // namespace kindling
