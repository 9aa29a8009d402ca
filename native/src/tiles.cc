#include "tiles.h"

#include <array>

#include "pieces.h"

namespace kindling {

namespace {

// Rows of a tile: as many sums as there are registers for, and enough of them that none has to wait for itself.
#ifdef __AVX512F__
constexpr int highest(int vectors) { return vectors == 1 ? 14 : 24 / vectors; }
#else
constexpr int highest(int) { return 6; }
#endif

using Tile = void (*)(const Factors* factors, int64_t products, int64_t aOffset, const Steps& steps, Start start, float* c,
                      int64_t cRow);

template <int kVectors, int kHigh>
void tile(const Factors* factors, int64_t products, int64_t aOffset, const Steps& steps, Start start, float* c, int64_t cRow) {
  constexpr int kHalf = (kHigh + 1) / 2;
  Vec sums[kHigh][kVectors];
#pragma GCC unroll 14
  for (int i = 0; i < kHigh; i++) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; v++) {
      sums[i][v] = Vec{};
      if (start.from != nullptr) load(sums[i][v], start.from + i * start.row + v * kLanes);
    }
  }
  const int64_t aRow = steps.aRow, aStep = steps.aStep, bStep = steps.bStep;
  for (const Factors* f = factors; f < factors + products; f++) {
    const float *a = f->a + aOffset, *b = f->b, *lower = a + kHalf * aRow;
    // Both halves of the rows by the same few distances: more would not fit into the registers for addresses.
    asm("" : "+r"(lower));
    for (int64_t p = 0; p < steps.count; p++, a += aStep, b += bStep, lower += aStep) {
      Vec columns[kVectors];
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; v++) load(columns[v], b + v * kLanes);
#pragma GCC unroll 14
      for (int i = 0; i < kHigh; i++) {
        const float* row = i < kHalf ? a : lower;  // GCC's undefined-behaviour sanitizer takes the wrong one without a name
        const float value = row[i % kHalf * aRow];
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; v++) sums[i][v] += value * columns[v];
      }
    }
  }
#pragma GCC unroll 14
  for (int i = 0; i < kHigh; i++) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; v++) store(sums[i][v], c + i * cRow + v * kLanes);
  }
}

template <int kVectors, int... kRow>
constexpr std::array<Tile, sizeof...(kRow)> tilesOf(std::integer_sequence<int, kRow...>) {
  return {tile<kVectors, kRow + 1>...};
}

template <int kVectors>
void sumOf(const Factors* factors, int64_t products, const Steps& steps, int64_t rows, int vectors, Start start, float* c,
           int64_t cRow) {
  if (vectors != kVectors) {
    if constexpr (kVectors > 1) sumOf<kVectors - 1>(factors, products, steps, rows, vectors, start, c, cRow);
    return;
  }
  static constexpr auto kTiles = tilesOf<kVectors>(std::make_integer_sequence<int, highest(kVectors)>());
  eachPiece(rows, highest(kVectors), [&](int64_t first, int64_t high) {
    const Start own{start.from == nullptr ? nullptr : start.from + first * start.row, start.row};
    kTiles[high - 1](factors, products, first * steps.aRow, steps, own, c + first * cRow, cRow);
  });
}

}  // namespace

void sumProducts(const Factors* factors, int64_t products, const Steps& steps, int64_t rows, int vectors, Start start,
                 float* c, int64_t cRow) {
  sumOf<kWidest>(factors, products, steps, rows, vectors, start, c, cRow);
}

}  // namespace kindling
