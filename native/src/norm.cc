// Batch norm of channels-last images: matrices [m, c], each column by its own mean and variance. The cutting into parts
// depends on the sizes alone, so results do not depend on the number of threads.
#include <cmath>
#include <type_traits>
#include <vector>

#include "columns.h"
#include "kernels.h"
#include "packed.h"
#include "team.h"

namespace kindling {

namespace {

// How many parts the rows are cut into, from the sizes alone.
int64_t partsOf(const Wide& w) {
  constexpr int64_t kPart = 65536;
  return std::max<int64_t>(1, std::min<int64_t>({16, w.rows, w.rows * w.width / kPart}));
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

// dx = (g − first − (x − mean)·second)·scale
template <Cut kCut>
void gradientRows(const float* g, const float* x, int64_t rows, int64_t width, const float* mean, const float* scale,
                  const float* shift, float leak, const float* first, const float* second, float* out) {
  eachBlock(rows, width, [&](int64_t begin, int64_t end) {
    eachStrip(width, [&](auto strip, int64_t j) {
      using S = decltype(strip);
      const S m(mean + j), s(scale + j), t(shift + j), a(first + j), b(second + j);
      for (int64_t i = begin; i < end; i++) {
        const S value(x + i * width + j);
        S y(g + i * width + j);
        for (int l = 0; l < S::count; l++) {
          const auto centred = value.at[l] - m.at[l];
          const auto open = passed<kCut>(y.at[l], centred * s.at[l] + t.at[l], leak);
          y.at[l] = (open - a.at[l] - centred * b.at[l]) * s.at[l];
        }
        y.store(out + i * width + j);
      }
    });
  });
}

template <Cut kCut>
void sumColumns(const float* g, const float* x, int64_t m, const Scaling& s, float leak, std::vector<double>& sum,
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
        sumProducts<kCut>(g + i * w.width, x + i * w.width, std::min(block, end - i), w.width, mean.data(),
                          scale.data(), shift.data(), leak, a.data(), b.data());
        for (int64_t j = 0; j < w.width; j++) {
          sums[part][j] += a[j];
          products[part][j] += b[j];
        }
      }
    }
  });
  std::vector<float> a(c), b(c);
  const int64_t done = w.rows * w.width;
  sumProducts<kCut>(g + done, x + done, w.tail, c, mean.data(), scale.data(), shift.data(), leak, a.data(), b.data());
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

template <Cut kCut>
void backwardColumns(const View& g, const View& x, const Scaling& s, float leak, const View* out, const View* weightOut,
                     const View* biasOut) {
  const int64_t m = x.size[0], c = x.size[1];
  std::vector<double> sum(c), product(c);
  sumColumns<kCut>(g.as<float>(), x.as<float>(), m, s, leak, sum, product);
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
    gradientRows<kCut>(g.as<float>() + from, x.as<float>() + from, rows, width, mean.data(), scale.data(), shift.data(),
                       leak, a.data(), b.data(), out->as<float>() + from);
  };
  parallelFor(w.rows, m * c, Order::Outward, [&](int64_t r, int64_t last) { run(r * w.width, last - r, w.width); });
  run(w.rows * w.width, w.tail, c);
}

// Calls run(integral constant of the cut).
template <class Run>
void withCut(Cut cut, Run&& run) {
  switch (cut) {
    case Cut::None:
      return run(std::integral_constant<Cut, Cut::None>());
    case Cut::Relu:
      return run(std::integral_constant<Cut, Cut::Relu>());
    default:
      return run(std::integral_constant<Cut, Cut::Leaky>());
  }
}

Rectifier readRectifier(Reader& reader) {
  Rectifier r;
  r.cut = static_cast<Cut>(reader.integer(0, 2));
  r.leak = static_cast<float>(reader.number());
  r.sub = static_cast<float>(reader.number());
  return r;
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

// Reads ε, the rectifier, x, mean, variance, [weight], [bias], out.
double normalizeColumnsKernel(Context&, Reader& reader) {
  constexpr const char* kName = "normalizeColumns";
  const double epsilon = reader.number();
  const Rectifier rectifier = readRectifier(reader);
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
  checkApart(kName, x, out);
  const Scaling s(c, mean, variance, weight, bias, epsilon);
  const Wide w(m, c);
  const auto a = w.spread(s.mean), scale = w.spread(s.scale), shift = w.spread(s.shift);
  const auto run = [&](int64_t from, int64_t rows, int64_t width) {
    withCut(rectifier.cut, [&](auto cut) {
      normalizeRows<cut()>(x.as<float>() + from, rows, width, a.data(), scale.data(), shift.data(), rectifier,
                           out.as<float>() + from);
    });
  };
  parallelFor(w.rows, m * c, Order::Outward, [&](int64_t r, int64_t last) { run(r * w.width, last - r, w.width); });
  run(w.rows * w.width, w.tail, c);
  return 0;
}

// Reads ε, the rectifier, gradient, x, mean, variance, [weight], [bias], whether out is wanted, [out],
// [gradient of weight], [gradient of bias].
double normalizeColumnsBackwardKernel(Context&, Reader& reader) {
  constexpr const char* kName = "normalizeColumnsBackward";
  const double epsilon = reader.number();
  const Rectifier rectifier = readRectifier(reader);
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
    checkApart(kName, g, out);
    checkApart(kName, x, out);
  }
  weightOut.read(reader, kName, c);
  biasOut.read(reader, kName, c);
  const Scaling s(c, mean, variance, weight, bias, epsilon);
  withCut(rectifier.cut, [&](auto cut) {
    backwardColumns<cut()>(g, x, s, rectifier.leak, wanted ? &out : nullptr, weightOut.given ? &weightOut.view : nullptr,
                           biasOut.given ? &biasOut.view : nullptr);
  });
  return 0;
}

}  // namespace kindling
