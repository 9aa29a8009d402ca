#include "depthwise.h"

#include <algorithm>

#include "lanes.h"
#include "team.h"

namespace kindling {

namespace {

// So many columns of all channels, then the next ones: memory is read almost in its order, which prefetchers follow.
constexpr int64_t kStrip = 8;

// Three neighbouring columns of four rows, of sixteen channels.
struct Columns {
  Vec left[4], middle[4], right[4];

  // Moves on by one column.
  void push(const Vec (&next)[4]) {
    for (int i = 0; i < 4; i++) {
      left[i] = middle[i];
      middle[i] = right[i];
      right[i] = next[i];
    }
  }

  // The result of the row that begins at `first`; two sums, so that one need not wait for the other.
  Vec under(const Vec (&taps)[9], int first, const Vec& shift) const {
    Vec even = shift + left[first] * taps[0], odd = middle[first] * taps[1];
    even += right[first] * taps[2];
    odd += left[first + 1] * taps[3];
    even += middle[first + 1] * taps[4];
    odd += right[first + 1] * taps[5];
    even += left[first + 2] * taps[6];
    odd += middle[first + 2] * taps[7];
    return even + right[first + 2] * taps[8] + odd;
  }
};

}  // namespace

bool Depthwise::pays() const {
#ifdef __AVX512F__
  return channels % kLanes == 0;
#else
  return false;
#endif
}

void Depthwise::forward(const float* x, const float* w, const float* bias, float* y, char* scratch) const {
  float *taps = reinterpret_cast<float*>(scratch), *shift = taps + 9 * channels;
  for (int t = 0; t < 9; t++) {
    for (int64_t c = 0; c < channels; c++) taps[t * channels + c] = w[c * 9 + (isTurned ? 8 - t : t)];
  }
  std::fill_n(shift, channels, 0.0f);
  if (bias != nullptr) std::copy_n(bias, channels, shift);
  const int64_t pairs = (outHeight + 1) / 2;
  parallelFor(batch * pairs, batch * outHeight * outWidth * channels, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) twoRows(x, taps, shift, y, i / pairs, i % pairs * 2);
  });
}

void Depthwise::twoRows(const float* x, const float* w, const float* shift, float* y, int64_t n, int64_t row) const {
  alignas(64) static const float kZeros[kLanes] = {};
  alignas(64) float nowhere[kLanes];
  for (int64_t begin = 0; begin < outWidth; begin += kStrip) {
    const int64_t end = std::min(begin + kStrip, outWidth);
    for (int64_t c = 0; c < channels; c += kLanes) {
      Vec taps[9], start;
      for (int t = 0; t < 9; t++) load(taps[t], w + t * channels + c);
      load(start, shift + c);
      const float* rows[4];
      int64_t steps[4];  // rows outside the image stand still on zeros
      for (int i = 0; i < 4; i++) {
        const int64_t at = row - top + i;
        const bool isInside = at >= 0 && at < height;
        rows[i] = isInside ? x + (n * height + at) * width * channels + c : kZeros;
        steps[i] = isInside ? channels : 0;
      }
      const auto read = [&](int64_t column, Vec (&to)[4]) {
        for (int i = 0; i < 4; i++) {
          to[i] = Vec{};
          if (column >= 0 && column < width) load(to[i], rows[i] + column * steps[i]);
        }
      };
      Columns at;
      read(begin - left - 1, at.left);  // pushed out at once
      read(begin - left, at.middle);
      read(begin - left + 1, at.right);
      float* first = y + (n * outHeight + row) * outWidth * channels + c;
      const bool hasSecond = row + 1 < outHeight;
      float* second = hasSecond ? first + outWidth * channels : nowhere;
      for (int64_t j = begin; j < end; j++) {
        Vec next[4];
        read(j - left + 2, next);
        at.push(next);
        store(at.under(taps, 0, start), first + j * channels);
        store(at.under(taps, 1, start), second + (hasSecond ? j * channels : 0));
      }
    }
  }
}

}  // namespace kindling
