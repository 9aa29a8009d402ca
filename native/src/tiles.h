// Sums of small matrix products, in tiles that stay in registers: what our own convolutions come down to.
#pragma once

#include <algorithm>
#include <cstdint>

#include "lanes.h"

namespace kindling {

// The most vectors of columns that a tile has.
#ifdef __AVX512F__
constexpr int kWidest = 4;
#else
constexpr int kWidest = 1;
#endif

// One of several products that add up: a's rows and b's rows, of whole vectors, begin here.
struct Factors {
  const float *a, *b;
};

// How the elements of all factors lie: from one row of a to the next, and along the sum in a and in b, of `count` steps.
struct Steps {
  int64_t aRow, aStep, bStep, count;
};

// What sums begin with: rows `row` numbers apart (0: the same one for all), or zeros.
struct Start {
  const float* from = nullptr;
  int64_t row = 0;
};

// c[rows × 16·vectors] = start + the sum of all a · b. `start` may be c itself.
void sumProducts(const Factors* factors, int64_t products, const Steps& steps, int64_t rows, int vectors, Start start,
                 float* c, int64_t cRow);

// Calls run(first column, vectors) for panels of at most `most` columns.
template <class Run>
inline void eachPanel(int64_t columns, int64_t most, Run&& run) {
  for (int64_t first = 0; first < columns; first += most) {
    run(first, static_cast<int>(std::min(most, columns - first) / kLanes));
  }
}

}  // namespace kindling
