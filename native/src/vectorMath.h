// Elementary functions of float without branches, so that the compiler turns loops over them into vector code.
// Each is within about 2 units in the last place, and right at NaN, infinities and zero.
// Polynomials were fitted to the exact functions for the least relative error over the reduced range.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "dtype.h"

namespace kindling::vec {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kRound = 12582912.0f;  // 1.5 · 2^23: adding it rounds to an integer, held in the low bits
constexpr float kLog2E = 1.44269504f;
constexpr float kLn2High = 0.693145752f;  // few bits, so that n · kLn2High is exact
constexpr float kLn2Low = 1.42860677e-6f;

// Bits are handled unsigned: those of a NaN may pass what an int holds before they are thrown away.
inline float pow2(int32_t n) { return bitCast<float>(static_cast<uint32_t>(n + 127) << 23); }

// x = n ln 2 + r; returns r and sets n.
inline float reduceExp(float x, int32_t& n) {
  const float shifted = x * kLog2E + kRound;
  const float whole = shifted - kRound;
  n = static_cast<int32_t>(bitCast<uint32_t>(shifted) - bitCast<uint32_t>(kRound));
  return (x - whole * kLn2High) - whole * kLn2Low;
}

// e^r − 1 for |r| ≤ ln 2 / 2.
inline float expm1Reduced(float r) {
  float p = 1.394645078e-03f;
  p = p * r + 8.366583847e-03f;
  p = p * r + 4.166628048e-02f;
  p = p * r + 1.666654348e-01f;
  p = p * r + 0.5f;
  return r + (r * r) * p;
}

inline float exp(float x) {
  float bounded = x > 89.0f ? 89.0f : x;  // a NaN passes both comparisons
  bounded = bounded < -104.0f ? -104.0f : bounded;
  int32_t n;
  const float y = 1.0f + expm1Reduced(reduceExp(bounded, n));
  const int32_t half = n >> 1;  // two factors, since 2^n may be infinite or subnormal where e^x is not
  return y * pow2(half) * pow2(n - half);
}

// e^x for x where neither overflow nor underflow can happen.
inline float expModerate(float x) {
  int32_t n;
  const float y = 1.0f + expm1Reduced(reduceExp(x, n));
  return y * pow2(n);
}

inline float expm1(float x) {
  float bounded = x > 89.0f ? 89.0f : x;
  bounded = bounded < -20.0f ? -20.0f : bounded;
  int32_t n;
  const float p = expm1Reduced(reduceExp(bounded, n));
  const float half = pow2(n - 1);
  const float y = ((half - 0.5f) + half * p) * 2.0f;
  return n == 0 ? p : y;
}

// The logarithm of a positive, normal, finite x.
inline float logNormal(float x) {
  const int32_t shifted = static_cast<int32_t>(bitCast<uint32_t>(x) - 0x3f3504f3u);  // mantissa in [√½, √2)
  const float e = static_cast<float>(shifted >> 23);
  const float f = bitCast<float>((shifted & 0x007fffff) + 0x3f3504f3) - 1.0f;
  float p = -7.859611511e-02f;
  p = p * f + 1.288164705e-01f;
  p = p * f - 1.312875450e-01f;
  p = p * f + 1.418119222e-01f;
  p = p * f - 1.662455350e-01f;
  p = p * f + 2.000228614e-01f;
  p = p * f - 2.500081062e-01f;
  p = p * f + 3.333331645e-01f;
  const float square = f * f;
  float y = square * f * p + e * kLn2Low;
  y = y - 0.5f * square;
  return (f + y) + e * kLn2High;
}

inline float log(float x) {
  const bool tiny = x < 1.17549435e-38f;
  const float y = logNormal(tiny ? x * 8388608.0f : x) - (tiny ? 15.942385f : 0.0f);
  const float special = x == 0.0f ? -kInf : (x == kInf ? kInf : kNaN);
  return (x > 0.0f) & (x < kInf) ? y : special;
}

inline float log1p(float x) {
  const float u = 1.0f + x;
  const float lost = (x - (u - 1.0f)) / u;  // what rounding 1 + x dropped
  const float correction = (x > -1.0f) & (x < kInf) ? lost : 0.0f;
  return vec::log(u) + correction;
}

inline float tanh(float x) {
  const float e = vec::expm1(-2.0f * std::fabs(x));
  return std::copysign(-e / (2.0f + e), x);
}

inline float sigmoid(float x) { return 1.0f / (1.0f + vec::exp(-x)); }

inline float softplus(float x) {
  const float positive = x > 0.0f ? x : 0.0f;
  const float e = vec::exp(-std::fabs(x));  // in [0, 1], so none of log1p's special cases arises
  const float u = 1.0f + e;
  return positive + (logNormal(u) + (e - (u - 1.0f)) / u);
}

inline float erf(float x) {
  const float t = std::fabs(x);
  const float z = x * x;
  float p = 7.853907300e-05f;  // erf(x)/x for |x| ≤ 1
  p = p * z - 8.010208840e-04f;
  p = p * z + 5.188329611e-03f;
  p = p * z - 2.685381286e-02f;
  p = p * z + 1.128358543e-01f;
  p = p * z - 3.761262596e-01f;
  p = p * z + 1.128379107e+00f;
  const float small = x * p;
  const float bounded = t > 4.0f ? 4.0f : t;  // erf(4) rounds to 1
  float q = -1.863792568e-04f;  // −log(1 − erf(t)) for 1 ≤ t ≤ 4
  q = q * bounded + 2.947658999e-03f;
  q = q * bounded - 2.183806710e-02f;
  q = q * bounded + 1.031067595e-01f;
  q = q * bounded + 6.381448507e-01f;
  q = q * bounded + 1.127089143e+00f;
  q = q * bounded + 3.415222454e-04f;
  const float large = std::copysign(1.0f - expModerate(-q), x);
  return t <= 1.0f ? small : large;
}

// Arguments up to here are reduced exactly enough in double; beyond, callers use the C library.
constexpr float kTrigLimit = 1e5f;

// The quarter turns in x and the rest, in [−π/4, π/4].
inline float reduceTrig(float x, int32_t& quarter) {
  constexpr double kShift = 6755399441055744.0;  // 1.5 · 2^52
  const double wide = x;
  const double shifted = wide * 0.63661977236758134308 + kShift;
  const double whole = shifted - kShift;
  quarter = static_cast<int32_t>(bitCast<int64_t>(shifted));
  return static_cast<float>((wide - whole * 1.57079632673412561417) - whole * 6.07710050650619224932e-11);
}

inline float sinReduced(float r) {
  const float z = r * r;
  float p = -1.951665618e-04f;
  p = p * z + 8.332173340e-03f;
  p = p * z - 1.666665524e-01f;
  return r + r * z * p;
}

inline float cosReduced(float r) {
  const float z = r * r;
  float p = 2.443241283e-05f;
  p = p * z - 1.388730947e-03f;
  p = p * z + 4.166664556e-02f;
  return 1.0f - 0.5f * z + z * z * p;
}

inline float sin(float x) {
  int32_t quarter;
  const float r = reduceTrig(x, quarter);
  const float s = sinReduced(r), c = cosReduced(r);
  const float y = (quarter & 1) != 0 ? c : s;
  return bitCast<float>(bitCast<uint32_t>(y) ^ (static_cast<uint32_t>(quarter & 2) << 30));
}

inline float cos(float x) {
  int32_t quarter;
  const float r = reduceTrig(x, quarter);
  const float s = sinReduced(r), c = cosReduced(r);
  const float y = (quarter & 1) != 0 ? s : c;
  return bitCast<float>(bitCast<uint32_t>(y) ^ (static_cast<uint32_t>((quarter + 1) & 2) << 30));
}

// a^b for finite a > 0 and finite b, through double: b · log2(a) needs more bits than a float has.
inline float powPositive(float a, float b) {
  const double wide = a;
  const int64_t shifted = bitCast<int64_t>(wide) - 0x3fe6a09e667f3bcd;
  const double e = static_cast<double>(static_cast<int32_t>(shifted >> 52));
  const double m = bitCast<double>((shifted & 0x000fffffffffffff) + 0x3fe6a09e667f3bcd);
  const double s = (m - 1.0) / (m + 1.0);
  const double z = s * s;
  double p = 1.0 / 13;
  p = p * z + 1.0 / 11;
  p = p * z + 1.0 / 9;
  p = p * z + 1.0 / 7;
  p = p * z + 1.0 / 5;
  p = p * z + 1.0 / 3;
  p = p * z + 1.0;
  double y = (e + p * s * 2.88539008177792681472) * static_cast<double>(b);
  y = y > 200.0 ? 200.0 : y;
  y = y < -200.0 ? -200.0 : y;
  constexpr double kShift = 6755399441055744.0;
  const double moved = y + kShift;
  const double r = (y - (moved - kShift)) * 0.69314718055994530942;
  double q = 1.0 / 362880;
  q = q * r + 1.0 / 40320;
  q = q * r + 1.0 / 5040;
  q = q * r + 1.0 / 720;
  q = q * r + 1.0 / 120;
  q = q * r + 1.0 / 24;
  q = q * r + 1.0 / 6;
  q = q * r + 0.5;
  q = q * r + 1.0;
  q = q * r + 1.0;
  const int64_t n = bitCast<int64_t>(moved) - bitCast<int64_t>(kShift);
  return static_cast<float>(q * bitCast<double>((n + 1023) << 52));
}

}  // namespace kindling::vec
