#include "evaluation.h"

#include <algorithm>
#include <cstdlib>
#include <new>
#include <type_traits>

namespace kindling {

namespace {

constexpr size_t kAlign = 64;
// Blocks a multiple of 4096 bytes apart would make loads wait for unrelated stores.
template <class T>
constexpr int64_t kBlockStep = Evaluation<T>::kCapacity + 2 * kAlign / sizeof(T);

// Memory for the blocks of one thread, kept between calls.
class Scratch {
 public:
  ~Scratch() { std::free(memory_); }
  char* atLeast(size_t bytes) {
    if (bytes > size_) {
      std::free(memory_);
      size_ = (bytes + 65535) / 65536 * 65536;
      memory_ = static_cast<char*>(std::aligned_alloc(kAlign, size_));
      if (memory_ == nullptr) throw std::bad_alloc();
    }
    return memory_;
  }

 private:
  char* memory_ = nullptr;
  size_t size_ = 0;
};

thread_local Scratch scratch;

size_t aligned(size_t bytes) { return (bytes + kAlign - 1) / kAlign * kAlign; }

int64_t offsetOf(const Access& access, const Box& box, int rank) {
  int64_t offset = 0;
  for (int i = 0; i < rank; i++) offset += box.origin[i] * access.stride[i];
  return offset * bytesOf(access.dtype);
}

}  // namespace

template <class T>
void Evaluation<T>::prepare(const Program& program, const double* scalars) {
  program_ = &program;
  chooseReadings();
  plan(scalars);
  chooseWritings();
  compiled_ = isWhole() ? compiled() : nullptr;
}

// Whether machine code could do all of it: several steps over values that lie in memory as we compute them.
template <class T>
bool Evaluation<T>::isWhole() const {
  if (!std::is_same_v<T, float> || outputs.empty() || gathers_ > 0 || steps_.size() < 2) return false;
  return std::count(direct_.begin(), direct_.end(), 0) == 0;
}

// The steps as machine code, made when they have taken longer than that will.
template <class T>
const Compiled* Evaluation<T>::compiled() const {
  constexpr int64_t kMuch = 1 << 20;
  uint64_t streams = 0;
  for (size_t input = 0; input < inputs.size(); input++) {
    if (readings_[input] == Reading::InPlace) streams |= uint64_t(1) << input;
  }
  static_assert(kMaxViews <= 64);
  Program::Compilation& made = program_->compilations[streams];
  if (made.isTried) return made.code.get();
  made.work += work();
  if (made.work < kMuch) return nullptr;
  made.isTried = true;
  Plan plan;
  plan.isStream.assign(program_->size(), 0);
  plan.isStored.assign(program_->size(), 0);
  for (int i : program_->inputAt) plan.isStream[i] = readings_[program_->code[i].index] == Reading::InPlace;
  for (int position : program_->results) plan.isStored[position] = 1;
  plan.steps.assign(steps_.begin(), steps_.end());
  made.code = Compiled::make(plan);
  return made.code.get();
}

template <class T>
void Evaluation<T>::chooseReadings() {
  gathers_ = 0;
  readings_.resize(inputs.size());
  for (size_t i = 0; i < inputs.size(); i++) {
    if (constantInBoxes(space, inputs[i])) {
      readings_[i] = Reading::Uniform;
    } else if (inputs[i].dtype == dtypeOf<T>() && contiguousInBoxes(space, inputs[i]) && !swapsInPlace(int(i))) {
      readings_[i] = Reading::InPlace;
    } else {
      readings_[i] = Reading::Gather;
      gathers_++;
    }
  }
}

// Whether an input is itself a result while an output overwrites it: it must be copied before any output is stored.
template <class T>
bool Evaluation<T>::swapsInPlace(int input) const {
  if (outputs.size() < 2) return false;
  for (int position : program_->results) {
    const Instruction& step = program_->code[position];
    if (step.kind != Instruction::Input || step.index != input) continue;
    for (const Access& output : outputs) {
      if (overlap(output, inputs[input])) return true;
    }
  }
  return false;
}

// Sorts the instructions by kind and computes the constant ones.
template <class T>
void Evaluation<T>::plan(const double* scalars) {
  const int size = program_->size();
  kinds_.resize(size);
  constants_.resize(size);
  uniformSteps_.clear();
  steps_.clear();
  for (int i = 0; i < size; i++) {
    const Instruction& step = program_->code[i];
    switch (step.kind) {
      case Instruction::Input:
        kinds_[i] = readings_[step.index] == Reading::Uniform ? Kind::Uniform : Kind::Block;
        break;
      case Instruction::Scalar:
        kinds_[i] = Kind::Constant;
        constants_[i] = static_cast<T>(scalars[step.index]);
        break;
      case Instruction::Constant:
        kinds_[i] = Kind::Constant;
        constants_[i] = static_cast<T>(step.value);
        break;
      case Instruction::Call: {
        const int a = step.args[0], b = step.args[1], c = step.args[2];
        kinds_[i] = std::max(kinds_[a], std::max(kinds_[b], kinds_[c]));
        const unsigned mask = (kinds_[a] != Kind::Block ? 1u : 0u) | (kinds_[b] != Kind::Block ? 2u : 0u) |
                              (kinds_[c] != Kind::Block ? 4u : 0u);
        if constexpr (std::is_same_v<T, float>) {
          if (program_->isJoined[i] && kinds_[i] == Kind::Block) break;  // computed where it is used
          if (const int product = program_->joins[i]; product >= 0 && kinds_[product] == Kind::Block) {
            steps_.push_back(joinedStep(i, product));
            break;
          }
        }
        const Step planned{{static_cast<Op>(step.index), std::nullopt, i, a, b, c},
                           loopFor<T>(step.index, kinds_[i] == Kind::Block ? mask : 0)};
        if (kinds_[i] == Kind::Block) {
          steps_.push_back(planned);
        } else if (kinds_[i] == Kind::Uniform) {
          uniformSteps_.push_back(planned);
        } else {
          planned.loop(&constants_[i], &constants_[a], &constants_[b], &constants_[c], 1);
        }
      }
    }
  }
}

// A sum or difference together with the product that goes into it. In float only: int32 is computed in double and must
// be rounded after the product as the definition does it.
template <class T>
typename Evaluation<T>::Step Evaluation<T>::joinedStep(int position, int product) const {
  const Instruction& step = program_->code[position];
  const bool first = step.args[0] == product;
  const int a = program_->code[product].args[0], b = program_->code[product].args[1], c = step.args[first ? 1 : 0];
  const Fused form = step.index == static_cast<int>(Op::Add) ? Fused::Add : first ? Fused::Sub : Fused::SubFrom;
  const unsigned mask = (kinds_[a] != Kind::Block ? 1u : 0u) | (kinds_[b] != Kind::Block ? 2u : 0u) |
                        (kinds_[c] != Kind::Block ? 4u : 0u);
  Loop<T> loop = nullptr;
  if constexpr (std::is_same_v<T, float>) loop = fusedLoop(form, mask);
  return {{static_cast<Op>(step.index), form, position, a, b, c}, loop};
}

// An output may be written by its call if it is packed, of our type, wanted once, and no later step still reads an
// input in the same memory.
template <class T>
void Evaluation<T>::chooseWritings() {
  direct_.assign(outputs.size(), 0);
  for (size_t k = 0; k < outputs.size(); k++) {
    const int position = program_->results[k];
    if (program_->code[position].kind != Instruction::Call || kinds_[position] != Kind::Block) continue;
    if (outputs[k].dtype != dtypeOf<T>() || !contiguousInBoxes(space, outputs[k])) continue;
    bool free = true;
    for (size_t other = 0; other < k; other++) free = free && program_->results[other] != position;
    for (int q : program_->inputAt) {
      const int input = program_->code[q].index;
      if (readings_[input] != Reading::InPlace || program_->lastUse[q] <= position) continue;
      free = free && !overlap(outputs[k], inputs[input]);
    }
    direct_[k] = free;
  }
}

template <class T>
BoxRunner<T>::BoxRunner(const Evaluation<T>& evaluation) : e_(evaluation) {
  const size_t size = e_.program_->size();
  const size_t pointers = aligned(size * sizeof(T*));
  const size_t inputs = aligned(e_.inputs.size() * sizeof(char*));
  const size_t values = aligned(size * sizeof(T));
  const size_t blocks = static_cast<size_t>(e_.program_->registerCount + e_.gathers_ + 1);
  char* memory = scratch.atLeast(pointers + inputs + values + blocks * kBlockStep<T> * sizeof(T));
  where_ = reinterpret_cast<T**>(memory);
  loaded_ = reinterpret_cast<const char**>(memory + pointers);
  uniforms_ = reinterpret_cast<T*>(memory + pointers + inputs);
  T* registers = reinterpret_cast<T*>(memory + pointers + inputs + values);
  gathered_ = registers + e_.program_->registerCount * kBlockStep<T>;
  spare_ = gathered_ + e_.gathers_ * kBlockStep<T>;
  for (size_t i = 0; i < size; i++) {
    switch (e_.kinds_[i]) {
      case Kind::Constant: where_[i] = const_cast<T*>(&e_.constants_[i]); break;
      case Kind::Uniform: where_[i] = uniforms_ + i; break;
      case Kind::Block: where_[i] = registers + std::max(e_.program_->registers[i], 0) * kBlockStep<T>; break;
    }
  }
  std::fill(loaded_, loaded_ + e_.inputs.size(), nullptr);
}

template <class T>
void BoxRunner<T>::run(const Box& box) {
  load(box);
  const int rank = e_.space.rank;
  for (size_t k = 0; k < e_.outputs.size(); k++) {
    const Access& output = e_.outputs[k];
    if (!e_.direct_[k]) continue;
    where_[e_.program_->results[k]] = reinterpret_cast<T*>(output.data + offsetOf(output, box, rank));
  }
  for (const auto& step : e_.uniformSteps_) step.loop(where_[step.to], where_[step.a], where_[step.b], where_[step.c], 1);
  const int64_t n = box.elements(rank);
  if constexpr (std::is_same_v<T, float>) {
    if (e_.compiled_ != nullptr) {
      e_.compiled_->run(where_, n);
      return;  // every result is in its place
    }
  }
  for (const auto& step : e_.steps_) step.loop(where_[step.to], where_[step.a], where_[step.b], where_[step.c], n);
  if (!e_.outputs.empty()) store(box);
}

template <class T>
void BoxRunner<T>::load(const Box& box) {
  const int rank = e_.space.rank;
  const int64_t n = box.elements(rank);
  // A gathered block may be used again if the box has the same form and the input has not moved.
  const bool sameForm = n == loadedElements_;
  loadedElements_ = n;
  for (int i : e_.program_->inputAt) {
    const Instruction& step = e_.program_->code[i];
    const Access& input = e_.inputs[step.index];
    const char* memory = input.data + offsetOf(input, box, rank);
    switch (e_.readings_[step.index]) {
      case Reading::InPlace:
        where_[i] = reinterpret_cast<T*>(const_cast<char*>(memory));
        break;
      case Reading::Uniform:
        visitDType(input.dtype, [&](auto type) {
          using E = typename decltype(type)::Element;
          uniforms_[i] = static_cast<T>(widen(*reinterpret_cast<const E*>(memory)));
        });
        break;
      case Reading::Gather: {
        int slot = 0;
        for (int k = 0; k < step.index; k++) slot += e_.readings_[k] == Reading::Gather;
        where_[i] = gathered_ + slot * kBlockStep<T>;
        if (sameForm && loaded_[step.index] == memory) break;
        loaded_[step.index] = memory;
        loadBlock<T>(where_[i], input, memory, box, rank);
      }
    }
  }
}

template <class T>
void BoxRunner<T>::store(const Box& box) {
  const int rank = e_.space.rank;
  for (size_t k = 0; k < e_.outputs.size(); k++) {
    if (e_.direct_[k]) continue;
    const int position = e_.program_->results[k];
    const Access& output = e_.outputs[k];
    char* memory = output.data + offsetOf(output, box, rank);
    storeBlock<T>(where_[position], e_.kinds_[position] != Kind::Block, output, memory, box, rank);
  }
}

template <class T>
const T* BoxRunner<T>::result(int64_t n) {
  const int position = e_.program_->results[0];
  if (e_.kinds_[position] == Kind::Block) return where_[position];
  std::fill(spare_, spare_ + n, *where_[position]);
  return spare_;
}

template <class T>
const T* BoxRunner<T>::resultAsBool(int64_t n) {
  const T* values = result(n);
  for (int64_t i = 0; i < n; i++) spare_[i] = values[i] != 0 ? T(1) : T(0);
  return spare_;
}

template class Evaluation<float>;
template class Evaluation<double>;
template class BoxRunner<float>;
template class BoxRunner<double>;

}  // namespace kindling
