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

// Columns are walked in strips, whose sums and factors stay in registers while the rows go by.
#ifdef __AVX512F__
constexpr int kLanes = 16;
#else
constexpr int kLanes = 8;
#endif
typedef float Lanes __attribute__((vector_size(kLanes * sizeof(float))));

template <class V, int kCount>
struct Strip {
  using Vector = V;
  static constexpr int count = kCount, step = sizeof(V) / sizeof(float), width = kCount * step;
  // Where floats lie: by memcpy GCC may go in halves, of which a whole vector is not had again without waiting.
  typedef V Anywhere __attribute__((aligned(alignof(float)), may_alias));
  V at[kCount] = {};

  Strip() = default;
  explicit Strip(const float* from) {
    for (int l = 0; l < kCount; l++) at[l] = *reinterpret_cast<const Anywhere*>(from + l * step);
  }
  void store(float* to) const {
#pragma GCC unroll 4
    for (int l = 0; l < kCount; l++) *reinterpret_cast<Anywhere*>(to + l * step) = at[l];
  }
};

// Calls run(Strip, first column) so that every column is covered; some may be covered twice.
template <class Run>
inline void eachStrip(int64_t width, Run&& run) {
  using Wide4 = Strip<Lanes, 4>;
  using Single = Strip<Lanes, 1>;
  int64_t j = 0;
  for (; j + Wide4::width <= width; j += Wide4::width) run(Wide4(), j);
  for (; j + Single::width <= width; j += Single::width) run(Single(), j);
  if (j < width && width >= Single::width) {
    run(Single(), width - Single::width);
  } else {
    for (; j < width; j++) run(Strip<float, 1>(), j);
  }
}

// Sums of x over rows.
inline void sumRows(const float* x, int64_t rows, int64_t width, float* sum) {
  eachStrip(width, [&](auto even, int64_t j) {
    using S = decltype(even);
    S odd;
    const float* at = x + j;
    int64_t i = 0;
    for (; i + 2 <= rows; i += 2, at += 2 * width) {
      const S a(at), b(at + width);
      for (int l = 0; l < S::count; l++) {
        even.at[l] += a.at[l];
        odd.at[l] += b.at[l];
      }
    }
    if (i < rows) {
      const S a(at);
      for (int l = 0; l < S::count; l++) even.at[l] += a.at[l];
    }
    for (int l = 0; l < S::count; l++) even.at[l] += odd.at[l];
    even.store(sum + j);
  });
}

// Sums of (x − mean)² over rows.
inline void sumSquares(const float* x, int64_t rows, int64_t width, const float* mean, float* sum) {
  eachStrip(width, [&](auto even, int64_t j) {
    using S = decltype(even);
    S odd;
    const S m(mean + j);
    const float* at = x + j;
    int64_t i = 0;
    for (; i + 2 <= rows; i += 2, at += 2 * width) {
      const S a(at), b(at + width);
      for (int l = 0; l < S::count; l++) {
        even.at[l] += (a.at[l] - m.at[l]) * (a.at[l] - m.at[l]);
        odd.at[l] += (b.at[l] - m.at[l]) * (b.at[l] - m.at[l]);
      }
    }
    if (i < rows) {
      const S a(at);
      for (int l = 0; l < S::count; l++) even.at[l] += (a.at[l] - m.at[l]) * (a.at[l] - m.at[l]);
    }
    for (int l = 0; l < S::count; l++) even.at[l] += odd.at[l];
    even.store(sum + j);
  });
}

inline void momentsOf(const float* x, int64_t rows, int64_t width, Moments& moments) {
  std::vector<float> mean(width), squares(width);
  const int64_t block = blockRows(width);
  for (int64_t i = 0; i < rows; i += block) {
    const int64_t n = std::min(block, rows - i);
    sumRows(x + i * width, n, width, mean.data());
    for (float& m : mean) m /= static_cast<float>(n);
    sumSquares(x + i * width, n, width, mean.data(), squares.data());
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

// What follows a normalisation in the same pass: nothing, max(z, 0), or z − sub, of which leak·z − sub is left below 0.
enum class Cut { None, Relu, Leaky };
struct Rectifier {
  Cut cut = Cut::None;
  float leak = 0, sub = 0;
};

// z as it is let through.
template <Cut kCut, class V>
inline V rectified(V z, const Rectifier& r) {
  if constexpr (kCut == Cut::None) return z;
  if constexpr (kCut == Cut::Relu) return z <= 0.0f ? V{} : z;
  return (z <= 0.0f ? z * r.leak : z) - r.sub;
}

// The gradient as it comes through where z was let through.
template <Cut kCut, class V>
inline V passed(V g, V z, float leak) {
  if constexpr (kCut == Cut::None) return g;
  if constexpr (kCut == Cut::Relu) return z > 0.0f ? g : V{};
  return z > 0.0f ? g : g * leak;
}

// Calls run(first row, end) for blocks of rows that stay in the first cache while strip after strip goes over them.
template <class Run>
inline void eachBlock(int64_t rows, int64_t width, Run&& run) {
  const int64_t block = blockRows(width);
  for (int64_t i = 0; i < rows; i += block) run(i, std::min(rows, i + block));
}

// out = (x − mean)·scale + shift, rectified
template <Cut kCut>
void normalizeRows(const float* x, int64_t rows, int64_t width, const float* mean, const float* scale,
                   const float* shift, Rectifier rectifier, float* out) {
  eachBlock(rows, width, [&](int64_t first, int64_t last) {
    eachStrip(width, [&](auto strip, int64_t j) {
      using S = decltype(strip);
      const S m(mean + j), s(scale + j), t(shift + j);
      for (int64_t i = first; i < last; i++) {
        S y(x + i * width + j);
        for (int l = 0; l < S::count; l++) {
          y.at[l] = rectified<kCut>((y.at[l] - m.at[l]) * s.at[l] + t.at[l], rectifier);
        }
        y.store(out + i * width + j);
      }
    });
  });
}

// Sums of g, as it comes through the rectifier, and g·(x − mean) over the rows of a block.
template <Cut kCut>
void sumProducts(const float* g, const float* x, int64_t rows, int64_t width, const float* mean, const float* scale,
                 const float* shift, float leak, float* sum, float* product) {
  eachStrip(width, [&](auto a, int64_t j) {
    using S = decltype(a);
    S b;
    const S m(mean + j), s(scale + j), t(shift + j);
    for (int64_t i = 0; i < rows; i++) {
      const S gradient(g + i * width + j), value(x + i * width + j);
      for (int l = 0; l < S::count; l++) {
        const auto centred = value.at[l] - m.at[l];
        const auto open = passed<kCut>(gradient.at[l], centred * s.at[l] + t.at[l], leak);
        a.at[l] += open;
        b.at[l] += open * centred;
      }
    }
    a.store(sum + j);
    b.store(product + j);
  });
}

}  // namespace kindling
