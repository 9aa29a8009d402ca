// Sixteen neighbouring numbers, as one vector or as many as the processor needs.
#pragma once

#include <cstring>
#include <utility>

namespace kindling {

constexpr int kLanes = 16;
typedef float Vec __attribute__((vector_size(kLanes * sizeof(float))));

inline void load(Vec& v, const float* p) { std::memcpy(&v, p, sizeof(v)); }
inline void store(const Vec& v, float* p) { std::memcpy(p, &v, sizeof(v)); }

// What there is of sixteen numbers in front of `end`.
inline void loadAtMost(Vec& v, const float* p, const float* end) {
  if (end - p >= kLanes) {
    load(v, p);
  } else if (p < end) {
    std::memcpy(&v, p, (end - p) * sizeof(float));
  }
}

template <int... kLane>
inline Vec pick(const Vec& a, const Vec& b, std::integer_sequence<int, kLane...>) {
#ifdef __clang__
  return __builtin_shufflevector(a, b, kLane...);
#else
  typedef int Lanes __attribute__((vector_size(sizeof(Vec))));
  return __builtin_shuffle(a, b, Lanes{kLane...});
#endif
}

// In squares of 2·kStep lanes by as many rows, of which a and b are some: changes the upper right quarter for the lower left.
template <int kStep, int... kLane>
inline void swapQuarters(Vec& a, Vec& b, std::integer_sequence<int, kLane...>) {
  const Vec upper = pick(a, b, std::integer_sequence<int, (kLane & kStep ? kLanes + kLane - kStep : kLane)...>());
  b = pick(a, b, std::integer_sequence<int, (kLane & kStep ? kLanes + kLane : kLane + kStep)...>());
  a = upper;
}

template <int kStep = kLanes / 2>
inline void transpose(Vec (&rows)[kLanes]) {
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; i++) {
    if ((i & kStep) == 0) swapQuarters<kStep>(rows[i], rows[i + kStep], std::make_integer_sequence<int, kLanes>());
  }
  if constexpr (kStep > 1) transpose<kStep / 2>(rows);
}

}  // namespace kindling
