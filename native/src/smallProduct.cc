#include "smallProduct.h"

#include <algorithm>

#include "lanes.h"
#include "pieces.h"

namespace kindling {

#ifdef __AVX512F__

namespace {

// Rows of a and of bᵀ that lie along k: each element of the result is a sum along both, in lanes that are added up last.
static_assert(kSmallSide * kSmallSide == kLanes, "the sums of so many rows of each make one vector");
constexpr int64_t kDeepest = 8192;  // four such rows still stay near

// The lanes of both vectors, each with its neighbour kStep further.
template <int kStep>
inline Vec folded(Vec a, Vec b) {
  swapQuarters<kStep>(a, b);
  return a + b;
}

// A vector of what each of sixteen adds up to.
inline Vec totals(Vec (&v)[kLanes]) {
#pragma GCC unroll 8
  for (int i = 0; i < 8; i++) v[i] = folded<8>(v[i], v[i + 8]);
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) v[i] = folded<4>(v[i], v[i + 4]);
#pragma GCC unroll 2
  for (int i = 0; i < 2; i++) v[i] = folded<2>(v[i], v[i + 2]);
  return folded<1>(v[0], v[1]);
}

template <int kHigh, int kAcross>
void rowsByRows(const float* a, int64_t aRow, const float* b, int64_t bRow, int64_t k, float* out, int64_t lead) {
  Vec sums[kLanes] = {};
  const auto add = [&](auto&& loadAt) {
    Vec rows[kHigh];
#pragma GCC unroll 4
    for (int i = 0; i < kHigh; i++) loadAt(rows[i], a + i * aRow);
#pragma GCC unroll 4
    for (int j = 0; j < kAcross; j++) {
      Vec column;
      loadAt(column, b + j * bRow);
#pragma GCC unroll 4
      for (int i = 0; i < kHigh; i++) sums[i * kSmallSide + j] += rows[i] * column;
    }
  };
  int64_t p = 0;
  for (; p + kLanes <= k; p += kLanes) {
    add([&](Vec& v, const float* row) { load(v, row + p); });
  }
  if (p < k) {
    const FirstLanes rest(k - p);
    add([&](Vec& v, const float* row) { rest.load(v, row + p); });
  }
  const Vec total = totals(sums);
#pragma GCC unroll 4
  for (int i = 0; i < kHigh; i++) {
    std::memcpy(out + i * lead, reinterpret_cast<const float*>(&total) + i * kSmallSide, kAcross * sizeof(float));
  }
}

template <int kHigh, int kAcross>
void rowsByRows(int64_t high, int64_t across, const float* a, int64_t aRow, const float* b, int64_t bRow, int64_t k, float* out,
                int64_t lead) {
  if (high != kHigh) {
    if constexpr (kHigh > 1) rowsByRows<kHigh - 1, kAcross>(high, across, a, aRow, b, bRow, k, out, lead);
  } else if (across != kAcross) {
    if constexpr (kAcross > 1) rowsByRows<kHigh, kAcross - 1>(high, across, a, aRow, b, bRow, k, out, lead);
  } else {
    rowsByRows<kHigh, kAcross>(a, aRow, b, bRow, k, out, lead);
  }
}

// Rows of b lie across: sums of them, some columns at a time, which stay in registers.
constexpr int kHighest = 6, kWide = 4;

template <int kHigh, int kVectors>
void sumsOfRows(const float* a, int64_t aRow, int64_t aStep, const float* b, int64_t bRow, int64_t k, FirstLanes last, float* out,
                int64_t lead) {
  Vec sums[kHigh][kVectors] = {};
  for (int64_t p = 0; p < k; p++, a += aStep, b += bRow) {
    Vec columns[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors - 1; v++) load(columns[v], b + v * kLanes);
    last.load(columns[kVectors - 1], b + (kVectors - 1) * kLanes);
#pragma GCC unroll 6
    for (int i = 0; i < kHigh; i++) {
      const float value = a[i * aRow];
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; v++) sums[i][v] += value * columns[v];
    }
  }
#pragma GCC unroll 6
  for (int i = 0; i < kHigh; i++) {
    float* to = out + i * lead;
#pragma GCC unroll 4
    for (int v = 0; v < kVectors - 1; v++) store(sums[i][v], to + v * kLanes);
    last.store(sums[i][kVectors - 1], to + (kVectors - 1) * kLanes);
  }
}

template <int kHigh, int kVectors>
void sumsOfRows(int64_t high, int64_t vectors, const float* a, int64_t aRow, int64_t aStep, const float* b, int64_t bRow, int64_t k,
                FirstLanes last, float* out, int64_t lead) {
  if (high != kHigh) {
    if constexpr (kHigh > 1) sumsOfRows<kHigh - 1, kVectors>(high, vectors, a, aRow, aStep, b, bRow, k, last, out, lead);
  } else if (vectors != kVectors) {
    if constexpr (kVectors > 1) sumsOfRows<kHigh, kVectors - 1>(high, vectors, a, aRow, aStep, b, bRow, k, last, out, lead);
  } else {
    sumsOfRows<kHigh, kVectors>(a, aRow, aStep, b, bRow, k, last, out, lead);
  }
}

}  // namespace

bool isSmallProduct(const Matrix& a, const Matrix& b, int64_t m, int64_t n, int64_t k) {
  if (!b.transposed) return m * n * k <= 320 * 1024;
  if (a.transposed || k > kDeepest) return false;
  if (m == 1) return n * k <= 1 << 20;  // else as fast as memory, anyhow
  return n <= 12 || (n <= 64 && k >= 512) || m * n <= 24 * k;
}

void smallProduct(const Matrix& a, const Matrix& b, int64_t m, int64_t n, int64_t k, float* out, int64_t lead) {
  if (b.transposed) {
    const auto square = [&](int64_t i, int64_t j) {
      const int64_t high = std::min<int64_t>(kSmallSide, m - i), across = std::min<int64_t>(kSmallSide, n - j);
      rowsByRows<kSmallSide, kSmallSide>(high, across, a.data + i * a.lead, a.lead, b.data + j * b.lead, b.lead, k,
                                         out + i * lead + j, lead);
    };
    // Again and again through the shorter factor, which stays in the caches.
    for (int64_t outer = 0; outer < std::max(m, n); outer += kSmallSide) {
      for (int64_t inner = 0; inner < std::min(m, n); inner += kSmallSide) m > n ? square(outer, inner) : square(inner, outer);
    }
    return;
  }
  const int64_t aRow = a.transposed ? 1 : a.lead, aStep = a.transposed ? a.lead : 1;
  eachPiece((n + kLanes - 1) / kLanes, kWide, [&](int64_t first, int64_t vectors) {
    const FirstLanes last(n - (first + vectors - 1) * kLanes);
    eachPiece(m, kHighest, [&](int64_t i, int64_t high) {
      sumsOfRows<kHighest, kWide>(high, vectors, a.data + i * aRow, aRow, aStep, b.data + first * kLanes, b.lead, k, last,
                                  out + i * lead + first * kLanes, lead);
    });
  });
}

#else  // not measured

bool isSmallProduct(const Matrix&, const Matrix&, int64_t, int64_t, int64_t) { return false; }
void smallProduct(const Matrix&, const Matrix&, int64_t, int64_t, int64_t, float*, int64_t) {}

#endif

}  // namespace kindling
