// Layer norm: rows of a matrix [m, f], each by its own mean and variance.
#include <vector>

#include "kernels.h"
#include "team.h"

namespace kindling {

namespace {

constexpr const char* kForward = "layerNorm";
constexpr const char* kBackward = "layerNormBackward";

[[noreturn]] void refuse(const char* kernel) {
  throw std::runtime_error(std::string("kindling addon: ") + kernel + ": views do not fit each other");
}

void readPacked(Reader& reader, const char* kernel, View& v, int rank) {
  reader.view(v);
  int64_t step = 1;
  bool fits = v.rank == rank && v.dtype == DType::Float32 && v.elements() > 0;
  for (int i = v.rank - 1; fits && i >= 0; i--) {
    fits = v.size[i] == 1 || v.stride[i] == step;
    step *= v.size[i];
  }
  if (!fits) refuse(kernel);
}

const float* readVector(Reader& reader, const char* kernel, View& v, int64_t size) {
  readPacked(reader, kernel, v, 1);
  if (v.size[0] != size) refuse(kernel);
  return v.as<float>();
}

// A vector that may be left out; then `otherwise`, or nothing.
const float* readOptional(Reader& reader, const char* kernel, int64_t size, View& v, const float* otherwise) {
  return reader.flag() ? readVector(reader, kernel, v, size) : otherwise;
}

float sumOf(const float* x, int64_t n) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t j = 0; j < n; j++) sum += x[j];
  return sum;
}

float squaresOf(const float* x, int64_t n, float mean) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t j = 0; j < n; j++) sum += (x[j] - mean) * (x[j] - mean);
  return sum;
}

// Rows that one part of the sums over rows covers, from the sizes alone: results do not depend on the threads.
int64_t partsOf(int64_t m, int64_t f) { return std::max<int64_t>(1, std::min<int64_t>({16, m, m * f / 65536})); }

}  // namespace

// Reads ε, x, [weight], [bias], out, mean, variance.
double layerNormKernel(Context&, Reader& reader) {
  const double epsilon = reader.number();
  View x, weightView, biasView, out, meanView, varianceView;
  readPacked(reader, kForward, x, 2);
  const int64_t m = x.size[0], f = x.size[1];
  const std::vector<float> ones(f, 1.0f), zeros(f, 0.0f);
  const float* weight = readOptional(reader, kForward, f, weightView, ones.data());
  const float* bias = readOptional(reader, kForward, f, biasView, zeros.data());
  readPacked(reader, kForward, out, 2);
  checkSameSizes(x, out);
  readVector(reader, kForward, meanView, m);
  readVector(reader, kForward, varianceView, m);
  parallelFor(m, m * f * 3, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; i++) {
      const float* row = x.as<float>() + i * f;
      float* __restrict to = out.as<float>() + i * f;
      const float mean = sumOf(row, f) / static_cast<float>(f);
      const float variance = squaresOf(row, f, mean) / static_cast<float>(f);
      const float root = static_cast<float>(1.0 / std::sqrt(variance + epsilon));
      for (int64_t j = 0; j < f; j++) to[j] = (row[j] - mean) * root * weight[j] + bias[j];
      meanView.as<float>()[i] = mean;
      varianceView.as<float>()[i] = variance;
    }
  });
  return 0;
}

// Reads ε, gradient, x, mean, variance, [weight], whether out is wanted, [out], [gradient of weight], [gradient of bias].
double layerNormBackwardKernel(Context&, Reader& reader) {
  const double epsilon = reader.number();
  View g, x, meanView, varianceView, weightView, out, weightOut, biasOut;
  readPacked(reader, kBackward, g, 2);
  readPacked(reader, kBackward, x, 2);
  checkSameSizes(g, x);
  const int64_t m = x.size[0], f = x.size[1];
  const float* means = readVector(reader, kBackward, meanView, m);
  const float* variances = readVector(reader, kBackward, varianceView, m);
  const std::vector<float> ones(f, 1.0f);
  const float* weight = readOptional(reader, kBackward, f, weightView, ones.data());
  const bool wanted = reader.flag();
  if (wanted) {
    readPacked(reader, kBackward, out, 2);
    checkSameSizes(x, out);
  }
  const bool weightWanted = readOptional(reader, kBackward, f, weightOut, nullptr) != nullptr;
  const bool biasWanted = readOptional(reader, kBackward, f, biasOut, nullptr) != nullptr;
  const int64_t parts = partsOf(m, f);
  std::vector<std::vector<double>> weightSums(parts), biasSums(parts);
  parallelFor(parts, m * f * 4, [&](int64_t firstPart, int64_t lastPart) {
    std::vector<float> a(f), b(f);
    for (int64_t part = firstPart; part < lastPart; part++) {
      weightSums[part].assign(f, 0.0);
      biasSums[part].assign(f, 0.0);
      const int64_t end = (part + 1) * m / parts;
      int64_t held = 0;
      for (int64_t i = part * m / parts; i < end; i++) {
        const float *gRow = g.as<float>() + i * f, *row = x.as<float>() + i * f;
        const float mean = means[i], root = static_cast<float>(1.0 / std::sqrt(variances[i] + epsilon));
        float total = 0, product = 0;
        float *__restrict aTo = a.data(), *__restrict bTo = b.data();
#pragma omp simd reduction(+ : total, product)
        for (int64_t j = 0; j < f; j++) {
          const float unit = (row[j] - mean) * root, gw = gRow[j] * weight[j];
          total += gw;
          product += gw * unit;
          aTo[j] += gRow[j] * unit;
          bTo[j] += gRow[j];
        }
        if (wanted) {
          float* __restrict to = out.as<float>() + i * f;
          const float first = total / static_cast<float>(f), second = product / static_cast<float>(f);
          for (int64_t j = 0; j < f; j++) {
            to[j] = (gRow[j] * weight[j] - first - (row[j] - mean) * root * second) * root;
          }
        }
        if (++held < 16 && i + 1 < end) continue;  // float sums of few rows go to the doubles
        held = 0;
        for (int64_t j = 0; j < f; j++) {
          weightSums[part][j] += a[j];
          biasSums[part][j] += b[j];
          a[j] = b[j] = 0;
        }
      }
    }
  });
  for (int64_t j = 0; j < f; j++) {
    double a = 0, b = 0;
    for (int64_t part = 0; part < parts; part++) {
      a += weightSums[part][j];
      b += biasSums[part][j];
    }
    if (weightWanted) weightOut.as<float>()[j] = static_cast<float>(a);
    if (biasWanted) biasOut.as<float>()[j] = static_cast<float>(b);
  }
  return 0;
}

}  // namespace kindling
