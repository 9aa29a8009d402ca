// Image batches [n, c, …spatial] in channels-last memory, and windows that move over them.
#pragma once

#include <string>

#include "view.h"

namespace kindling {

constexpr int kMaxSpatial = 3;

[[noreturn]] inline void refuseImages(const char* kernel, const char* why) {
  throw std::runtime_error(std::string("kindling addon: ") + kernel + ": " + why);
}

// Whether the elements lie one after another in the order [n, …spatial, c]; axes of size 1 may have any stride.
inline bool isChannelsLast(const View& v) {
  int64_t step = 1;
  const auto fits = [&](int axis) {
    if (v.size[axis] != 1 && v.stride[axis] != step) return false;
    step *= v.size[axis];
    return true;
  };
  if (!fits(1)) return false;
  for (int i = v.rank - 1; i > 1; i--) {
    if (!fits(i)) return false;
  }
  return fits(0);
}

inline bool isRowMajor(const View& v) {
  int64_t step = 1;
  for (int i = v.rank - 1; i >= 0; i--) {
    if (v.size[i] != 1 && v.stride[i] != step) return false;
    step *= v.size[i];
  }
  return true;
}

inline void checkImages(const char* kernel, const View& v, DType dtype = DType::Float32) {
  if (v.rank < 3 || v.rank > 2 + kMaxSpatial) refuseImages(kernel, "images have 1 to 3 spatial axes");
  if (v.dtype != dtype) refuseImages(kernel, "wrong dtype");
  if (v.elements() == 0) refuseImages(kernel, "an empty batch");
  if (!isChannelsLast(v)) refuseImages(kernel, "images must be channels-last");
}

// How windows lie on one spatial axis.
struct Along {
  int64_t size, places, kernel, stride, dilation, before;

  // What is missing behind the image; negative where the last elements are not looked at.
  int64_t after() const { return (places - 1) * stride + dilation * (kernel - 1) + 1 - size - before; }
};

// Reads kernel sizes if asked, then strides, dilations and paddings in front, for the spatial axes of `image` and of the
// result `places`; axes[0 … 2] are padded in front with axes of size 1.
struct Windows {
  int axes = 0;
  Along along[kMaxSpatial];

  void read(Reader& reader, const char* name, const View& image, const View& places, const int64_t* kernel) {
    constexpr int64_t kLimit = int64_t(1) << 30;
    axes = image.rank - 2;
    for (int i = 0; i < kMaxSpatial; i++) along[i] = {1, 1, 1, 1, 1, 0};
    Along* own = along + (kMaxSpatial - axes);
    for (int i = 0; i < axes; i++) {
      own[i].size = image.size[i + 2];
      own[i].places = places.size[i + 2];
      own[i].kernel = kernel == nullptr ? reader.integer(1, kLimit) : kernel[i];
    }
    for (int i = 0; i < axes; i++) own[i].stride = reader.integer(1, kLimit);
    for (int i = 0; i < axes; i++) own[i].dilation = reader.integer(1, kLimit);
    for (int i = 0; i < axes; i++) own[i].before = reader.integer(0, kLimit);
    for (int i = 0; i < axes; i++) {
      if (own[i].size > kLimit || own[i].places > kLimit || own[i].kernel > kLimit) refuseImages(name, "too large");
      if (own[i].after() + own[i].stride <= 0) refuseImages(name, "the result is too small for its windows");
    }
  }

  const Along& spatial(int i) const { return along[kMaxSpatial - axes + i]; }
};

}  // namespace kindling
