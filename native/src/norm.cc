// Normalisation of matrices [m, c]: by columns (batch norm of channels-last images) and by rows (layer norm).
//
// Few columns would leave vectors half empty, so that several rows are taken as one wide row: `Wide` says how many, and
// all that belongs to columns is repeated as often. Sums run in float over blocks that stay in the cache and in double
// over blocks. The cutting into parts depends on the sizes alone, so results do not depend on the number of threads.
#include <vector>

#include "kernels.h"
#include "team.h"

namespace kindling {

namespace {

[[noreturn]] void refuse(const char* kernel) {
  throw std::runtime_error(std::string("kindling addon: ") + kernel + ": views do not fit each other");
}

bool isPacked(const View& v) {
  int64_t step = 1;
  for (int i = v.rank - 1; i >= 0; i--) {
    if (v.size[i] != 1 && v.stride[i] != step) return false;
    step *= v.size[i];
  }
  return v.dtype == DType::Float32;
}

void readMatrix(Reader& reader, const char* kernel, View& v) {
  reader.view(v);
  if (v.rank != 2 || v.elements() == 0 || !isPacked(v)) refuse(kernel);
}

void readVector(Reader& reader, const char* kernel, View& v, int64_t size) {
  reader.view(v);
  if (v.rank != 1 || v.size[0] != size || !isPacked(v)) refuse(kernel);
}

// A view that may be left out.
struct Optional {
  bool given = false;
  View view;

  void read(Reader& reader, const char* kernel, int64_t size) {
    given = reader.flag();
    if (given) readVector(reader, kernel, view, size);
  }
  float at(int64_t i, float otherwise) const { return given ? view.as<float>()[i] : otherwise; }
};

// Several rows as one.
struct Wide {
  int64_t columns, repeat, width, rows, tail;  // tail: rows that do not fill a wide one

  Wide(int64_t m, int64_t c) : columns(c) {
    repeat = std::min<int64_t>(m, std::max<int64_t>(1, (kWidth + c - 1) / c));
    width = repeat * c;
    rows = m / repeat;
    tail = m % repeat;
  }

  std::vector<float> spread(const std::vector<float>& values) const {
    std::vector<float> result(static_cast<size_t>(width));
    for (int64_t j = 0; j < width; j++) result[j] = values[j % columns];
    return result;
  }

 private:
  static constexpr int64_t kWidth = 64;
};

// Wide rows summed in float before they go to the doubles; a block of a few such stays in the first cache.
int64_t blockRows(int64_t width) { return std::max<int64_t>(8, 8192 / width); }

// How many parts the rows are cut into, from the sizes alone.
int64_t partsOf(const Wide& w) {
  constexpr int64_t kPart = 65536;
  return std::max<int64_t>(1, std::min<int64_t>({16, w.rows, w.rows * w.width / kPart}));
}

// Mean and sum of squared distances of each wide column, joined block by block (Chan et al. 1979).
struct Moments {
  double count = 0;
  std::vector<double> mean, squares;

  explicit Moments(int64_t width) : mean(width, 0.0), squares(width, 0.0) {}

  void join(int64_t rows, const float* blockMean, const float* blockSquares, int64_t width) {
    const double total = count + rows, share = rows / total, weight = count * rows / total;
    for (int64_t j = 0; j < width; j++) {
      const double delta = blockMean[j] - mean[j];
      mean[j] += delta * share;
      squares[j] += blockSquares[j] + delta * delta * weight;
    }
    count = total;
  }
};

void addRows(const float* x, int64_t rows, int64_t width, float* __restrict sum) {
  int64_t i = 0;
  for (; i + 4 <= rows; i += 4, x += 4 * width) {
    const float *a = x, *b = x + width, *c = b + width, *d = c + width;
    for (int64_t j = 0; j < width; j++) sum[j] += (a[j] + b[j]) + (c[j] + d[j]);
  }
  for (; i < rows; i++, x += width) {
    for (int64_t j = 0; j < width; j++) sum[j] += x[j];
  }
}

void addSquares(const float* x, int64_t rows, int64_t width, const float* mean, float* __restrict sum) {
  int64_t i = 0;
  for (; i + 4 <= rows; i += 4, x += 4 * width) {
    const float *a = x, *b = x + width, *c = b + width, *d = c + width;
    for (int64_t j = 0; j < width; j++) {
      const float m = mean[j];
      const float p = a[j] - m, q = b[j] - m, r = c[j] - m, s = d[j] - m;
      sum[j] += (p * p + q * q) + (r * r + s * s);
    }
  }
  for (; i < rows; i++, x += width) {
    for (int64_t j = 0; j < width; j++) sum[j] += (x[j] - mean[j]) * (x[j] - mean[j]);
  }
}

void momentsOf(const float* x, int64_t rows, int64_t width, Moments& moments) {
  std::vector<float> mean(width), squares(width);
  const int64_t block = blockRows(width);
  for (int64_t i = 0; i < rows; i += block) {
    const int64_t n = std::min(block, rows - i);
    std::fill(mean.begin(), mean.end(), 0.0f);
    std::fill(squares.begin(), squares.end(), 0.0f);
    addRows(x + i * width, n, width, mean.data());
    for (float& m : mean) m /= static_cast<float>(n);
    addSquares(x + i * width, n, width, mean.data(), squares.data());
    moments.join(n, mean.data(), squares.data(), width);
  }
}

// Joins one column's moments.
void joinOne(double& count, double& mean, double& squares, double n, double m, double s) {
  if (n == 0) return;
  const double total = count + n, delta = m - mean;
  mean += delta * n / total;
  squares += s + delta * delta * count * n / total;
  count = total;
}

// What turns x into its normalised form: (x − mean)·scale + shift.
struct Scaling {
  std::vector<float> mean, scale, shift, root;  // root: 1/√(variance + ε)

  Scaling(int64_t c, const View& m, const View& v, const Optional& weight, const Optional& bias, double epsilon)
      : mean(c), scale(c), shift(c), root(c) {
    for (int64_t j = 0; j < c; j++) {
      mean[j] = m.as<float>()[j];
      root[j] = static_cast<float>(1.0 / std::sqrt(static_cast<double>(v.as<float>()[j]) + epsilon));
      scale[j] = root[j] * weight.at(j, 1.0f);
      shift[j] = bias.at(j, 0.0f);
    }
  }
};

inline float normalized(float x, float mean, float scale, float shift) { return (x - mean) * scale + shift; }

template <bool kRelu>
void normalizeRows(const float* x, int64_t rows, int64_t width, const float* mean, const float* scale,
                   const float* shift, float* out) {
  for (int64_t i = 0; i < rows; i++, x += width, out += width) {
    for (int64_t j = 0; j < width; j++) {
      const float y = normalized(x[j], mean[j], scale[j], shift[j]);
      out[j] = kRelu && y <= 0.0f ? 0.0f : y;
    }
  }
}

// The gradient as it comes through the ReLU, if there is one.
template <bool kRelu>
inline float passed(float g, float x, float mean, float scale, float shift) {
  return kRelu && !(normalized(x, mean, scale, shift) > 0.0f) ? 0.0f : g;
}

// Sums of g and g·(x − mean) over rows.
template <bool kRelu>
void addProducts(const float* g, const float* x, int64_t rows, int64_t width, const float* mean, const float* scale,
                 const float* shift, float* __restrict sum, float* __restrict product) {
  int64_t i = 0;
  for (; i + 2 <= rows; i += 2, g += 2 * width, x += 2 * width) {
    const float *g1 = g + width, *x1 = x + width;
    for (int64_t j = 0; j < width; j++) {
      const float a = passed<kRelu>(g[j], x[j], mean[j], scale[j], shift[j]);
      const float b = passed<kRelu>(g1[j], x1[j], mean[j], scale[j], shift[j]);
      sum[j] += a + b;
      product[j] += a * (x[j] - mean[j]) + b * (x1[j] - mean[j]);
    }
  }
  for (; i < rows; i++, g += width, x += width) {
    for (int64_t j = 0; j < width; j++) {
      const float a = passed<kRelu>(g[j], x[j], mean[j], scale[j], shift[j]);
      sum[j] += a;
      product[j] += a * (x[j] - mean[j]);
    }
  }
}

// dx = (g − first − (x − mean)·second)·scale
template <bool kRelu>
void gradientRows(const float* g, const float* x, int64_t rows, int64_t width, const float* mean, const float* scale,
                  const float* shift, const float* first, const float* second, float* out) {
  for (int64_t i = 0; i < rows; i++, g += width, x += width, out += width) {
    for (int64_t j = 0; j < width; j++) {
      const float a = passed<kRelu>(g[j], x[j], mean[j], scale[j], shift[j]);
      out[j] = (a - first[j] - (x[j] - mean[j]) * second[j]) * scale[j];
    }
  }
}

template <bool kRelu>
void sumColumns(const float* g, const float* x, int64_t m, const Scaling& s, std::vector<double>& sum,
                std::vector<double>& product) {
  const int64_t c = static_cast<int64_t>(s.mean.size());
  const Wide w(m, c);
  const auto mean = w.spread(s.mean), scale = w.spread(s.scale), shift = w.spread(s.shift);
  const int64_t parts = partsOf(w);
  std::vector<std::vector<double>> sums(parts), products(parts);
  parallelFor(parts, m * c * 2, [&](int64_t firstPart, int64_t lastPart) {
    std::vector<float> a(w.width), b(w.width);
    for (int64_t part = firstPart; part < lastPart; part++) {
      sums[part].assign(w.width, 0.0);
      products[part].assign(w.width, 0.0);
      const int64_t end = (part + 1) * w.rows / parts, block = blockRows(w.width);
      for (int64_t i = part * w.rows / parts; i < end; i += block) {
        std::fill(a.begin(), a.end(), 0.0f);
        std::fill(b.begin(), b.end(), 0.0f);
        addProducts<kRelu>(g + i * w.width, x + i * w.width, std::min(block, end - i), w.width, mean.data(),
                           scale.data(), shift.data(), a.data(), b.data());
        for (int64_t j = 0; j < w.width; j++) {
          sums[part][j] += a[j];
          products[part][j] += b[j];
        }
      }
    }
  });
  std::vector<float> a(c), b(c);
  const int64_t done = w.rows * w.width;
  addProducts<kRelu>(g + done, x + done, w.tail, c, mean.data(), scale.data(), shift.data(), a.data(), b.data());
  for (int64_t j = 0; j < c; j++) {
    sum[j] = a[j];
    product[j] = b[j];
    for (int64_t part = 0; part < parts; part++) {
      for (int64_t k = j; k < w.width; k += c) {
        sum[j] += sums[part][k];
        product[j] += products[part][k];
      }
    }
  }
}

template <bool kRelu>
void backwardColumns(const View& g, const View& x, const Scaling& s, const View* out, const View* weightOut,
                     const View* biasOut) {
  const int64_t m = x.size[0], c = x.size[1];
  std::vector<double> sum(c), product(c);
  sumColumns<kRelu>(g.as<float>(), x.as<float>(), m, s, sum, product);
  for (int64_t j = 0; j < c; j++) {
    if (weightOut != nullptr) weightOut->as<float>()[j] = static_cast<float>(product[j] * s.root[j]);
    if (biasOut != nullptr) biasOut->as<float>()[j] = static_cast<float>(sum[j]);
  }
  if (out == nullptr) return;
  std::vector<float> first(c), second(c);
  for (int64_t j = 0; j < c; j++) {
    first[j] = static_cast<float>(sum[j] / m);
    second[j] = static_cast<float>(product[j] / m * s.root[j] * s.root[j]);
  }
  const Wide w(m, c);
  const auto mean = w.spread(s.mean), scale = w.spread(s.scale), shift = w.spread(s.shift);
  const auto a = w.spread(first), b = w.spread(second);
  const auto run = [&](int64_t from, int64_t rows, int64_t width) {
    gradientRows<kRelu>(g.as<float>() + from, x.as<float>() + from, rows, width, mean.data(), scale.data(),
                        shift.data(), a.data(), b.data(), out->as<float>() + from);
  };
  parallelFor(w.rows, m * c, [&](int64_t r, int64_t last) { run(r * w.width, last - r, w.width); });
  run(w.rows * w.width, w.tail, c);
}

}  // namespace

// Reads x, mean, variance.
double columnMomentsKernel(Context&, Reader& reader) {
  View x, mean, variance;
  readMatrix(reader, "columnMoments", x);
  const int64_t m = x.size[0], c = x.size[1];
  readVector(reader, "columnMoments", mean, c);
  readVector(reader, "columnMoments", variance, c);
  const Wide w(m, c);
  const int64_t parts = partsOf(w);
  std::vector<Moments> moments(parts, Moments(w.width));
  parallelFor(parts, m * c * 2, [&](int64_t first, int64_t last) {
    for (int64_t part = first; part < last; part++) {
      const int64_t begin = part * w.rows / parts, end = (part + 1) * w.rows / parts;
      momentsOf(x.as<float>() + begin * w.width, end - begin, w.width, moments[part]);
    }
  });
  const float* rest = x.as<float>() + w.rows * w.width;
  for (int64_t j = 0; j < c; j++) {
    double count = 0, at = 0, squares = 0;
    for (const Moments& part : moments) {
      for (int64_t k = j; k < w.width; k += c) joinOne(count, at, squares, part.count, part.mean[k], part.squares[k]);
    }
    for (int64_t i = 0; i < w.tail; i++) joinOne(count, at, squares, 1, rest[i * c + j], 0);
    mean.as<float>()[j] = static_cast<float>(at);
    variance.as<float>()[j] = static_cast<float>(squares / m);
  }
  return 0;
}

// Reads ε, whether to cut off below 0, x, mean, variance, [weight], [bias], out.
double normalizeColumnsKernel(Context&, Reader& reader) {
  constexpr const char* kName = "normalizeColumns";
  const double epsilon = reader.number();
  const bool relu = reader.flag();
  View x, mean, variance, out;
  Optional weight, bias;
  readMatrix(reader, kName, x);
  const int64_t m = x.size[0], c = x.size[1];
  readVector(reader, kName, mean, c);
  readVector(reader, kName, variance, c);
  weight.read(reader, kName, c);
  bias.read(reader, kName, c);
  readMatrix(reader, kName, out);
  checkSameSizes(x, out);
  const Scaling s(c, mean, variance, weight, bias, epsilon);
  const Wide w(m, c);
  const auto a = w.spread(s.mean), scale = w.spread(s.scale), shift = w.spread(s.shift);
  const auto run = [&](int64_t from, int64_t rows, int64_t width) {
    const auto rowsOf = relu ? normalizeRows<true> : normalizeRows<false>;
    rowsOf(x.as<float>() + from, rows, width, a.data(), scale.data(), shift.data(), out.as<float>() + from);
  };
  parallelFor(w.rows, m * c, [&](int64_t r, int64_t last) { run(r * w.width, last - r, w.width); });
  run(w.rows * w.width, w.tail, c);
  return 0;
}

// Reads ε, whether it was cut off below 0, gradient, x, mean, variance, [weight], [bias], whether out is wanted, [out],
// [gradient of weight], [gradient of bias].
double normalizeColumnsBackwardKernel(Context&, Reader& reader) {
  constexpr const char* kName = "normalizeColumnsBackward";
  const double epsilon = reader.number();
  const bool relu = reader.flag();
  View g, x, mean, variance, out;
  Optional weight, bias, weightOut, biasOut;
  readMatrix(reader, kName, g);
  readMatrix(reader, kName, x);
  checkSameSizes(g, x);
  const int64_t c = x.size[1];
  readVector(reader, kName, mean, c);
  readVector(reader, kName, variance, c);
  weight.read(reader, kName, c);
  bias.read(reader, kName, c);
  const bool wanted = reader.flag();
  if (wanted) {
    readMatrix(reader, kName, out);
    checkSameSizes(out, x);
  }
  weightOut.read(reader, kName, c);
  biasOut.read(reader, kName, c);
  const Scaling s(c, mean, variance, weight, bias, epsilon);
  const auto run = relu ? backwardColumns<true> : backwardColumns<false>;
  run(g, x, s, wanted ? &out : nullptr, weightOut.given ? &weightOut.view : nullptr,
      biasOut.given ? &biasOut.view : nullptr);
  return 0;
}

}  // namespace kindling
