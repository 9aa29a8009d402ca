#include "compiled.h"

// For the processor the addon is built for. Where loops are compiled without fused multiply-add their bits would differ.
#if defined(__x86_64__) && defined(__AVX2__) && defined(__FMA__) && defined(__linux__) && __has_include(<xbyak/xbyak.h>)

#include <xbyak/xbyak.h>

#include <algorithm>
#include <iterator>

namespace kindling {

namespace {

using Xbyak::Reg64;

#ifdef __AVX512DQ__
using Vector = Xbyak::Zmm;
constexpr bool kHasMasks = true;  // in registers of their own
constexpr int kVectors = 32, kElements = 16;
#else
using Vector = Xbyak::Ymm;
constexpr bool kHasMasks = false;
constexpr int kVectors = 16, kElements = 8;
#endif
constexpr size_t kMaxCode = 16384;
constexpr int kLeast = 4;  // the least vectors that must be left for steps

struct Unsupported {};

bool isComparison(Op op) { return op == Op::Less || op == Op::LessEqual || op == Op::Equal; }

// Positions a step reads.
std::vector<int> readBy(const PlanStep& step) {
  if (step.fused || step.op == Op::Where) return {step.a, step.b, step.c};
  return arityOf(static_cast<int>(step.op)) == 1 ? std::vector<int>{step.a} : std::vector<int>{step.a, step.b};
}

// where in rdi, n in rsi. Uniform values and constants wait in vectors from the top; steps take what is left.
class VectorLoop : public Compiled, private Xbyak::CodeGenerator {
 public:
  explicit VectorLoop(const Plan& plan) : Xbyak::CodeGenerator(kMaxCode, Xbyak::DontSetProtectRWE), plan_(plan) {
    const size_t size = plan.isStream.size();
    pointers_.assign(size, -1);
    vectors_.assign(size, -1);
    lastUse_.assign(size, -1);
    findUses();
    const Reg64 kept[] = {rbx, r12, r13, r14, r15};  // the caller's
    for (const Reg64& one : kept) push(one);
    loadPointers();
    loadUniforms();
    loop();
    for (auto one = std::rbegin(kept); one != std::rend(kept); one++) pop(*one);
    vzeroupper();
    ret();
    if (!setProtectModeRE(false)) throw Unsupported();
    function_ = getCode<void (*)(float* const*, int64_t)>();
  }

  void run(float* const* where, int64_t n) const override { function_(where, n); }

 private:
  void findUses() {
    std::vector<char> isMade(lastUse_.size(), 0);
    for (size_t i = 0; i < plan_.steps.size(); i++) {
      for (int position : readBy(plan_.steps[i])) {
        lastUse_[position] = static_cast<int>(i);
        const bool isUniform = !plan_.isStream[position] && !isMade[position];
        if (isUniform && std::find(uniforms_.begin(), uniforms_.end(), position) == uniforms_.end()) {
          uniforms_.push_back(position);
        }
      }
      isMade[plan_.steps[i].to] = 1;
    }
  }

  void loadPointers() {
    const Reg64 registers[] = {rdx, r8, r9, r10, r11, rbx, r12, r13, r14, r15};
    size_t taken = 0;
    for (size_t position = 0; position < lastUse_.size(); position++) {
      const bool isRead = plan_.isStream[position] && lastUse_[position] >= 0;
      if (!isRead && !plan_.isStored[position]) continue;
      if (taken == std::size(registers)) throw Unsupported();
      const Reg64& pointer = registers[taken++];
      mov(pointer, ptr[rdi + 8 * position]);
      pointers_[position] = pointer.getIdx();
    }
  }

  int fromTop() {
    if (top_ <= kLeast) throw Unsupported();
    return --top_;
  }

  int allOf(uint32_t bits) {
    const int i = fromTop();
    mov(eax, bits);
    vmovd(Xbyak::Xmm(i), eax);
    vbroadcastss(Vector(i), Xbyak::Xmm(i));
    return i;
  }

  void loadUniforms() {
    if (!kHasMasks) mask_ = fromTop();
    for (int position : uniforms_) {
      vectors_[position] = fromTop();
      mov(rax, ptr[rdi + 8 * position]);
      vbroadcastss(Vector(vectors_[position]), ptr[rax]);
    }
    for (const PlanStep& step : plan_.steps) {
      if (step.fused) continue;
      const Op op = step.op;
      const bool wantsOne = isComparison(op) || op == Op::Reciprocal || op == Op::Rsqrt;
      if (wantsOne && one_ < 0) one_ = allOf(0x3f800000);
      if (op == Op::Where && zero_ < 0) zero_ = allOf(0);
      if (op == Op::Neg && sign_ < 0) sign_ = allOf(0x80000000);
      if (op == Op::Abs && magnitude_ < 0) magnitude_ = allOf(0x7fffffff);
    }
    for (int i = top_; i-- > 0;) free_.push_back(i);
  }

  void loop() {
    Xbyak::Label next, rest, end;
    mov(rcx, rsi);
    and_(rcx, kElements - 1);
    xor_(eax, eax);
    and_(rsi, -kElements);
    jz(rest, T_NEAR);
    L(next);
    body(false);
    add(rax, kElements);
    cmp(rax, rsi);
    jl(next, T_NEAR);
    L(rest);
    test(ecx, ecx);
    jz(end, T_NEAR);
    setPart();
    body(true);
    L(end);
  }

  // The part of a vector that is left, ecx elements: in k1, or rsi is where a mask for it lies.
  void setPart() {
    if (kHasMasks) {
      mov(esi, 1);
      shl(esi, cl);
      sub(esi, 1);
      kmovw(k1, esi);
      return;
    }
    static constexpr int32_t kMasks[] = {-1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0};
    mov(rsi, reinterpret_cast<size_t>(kMasks + 7));
    shl(ecx, 2);
    sub(rsi, rcx);
  }

  Xbyak::Address at(int position) { return ptr[Reg64(pointers_[position]) + rax * 4]; }

  void load(const Vector& to, int position, bool isPart) {
    if (!isPart) {
      vmovups(to, at(position));
    } else if (kHasMasks) {
      vmovups(to | k1 | T_z, at(position));
    } else {
      vmovups(to, ptr[rsi]);
      vmaskmovps(to, to, at(position));
    }
  }

  void store(const Vector& from, int position, bool isPart) {
    if (!isPart) {
      vmovups(at(position), from);
    } else if (kHasMasks) {
      vmovups(at(position) | k1, from);
    } else {
      vmovups(Vector(mask_), ptr[rsi]);
      vmaskmovps(at(position), Vector(mask_), from);
    }
  }

  int take() {
    if (free_.empty()) throw Unsupported();
    const int i = free_.back();
    free_.pop_back();
    return i;
  }

  // `isPart`: fewer elements than a vector has.
  void body(bool isPart) {
    for (size_t position = 0; position < lastUse_.size(); position++) {
      if (!plan_.isStream[position] || lastUse_[position] < 0) continue;
      vectors_[position] = take();
      load(Vector(vectors_[position]), static_cast<int>(position), isPart);
    }
    for (size_t i = 0; i < plan_.steps.size(); i++) {
      const PlanStep& step = plan_.steps[i];
      const Vector to(take());
      if (step.fused) {
        joined(step, to);
      } else {
        call(step, to);
      }
      vectors_[step.to] = to.getIdx();
      if (plan_.isStored[step.to]) store(to, step.to, isPart);
      release(step, static_cast<int>(i));
    }
  }

  // Gives back the vectors of values that no later step reads.
  void release(const PlanStep& step, int i) {
    std::vector<int> read = readBy(step);
    std::sort(read.begin(), read.end());
    read.erase(std::unique(read.begin(), read.end()), read.end());
    if (lastUse_[step.to] < 0) read.push_back(step.to);
    for (int position : read) {
      if (vectors_[position] < top_ && lastUse_[position] <= i) free_.push_back(vectors_[position]);
    }
  }

  void joined(const PlanStep& step, const Vector& to) {
    const Vector a(vectors_[step.a]), b(vectors_[step.b]);
    vmovaps(to, Vector(vectors_[step.c]));
    switch (*step.fused) {
      case Fused::Add: vfmadd231ps(to, a, b); break;
      case Fused::Sub: vfmsub231ps(to, a, b); break;
      case Fused::SubFrom: vfnmadd231ps(to, a, b); break;
    }
  }

  // to = yes where a and b compare so, else no
  void choose(const Vector& to, const Vector& a, const Vector& b, int comparison, const Vector& yes, const Vector& no) {
    if (kHasMasks) {
      vcmpps(k2, a, b, comparison);
      vblendmps(to | k2, no, yes);
    } else {
      vcmpps(Vector(mask_), a, b, comparison);
      vblendvps(to, no, yes, Vector(mask_));
    }
  }

  void call(const PlanStep& step, const Vector& to) {
    constexpr int kEqual = 0, kLess = 1, kLessEqual = 2, kUnordered = 3, kNotEqual = 4;
    const Vector a(vectors_[step.a]), b(vectors_[step.b]);
    switch (step.op) {
      case Op::Neg: vxorps(to, a, Vector(sign_)); break;
      case Op::Abs: vandps(to, a, Vector(magnitude_)); break;
      case Op::Sqrt: vsqrtps(to, a); break;
      case Op::Rsqrt:
        vsqrtps(to, a);
        vdivps(to, Vector(one_), to);
        break;
      case Op::Reciprocal: vdivps(to, Vector(one_), a); break;
      case Op::Add: vaddps(to, a, b); break;
      case Op::Sub: vsubps(to, a, b); break;
      case Op::Mul: vmulps(to, a, b); break;
      case Op::Div: vdivps(to, a, b); break;
      case Op::Max:
      case Op::Min:  // not a number, if either is none
        if (step.op == Op::Max) {
          vmaxps(to, a, b);
        } else {
          vminps(to, a, b);
        }
        choose(to, a, a, kUnordered, a, to);
        break;
      case Op::Less: compare(to, a, b, kLess); break;
      case Op::LessEqual: compare(to, a, b, kLessEqual); break;
      case Op::Equal: compare(to, a, b, kEqual); break;
      case Op::Where: choose(to, a, Vector(zero_), kNotEqual, b, Vector(vectors_[step.c])); break;
      default: throw Unsupported();
    }
  }

  // 1 or 0
  void compare(const Vector& to, const Vector& a, const Vector& b, int comparison) {
    if (kHasMasks) {
      vcmpps(k2, a, b, comparison);
      vmovaps(to | k2 | T_z, Vector(one_));
    } else {
      vcmpps(to, a, b, comparison);
      vandps(to, to, Vector(one_));
    }
  }

  const Plan plan_;
  std::vector<int> pointers_, vectors_, lastUse_;  // per position
  std::vector<int> uniforms_, free_;
  int top_ = kVectors, one_ = -1, zero_ = -1, sign_ = -1, magnitude_ = -1;
  int mask_ = -1;  // a vector for masks, where they have no registers of their own
  void (*function_)(float* const*, int64_t) = nullptr;
};

}  // namespace

std::unique_ptr<Compiled> Compiled::make(const Plan& plan) {
  try {
    return std::make_unique<VectorLoop>(plan);
  } catch (const Unsupported&) {
  } catch (const Xbyak::Error&) {  // too long, or the system gives no memory to execute
  }
  return nullptr;
}

}  // namespace kindling

#else

namespace kindling {

std::unique_ptr<Compiled> Compiled::make(const Plan&) { return nullptr; }

}  // namespace kindling

#endif
