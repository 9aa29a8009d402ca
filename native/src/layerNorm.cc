// Layer norm: rows of a matrix [m, f], each by its own mean and variance.
#include <cmath>
#include <vector>

#include "kernels.h"
#include "packed.h"
#include "rows.h"
#include "team.h"

namespace kindling {

namespace {

constexpr const char* kForward = "layerNorm";
constexpr const char* kBackward = "layerNormBackward";
constexpr int64_t kHeld = 16;  // rows that are summed in float before they go to the doubles

// How many parts the rows are cut into, from the sizes alone: results do not depend on the threads.
int64_t partsOf(int64_t m, int64_t f) {
  return std::max<int64_t>(1, std::min<int64_t>({16, m / kHeld, m * f / 8192}));
}

float rootOf(float variance, double epsilon) { return static_cast<float>(1.0 / std::sqrt(variance + epsilon)); }

// With weights of 1 where there are none.
const float* orOnes(const Optional& weight, std::vector<float>& ones, int64_t f) {
  if (weight.given) return weight.view.as<float>();
  ones.assign(f, 1.0f);
  return ones.data();
}

void normalizeRow(const float* x, int64_t f, float mean, float root, const float* weight, const float* bias,
                  float* __restrict out) {
  for (int64_t j = 0; j < f; j++) out[j] = (x[j] - mean) * root * weight[j] + bias[j];
}

// Adds g·x̂ and g, column by column, to what is kept for weight and bias, and sums g·weight and g·weight·x̂ over the row.
void addRow(const float* g, const float* x, int64_t f, float mean, float root, const float* weight,
            float* __restrict forWeight, float* __restrict forBias, float& sum, float& product) {
  float a = 0, b = 0;
#pragma omp simd reduction(+ : a, b)
  for (int64_t j = 0; j < f; j++) {
    const float unit = (x[j] - mean) * root, gw = g[j] * weight[j];
    a += gw;
    b += gw * unit;
    forWeight[j] += g[j] * unit;
    forBias[j] += g[j];
  }
  sum = a;
  product = b;
}

// dx = (g·weight − first − x̂·second)·root
void gradientRow(const float* g, const float* x, int64_t f, float mean, float root, const float* weight, float first,
                 float second, float* __restrict out) {
  for (int64_t j = 0; j < f; j++) out[j] = (g[j] * weight[j] - first - (x[j] - mean) * root * second) * root;
}

// Sums over the rows of a part.
struct Sums {
  std::vector<double> weight, bias;
  std::vector<float> heldWeight, heldBias;

  explicit Sums(int64_t f = 0) : weight(f, 0.0), bias(f, 0.0), heldWeight(f, 0.0f), heldBias(f, 0.0f) {}

  void add(const Sums& other) {
    for (size_t j = 0; j < weight.size(); j++) {
      weight[j] += other.weight[j];
      bias[j] += other.bias[j];
    }
  }

  void settle() {
    for (size_t j = 0; j < weight.size(); j++) {
      weight[j] += heldWeight[j];
      bias[j] += heldBias[j];
    }
    std::fill(heldWeight.begin(), heldWeight.end(), 0.0f);
    std::fill(heldBias.begin(), heldBias.end(), 0.0f);
  }
};

}  // namespace

// Reads ε, x, [weight], [bias], out, mean, variance.
double layerNormKernel(Context&, Reader& reader) {
  const double epsilon = reader.number();
  View x, out, meanView, varianceView;
  Optional weightView, biasView;
  readMatrix(reader, kForward, x);
  const int64_t m = x.size[0], f = x.size[1];
  weightView.read(reader, kForward, f);
  biasView.read(reader, kForward, f);
  readMatrix(reader, kForward, out);
  checkSameSizes(x, out);
  readVector(reader, kForward, meanView, m);
  readVector(reader, kForward, varianceView, m);
  std::vector<float> ones, zeros(biasView.given ? 0 : f, 0.0f);
  const float* weight = orOnes(weightView, ones, f);
  const float* bias = biasView.given ? biasView.view.as<float>() : zeros.data();
  float *means = meanView.as<float>(), *variances = varianceView.as<float>();
  parallelFor(m, m * f * 3, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; i++) {
      const float* row = x.as<float>() + i * f;
      const float mean = sumOf(row, f) / static_cast<float>(f);
      const float variance = squaresOf(row, f, mean) / static_cast<float>(f);
      normalizeRow(row, f, mean, rootOf(variance, epsilon), weight, bias, out.as<float>() + i * f);
      means[i] = mean;
      variances[i] = variance;
    }
  });
  return 0;
}

// Reads ε, gradient, x, mean, variance, [weight], whether out is wanted, [out], [gradient of weight], [gradient of bias].
double layerNormBackwardKernel(Context&, Reader& reader) {
  const double epsilon = reader.number();
  View g, x, meanView, varianceView, out;
  Optional weightView, weightOut, biasOut;
  readMatrix(reader, kBackward, g);
  readMatrix(reader, kBackward, x);
  checkSameSizes(g, x);
  const int64_t m = x.size[0], f = x.size[1];
  readVector(reader, kBackward, meanView, m);
  readVector(reader, kBackward, varianceView, m);
  weightView.read(reader, kBackward, f);
  const bool wanted = reader.flag();
  if (wanted) {
    readMatrix(reader, kBackward, out);
    checkSameSizes(x, out);
  }
  weightOut.read(reader, kBackward, f);
  biasOut.read(reader, kBackward, f);
  std::vector<float> ones;
  const float* weight = orOnes(weightView, ones, f);
  const int64_t parts = partsOf(m, f);
  std::vector<Sums> sums(parts);
  parallelFor(parts, m * f * 4, [&](int64_t firstPart, int64_t lastPart) {
    for (int64_t part = firstPart; part < lastPart; part++) {
      Sums own(f);
      const int64_t begin = part * m / parts, end = (part + 1) * m / parts;
      for (int64_t i = begin; i < end; i++) {
        const float *gRow = g.as<float>() + i * f, *row = x.as<float>() + i * f;
        const float mean = meanView.as<float>()[i], root = rootOf(varianceView.as<float>()[i], epsilon);
        float sum, product;
        addRow(gRow, row, f, mean, root, weight, own.heldWeight.data(), own.heldBias.data(), sum, product);
        if (wanted) {
          const float count = static_cast<float>(f);
          gradientRow(gRow, row, f, mean, root, weight, sum / count, product / count, out.as<float>() + i * f);
        }
        if ((i - begin) % kHeld == kHeld - 1 || i + 1 == end) own.settle();
      }
      sums[part] = std::move(own);
    }
  });
  for (int64_t part = 1; part < parts; part++) sums[0].add(sums[part]);
  for (int64_t j = 0; weightOut.given && j < f; j++) weightOut.view.as<float>()[j] = static_cast<float>(sums[0].weight[j]);
  for (int64_t j = 0; biasOut.given && j < f; j++) biasOut.view.as<float>()[j] = static_cast<float>(sums[0].bias[j]);
  return 0;
}

}  // namespace kindling
