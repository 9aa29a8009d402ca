// Loops over matrices whose columns belong to channels: sums, moments, scaling.
//
// Few columns would leave vectors half empty, so that several rows are taken as one wide row: `Wide` says how many, and
// all that belongs to columns is repeated as often. Sums run in float over blocks that stay in the cache and in double
// over blocks.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace kindling {

// Several rows as one.
struct Wide {
  int64_t columns, repeat, width, rows, tail;  // tail: rows that do not fill a wide one

  Wide(int64_t m, int64_t c) : columns(c) {
    repeat = std::min<int64_t>(m, std::max<int64_t>(1, (kWidth + c - 1) / c));
    width = repeat * c;
    rows = m / repeat;
    tail = m % repeat;
  }

  std::vector<float> spread(const std::vector<float>& values) const {
    std::vector<float> result(static_cast<size_t>(width));
    for (int64_t j = 0; j < width; j += columns) std::copy(values.begin(), values.end(), result.begin() + j);
    return result;
  }

 private:
  static constexpr int64_t kWidth = 64;
};

// Wide rows summed in float before they go to the doubles; a block of a few such stays in the first cache.
inline int64_t blockRows(int64_t width) { return std::max<int64_t>(8, 8192 / width); }

// Mean and sum of squared distances of each wide column, joined block by block (Chan et al. 1979).
struct Moments {
  double count = 0;
  std::vector<double> mean, squares;

  explicit Moments(int64_t width) : mean(width, 0.0), squares(width, 0.0) {}

  void join(int64_t rows, const float* blockMean, const float* blockSquares, int64_t width) {
    const double total = count + rows, share = rows / total, weight = count * rows / total;
    for (int64_t j = 0; j < width; j++) {
      const double delta = blockMean[j] - mean[j];
      mean[j] += delta * share;
      squares[j] += blockSquares[j] + delta * delta * weight;
    }
    count = total;
  }
};

inline void addRows(const float* x, int64_t rows, int64_t width, float* __restrict sum) {
  int64_t i = 0;
  for (; i + 4 <= rows; i += 4, x += 4 * width) {
    const float *a = x, *b = x + width, *c = b + width, *d = c + width;
    for (int64_t j = 0; j < width; j++) sum[j] += (a[j] + b[j]) + (c[j] + d[j]);
  }
  for (; i < rows; i++, x += width) {
    for (int64_t j = 0; j < width; j++) sum[j] += x[j];
  }
}

inline void addSquares(const float* x, int64_t rows, int64_t width, const float* mean, float* __restrict sum) {
  int64_t i = 0;
  for (; i + 4 <= rows; i += 4, x += 4 * width) {
    const float *a = x, *b = x + width, *c = b + width, *d = c + width;
    for (int64_t j = 0; j < width; j++) {
      const float m = mean[j];
      const float p = a[j] - m, q = b[j] - m, r = c[j] - m, s = d[j] - m;
      sum[j] += (p * p + q * q) + (r * r + s * s);
    }
  }
  for (; i < rows; i++, x += width) {
    for (int64_t j = 0; j < width; j++) sum[j] += (x[j] - mean[j]) * (x[j] - mean[j]);
  }
}

inline void momentsOf(const float* x, int64_t rows, int64_t width, Moments& moments) {
  std::vector<float> mean(width), squares(width);
  const int64_t block = blockRows(width);
  for (int64_t i = 0; i < rows; i += block) {
    const int64_t n = std::min(block, rows - i);
    std::fill(mean.begin(), mean.end(), 0.0f);
    std::fill(squares.begin(), squares.end(), 0.0f);
    addRows(x + i * width, n, width, mean.data());
    for (float& m : mean) m /= static_cast<float>(n);
    addSquares(x + i * width, n, width, mean.data(), squares.data());
    moments.join(n, mean.data(), squares.data(), width);
  }
}

// Joins one column's moments.
inline void joinOne(double& count, double& mean, double& squares, double n, double m, double s) {
  if (n == 0) return;
  const double total = count + n, delta = m - mean;
  mean += delta * n / total;
  squares += s + delta * delta * count * n / total;
  count = total;
}

inline float normalized(float x, float mean, float scale, float shift) { return (x - mean) * scale + shift; }

template <bool kRelu>
void normalizeRows(const float* x, int64_t rows, int64_t width, const float* mean, const float* scale,
                   const float* shift, float* out) {
  for (int64_t i = 0; i < rows; i++, x += width, out += width) {
    for (int64_t j = 0; j < width; j++) {
      const float y = normalized(x[j], mean[j], scale[j], shift[j]);
      out[j] = kRelu && y <= 0.0f ? 0.0f : y;
    }
  }
}

// The gradient as it comes through the ReLU, if there is one.
template <bool kRelu>
inline float passed(float g, float x, float mean, float scale, float shift) {
  return kRelu && !(normalized(x, mean, scale, shift) > 0.0f) ? 0.0f : g;
}

// Sums of g and g·(x − mean) over rows.
template <bool kRelu>
void addProducts(const float* g, const float* x, int64_t rows, int64_t width, const float* mean, const float* scale,
                 const float* shift, float* __restrict sum, float* __restrict product) {
  int64_t i = 0;
  for (; i + 2 <= rows; i += 2, g += 2 * width, x += 2 * width) {
    const float *g1 = g + width, *x1 = x + width;
    for (int64_t j = 0; j < width; j++) {
      const float a = passed<kRelu>(g[j], x[j], mean[j], scale[j], shift[j]);
      const float b = passed<kRelu>(g1[j], x1[j], mean[j], scale[j], shift[j]);
      sum[j] += a + b;
      product[j] += a * (x[j] - mean[j]) + b * (x1[j] - mean[j]);
    }
  }
  for (; i < rows; i++, g += width, x += width) {
    for (int64_t j = 0; j < width; j++) {
      const float a = passed<kRelu>(g[j], x[j], mean[j], scale[j], shift[j]);
      sum[j] += a;
      product[j] += a * (x[j] - mean[j]);
    }
  }
}

}  // namespace kindling
