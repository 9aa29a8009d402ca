// Where the largest or smallest element of each line lies.
#include "kernels.h"
#include "team.h"

namespace kindling {

namespace {

// The first of equals; the first NaN beats everything.
template <bool isMax, class E>
int32_t argOf(const E* x, int64_t n, int64_t stride) {
  int64_t best = 0;
  auto bestValue = widen(x[0]);
  if (bestValue != bestValue) return 0;
  for (int64_t i = 1; i < n; i++) {
    const auto value = widen(x[i * stride]);
    if (value != value) return static_cast<int32_t>(i);
    if (isMax ? value > bestValue : value < bestValue) best = i, bestValue = value;
  }
  return static_cast<int32_t>(best);
}

}  // namespace

// Reads 1 for max or 0 for min, axis, x, out (int32, of size 1 along the axis).
double argReduceKernel(Context&, Reader& reader) {
  const bool isMax = reader.flag();
  const int axis = reader.count(kMaxRank - 1);
  View x, out;
  reader.view(x);
  reader.view(out);
  bool fits = x.rank == out.rank && axis < x.rank && out.dtype == DType::Int32;
  for (int i = 0; fits && i < x.rank; i++) fits = out.size[i] == (i == axis ? 1 : x.size[i]);
  if (!fits || x.size[axis] == 0) throw std::runtime_error("kindling addon: argReduce: views do not fit each other");
  const int64_t n = x.size[axis], stride = x.stride[axis], lines = out.elements();
  parallelFor(lines, lines * n * 8, [&](int64_t first, int64_t last) {
    for (int64_t line = first; line < last; line++) {
      int64_t from = 0, to = 0, rest = line;
      for (int i = out.rank - 1; i >= 0; i--) {
        const int64_t position = rest % out.size[i];
        rest /= out.size[i];
        from += position * x.stride[i];
        to += position * out.stride[i];
      }
      visitDType(x.dtype, [&](auto type) {
        using E = typename decltype(type)::Element;
        const E* values = x.as<E>() + from;
        out.as<int32_t>()[to] = isMax ? argOf<true>(values, n, stride) : argOf<false>(values, n, stride);
      });
    }
  });
  return 0;
}

}  // namespace kindling
