// Matrix products through oneDNN's sgemm, which takes each operand as it lies or transposed.
#include <dnnl.h>

#include <atomic>
#include <vector>

#include "block.h"
#include "kernels.h"
#include "product.h"
#include "team.h"

namespace kindling {

namespace {

// Whether strides can be told to sgemm; axes of size 1 may have any stride.
bool describe(int64_t rows, int64_t columns, int64_t rowStride, int64_t columnStride, Matrix& m) {
  if ((columnStride == 1 || columns == 1) && (rowStride >= std::max<int64_t>(columns, 1) || rows == 1)) {
    m.transposed = false;
    m.lead = rows == 1 ? std::max<int64_t>(columns, 1) : rowStride;
    return true;
  }
  if ((rowStride == 1 || rows == 1) && (columnStride >= std::max<int64_t>(rows, 1) || columns == 1)) {
    m.transposed = true;
    m.lead = columns == 1 ? std::max<int64_t>(rows, 1) : columnStride;
    return true;
  }
  return false;
}

void copyMatrix(const float* from, int64_t rows, int64_t columns, int64_t rowStride, int64_t columnStride, float* to) {
  for (int64_t i = 0; i < rows; i++) {
    for (int64_t j = 0; j < columns; j++) to[i * columns + j] = from[i * rowStride + j * columnStride];
  }
}

struct Problem {
  int64_t m, n, k;
  int64_t aRow, aColumn, bRow, bColumn, outRow, outColumn;
  const float* bias;
  int64_t biasStride;
  bool relu;
};

void check(dnnl_status_t status) {
  if (status != dnnl_success) throw std::runtime_error("kindling addon: oneDNN refused a matrix product");
}

// Adds the bias and cuts off below 0, for an `out` of any strides. NaN stays.
void finish(const Problem& p, float* out) {
  for (int64_t i = 0; i < p.m; i++) {
    for (int64_t j = 0; j < p.n; j++) {
      float& x = out[i * p.outRow + j * p.outColumn];
      if (p.bias != nullptr) x += p.bias[j * p.biasStride];
      if (p.relu && x <= 0) x = 0;
    }
  }
}

// One product. Does not throw: it may run inside a parallel region.
dnnl_status_t multiply(const Problem& p, const float* aData, const float* bData, float* out) {
  if (p.k == 0) {  // oneDNN would leave `out` as it is
    for (int64_t i = 0; i < p.m; i++) {
      for (int64_t j = 0; j < p.n; j++) out[i * p.outRow + j * p.outColumn] = 0;
    }
    finish(p, out);
    return dnnl_success;
  }
  std::vector<float> aCopy, bCopy;
  Matrix a{aData, false, 1}, b{bData, false, 1}, c{out, false, 1};
  if (!describe(p.m, p.k, p.aRow, p.aColumn, a)) {
    aCopy.resize(p.m * p.k);
    copyMatrix(aData, p.m, p.k, p.aRow, p.aColumn, aCopy.data());
    a = {aCopy.data(), false, p.k};
  }
  if (!describe(p.k, p.n, p.bRow, p.bColumn, b)) {
    bCopy.resize(p.k * p.n);
    copyMatrix(bData, p.k, p.n, p.bRow, p.bColumn, bCopy.data());
    b = {bCopy.data(), false, p.n};
  }
  if (!describe(p.m, p.n, p.outRow, p.outColumn, c)) {  // rows and columns both with gaps, as when a batch axis is innermost
    std::vector<float> dense(p.m * p.n);
    const dnnl_status_t status = product(a, b, p.m, p.n, p.k, {}, dense.data(), p.n);
    for (int64_t i = 0; i < p.m; i++) {
      for (int64_t j = 0; j < p.n; j++) out[i * p.outRow + j * p.outColumn] = dense[i * p.n + j];
    }
    finish(p, out);
    return status;
  }
  if (!c.transposed && (p.bias == nullptr || p.biasStride == 1)) {
    return product(a, b, p.m, p.n, p.k, {p.bias, p.relu}, out, c.lead);
  }
  dnnl_status_t status;
  if (c.transposed) {  // outᵀ = bᵀ · aᵀ
    a.transposed = !a.transposed;
    b.transposed = !b.transposed;
    status = product(b, a, p.n, p.m, p.k, {}, out, c.lead);
  } else {
    status = product(a, b, p.m, p.n, p.k, {}, out, c.lead);
  }
  if (p.bias != nullptr || p.relu) finish(p, out);
  return status;
}

void checkOperands(const View& a, const View& b, const View& out) {
  const int r = out.rank;
  bool fits = r >= 2 && a.rank == r && b.rank == r;
  for (int i = 0; fits && i < r - 2; i++) fits = a.size[i] == out.size[i] && b.size[i] == out.size[i];
  fits = fits && a.size[r - 2] == out.size[r - 2] && b.size[r - 1] == out.size[r - 1] && a.size[r - 1] == b.size[r - 2];
  fits = fits && a.dtype == DType::Float32 && b.dtype == DType::Float32 && out.dtype == DType::Float32;
  if (!fits) throw std::runtime_error("kindling addon: matmul: views do not fit each other");
}

// The batch axes as few as possible; `order` keeps them as they are.
Space batchOf(const View& out, Access* accesses) {
  Space batch;
  batch.rank = out.rank - 2;
  int order[kMaxRank];
  for (int i = 0; i < batch.rank; i++) {
    batch.size[i] = out.size[i];
    batch.reduced[i] = false;
    order[i] = i;
  }
  collapse(batch, accesses, 3, order);
  for (int i = 0; i < batch.rank; i++) batch.extent[i] = 1;
  return batch;
}

// Products with one and the same b whose rows follow each other are one product.
bool joinBatch(const Space& batch, const Access* accesses, Problem& p) {
  if (batch.rank != 1 || accesses[1].stride[0] != 0) return false;
  if (accesses[0].stride[0] != p.m * p.aRow || accesses[2].stride[0] != p.m * p.outRow) return false;
  p.m *= batch.size[0];
  return true;
}

}  // namespace

// Reads whether there is a bias, whether to cut off below 0, a, b, [bias,] out; all float32.
double matmulKernel(Context&, Reader& reader) {
  const bool hasBias = reader.flag(), relu = reader.flag();
  View a, b, bias, out;
  reader.view(a);
  reader.view(b);
  if (hasBias) reader.view(bias);
  reader.view(out);
  checkOperands(a, b, out);
  const int r = out.rank;
  if (hasBias && (bias.rank != 1 || bias.size[0] != out.size[r - 1] || bias.dtype != DType::Float32)) {
    throw std::runtime_error("kindling addon: matmul: the bias does not fit");
  }
  if (out.elements() == 0) return 0;
  Problem p{out.size[r - 2],   out.size[r - 1],   a.size[r - 1],     a.stride[r - 2],
            a.stride[r - 1],   b.stride[r - 2],   b.stride[r - 1],   out.stride[r - 2],
            out.stride[r - 1], hasBias ? bias.as<float>() : nullptr, hasBias ? bias.stride[0] : 0, relu};
  Access accesses[3] = {{a.data, a.dtype, a.low, a.high, {}},
                        {b.data, b.dtype, b.low, b.high, {}},
                        {out.data, out.dtype, out.low, out.high, {}}};
  const View* views[3] = {&a, &b, &out};
  for (int v = 0; v < 3; v++) std::copy(views[v]->stride, views[v]->stride + r - 2, accesses[v].stride);
  const Space batch = batchOf(out, accesses);
  const int64_t count = joinBatch(batch, accesses, p) ? 1 : batch.boxes();
  if (count == 1) {
    check(multiply(p, a.as<float>(), b.as<float>(), out.as<float>()));
    return 0;
  }
  std::atomic<dnnl_status_t> status{dnnl_success};
  const auto each = [&](int64_t first, int64_t last) {
    BoxWalk walk(batch, first);
    for (int64_t i = first; i < last; i++, walk.next()) {
      int64_t at[3] = {0, 0, 0};
      for (int v = 0; v < 3; v++) {
        for (int axis = 0; axis < batch.rank; axis++) at[v] += walk.box().origin[axis] * accesses[v].stride[axis];
      }
      const dnnl_status_t own = multiply(p, a.as<float>() + at[0], b.as<float>() + at[1], out.as<float>() + at[2]);
      if (own != dnnl_success) status = own;
    }
  };
  // Many small products: threads share the products. Few big ones: oneDNN's threads share each.
  constexpr int64_t kBig = int64_t(1) << 22;
  if (count >= omp_get_max_threads() && p.m * p.n * p.k < kBig) {
    parallelFor(count, count * p.m * p.n * std::max<int64_t>(p.k, 1) / 8, each);
  } else {
    each(0, count);
  }
  check(status);
  return 0;
}

}  // namespace kindling
