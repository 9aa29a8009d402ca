#include "product.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include "signals.h"
#include "smallProduct.h"
#include "team.h"

namespace kindling {

namespace {

constexpr int64_t kLanes = 16;         // floats of the widest registers
constexpr double kPartWork = 2.4e6;    // operations worth a part of their own
constexpr double kOwnThreads = 4e9;    // from here on oneDNN cuts the work up itself
constexpr int64_t kStackDepth = 84;    // up to here oneDNN's copy of 48 columns fits the four pages it takes of the stack

// Share of the lanes that compute something when `size` elements fill whole registers.
double fill(int64_t size) { return double(size) / double((size + kLanes - 1) / kLanes * kLanes); }

dnnl_status_t sgemm(const Matrix& a, const Matrix& b, int64_t m, int64_t n, int64_t k, float* out, int64_t lead) {
  return dnnl_sgemm(a.transposed ? 'T' : 'N', b.transposed ? 'T' : 'N', m, n, k, 1.0f, a.data, a.lead, b.data, b.lead,
                    0.0f, out, lead);
}

// to = epilogue(from) for a row whose elements are `step` apart.
template <bool kBias, bool kRelu>
void finishRow(const float* from, int64_t step, int64_t n, const float* bias, float* to) {
#pragma GCC ivdep
  for (int64_t j = 0; j < n; j++) {
    const float x = kBias ? from[j * step] + bias[j] : from[j * step];
    to[j] = kRelu && x <= 0 ? 0 : x;
  }
}

using FinishRow = void (*)(const float* from, int64_t step, int64_t n, const float* bias, float* to);
FinishRow finisher(const Epilogue& e) {
  if (e.bias != nullptr) return e.relu ? finishRow<true, true> : finishRow<true, false>;
  return e.relu ? finishRow<false, true> : finishRow<false, false>;
}

// Registers run along the columns of `out`. Where these fill them badly and the rows would not, computing the transpose
// and turning it round is faster: 64×784 · 784×50 by a fifth.
bool turnsRound(int64_t m, int64_t n) { return m * n <= 1 << 18 && fill(n) < 0.9 * fill(m); }

enum class How { Small, Plain, Turned };

dnnl_status_t part(const Matrix& a, const Matrix& b, int64_t m, int64_t n, int64_t k, const Epilogue& epilogue, float* out,
                   int64_t lead, How how) {
  const FinishRow finish = finisher(epilogue);
  if (how != How::Turned) {
    dnnl_status_t status = dnnl_success;
    if (how == How::Small) {
      smallProduct(a, b, m, n, k, out, lead);
    } else {
      status = sgemm(a, b, m, n, k, out, lead);
    }
    if (epilogue.bias == nullptr && !epilogue.relu) return status;
    for (int64_t i = 0; i < m; i++) finish(out + i * lead, 1, n, epilogue.bias, out + i * lead);
    return status;
  }
  static thread_local std::vector<float> scratch;
  if (scratch.size() < size_t(m * n)) scratch.resize(m * n);
  float* turned = scratch.data();
  const Matrix at{a.data, !a.transposed, a.lead}, bt{b.data, !b.transposed, b.lead};
  const dnnl_status_t status = sgemm(bt, at, n, m, k, turned, m);
  for (int64_t i = 0; i < m; i++) finish(turned + i, m, n, epilogue.bias, out + i * lead);
  return status;
}

Matrix rowsFrom(const Matrix& x, int64_t row) { return {x.data + (x.transposed ? row : row * x.lead), x.transposed, x.lead}; }
Matrix columnsFrom(const Matrix& x, int64_t column) {
  return {x.data + (x.transposed ? column * x.lead : column), x.transposed, x.lead};
}

// How a product is cut: along its longer side. But what has to do with weights is cut as these are, by the rows of their
// matrix, so that each core finds its own in its cache and none reads what the other has just written: of the gradient
// for them, where a comes transposed, the rows; of the product with them, where b does, the columns, unless there is much
// more of a than of them. One part a thread, since each rearranges the other factor for itself; one thread cuts as two
// do, for the same bits.
struct Cut {
  int64_t parts, step;
  bool rows;
};

Cut cutOf(const Matrix& a, const Matrix& b, int64_t m, int64_t n, int64_t k, bool isSmall, int threads) {
  const bool byWeights = !a.transposed && b.transposed && n >= 2 * kLanes && m <= 2 * n;
  const bool rows = !byWeights && (m >= n || (a.transposed && m >= 2 * kLanes));
  const int64_t size = rows ? m : n;
  const int64_t wanted = std::min<int64_t>(std::max(threads, 2), int64_t(2.0 * m * n * k / kPartWork + 0.25));
  if (wanted < 2 || size < 2 * kLanes) return {1, size, rows};
  const int64_t registers = byWeights || (rows && !turnsRound(m / wanted, n)) ? 1 : kLanes;
  const int64_t whole = isSmall && b.transposed ? kSmallSide : registers;
  const int64_t step = ((size + wanted - 1) / wanted + whole - 1) / whole * whole;
  return {(size + step - 1) / step, step, rows};
}

}  // namespace

dnnl_status_t product(const Matrix& a, const Matrix& b, int64_t m, int64_t n, int64_t k, const Epilogue& epilogue,
                      float* out, int64_t lead) {
  const double work = 2.0 * m * n * k;
  const int threads = omp_get_max_threads();
  const bool isWhole = work >= kOwnThreads && threads > 1;
  const bool isSmall = isSmallProduct(a, b, m, n, k);
  const SignalsHeld held(isWhole || (k > kStackDepth && !isSmall));
  if (isWhole) {
    restWorkers();
    const dnnl_status_t status = sgemm(a, b, m, n, k, out, lead);
    if (epilogue.bias == nullptr && !epilogue.relu) return status;
    parallelFor(m, m * n, [&](int64_t i, int64_t last) {
      for (; i < last; i++) finisher(epilogue)(out + i * lead, 1, n, epilogue.bias, out + i * lead);
    });
    return status;
  }
  const Cut cut = cutOf(a, b, m, n, k, isSmall, threads);
  const auto how = [&](bool turns) { return isSmall ? How::Small : turns ? How::Turned : How::Plain; };
  std::atomic<dnnl_status_t> status{dnnl_success};
  const OneThread one;  // for oneDNN
  share(cut.parts, threads, int64_t(work / kOperationsPerElement), [&](int64_t i, int) {
    const int64_t first = i * cut.step, size = std::min(cut.step, (cut.rows ? m : n) - first);
    const Epilogue own{epilogue.bias == nullptr || cut.rows ? epilogue.bias : epilogue.bias + first, epilogue.relu};
    const dnnl_status_t mine = cut.rows ? part(rowsFrom(a, first), b, size, n, k, own, out + first * lead, lead,
                                               how(turnsRound(size, n)))
                                        : part(a, columnsFrom(b, first), m, size, k, own, out + first, lead,
                                               how(cut.parts == 1 && turnsRound(m, size)));
    if (mine != dnnl_success) status = mine;
  });
  return status;
}

}  // namespace kindling
