// One float matrix product out = a·b, cut into parts and run by one thread or several. The result is the same
// bit for bit for one thread and two.
#pragma once

#include <dnnl.h>

#include <cstdint>

namespace kindling {

// A float matrix whose rows, or columns if transposed, are packed and `lead` elements apart.
struct Matrix {
  const float* data;
  bool transposed;
  int64_t lead;
};

// What is done with each element of a product while it is near.
struct Epilogue {
  const float* bias = nullptr;  // one for each column
  bool relu = false;            // cut off below 0; NaN stays
};

// Rows of `out` are `lead` elements apart. Does not throw: it may run inside a parallel region.
dnnl_status_t product(const Matrix& a, const Matrix& b, int64_t m, int64_t n, int64_t k, const Epilogue& epilogue,
                      float* out, int64_t lead);

}  // namespace kindling
