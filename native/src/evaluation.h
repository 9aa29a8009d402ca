// A program bound to views: decides once per call how each value is computed, then runs box after box.
//
// Values are of three kinds. Constant: known before the loop. Uniform: one value per box (an input that stands still
// while the box moves, or a call of such values). Block: one value per element. Inputs that lie packed in memory in the
// type we compute in are read in place, and results are written in place under the same condition; all else passes
// through blocks in the first or second level cache.
#pragma once

#include <vector>

#include "block.h"
#include "compiled.h"
#include "ops.h"
#include "program.h"

namespace kindling {

template <class T>
class Evaluation {
 public:
  Space space;
  std::vector<Access> inputs;
  std::vector<Access> outputs;  // empty for a reduction, which takes the first result itself

  // How many elements a box may hold.
  static constexpr int64_t kCapacity = 4096 / sizeof(T);

  // Space, extents, inputs and outputs must be set.
  void prepare(const Program& program, const double* scalars);

  // A measure of the time it takes, in element operations.
  int64_t work() const { return space.elements() * static_cast<int64_t>(steps_.size() + 2); }

 private:
  template <class>
  friend class BoxRunner;

  enum class Kind : uint8_t { Constant, Uniform, Block };
  enum class Reading : uint8_t { InPlace, Uniform, Gather };
  struct Step : PlanStep {
    Loop<T> loop;
  };

  Step joinedStep(int position, int product) const;
  void chooseReadings();
  void plan(const double* scalars);
  void chooseWritings();
  bool isWhole() const;
  const Compiled* compiled() const;
  bool swapsInPlace(int input) const;

  const Program* program_ = nullptr;
  std::vector<Reading> readings_;
  std::vector<Kind> kinds_;       // per position
  std::vector<T> constants_;      // per position
  std::vector<Step> uniformSteps_;
  std::vector<Step> steps_;
  std::vector<char> direct_;      // per output: whether its call writes in place
  int gathers_ = 0;
  const Compiled* compiled_ = nullptr;  // the steps in one, if that pays
};

// Runs boxes of one evaluation on one thread.
template <class T>
class BoxRunner {
 public:
  explicit BoxRunner(const Evaluation<T>& evaluation);
  BoxRunner(const BoxRunner&) = delete;
  BoxRunner& operator=(const BoxRunner&) = delete;

  // Computes a box and stores its outputs.
  void run(const Box& box);

  // After run: the first result, as a packed block of n elements.
  const T* result(int64_t n);
  // The same as 0 and 1: whether each value differs from 0.
  const T* resultAsBool(int64_t n);

 private:
  using Kind = typename Evaluation<T>::Kind;
  using Reading = typename Evaluation<T>::Reading;

  void load(const Box& box);
  void store(const Box& box);

  const Evaluation<T>& e_;
  T** where_;           // per position, where its value lies
  T* uniforms_;         // per position, room for one value
  T* gathered_;         // blocks of gathered inputs
  T* spare_;            // a block for a uniform result
  const char** loaded_; // per gathered input, what its block holds now
  int64_t loadedElements_ = -1;
};

}  // namespace kindling
