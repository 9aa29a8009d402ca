// Softmax and cross-entropy of rows. Short rows are taken many at a time, so that exp runs over whole blocks.
#include <limits>

#include "block.h"
#include "kernels.h"
#include "team.h"
#include "vectorMath.h"

namespace kindling {

namespace {

constexpr int64_t kBlock = 1024;

inline void expBlock(float* x, int64_t n) {
  for (int64_t i = 0; i < n; i++) x[i] = vec::exp(x[i]);
}
inline void expBlock(double* x, int64_t n) {
  for (int64_t i = 0; i < n; i++) x[i] = std::exp(x[i]);
}

// Reads and writes pieces of a matrix [n, c] as packed blocks.
class Rows {
 public:
  explicit Rows(const View& view) : access_{view.data, view.dtype, view.low, view.high, {view.stride[0], view.stride[1]}} {}

  template <class T>
  void load(int64_t row, int64_t rows, int64_t column, int64_t columns, T* block) const {
    loadBlock<T>(block, access_, at(row, column), Box{{row, column}, {rows, columns}}, 2);
  }
  template <class T>
  void store(int64_t row, int64_t rows, int64_t column, int64_t columns, const T* block) const {
    storeBlock<T>(block, false, access_, at(row, column), Box{{row, column}, {rows, columns}}, 2);
  }

 private:
  char* at(int64_t row, int64_t column) const {
    return access_.data + (row * access_.stride[0] + column * access_.stride[1]) * bytesOf(access_.dtype);
  }
  Access access_;
};

template <class T>
double loadValue(const View& v, int64_t i) {
  return visitDType(v.dtype, [&](auto type) -> double {
    using E = typename decltype(type)::Element;
    return widen(v.as<E>()[i * v.stride[0]]);
  });
}

void storeValue(const View& v, int64_t i, double x) {
  visitDType(v.dtype, [&](auto type) {
    using E = typename decltype(type)::Element;
    narrow(x, v.as<E>()[i * v.stride[0]]);
  });
}

template <class T>
T largest(const T* x, int64_t n, T start) {
  constexpr int kLanes = 16;
  const auto join = [](T a, T b) { return (a > b) | (a != a) ? a : b; };
  int64_t i = 0;
  if (n < kLanes) {
    for (; i < n; i++) start = join(start, x[i]);
    return start;
  }
  T part[kLanes];
  std::fill(part, part + kLanes, start);
  for (; i + kLanes <= n; i += kLanes) {
    for (int l = 0; l < kLanes; l++) part[l] = join(part[l], x[i + l]);
  }
  for (; i < n; i++) part[0] = join(part[0], x[i]);
  for (int l = 1; l < kLanes; l++) part[0] = join(part[0], part[l]);
  return part[0];
}

template <class T>
double total(const T* x, int64_t n) {
  constexpr int kLanes = 16;
  double all = 0;
  int64_t i = 0;
  if (n < kLanes) {
    for (; i < n; i++) all += x[i];
    return all;
  }
  T part[kLanes] = {};
  for (; i + kLanes <= n; i += kLanes) {
    for (int l = 0; l < kLanes; l++) part[l] += x[i + l];
  }
  for (; i < n; i++) all += x[i];
  for (int l = 0; l < kLanes; l++) all += part[l];
  return all;
}

// What is subtracted before exp: the largest value, unless that is infinite.
template <class T>
T shiftOf(T largestValue) {
  return std::isfinite(largestValue) ? largestValue : (largestValue != largestValue ? largestValue : T(0));
}

// A row's shift and the sum of exp(x − shift).
struct Norm {
  double shift, sum;
};

// Calls visit(row, norm, x) for each row; x is the row if it fits into a block, else null.
template <class T, class Visit>
void eachRowNorm(const View& x, Visit&& visit) {
  const int64_t n = x.size[0], c = x.size[1];
  const Rows rows(x);
  const int64_t together = std::max<int64_t>(1, kBlock / c);
  const T lowest = -std::numeric_limits<T>::infinity();
  parallelFor((n + together - 1) / together, n * c * 16, [&](int64_t first, int64_t last) {
    T values[kBlock], block[kBlock], shifts[kBlock];
    for (int64_t part = first; part < last; part++) {
      const int64_t row = part * together, count = std::min(together, n - row);
      if (c <= kBlock) {
        rows.load(row, count, 0, c, values);
        for (int64_t r = 0; r < count; r++) {
          const T* from = values + r * c;
          const T shift = shifts[r] = shiftOf(largest(from, c, lowest));
          T* to = block + r * c;
          for (int64_t j = 0; j < c; j++) to[j] = from[j] - shift;
        }
        expBlock(block, count * c);
        for (int64_t r = 0; r < count; r++) {
          visit(row + r, Norm{shifts[r], total(block + r * c, c)}, static_cast<const T*>(values + r * c));
        }
        continue;
      }
      T top = lowest;
      for (int64_t j = 0; j < c; j += kBlock) {
        const int64_t m = std::min(kBlock, c - j);
        rows.load(row, 1, j, m, values);
        top = largest(values, m, top);
      }
      const T shift = shiftOf(top);
      double sum = 0;
      for (int64_t j = 0; j < c; j += kBlock) {
        const int64_t m = std::min(kBlock, c - j);
        rows.load(row, 1, j, m, values);
        for (int64_t i = 0; i < m; i++) values[i] -= shift;
        expBlock(values, m);
        sum += total(values, m);
      }
      visit(row, Norm{shift, sum}, static_cast<const T*>(nullptr));
    }
  });
}

// Calls write(row, column, m, block) for pieces of all rows; what it leaves in the block is stored in `out`.
template <class T, class Change>
void mapRows(const View& x, const View& out, Change&& change) {
  const int64_t n = x.size[0], c = x.size[1];
  const Rows from(x), to(out);
  const int64_t together = std::max<int64_t>(1, kBlock / c), width = std::min(c, kBlock);
  parallelFor((n + together - 1) / together, n * c * 16, [&](int64_t first, int64_t last) {
    T block[kBlock];
    for (int64_t part = first; part < last; part++) {
      const int64_t row = part * together, count = std::min(together, n - row);
      for (int64_t j = 0; j < c; j += width) {
        const int64_t m = std::min(width, c - j);
        from.load(row, count, j, m, block);
        change(row, count, j, m, block);
        to.store(row, count, j, m, block);
      }
    }
  });
}

bool isDouble(const View& v) { return v.dtype == DType::Float64 || v.dtype == DType::Int32; }

void require(bool fits, const char* what) {
  if (!fits) throw std::runtime_error(std::string("kindling addon: ") + what + ": views do not fit each other");
}

bool targetsInRange(const View& targets, int64_t classes, int64_t ignored) {
  for (int64_t i = 0; i < targets.size[0]; i++) {
    const int64_t t = targets.as<int32_t>()[i * targets.stride[0]];
    if ((t < 0 || t >= classes) && t != ignored) return false;
  }
  return true;
}

bool isVector(const View& v, int64_t n) { return v.rank == 1 && v.size[0] == n; }

template <class T>
void crossEntropy(const View& logits, const View& targets, int64_t ignored, const View& losses, const View& norms) {
  eachRowNorm<T>(logits, [&](int64_t row, const Norm& norm, const T* x) {
    const double logSum = std::log(norm.sum);
    const int64_t target = targets.as<int32_t>()[row * targets.stride[0]];
    storeValue(norms, row, norm.shift + logSum);
    if (target == ignored) return storeValue(losses, row, 0);
    T own;
    if (x != nullptr) {
      own = x[target];
    } else {
      Rows(logits).load(row, 1, target, 1, &own);
    }
    // Not as norm − own, since the shift may be far larger than the loss.
    storeValue(losses, row, logSum - (static_cast<double>(own) - norm.shift));
  });
}

template <class T>
void crossEntropyBackward(const View& logits, const View& targets, const View& norms, int64_t ignored, const View& scale,
                          double all, const View& out) {
  mapRows<T>(logits, out, [&](int64_t row, int64_t count, int64_t column, int64_t m, T* block) {
    for (int64_t r = 0; r < count; r++) {
      const T norm = static_cast<T>(loadValue<T>(norms, row + r));
      for (int64_t j = 0; j < m; j++) block[r * m + j] -= norm;
    }
    expBlock(block, count * m);
    for (int64_t r = 0; r < count; r++) {
      const int64_t target = targets.as<int32_t>()[(row + r) * targets.stride[0]];
      const T factor = static_cast<T>(loadValue<T>(scale, row + r) * all);
      T* x = block + r * m;
      if (target == ignored) {
        std::fill(x, x + m, T(0));
        continue;
      }
      if (target >= column && target < column + m) x[target - column] -= T(1);
      for (int64_t j = 0; j < m; j++) x[j] *= factor;
    }
  });
}

template <class T>
void softmax(const View& x, bool isLog, const View& out) {
  std::vector<Norm> norms(x.size[0]);
  eachRowNorm<T>(x, [&](int64_t row, const Norm& norm, const T*) { norms[row] = norm; });
  mapRows<T>(x, out, [&](int64_t row, int64_t count, int64_t, int64_t m, T* block) {
    for (int64_t r = 0; r < count; r++) {
      const T shift = static_cast<T>(norms[row + r].shift);
      const T rest = isLog ? static_cast<T>(std::log(norms[row + r].sum)) : T(0);
      for (int64_t j = 0; j < m; j++) block[r * m + j] = (block[r * m + j] - shift) - rest;
    }
    if (isLog) return;
    expBlock(block, count * m);
    for (int64_t r = 0; r < count; r++) {
      const T factor = static_cast<T>(1.0 / norms[row + r].sum);
      for (int64_t j = 0; j < m; j++) block[r * m + j] *= factor;
    }
  });
}

}  // namespace

// Reads the ignored target, logits, targets, losses, logSumExp.
double crossEntropyKernel(Context&, Reader& reader) {
  const int64_t ignored = reader.integer(-(int64_t(1) << 50), int64_t(1) << 50);
  View logits, targets, losses, norms;
  for (View* view : {&logits, &targets, &losses, &norms}) reader.view(*view);
  const int64_t n = logits.rank == 2 ? logits.size[0] : -1;
  require(n >= 0 && isVector(targets, n) && targets.dtype == DType::Int32 && isVector(losses, n) && isVector(norms, n),
          "crossEntropy");
  if (!targetsInRange(targets, logits.size[1], ignored)) return 1;
  if (logits.elements() == 0) return 0;
  if (isDouble(logits)) {
    crossEntropy<double>(logits, targets, ignored, losses, norms);
  } else {
    crossEntropy<float>(logits, targets, ignored, losses, norms);
  }
  return 0;
}

// Reads the ignored target, a factor for all, logits, targets, logSumExp, scale, out.
double crossEntropyBackwardKernel(Context&, Reader& reader) {
  const int64_t ignored = reader.integer(-(int64_t(1) << 50), int64_t(1) << 50);
  const double factor = reader.number();
  View logits, targets, norms, scale, out;
  for (View* view : {&logits, &targets, &norms, &scale, &out}) reader.view(*view);
  const int64_t n = logits.rank == 2 ? logits.size[0] : -1;
  require(n >= 0 && isVector(targets, n) && targets.dtype == DType::Int32 && isVector(norms, n) && isVector(scale, n),
          "crossEntropyBackward");
  checkSameSizes(logits, out);
  if (!targetsInRange(targets, logits.size[1], ignored)) return 1;
  if (logits.elements() == 0) return 0;
  if (isDouble(logits)) {
    crossEntropyBackward<double>(logits, targets, norms, ignored, scale, factor, out);
  } else {
    crossEntropyBackward<float>(logits, targets, norms, ignored, scale, factor, out);
  }
  return 0;
}

// Reads whether the logarithm is wanted, x, out.
double softmaxKernel(Context&, Reader& reader) {
  const bool isLog = reader.flag();
  View x, out;
  reader.view(x);
  reader.view(out);
  require(x.rank == 2, "softmax");
  checkSameSizes(x, out);
  if (x.elements() == 0) return 0;
  if (isDouble(x)) {
    softmax<double>(x, isLog, out);
  } else {
    softmax<float>(x, isLog, out);
  }
  return 0;
}

}  // namespace kindling
