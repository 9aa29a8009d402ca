// Sums over the elements of a row, in float: of few, or of what goes on to doubles.
#pragma once

#include <cstdint>

namespace kindling {

inline float sumOf(const float* x, int64_t n) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t j = 0; j < n; j++) sum += x[j];
  return sum;
}

inline float squaresOf(const float* x, int64_t n, float mean) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t j = 0; j < n; j++) sum += (x[j] - mean) * (x[j] - mean);
  return sum;
}

}  // namespace kindling
