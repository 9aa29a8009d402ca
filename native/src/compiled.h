// Plans as machine code: one loop over the elements whose values stay in registers.
//
// The expression machine runs a plan step after step over a block. That is as fast as memory where steps are cheap. While
// roots and divisions go over a block in the cache memory rests, and afterwards the core waits for it; in one loop the
// two overlap.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "ops.h"

namespace kindling {

// One step of a plan: an operation, which may have taken in a product.
struct PlanStep {
  Op op;
  std::optional<Fused> fused;
  int to, a, b, c;  // positions
};

struct Plan {
  std::vector<PlanStep> steps;
  std::vector<char> isStream;  // per position: whether it is an input that is read element by element
  std::vector<char> isStored;  // per position: whether it is a result
};

class Compiled {
 public:
  // Null where the processor has no AVX2, an operation has no instruction, or registers do not suffice.
  static std::unique_ptr<Compiled> make(const Plan& plan);

  virtual ~Compiled() = default;

  // Computes n elements. where[position]: the memory of inputs and results; the value of what is neither, nor a step.
  virtual void run(float* const* where, int64_t n) const = 0;
};

}  // namespace kindling
