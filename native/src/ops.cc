#include "ops.h"

#include <cmath>
#include <limits>

#include "vectorMath.h"

namespace kindling {

const char* const kOpNames =
    "neg,abs,sign,exp,expm1,log,log1p,sqrt,rsqrt,reciprocal,sin,cos,tan,tanh,sigmoid,softplus,erf,"
    "floor,ceil,round,trunc,isNan,add,sub,mul,div,pow,remainder,max,min,less,lessEqual,equal,atan2,where";

int arityOf(int op) {
  if (op == static_cast<int>(Op::Where)) return 3;
  return op >= static_cast<int>(Op::Add) ? 2 : 1;
}

namespace {

// ---- one element ----

struct Neg { template <class T> static T of(T a) { return -a; } };
struct Abs { template <class T> static T of(T a) { return std::fabs(a); } };
struct Sign {
  template <class T> static T of(T a) { return a > 0 ? T(1) : (a < 0 ? T(-1) : a); }
};
struct Sqrt { template <class T> static T of(T a) { return std::sqrt(a); } };
struct Rsqrt { template <class T> static T of(T a) { return T(1) / std::sqrt(a); } };
struct Reciprocal { template <class T> static T of(T a) { return T(1) / a; } };
struct Floor { template <class T> static T of(T a) { return std::floor(a); } };
struct Ceil { template <class T> static T of(T a) { return std::ceil(a); } };
struct Round { template <class T> static T of(T a) { return std::rint(a); } };
struct Trunc { template <class T> static T of(T a) { return std::trunc(a); } };
struct IsNan { template <class T> static T of(T a) { return a != a ? T(1) : T(0); } };
struct Tan { template <class T> static T of(T a) { return std::tan(a); } };

struct Exp {
  static float of(float a) { return vec::exp(a); }
  static double of(double a) { return std::exp(a); }
};
struct Expm1 {
  static float of(float a) { return vec::expm1(a); }
  static double of(double a) { return std::expm1(a); }
};
struct Log {
  static float of(float a) { return vec::log(a); }
  static double of(double a) { return std::log(a); }
};
struct Log1p {
  static float of(float a) { return vec::log1p(a); }
  static double of(double a) { return std::log1p(a); }
};
struct Tanh {
  static float of(float a) { return vec::tanh(a); }
  static double of(double a) { return std::tanh(a); }
};
struct Sigmoid {
  static float of(float a) { return vec::sigmoid(a); }
  static double of(double a) { return 1.0 / (1.0 + std::exp(-a)); }
};
struct Softplus {
  static float of(float a) { return vec::softplus(a); }
  static double of(double a) { return (a > 0 ? a : 0.0) + std::log1p(std::exp(-std::fabs(a))); }
};
struct Erf {
  static float of(float a) { return vec::erf(a); }
  static double of(double a) { return std::erf(a); }
};

struct Add { template <class T> static T of(T a, T b) { return a + b; } };
struct Sub { template <class T> static T of(T a, T b) { return a - b; } };
struct Mul { template <class T> static T of(T a, T b) { return a * b; } };
struct Div { template <class T> static T of(T a, T b) { return a / b; } };
struct Max { template <class T> static T of(T a, T b) { return (a > b) | (a != a) ? a : b; } };
struct Min { template <class T> static T of(T a, T b) { return (a < b) | (a != a) ? a : b; } };
struct Less { template <class T> static T of(T a, T b) { return a < b ? T(1) : T(0); } };
struct LessEqual { template <class T> static T of(T a, T b) { return a <= b ? T(1) : T(0); } };
struct Equal { template <class T> static T of(T a, T b) { return a == b ? T(1) : T(0); } };
struct Atan2 { template <class T> static T of(T a, T b) { return std::atan2(a, b); } };
struct Remainder {  // the sign of the divisor, as Python's %
  template <class T> static T of(T a, T b) {
    const T r = std::fmod(a, b);
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
  }
};

// ---- loops ----

// Operands may be the destination itself, element by element; ivdep tells the compiler that nothing worse happens.
template <class F, class T>
void unary(T* dst, const T* a, const T*, const T*, int64_t n) {
#pragma GCC ivdep
  for (int64_t i = 0; i < n; i++) dst[i] = F::of(a[i]);
}

template <class F, class T, bool UniformA, bool UniformB>
void binary(T* dst, const T* a, const T* b, const T*, int64_t n) {
  const T a0 = *a, b0 = *b;
#pragma GCC ivdep
  for (int64_t i = 0; i < n; i++) dst[i] = F::of(UniformA ? a0 : a[i], UniformB ? b0 : b[i]);
}

template <class T, bool UniformA, bool UniformB, bool UniformC>
void where(T* dst, const T* a, const T* b, const T* c, int64_t n) {
  const T a0 = *a, b0 = *b, c0 = *c;
#pragma GCC ivdep
  for (int64_t i = 0; i < n; i++) {
    const T yes = UniformB ? b0 : b[i];
    const T no = UniformC ? c0 : c[i];
    dst[i] = (UniformA ? a0 : a[i]) != 0 ? yes : no;
  }
}

struct Sin {
  static float fast(float a) { return vec::sin(a); }
  template <class T> static T exact(T a) { return std::sin(a); }
};
struct Cos {
  static float fast(float a) { return vec::cos(a); }
  template <class T> static T exact(T a) { return std::cos(a); }
};

// Huge arguments are rare; a block that holds one goes through the C library.
template <class F, class T>
void trig(T* dst, const T* a, const T*, const T*, int64_t n) {
  if constexpr (std::is_same_v<T, float>) {
    int huge = 0;
    for (int64_t i = 0; i < n; i++) huge |= std::fabs(a[i]) > vec::kTrigLimit;
    if (huge == 0) {
#pragma GCC ivdep
      for (int64_t i = 0; i < n; i++) dst[i] = F::fast(a[i]);
      return;
    }
  }
  for (int64_t i = 0; i < n; i++) dst[i] = F::exact(a[i]);
}

template <class T, bool UniformA, bool UniformB>
void power(T* dst, const T* a, const T* b, const T*, int64_t n) {
  const T a0 = *a, b0 = *b;
  if (UniformB && !UniformA && b0 == T(2)) {
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++) dst[i] = a[i] * a[i];
    return;
  }
  if (UniformB && !UniformA && b0 == T(3)) {
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++) dst[i] = a[i] * a[i] * a[i];
    return;
  }
  if constexpr (std::is_same_v<T, float>) {
    int odd = 0;
    for (int64_t i = 0; i < n; i++) {
      const T x = UniformA ? a0 : a[i], y = UniformB ? b0 : b[i];
      odd |= !((x > 0.0f) & (x < vec::kInf) & (std::fabs(y) < vec::kInf));
    }
    if (odd == 0) {
#pragma GCC ivdep
      for (int64_t i = 0; i < n; i++) dst[i] = vec::powPositive(UniformA ? a0 : a[i], UniformB ? b0 : b[i]);
      return;
    }
  }
  for (int64_t i = 0; i < n; i++) dst[i] = std::pow(UniformA ? a0 : a[i], UniformB ? b0 : b[i]);
}

// Rounded once where the processor can, whatever the compiler's settings: as machine code does it (compiled.cc).
inline float multiplyAdd(float x, float y, float z) {
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
  return __builtin_fmaf(x, y, z);
#else
  return x * y + z;
#endif
}

template <Fused kForm, bool UniformA, bool UniformB, bool UniformC>
void fused(float* dst, const float* a, const float* b, const float* c, int64_t n) {
  const float a0 = *a, b0 = *b, c0 = *c;
#pragma GCC ivdep
  for (int64_t i = 0; i < n; i++) {
    const float x = UniformA ? a0 : a[i], y = UniformB ? b0 : b[i], z = UniformC ? c0 : c[i];
    dst[i] = multiplyAdd(kForm == Fused::SubFrom ? -x : x, y, kForm == Fused::Sub ? -z : z);
  }
}

template <Fused kForm>
Loop<float> pickFused(unsigned mask) {
  switch (mask & 7) {
    case 1: return fused<kForm, true, false, false>;
    case 2: return fused<kForm, false, true, false>;
    case 4: return fused<kForm, false, false, true>;
    case 5: return fused<kForm, true, false, true>;
    case 6: return fused<kForm, false, true, true>;
    default: return fused<kForm, false, false, false>;
  }
}

template <class F, class T>
Loop<T> pickBinary(unsigned mask) {
  switch (mask & 3) {
    case 1: return binary<F, T, true, false>;
    case 2: return binary<F, T, false, true>;
    default: return binary<F, T, false, false>;
  }
}

template <class T>
Loop<T> pickPower(unsigned mask) {
  switch (mask & 3) {
    case 1: return power<T, true, false>;
    case 2: return power<T, false, true>;
    default: return power<T, false, false>;
  }
}

template <class T>
Loop<T> pickWhere(unsigned mask) {
  switch (mask & 7) {
    case 1: return where<T, true, false, false>;
    case 2: return where<T, false, true, false>;
    case 3: return where<T, true, true, false>;
    case 4: return where<T, false, false, true>;
    case 5: return where<T, true, false, true>;
    case 6: return where<T, false, true, true>;
    default: return where<T, false, false, false>;
  }
}

}  // namespace

template <class T>
Loop<T> loopFor(int op, unsigned mask) {
  switch (static_cast<Op>(op)) {
    case Op::Neg: return unary<Neg, T>;
    case Op::Abs: return unary<Abs, T>;
    case Op::Sign: return unary<Sign, T>;
    case Op::Exp: return unary<Exp, T>;
    case Op::Expm1: return unary<Expm1, T>;
    case Op::Log: return unary<Log, T>;
    case Op::Log1p: return unary<Log1p, T>;
    case Op::Sqrt: return unary<Sqrt, T>;
    case Op::Rsqrt: return unary<Rsqrt, T>;
    case Op::Reciprocal: return unary<Reciprocal, T>;
    case Op::Sin: return trig<Sin, T>;
    case Op::Cos: return trig<Cos, T>;
    case Op::Tan: return unary<Tan, T>;
    case Op::Tanh: return unary<Tanh, T>;
    case Op::Sigmoid: return unary<Sigmoid, T>;
    case Op::Softplus: return unary<Softplus, T>;
    case Op::Erf: return unary<Erf, T>;
    case Op::Floor: return unary<Floor, T>;
    case Op::Ceil: return unary<Ceil, T>;
    case Op::Round: return unary<Round, T>;
    case Op::Trunc: return unary<Trunc, T>;
    case Op::IsNan: return unary<IsNan, T>;
    case Op::Add: return pickBinary<Add, T>(mask);
    case Op::Sub: return pickBinary<Sub, T>(mask);
    case Op::Mul: return pickBinary<Mul, T>(mask);
    case Op::Div: return pickBinary<Div, T>(mask);
    case Op::Pow: return pickPower<T>(mask);
    case Op::Remainder: return pickBinary<Remainder, T>(mask);
    case Op::Max: return pickBinary<Max, T>(mask);
    case Op::Min: return pickBinary<Min, T>(mask);
    case Op::Less: return pickBinary<Less, T>(mask);
    case Op::LessEqual: return pickBinary<LessEqual, T>(mask);
    case Op::Equal: return pickBinary<Equal, T>(mask);
    case Op::Atan2: return pickBinary<Atan2, T>(mask);
    case Op::Where: return pickWhere<T>(mask);
  }
  return nullptr;
}

// The product is a block: of a and b, one at most is uniform.
Loop<float> fusedLoop(Fused form, unsigned mask) {
  switch (form) {
    case Fused::Add: return pickFused<Fused::Add>(mask);
    case Fused::Sub: return pickFused<Fused::Sub>(mask);
    case Fused::SubFrom: return pickFused<Fused::SubFrom>(mask);
  }
  return nullptr;
}

template Loop<float> loopFor<float>(int, unsigned);
template Loop<double> loopFor<double>(int, unsigned);

}  // namespace kindling
