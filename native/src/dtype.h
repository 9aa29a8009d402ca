// Element types and the conversions between them and the two types we compute in, float and double.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace kindling {

// The codes of src/backend/dtype.ts.
enum class DType : int { Float32, Float64, Int32, Uint8, Bool, Float16, Bfloat16 };
constexpr int kDTypeCount = 7;
constexpr int64_t kDTypeBytes[kDTypeCount] = {4, 8, 4, 1, 1, 2, 2};

inline int64_t bytesOf(DType dtype) { return kDTypeBytes[static_cast<int>(dtype)]; }

struct Bool {
  uint8_t value;
};
struct Half {
  uint16_t bits;
};
struct Brain {
  uint16_t bits;
};

template <class To, class From>
inline To bitCast(From from) {
  static_assert(sizeof(To) == sizeof(From), "bitCast: sizes differ");
  To to;
  std::memcpy(&to, &from, sizeof(To));
  return to;
}

// Widening. Branch-free, so that loops over them vectorise.
inline float widen(Half half) {
  const uint32_t magnitude = half.bits & 0x7fffu;
  const float finite = bitCast<float>(magnitude << 13) * 0x1p112f;  // rebias; right for subnormals too
  const uint32_t special = (magnitude << 13) | 0x7f800000u;
  const uint32_t bits = magnitude >= 0x7c00u ? special : bitCast<uint32_t>(finite);
  return bitCast<float>(bits | (uint32_t(half.bits & 0x8000u) << 16));
}
inline float widen(Brain brain) { return bitCast<float>(uint32_t(brain.bits) << 16); }
inline float widen(Bool b) { return b.value != 0 ? 1.0f : 0.0f; }
inline float widen(float x) { return x; }
inline double widen(double x) { return x; }
inline double widen(int32_t x) { return x; }
inline float widen(uint8_t x) { return x; }

// JavaScript's ToInt32: truncation, then the low 32 bits; NaN and infinities give 0.
inline int32_t wrapToInt32(double x) {
  if (std::fabs(x) < 0x1p62) return static_cast<int32_t>(static_cast<uint32_t>(static_cast<int64_t>(x)));
  if (!std::isfinite(x)) return 0;
  const double rest = std::fmod(std::trunc(x), 0x1p32);
  return static_cast<int32_t>(static_cast<uint32_t>(static_cast<int64_t>(rest)));
}

// Narrowing, round to nearest even for the 16-bit floats.
inline void narrow(float x, Half& out) {
  const uint32_t b = bitCast<uint32_t>(x);
  const uint32_t sign = (b >> 16) & 0x8000u;
  const uint32_t magnitude = b & 0x7fffffffu;
  // Subnormal: adding 0.5 leaves the value in units of 2^-24, rounded to even, in the low bits.
  const uint32_t subnormal = bitCast<uint32_t>(bitCast<float>(magnitude) + 0.5f) - 0x3f000000u;
  const uint32_t rebiased = magnitude - 0x38000000u;
  uint32_t result = (rebiased + 0x0fffu + ((rebiased >> 13) & 1u)) >> 13;
  result = magnitude < 0x38800000u ? subnormal : result;
  result = magnitude >= 0x477ff000u ? 0x7c00u : result;
  result = magnitude > 0x7f800000u ? 0x7e00u : result;
  out.bits = static_cast<uint16_t>(sign | result);
}
inline void narrow(float x, Brain& out) {
  const uint32_t b = bitCast<uint32_t>(x);
  const uint32_t rounded = (b + 0x7fffu + ((b >> 16) & 1u)) >> 16;
  const uint32_t nan = (b >> 16) | 0x40u;
  out.bits = static_cast<uint16_t>((b & 0x7fffffffu) > 0x7f800000u ? nan : rounded);
}
inline void narrow(float x, Bool& out) { out.value = x != 0.0f ? 1 : 0; }
inline void narrow(float x, float& out) { out = x; }
inline void narrow(float x, double& out) { out = x; }
inline void narrow(float x, int32_t& out) { out = wrapToInt32(x); }
inline void narrow(float x, uint8_t& out) { out = static_cast<uint8_t>(wrapToInt32(x)); }
inline void narrow(double x, Half& out) { narrow(static_cast<float>(x), out); }
inline void narrow(double x, Brain& out) { narrow(static_cast<float>(x), out); }
inline void narrow(double x, Bool& out) { out.value = x != 0.0 ? 1 : 0; }
inline void narrow(double x, float& out) { out = static_cast<float>(x); }
inline void narrow(double x, double& out) { out = x; }
inline void narrow(double x, int32_t& out) { out = wrapToInt32(x); }
inline void narrow(double x, uint8_t& out) { out = static_cast<uint8_t>(wrapToInt32(x)); }

template <class T>
constexpr DType dtypeOf() {
  static_assert(std::is_same_v<T, float> || std::is_same_v<T, double>, "we compute in float or double");
  return std::is_same_v<T, float> ? DType::Float32 : DType::Float64;
}

template <class E>
struct Type {
  using Element = E;
};

// Calls `fn` with the Type of a dtype's elements.
template <class Fn>
inline auto visitDType(DType dtype, Fn&& fn) {
  switch (dtype) {
    case DType::Float32: return fn(Type<float>{});
    case DType::Float64: return fn(Type<double>{});
    case DType::Int32: return fn(Type<int32_t>{});
    case DType::Uint8: return fn(Type<uint8_t>{});
    case DType::Bool: return fn(Type<Bool>{});
    case DType::Float16: return fn(Type<Half>{});
    default: return fn(Type<Brain>{});
  }
}

}  // namespace kindling
