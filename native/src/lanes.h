// Sixteen neighbouring numbers, as one vector or as many as the processor needs.
#pragma once

#include <cstdint>
#include <cstring>
#include <utility>

#ifdef __AVX512F__
#include <immintrin.h>
#endif

namespace kindling {

constexpr int kLanes = 16;

#ifdef __AVX512F__

typedef float Vec __attribute__((vector_size(kLanes * sizeof(float))));

// Where floats lie: by memcpy GCC may go in halves, of which a whole vector is not had again without waiting.
typedef float Anywhere __attribute__((vector_size(sizeof(Vec)), aligned(alignof(float)), may_alias));

inline void load(Vec& v, const float* p) { v = *reinterpret_cast<const Anywhere*>(p); }
inline void store(const Vec& v, float* p) { *reinterpret_cast<Anywhere*>(p) = v; }

// The first few lanes, all if there are more.
class FirstLanes {
 public:
  explicit FirstLanes(int64_t count) : mask_(count >= kLanes ? 0xffff : (1 << count) - 1) {}
  // These lanes of v, zeros in the others.
  Vec of(const Vec& v) const { return _mm512_maskz_mov_ps(mask_, v); }
  // Memory under the others is not touched.
  void load(Vec& v, const float* p) const { v = _mm512_maskz_loadu_ps(mask_, p); }
  void store(const Vec& v, float* p) const { _mm512_mask_storeu_ps(p, mask_, v); }

 private:
  __mmask16 mask_;
};

#else

// Of vectors wider than a register GCC keeps sums in memory, so they are several registers.
#ifdef __AVX__
constexpr int kRegisterLanes = 8;
#else
constexpr int kRegisterLanes = 4;
#endif
constexpr int kRegisters = kLanes / kRegisterLanes;
typedef float Register __attribute__((vector_size(kRegisterLanes * sizeof(float))));
typedef int32_t RegisterBits __attribute__((vector_size(sizeof(Register))));

struct Vec {
  Register in[kRegisters];

  Vec& operator+=(const Vec& other) { return *this = *this + other; }

  friend Vec operator+(const Vec& a, const Vec& b) {
    return each([&](int i) { return a.in[i] + b.in[i]; });
  }
  friend Vec operator-(const Vec& a, const Vec& b) {
    return each([&](int i) { return a.in[i] - b.in[i]; });
  }
  friend Vec operator*(const Vec& a, const Vec& b) {
    return each([&](int i) { return a.in[i] * b.in[i]; });
  }
  friend Vec operator*(float a, const Vec& b) {
    return each([&](int i) { return a * b.in[i]; });
  }
  friend Vec operator*(const Vec& a, float b) { return b * a; }

  template <class Make>
  static Vec each(Make&& make) {
    Vec v;
#pragma GCC unroll 4
    for (int i = 0; i < kRegisters; i++) v.in[i] = make(i);
    return v;
  }
};

// Register by register: all at once would go through memory.
inline void load(Vec& v, const float* p) {
#pragma GCC unroll 4
  for (int i = 0; i < kRegisters; i++) std::memcpy(&v.in[i], p + i * kRegisterLanes, sizeof(Register));
}
inline void store(const Vec& v, float* p) {
#pragma GCC unroll 4
  for (int i = 0; i < kRegisters; i++) std::memcpy(p + i * kRegisterLanes, &v.in[i], sizeof(Register));
}

// The first few lanes, all if there are more.
class FirstLanes {
 public:
  explicit FirstLanes(int64_t count) {
    for (int i = 0; i < kLanes; i++) bits_[i / kRegisterLanes][i % kRegisterLanes] = i < count ? -1 : 0;
  }
  // These lanes of v, zeros in the others.
  Vec of(const Vec& v) const {
    return Vec::each([&](int i) {
      return reinterpret_cast<Register>(reinterpret_cast<RegisterBits>(v.in[i]) & bits_[i]);
    });
  }

 private:
  RegisterBits bits_[kRegisters];
};

#endif

// What there is of sixteen numbers in front of `end`.
inline void loadAtMost(Vec& v, const float* p, const float* end) {
  if (end - p >= kLanes) {
    load(v, p);
  } else if (p < end) {
    std::memcpy(&v, p, (end - p) * sizeof(float));
  }
}

template <class V, int... kLane>
inline V pick(const V& a, const V& b, std::integer_sequence<int, kLane...>) {
#ifdef __clang__
  return __builtin_shufflevector(a, b, kLane...);
#else
  typedef int Lanes __attribute__((vector_size(sizeof(V))));
  return __builtin_shuffle(a, b, Lanes{kLane...});
#endif
}

// In squares of 2·kStep lanes by as many rows, of which a and b are some: changes the upper right quarter for the lower left.
template <int kStep, class V, int... kLane>
inline void swapQuarters(V& a, V& b, std::integer_sequence<int, kLane...>) {
  constexpr int kCount = sizeof...(kLane);
  const V upper = pick(a, b, std::integer_sequence<int, (kLane & kStep ? kCount + kLane - kStep : kLane)...>());
  b = pick(a, b, std::integer_sequence<int, (kLane & kStep ? kCount + kLane : kLane + kStep)...>());
  a = upper;
}

template <int kStep>
inline void swapQuarters(Vec& a, Vec& b) {
#ifdef __AVX512F__
  swapQuarters<kStep>(a, b, std::make_integer_sequence<int, kLanes>());
#else
  for (int i = 0; i < kRegisters; i++) {
    if constexpr (kStep < kRegisterLanes) {
      swapQuarters<kStep>(a.in[i], b.in[i], std::make_integer_sequence<int, kRegisterLanes>());
    } else if ((i & (kStep / kRegisterLanes)) == 0) {
      std::swap(a.in[i + kStep / kRegisterLanes], b.in[i]);
    }
  }
#endif
}

template <int kStep = kLanes / 2>
inline void transpose(Vec (&rows)[kLanes]) {
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; i++) {
    if ((i & kStep) == 0) swapQuarters<kStep>(rows[i], rows[i + kStep]);
  }
  if constexpr (kStep > 1) transpose<kStep / 2>(rows);
}

}  // namespace kindling
