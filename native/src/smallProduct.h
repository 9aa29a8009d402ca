// Small matrix products. oneDNN copies its factors to where it can go through them fast, which takes longer than a small
// product itself; here they are used where they lie.
#pragma once

#include "product.h"

namespace kindling {

// Rows and columns are taken so many at a time where both factors lie along k.
constexpr int kSmallSide = 4;

// Whether one of these is faster than oneDNN, by measurement: it depends on the sizes alone.
bool isSmallProduct(const Matrix& a, const Matrix& b, int64_t m, int64_t n, int64_t k);

// out = a·b for such matrices, on the calling thread. An element's bits do not depend on which others are computed with it.
void smallProduct(const Matrix& a, const Matrix& b, int64_t m, int64_t n, int64_t k, float* out, int64_t lead);

}  // namespace kindling
