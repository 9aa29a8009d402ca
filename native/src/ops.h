// The scalar vocabulary: one vectorised loop per operation and form of its operands.
#pragma once

#include <cstdint>

namespace kindling {

// Positions in `arity` of src/backend/expr.ts; kOpNames lets the face check that both sides agree.
enum class Op : int {
  Neg, Abs, Sign, Exp, Expm1, Log, Log1p, Sqrt, Rsqrt, Reciprocal, Sin, Cos, Tan, Tanh, Sigmoid, Softplus, Erf,
  Floor, Ceil, Round, Trunc, IsNan, Add, Sub, Mul, Div, Pow, Remainder, Max, Min, Less, LessEqual, Equal, Atan2, Where
};
constexpr int kOpCount = 35;
extern const char* const kOpNames;

int arityOf(int op);

// Computes n elements of dst. An operand is a block of n elements, or one value for all if its bit in the mask the
// loop was looked up with is set. dst may be one of the operands.
template <class T>
using Loop = void (*)(T* dst, const T* a, const T* b, const T* c, int64_t n);

template <class T>
Loop<T> loopFor(int op, unsigned uniformMask);

// A product joined with the sum or difference it goes into: one pass over the blocks less.
enum class Fused : int { Add, Sub, SubFrom };  // a·b + c, a·b − c, c − a·b
Loop<float> fusedLoop(Fused form, unsigned uniformMask);

}  // namespace kindling
