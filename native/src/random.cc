// Random fills: the twin of src/backend/js/philox.ts, normal.ts and random.ts, bit for bit. Compiled without fused
// multiply-add, and every formula keeps the order of operations it has there.
#include <cmath>

#include "kernels.h"
#include "team.h"

namespace kindling {

namespace {

enum class Draw : int { Uniform, Normal, Integers, Bernoulli };

constexpr int kLanes = 32;            // Philox blocks made together: fewer, and the compiler unrolls instead of vectorising
constexpr int kWords = 4 * kLanes;

// Words of the blocks `block` … `block + kLanes − 1`.
void philoxWords(uint64_t seed, uint32_t stream, uint64_t block, uint32_t* words) {
  uint32_t c0[kLanes], c1[kLanes], c2[kLanes], c3[kLanes];
  for (int l = 0; l < kLanes; l++) {
    c0[l] = static_cast<uint32_t>(block + l);
    c1[l] = static_cast<uint32_t>((block + l) >> 32);
    c2[l] = stream;
    c3[l] = 0;
  }
  uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; round++) {
    for (int l = 0; l < kLanes; l++) {
      const uint64_t product0 = uint64_t(0xd2511f53u) * c0[l];
      const uint64_t product1 = uint64_t(0xcd9e8d57u) * c2[l];
      c0[l] = static_cast<uint32_t>(product1 >> 32) ^ c1[l] ^ k0;
      c1[l] = static_cast<uint32_t>(product1);
      c2[l] = static_cast<uint32_t>(product0 >> 32) ^ c3[l] ^ k1;
      c3[l] = static_cast<uint32_t>(product0);
    }
    k0 += 0x9e3779b9u;
    k1 += 0xbb67ae85u;
  }
  for (int l = 0; l < kLanes; l++) {
    words[4 * l] = c0[l];
    words[4 * l + 1] = c1[l];
    words[4 * l + 2] = c2[l];
    words[4 * l + 3] = c3[l];
  }
}

inline double logUniform(uint32_t word) {
  const double n = static_cast<double>(word) + 1.0;
  const int64_t bits = bitCast<int64_t>(n);
  int32_t e = static_cast<int32_t>(bits >> 52) - 1023;
  double m = bitCast<double>((bits & 0x000fffffffffffff) | 0x3ff0000000000000);
  const bool above = m > 1.4142135623730951;
  m = above ? m * 0.5 : m;
  e = above ? e + 1 : e;
  const double s = (m - 1.0) / (m + 1.0);
  const double z = s * s;
  double p = 1.0 / 21;
  p = p * z + 1.0 / 19;
  p = p * z + 1.0 / 17;
  p = p * z + 1.0 / 15;
  p = p * z + 1.0 / 13;
  p = p * z + 1.0 / 11;
  p = p * z + 1.0 / 9;
  p = p * z + 1.0 / 7;
  p = p * z + 1.0 / 5;
  p = p * z + 1.0 / 3;
  p = p * z + 1.0;
  return 2.0 * s * p + static_cast<double>(e - 32) * 0.6931471805599453;
}

inline double sinePolynomial(double z) {
  double p = 1.0 / 355687428096000.0;
  p = p * z - 1.0 / 1307674368000.0;
  p = p * z + 1.0 / 6227020800.0;
  p = p * z - 1.0 / 39916800.0;
  p = p * z + 1.0 / 362880.0;
  p = p * z - 1.0 / 5040.0;
  p = p * z + 1.0 / 120.0;
  p = p * z - 1.0 / 6.0;
  p = p * z + 1.0;
  return p;
}

inline double cosinePolynomial(double z) {
  double p = 1.0 / 20922789888000.0;
  p = p * z - 1.0 / 87178291200.0;
  p = p * z + 1.0 / 479001600.0;
  p = p * z - 1.0 / 3628800.0;
  p = p * z + 1.0 / 40320.0;
  p = p * z - 1.0 / 720.0;
  p = p * z + 1.0 / 24.0;
  p = p * z - 1.0 / 2.0;
  p = p * z + 1.0;
  return p;
}

// Negation by the sign bit: −0 as in JavaScript.
inline double withSign(double x, bool negative) {
  return bitCast<double>(bitCast<uint64_t>(x) ^ (static_cast<uint64_t>(negative) << 63));
}

inline void normalPair(uint32_t word0, uint32_t word1, double& first, double& second) {
  const double radius = std::sqrt(-2.0 * logUniform(word0));
  const uint32_t quadrant = word1 >> 30;
  const double rest = static_cast<double>(static_cast<int32_t>(word1 & 0x3fffffffu)) / 1073741824.0;
  const bool folded = rest > 0.5;
  const double angle = (folded ? 1.0 - rest : rest) * 1.5707963267948966;
  const double square = angle * angle;
  const double sine = angle * sinePolynomial(square);
  const double cosine = cosinePolynomial(square);
  const double x = radius * (folded ? sine : cosine);
  const double y = radius * (folded ? cosine : sine);
  const bool odd = (quadrant & 1) != 0;  // quadrants: (x, y), (−y, x), (−x, −y), (y, −x)
  first = withSign(odd ? y : x, quadrant == 1 || quadrant == 2);
  second = withSign(odd ? x : y, quadrant >= 2);
}

void drawValues(Draw kind, const uint32_t* words, double low, double high, double* out) {
  constexpr double kUnit24 = 1.0 / 16777216.0, kUnit32 = 1.0 / 4294967296.0;
  const double span = high - low;
  switch (kind) {
    case Draw::Uniform:
      for (int i = 0; i < kWords; i++) out[i] = low + span * (static_cast<double>(words[i] >> 8) * kUnit24);
      break;
    case Draw::Integers:
      for (int i = 0; i < kWords; i++) out[i] = low + std::floor(static_cast<double>(words[i]) * kUnit32 * span);
      break;
    case Draw::Bernoulli:
      for (int i = 0; i < kWords; i++) out[i] = static_cast<double>(words[i] >> 8) * kUnit24 < high ? 1.0 : 0.0;
      break;
    case Draw::Normal: {
      double first[kWords / 2], second[kWords / 2];
      for (int i = 0; i < kWords / 2; i++) normalPair(words[2 * i], words[2 * i + 1], first[i], second[i]);
      for (int i = 0; i < kWords / 2; i++) {
        out[2 * i] = low + high * first[i];
        out[2 * i + 1] = low + high * second[i];
      }
    }
  }
}

}  // namespace

// Reads kind, seed, stream, counter, low, high, out (contiguous).
double randomKernel(Context&, Reader& reader) {
  constexpr int64_t kSafe = int64_t(1) << 53;
  const Draw kind = static_cast<Draw>(reader.count(3));
  const uint64_t seed = static_cast<uint64_t>(reader.integer(0, kSafe));
  const uint32_t stream = static_cast<uint32_t>(reader.integer(0, 0xffffffff));
  const uint64_t counter = static_cast<uint64_t>(reader.integer(0, kSafe));
  const double low = reader.number(), high = reader.number();
  View out;
  reader.view(out);
  int64_t step = 1;
  for (int i = out.rank - 1; i >= 0; i--) {
    if (out.size[i] > 1 && out.stride[i] != step) throw std::runtime_error("kindling addon: random fills run on");
    step *= out.size[i];
  }
  const int64_t size = out.elements();
  parallelFor((size + kWords - 1) / kWords, size * 40, [&](int64_t first, int64_t last) {
    uint32_t words[kWords];
    double values[kWords];
    for (int64_t part = first; part < last; part++) {
      philoxWords(seed, stream, counter + static_cast<uint64_t>(part) * kLanes, words);
      drawValues(kind, words, low, high, values);
      const int64_t at = part * kWords, n = std::min<int64_t>(kWords, size - at);
      visitDType(out.dtype, [&](auto type) {
        using E = typename decltype(type)::Element;
        E* to = out.as<E>() + at;
        for (int64_t i = 0; i < n; i++) narrow(values[i], to[i]);
      });
    }
  });
  return 0;
}

}  // namespace kindling
