#include "product.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include "signals.h"
#include "team.h"

namespace kindling {

namespace {

constexpr int64_t kLanes = 16;         // floats of the widest registers
constexpr double kPartWork = 2.4e6;    // operations worth a part of their own
constexpr double kWorkPerElement = 60;  // operations in the time of one elementwise operation
constexpr double kOwnThreads = 4e9;     // from here on oneDNN cuts the work up itself
constexpr int64_t kMostParts = 8;

// Share of the lanes that compute something when `size` elements fill whole registers.
double fill(int64_t size) { return double(size) / double((size + kLanes - 1) / kLanes * kLanes); }

dnnl_status_t sgemm(const Matrix& a, const Matrix& b, int64_t m, int64_t n, int64_t k, float beta, float* out, int64_t lead) {
  return dnnl_sgemm(a.transposed ? 'T' : 'N', b.transposed ? 'T' : 'N', m, n, k, 1.0f, a.data, a.lead, b.data, b.lead,
                    beta, out, lead);
}

// Registers run along the columns of `out`. Where these fill them badly and the rows would not, computing the transpose
// and turning it round is faster: 64×784 · 784×50 by a fifth.
bool turnsRound(int64_t m, int64_t n) { return m * n <= 1 << 18 && fill(n) < 0.9 * fill(m); }

dnnl_status_t part(const Matrix& a, const Matrix& b, int64_t m, int64_t n, int64_t k, float beta, float* out, int64_t lead) {
  if (!turnsRound(m, n)) return sgemm(a, b, m, n, k, beta, out, lead);
  static thread_local std::vector<float> scratch;
  if (scratch.size() < size_t(m * n)) scratch.resize(m * n);
  float* turned = scratch.data();
  const Matrix at{a.data, !a.transposed, a.lead}, bt{b.data, !b.transposed, b.lead};
  const dnnl_status_t status = sgemm(bt, at, n, m, k, 0.0f, turned, m);
  for (int64_t i = 0; i < m; i++) {
    float* row = out + i * lead;
    if (beta == 0.0f) {
      for (int64_t j = 0; j < n; j++) row[j] = turned[j * m + i];
    } else {
      for (int64_t j = 0; j < n; j++) row[j] += turned[j * m + i];
    }
  }
  return status;
}

Matrix rowsFrom(const Matrix& x, int64_t row) { return {x.data + (x.transposed ? row : row * x.lead), x.transposed, x.lead}; }
Matrix columnsFrom(const Matrix& x, int64_t column) {
  return {x.data + (x.transposed ? column * x.lead : column), x.transposed, x.lead};
}

// How a product is cut: along its longer side, in whole registers.
struct Cut {
  int64_t parts, step;
  bool rows;
};

Cut cutOf(int64_t m, int64_t n, int64_t k) {
  const int64_t longest = std::max(m, n);
  const int64_t wanted = std::min<int64_t>(kMostParts, int64_t(2.0 * m * n * k / kPartWork + 0.25));
  if (wanted < 2 || longest < 2 * kLanes) return {1, longest, m >= n};
  const int64_t step = (longest / wanted + kLanes - 1) / kLanes * kLanes;
  return {(longest + step - 1) / step, step, m >= n};
}

}  // namespace

dnnl_status_t product(const Matrix& a, const Matrix& b, int64_t m, int64_t n, int64_t k, float beta, float* out, int64_t lead) {
  const SignalsHeld held;
  const double work = 2.0 * m * n * k;
  if (work >= kOwnThreads && omp_get_max_threads() > 1) {
    restHelpers();
    return sgemm(a, b, m, n, k, beta, out, lead);
  }
  const Cut cut = cutOf(m, n, k);
  std::atomic<dnnl_status_t> status{dnnl_success};
  const auto run = [&](int64_t i) {
    const int64_t first = i * cut.step, size = std::min(cut.step, (cut.rows ? m : n) - first);
    const dnnl_status_t mine = cut.rows ? part(rowsFrom(a, first), b, size, n, k, beta, out + first * lead, lead)
                                        : part(a, columnsFrom(b, first), m, size, k, beta, out + first, lead);
    if (mine != dnnl_success) status = mine;
  };
  const int threads = omp_get_max_threads();
  const OneThread one;  // for oneDNN
  share(cut.parts, threads, int64_t(work / kWorkPerElement), [&](int64_t i, int) { run(i); });
  return status;
}

}  // namespace kindling
