// Group norm: each sample's channels in groups, every group by its own mean and variance. Instance norm is the same with
// as many groups as channels.
//
// Of every channel of a sample the sums are taken first, then those of a group are joined, then the elements are written;
// samples.h says in which order.
#include <cmath>
#include <vector>

#include "columns.h"
#include "kernels.h"
#include "packed.h"
#include "rows.h"
#include "samples.h"

namespace kindling {

namespace {

constexpr const char* kForward = "groupNorm";
constexpr const char* kBackward = "groupNormBackward";
constexpr int64_t kBlock = 4096;  // elements of a row that are summed in float

void productsOf(const float* g, const float* x, int64_t n, float mean, float& sum, float& product) {
  float a = 0, b = 0;
#pragma omp simd reduction(+ : a, b)
  for (int64_t j = 0; j < n; j++) {
    a += g[j];
    b += g[j] * (x[j] - mean);
  }
  sum = a;
  product = b;
}

void normalizeRow(const float* x, int64_t n, float mean, float scale, float shift, float* __restrict out) {
  for (int64_t j = 0; j < n; j++) out[j] = (x[j] - mean) * scale + shift;
}

// dx = g·a + (x − mean)·b + c
void gradientRow(const float* g, const float* x, int64_t n, float mean, float a, float b, float c,
                 float* __restrict out) {
  for (int64_t j = 0; j < n; j++) out[j] = g[j] * a + ((x[j] - mean) * b + c);
}

void gradientRows(const float* g, const float* x, int64_t rows, int64_t width, const float* mean, const float* a,
                  const float* b, const float* c, float* out) {
  eachBlock(rows, width, [&](int64_t first, int64_t last) {
    eachStrip(width, [&](auto strip, int64_t j) {
      using S = decltype(strip);
      const S m(mean + j), scale(a + j), slope(b + j), shift(c + j);
      for (int64_t i = first; i < last; i++) {
        const S value(x + i * width + j);
        S y(g + i * width + j);
        for (int l = 0; l < S::count; l++) {
          y.at[l] = y.at[l] * scale.at[l] + ((value.at[l] - m.at[l]) * slope.at[l] + shift.at[l]);
        }
        y.store(out + i * width + j);
      }
    });
  });
}

float rootOf(float variance, double epsilon) {
  return static_cast<float>(1.0 / std::sqrt(static_cast<double>(variance) + epsilon));
}

struct Forward {
  struct Sum {
    double count = 0, mean = 0, squares = 0;

    void join(double n, double m, double s) { joinOne(count, mean, squares, n, m, s); }
  };

  const Images& images;
  const double epsilon;
  const Optional &weight, &bias;
  const float* x;
  float *out, *means, *variances;

  void measure(int64_t i, int64_t k, Sum* sums) const {
    const int64_t c = images.c, p = images.p;
    const Range range = images.piece(k);
    const float* sample = x + i * c * p;
    if (!images.channelsLast()) {
      for (int64_t j = range.first; j < range.last; j++) {
        for (int64_t at = 0; at < p; at += kBlock) {
          const int64_t count = std::min(kBlock, p - at);
          const float* row = sample + j * p + at;
          const float mean = sumOf(row, count) / static_cast<float>(count);
          sums[j].join(count, mean, squaresOf(row, count, mean));
        }
      }
      return;
    }
    const Wide w(range.last - range.first, c);
    Moments moments(w.width);
    momentsOf(sample + range.first * c, w.rows, w.width, moments);
    for (int64_t at = 0; at < w.width; at += c) {
      for (int64_t j = 0; j < c; j++) sums[j].join(moments.count, moments.mean[at + j], moments.squares[at + j]);
    }
    const float* rest = sample + range.first * c + w.rows * w.width;
    for (int64_t t = 0; t < w.tail; t++, rest += c) {
      for (int64_t j = 0; j < c; j++) sums[j].join(1, rest[j], 0);
    }
  }

  // All channels have p elements now.
  void finish(int64_t i, int64_t, Sum* sums) const {
    const int64_t c = images.c, each = images.each;
    for (int64_t k = 1; k < images.pieces(); k++) {
      for (int64_t j = 0; j < c; j++) {
        const Sum& other = sums[k * c + j];
        sums[j].join(other.count, other.mean, other.squares);
      }
    }
    for (int64_t group = 0; group < images.groups; group++) {
      const Sum* channels = sums + group * each;
      double mean = 0, squares = 0, between = 0;
      for (int64_t j = 0; j < each; j++) mean += channels[j].mean;
      mean /= each;
      for (int64_t j = 0; j < each; j++) {
        squares += channels[j].squares;
        between += (channels[j].mean - mean) * (channels[j].mean - mean);
      }
      means[i * images.groups + group] = static_cast<float>(mean);
      variances[i * images.groups + group] = static_cast<float>(squares / (each * images.p) + between / each);
    }
  }

  void write(int64_t i, int64_t k) const {
    const int64_t c = images.c, p = images.p, each = images.each;
    const Range range = images.piece(k);
    const float *mean = means + i * images.groups, *variance = variances + i * images.groups;
    if (!images.channelsLast()) {
      for (int64_t j = range.first; j < range.last; j++) {
        const float scale = rootOf(variance[j / each], epsilon) * weight.at(j, 1.0f);
        const int64_t at = (i * c + j) * p;
        normalizeRow(x + at, p, mean[j / each], scale, bias.at(j, 0.0f), out + at);
      }
      return;
    }
    const Wide w(range.last - range.first, c);
    Spread numbers(w, 3);
    for (int64_t group = 0, j = 0; group < images.groups; group++) {
      const float root = rootOf(variance[group], epsilon);
      for (const int64_t end = j + each; j < end; j++) {
        numbers[0][j] = mean[group];
        numbers[1][j] = root * weight.at(j, 1.0f);
        numbers[2][j] = bias.at(j, 0.0f);
      }
    }
    numbers.repeat();
    const auto rows = [&](int64_t at, int64_t count, int64_t width) {
      normalizeRows<Cut::None>(x + at, count, width, numbers[0], numbers[1], numbers[2], {}, out + at);
    };
    const int64_t at = i * c * p + range.first * c;
    rows(at, w.rows, w.width);
    rows(at + w.rows * w.width, w.tail, c);
  }
};

struct Backward {
  struct Sum {
    double sum = 0, product = 0;  // of g and g·(x − mean)
  };

  const Images& images;
  const double epsilon;
  const Optional& weight;
  const float *g, *x, *means, *variances;
  float* out;  // null where it is not wanted
  // Of each group of each sample: dx = g·weight·root + (x − mean)·slope + shift
  std::vector<float> slope, shift;
  std::vector<std::vector<double>> weightSums, biasSums;  // of each part

  void measure(int64_t i, int64_t k, Sum* sums) const {
    const int64_t c = images.c, p = images.p, each = images.each;
    const Range range = images.piece(k);
    const float* mean = means + i * images.groups;
    if (!images.channelsLast()) {
      for (int64_t j = range.first; j < range.last; j++) {
        for (int64_t at = 0; at < p; at += kBlock) {
          const int64_t from = (i * c + j) * p + at;
          float sum, product;
          productsOf(g + from, x + from, std::min(kBlock, p - at), mean[j / each], sum, product);
          sums[j].sum += sum;
          sums[j].product += product;
        }
      }
      return;
    }
    const Wide w(range.last - range.first, c);
    Spread numbers(w, 3);
    for (int64_t group = 0, j = 0; group < images.groups; group++) {
      for (const int64_t end = j + each; j < end; j++) numbers[0][j] = mean[group];
    }
    numbers.repeat();
    const auto add = [&](int64_t at, int64_t rows, int64_t width) {
      sumProducts<Cut::None>(g + at, x + at, rows, width, numbers[0], numbers[0], numbers[0], 0, numbers[1], numbers[2]);
      for (int64_t from = 0; from < width; from += c) {
        for (int64_t j = 0; j < c; j++) {
          sums[j].sum += numbers[1][from + j];
          sums[j].product += numbers[2][from + j];
        }
      }
    };
    const int64_t at = i * c * p + range.first * c, block = blockRows(w.width);
    for (int64_t r = 0; r < w.rows; r += block) add(at + r * w.width, std::min(block, w.rows - r), w.width);
    add(at + w.rows * w.width, w.tail, c);
  }

  void finish(int64_t i, int64_t part, Sum* sums) {
    const int64_t c = images.c;
    for (int64_t k = 1; k < images.pieces(); k++) {
      for (int64_t j = 0; j < c; j++) {
        sums[j].sum += sums[k * c + j].sum;
        sums[j].product += sums[k * c + j].product;
      }
    }
    const double count = static_cast<double>(images.each * images.p);
    for (int64_t group = 0, j = 0; group < images.groups; group++) {
      const int64_t at = i * images.groups + group;
      const double root = rootOf(variances[at], epsilon);
      double sum = 0, product = 0;
      for (const int64_t end = j + images.each; j < end; j++) {
        sum += sums[j].sum * weight.at(j, 1.0f);
        product += sums[j].product * weight.at(j, 1.0f);
        biasSums[part][j] += sums[j].sum;
        weightSums[part][j] += sums[j].product * root;
      }
      slope[at] = static_cast<float>(-product / count * root * root * root);
      shift[at] = static_cast<float>(-sum / count * root);
    }
  }

  void write(int64_t i, int64_t k) const {
    if (out == nullptr) return;
    const int64_t c = images.c, p = images.p, each = images.each, first = i * images.groups;
    const Range range = images.piece(k);
    if (!images.channelsLast()) {
      for (int64_t j = range.first; j < range.last; j++) {
        const int64_t at = (i * c + j) * p, group = first + j / each;
        const float scale = rootOf(variances[group], epsilon) * weight.at(j, 1.0f);
        gradientRow(g + at, x + at, p, means[group], scale, slope[group], shift[group], out + at);
      }
      return;
    }
    const Wide w(range.last - range.first, c);
    Spread numbers(w, 4);
    for (int64_t group = first, j = 0; group < first + images.groups; group++) {
      const float root = rootOf(variances[group], epsilon);
      for (const int64_t end = j + each; j < end; j++) {
        numbers[0][j] = means[group];
        numbers[1][j] = root * weight.at(j, 1.0f);
        numbers[2][j] = slope[group];
        numbers[3][j] = shift[group];
      }
    }
    numbers.repeat();
    const auto rows = [&](int64_t at, int64_t count, int64_t width) {
      gradientRows(g + at, x + at, count, width, numbers[0], numbers[1], numbers[2], numbers[3], out + at);
    };
    const int64_t at = i * c * p + range.first * c;
    rows(at, w.rows, w.width);
    rows(at + w.rows * w.width, w.tail, c);
  }
};

void writeSums(const std::vector<std::vector<double>>& parts, const Optional& out) {
  if (!out.given) return;
  for (size_t j = 0; j < parts[0].size(); j++) {
    double sum = 0;
    for (const auto& part : parts) sum += part[j];
    out.view.as<float>()[j] = static_cast<float>(sum);
  }
}

}  // namespace

// Reads ε, groups, x, [weight], [bias], out, mean, variance.
double groupNormKernel(Context&, Reader& reader) {
  const double epsilon = reader.number();
  const int64_t groups = reader.integer(1, int64_t(1) << 50);
  Images images;
  View x, out, mean, variance;
  Optional weight, bias;
  images.read(reader, kForward, x);
  images.setGroups(kForward, groups);
  weight.read(reader, kForward, images.c);
  bias.read(reader, kForward, images.c);
  images.read(reader, kForward, out);
  checkApart(kForward, x, out);
  readVector(reader, kForward, mean, images.n * groups);
  readVector(reader, kForward, variance, images.n * groups);
  Forward job{images,          epsilon,         weight,           bias,
              x.as<float>(),   out.as<float>(), mean.as<float>(), variance.as<float>()};
  runSamples(job, images, images.elements() * 3);
  return 0;
}

// Reads ε, groups, gradient, x, mean, variance, [weight], whether out is wanted, [out], [gradient of weight],
// [gradient of bias].
double groupNormBackwardKernel(Context&, Reader& reader) {
  const double epsilon = reader.number();
  const int64_t groups = reader.integer(1, int64_t(1) << 50);
  Images images;
  View g, x, mean, variance, out;
  Optional weight, weightOut, biasOut;
  images.read(reader, kBackward, g);
  images.read(reader, kBackward, x);
  images.setGroups(kBackward, groups);
  readVector(reader, kBackward, mean, images.n * groups);
  readVector(reader, kBackward, variance, images.n * groups);
  weight.read(reader, kBackward, images.c);
  const bool wanted = reader.flag();
  if (wanted) {
    images.read(reader, kBackward, out);
    checkApart(kBackward, g, out);
    checkApart(kBackward, x, out);
  }
  weightOut.read(reader, kBackward, images.c);
  biasOut.read(reader, kBackward, images.c);
  const std::vector<std::vector<double>> zeros(images.parts(), std::vector<double>(images.c, 0.0));
  const std::vector<float> room(images.n * groups);
  Backward job{images, epsilon, weight, g.as<float>(), x.as<float>(), mean.as<float>(), variance.as<float>(),
               wanted ? out.as<float>() : nullptr, room, room, zeros, zeros};
  runSamples(job, images, images.elements() * 5);
  writeSums(job.weightSums, weightOut);
  writeSums(job.biasSums, biasOut);
  return 0;
}

}  // namespace kindling
