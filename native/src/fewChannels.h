// Gradients of convolutions of images with few channels, such as a network's first layers have. The pixels under one row of
// a kernel lie together, so that they are one run of kernelWidth·in numbers; oneDNN goes channel by channel, and has little
// to do for each.
#pragma once

#include <cstddef>

#include "maps.h"

namespace kindling {

struct FewChannels : Maps {
  // Whether it is faster than oneDNN, by measurement.
  bool pays(Kind kind) const;
  // Bytes of scratch memory.
  size_t bytes(Kind kind) const;

  // x = gradient for the input, from y, the gradient of the result; w is [out, in, kernelHeight, kernelWidth].
  void data(const float* y, const float* w, float* x, char* scratch) const;
  // w = gradient for the weights.
  void weights(const float* x, const float* y, float* w, char* scratch) const;

 private:
  int64_t run() const { return kernelWidth * in; }
  int64_t lanesOut() const { return (out + 15) / 16 * 16; }
  int64_t weightCount() const { return kernelHeight * run() * lanesOut(); }
  // Numbers under a kernel, to whole vectors.
  int64_t lanesUnder() const { return (kernelHeight * run() + 15) / 16 * 16; }
  double operations() const { return 2.0 * batch * outHeight * outWidth * out * kernelHeight * run(); }
  // Numbers in a row of an image with its padding.
  int64_t rowSize() const { return std::max(left + width, (outWidth - 1) * strideAcross + kernelWidth) * in; }
  // Rows of results that are computed from one padded piece of an image, and what the piece holds.
  int64_t bandRows() const;
  int64_t bandSize() const { return ((bandRows() - 1) * strideDown + kernelHeight) * rowSize(); }
  // Copies what windows at `rows` places down from `first` look at, with zeros around it where they are not there yet.
  void pad(const float* image, int64_t first, int64_t rows, bool hasBorders, float* to) const;
  // Adds what each of `count` windows, from `band` on, has under its kernel.
  void addWindows(const float* columns, int64_t count, float* band) const;
  // Rows of gradients that are kept near while all weights are gone through.
  int64_t blockRows() const;
  int64_t parts() const;
  void addImage(const float* x, const float* y, bool isFirst, float* sums, float* band, float* block) const;
};

}  // namespace kindling
