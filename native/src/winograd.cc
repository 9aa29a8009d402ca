// Lavin and Gray 2016, Fast algorithms for convolutional neural networks, https://arxiv.org/abs/1509.09308, with the
// interpolation points 0, ±1, ±2, ∞:  y = Aᵀ [(G w Gᵀ) ⊙ (Bᵀ x B)] A  for tiles of 6×6 inputs and 4×4 outputs.
// Over channels the products ⊙ are 36 matrix products. Vectors run over channels, of which there are multiples of 16.
// Gradients for the weights use the same identity read the other way:  Gᵀ [(Bᵀ x B) ⊙ (A dy Aᵀ)] G.
#include "winograd.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "lanes.h"
#include "team.h"

namespace kindling {

namespace {

constexpr int kTile = 6, kOut = 4, kPoints = 36, kTaps = 9;
// Rows and vectors of columns of a product that are computed together: as many sums as there are registers for.
#ifdef __AVX512F__
constexpr int kRows = 8, kWide = 2;
#else
constexpr int kRows = 6, kWide = 1;
#endif
constexpr int64_t kPanel = kWide * kLanes;

// From one point to the next: an odd number of cache lines, since the 36 numbers that a transform reads or writes would
// else fall into a few sets of the caches.
int64_t apart(int64_t numbers) { return (numbers / kLanes | 1) * kLanes; }

// Bᵀ d
inline void inputTransform(const Vec* d, int step, Vec* o, int to) {
  const Vec even = d[4 * step] - 4.0f * d[2 * step], odd = d[3 * step] - 4.0f * d[step];
  const Vec near = d[4 * step] - d[2 * step], twice = 2.0f * (d[3 * step] - d[step]);
  o[0] = 4.0f * d[0] - 5.0f * d[2 * step] + d[4 * step];
  o[to] = even + odd;
  o[2 * to] = even - odd;
  o[3 * to] = near + twice;
  o[4 * to] = near - twice;
  o[5 * to] = 4.0f * d[step] - 5.0f * d[3 * step] + d[5 * step];
}

// Aᵀ m
inline void outputTransform(const Vec* m, int step, Vec* o, int to) {
  const Vec p = m[step] + m[2 * step], q = m[step] - m[2 * step];
  const Vec r = m[3 * step] + m[4 * step], s = m[3 * step] - m[4 * step];
  o[0] = m[0] + p + r;
  o[to] = q + 2.0f * s;
  o[2 * to] = p + 4.0f * r;
  o[3 * to] = q + 8.0f * s + m[5 * step];
}

// A y
inline void gradientTransform(const Vec* y, int step, Vec* o, int to) {
  const Vec p = y[0] + y[2 * step], q = y[step] + y[3 * step];
  const Vec r = y[0] + 4.0f * y[2 * step], s = 2.0f * y[step] + 8.0f * y[3 * step];
  o[0] = y[0];
  o[to] = p + q;
  o[2 * to] = p - q;
  o[3 * to] = r + s;
  o[4 * to] = r - s;
  o[5 * to] = y[3 * step];
}

// G g
inline void weightTransform(const Vec* g, int step, Vec* o, int to) {
  const Vec outer = (g[0] + g[2 * step]) * (-1.0f / 6), inner = g[step] * (1.0f / 6);
  const Vec far = g[0] * (1.0f / 24) + g[2 * step] * (1.0f / 6), half = g[step] * (1.0f / 12);
  o[0] = g[0] * 0.25f;
  o[to] = outer - inner;
  o[2 * to] = outer + inner;
  o[3 * to] = far + half;
  o[4 * to] = far - half;
  o[5 * to] = g[2 * step];
}

// Gᵀ u
inline void weightGradientTransform(const Vec* u, int step, Vec* o, int to) {
  const Vec p = (u[step] + u[2 * step]) * (1.0f / 6), q = (u[2 * step] - u[step]) * (1.0f / 6);
  const Vec r = u[3 * step] + u[4 * step], s = u[3 * step] - u[4 * step];
  o[0] = u[0] * 0.25f - p + r * (1.0f / 24);
  o[to] = q + s * (1.0f / 12);
  o[2 * to] = r * (1.0f / 6) - p + u[5 * step];
}

// c[kHigh × 16·kVectors] (+)= a · b, where a's rows and steps along k are anyhow apart.
template <int kHigh, int kVectors, bool kAdd>
inline void product(const float* a, int64_t aRow, int64_t aStep, const float* b, int64_t bStep, int64_t k, float* c,
                    int64_t cRow) {
  Vec sums[kHigh][kVectors];
  for (int i = 0; i < kHigh; i++) {
    for (int j = 0; j < kVectors; j++) {
      if (kAdd) {
        load(sums[i][j], c + i * cRow + j * kLanes);
      } else {
        sums[i][j] = Vec{};
      }
    }
  }
  for (int64_t p = 0; p < k; p++, a += aStep, b += bStep) {
    Vec columns[kVectors];
    for (int j = 0; j < kVectors; j++) load(columns[j], b + j * kLanes);
    for (int i = 0; i < kHigh; i++) {
      for (int j = 0; j < kVectors; j++) sums[i][j] += a[i * aRow] * columns[j];
    }
  }
  for (int i = 0; i < kHigh; i++) {
    for (int j = 0; j < kVectors; j++) store(sums[i][j], c + i * cRow + j * kLanes);
  }
}

template <int kVectors, bool kAdd>
void productRows(int64_t rows, const float* a, int64_t aRow, int64_t aStep, const float* b, int64_t bStep, int64_t k,
                 float* c, int64_t cRow) {
  int64_t i = 0;
  for (; i + kRows <= rows; i += kRows) {
    product<kRows, kVectors, kAdd>(a + i * aRow, aRow, aStep, b, bStep, k, c + i * cRow, cRow);
  }
  for (; i + 2 <= rows; i += 2) product<2, kVectors, kAdd>(a + i * aRow, aRow, aStep, b, bStep, k, c + i * cRow, cRow);
  for (; i < rows; i++) product<1, kVectors, kAdd>(a + i * aRow, aRow, aStep, b, bStep, k, c + i * cRow, cRow);
}

// Images out of which squares of pixels are taken: what is outside one is read from or written to `outside`.
template <class T>
struct Images {
  T* data;
  int64_t height, width, channels;
  T* outside;

  void locate(int64_t n, int64_t y, int64_t x, int size, T** at) const {
    for (int i = 0; i < size; i++) {
      for (int j = 0; j < size; j++) {
        const bool inside = y + i >= 0 && y + i < height && x + j >= 0 && x + j < width;
        at[i * size + j] = inside ? data + ((n * height + y + i) * width + x + j) * channels : outside;
      }
    }
  }
};

// Where tiles begin.
struct Tile {
  int64_t n, y, x;

  Tile(const Winograd& w, int64_t index)
      : n(index / (w.tilesDown() * w.tilesAcross())),
        y(index / w.tilesAcross() % w.tilesDown() * kOut),
        x(index % w.tilesAcross() * kOut) {}
};

// Bᵀ x B of one tile into v[point][…], `pointStep` apart, while the next one's numbers are fetched.
void transformInput(const float* const* at, const float* const* next, int64_t channels, float* v, int64_t pointStep) {
  for (int64_t c = 0; c < channels; c += kLanes) {
    Vec d[kPoints], half[kPoints], full[kPoints];
    for (int k = 0; k < kPoints; k++) {
      load(d[k], at[k] + c);
      __builtin_prefetch(next[k] + c);
    }
    for (int j = 0; j < kTile; j++) inputTransform(d + j, kTile, half + j, kTile);
    for (int i = 0; i < kTile; i++) inputTransform(half + i * kTile, 1, full + i * kTile, 1);
    for (int k = 0; k < kPoints; k++) store(full[k], v + k * pointStep + c);
  }
}

// Bᵀ x B of some tiles.
void transformInputs(const Winograd& w, const Images<const float>& x, int64_t first, int64_t count, float* v,
                     int64_t pointStep) {
  const float *at[kPoints], *next[kPoints];
  const auto locate = [&](int64_t t, const float** to) {
    const Tile tile(w, t);
    x.locate(tile.n, tile.y - w.top, tile.x - w.left, kTile, to);
  };
  locate(first, next);
  for (int64_t t = 0; t < count; t++) {
    std::copy_n(next, kPoints, at);
    if (t + 1 < count) locate(first + t + 1, next);
    transformInput(at, next, x.channels, v + t * x.channels, pointStep);
  }
}

// A dy Aᵀ of one tile.
void transformGradient(const float* const* at, int64_t channels, float* z, int64_t pointStep) {
  for (int64_t c = 0; c < channels; c += kLanes) {
    Vec d[kOut * kOut], half[kTile * kOut], full[kPoints];
    for (int k = 0; k < kOut * kOut; k++) load(d[k], at[k] + c);
    for (int j = 0; j < kOut; j++) gradientTransform(d + j, kOut, half + j, kOut);
    for (int i = 0; i < kTile; i++) gradientTransform(half + i * kOut, 1, full + i * kTile, 1);
    for (int k = 0; k < kPoints; k++) store(full[k], z + k * pointStep + c);
  }
}

// A dy Aᵀ of some tiles.
void transformGradients(const Winograd& w, const Images<const float>& y, int64_t first, int64_t count, float* z,
                        int64_t pointStep) {
  for (int64_t t = 0; t < count; t++) {
    const Tile tile(w, first + t);
    const float* at[kOut * kOut];
    y.locate(tile.n, tile.y, tile.x, kOut, at);
    transformGradient(at, y.channels, z + t * y.channels, pointStep);
  }
}

// Aᵀ m A of one tile, plus the bias, to where it lies in the image.
void transformOutput(const float* m, int64_t pointStep, int64_t channels, const float* bias, float* const* at) {
  for (int64_t c = 0; c < channels; c += kLanes) {
    Vec d[kPoints], half[kOut * kTile], full[kOut * kOut];
    for (int k = 0; k < kPoints; k++) load(d[k], m + k * pointStep + c);
    for (int j = 0; j < kTile; j++) outputTransform(d + j, kTile, half + j, kTile);
    for (int i = 0; i < kOut; i++) outputTransform(half + i * kTile, 1, full + i * kOut, 1);
    Vec shift{};
    if (bias != nullptr) load(shift, bias + c);
    for (int k = 0; k < kOut * kOut; k++) store(full[k] + shift, at[k] + c);
  }
}

// Where transformed weights for outputs o … o + 15 and input c lie: panels of kPanel outputs, perhaps a narrower last one.
int64_t panelAt(int64_t o, int64_t c, int64_t in, int64_t out) {
  const int64_t panel = o / kPanel, width = std::min(kPanel, out - panel * kPanel);
  return panel * kPanel * in + c * width + o % kPanel;
}

// G w Gᵀ for all weights as u[point][panel][in][width]; w(o, c, tap) is read with the given steps.
void transformWeights(const float* w, int64_t in, int64_t out, int64_t outStep, int64_t inStep, bool turn, float* u,
                      int64_t pointStep) {
  const float* end = w + kTaps * in * out;
  parallelFor(out / kLanes, in * out * 40, [&](int64_t first, int64_t last) {
    for (int64_t o = first * kLanes; o < last * kLanes; o += kLanes) {
      for (int64_t c = 0; c < in; c++) {
        Vec taps[kLanes] = {};
        const float* from = w + o * outStep + c * inStep;
        for (int i = 0; i < kLanes; i++) loadAtMost(taps[i], from + i * outStep, end);
        transpose(taps);
        Vec half[18], full[kPoints];
        if (turn) std::reverse(taps, taps + kTaps);
        for (int j = 0; j < 3; j++) weightTransform(taps + j, 3, half + j, 3);
        for (int i = 0; i < kTile; i++) weightTransform(half + i * 3, 1, full + i * kTile, 1);
        float* to = u + panelAt(o, c, in, out);
        for (int k = 0; k < kPoints; k++) store(full[k], to + k * pointStep);
      }
    }
  });
}

int64_t roundUp(int64_t n, int64_t step) { return (n + step - 1) / step * step; }

}  // namespace

bool Winograd::pays() const {
  static const char* const setting = std::getenv("KINDLING_WINOGRAD");
  if (setting != nullptr && std::strcmp(setting, "0") == 0) return false;
  if (in % kLanes != 0 || out % kLanes != 0 || in < 32 || out < 32) return false;
  const int64_t wasted = tiles() * 16 - batch * outHeight * outWidth;  // parts of tiles outside the image
  return tiles() >= 64 && wasted * 3 <= tiles() * 16;
}

// Tiles worked on together by one thread: their transforms should stay in its cache.
int64_t Winograd::blockTiles() const {
  constexpr int64_t kCache = 64 * 1024;  // numbers
  const int64_t fitting = kCache / (kPoints * (in + out));
  const int64_t shared = (tiles() + 2 * omp_get_max_threads() - 1) / (2 * omp_get_max_threads());
  return std::max<int64_t>(2 * kRows, roundUp(std::min<int64_t>({fitting, shared, 96}), kRows));
}

// Tiles whose transforms for the gradient for the weights are kept: of one thread, or of all between two meetings.
int64_t Winograd::chunkTiles() const {
  if (parts() > 1) return std::max<int64_t>(16, 128 * 1024 / (kPoints * (in + out)));
  constexpr int64_t kCache = 1024 * 1024;
  return std::min(tiles(), std::max<int64_t>(64, kCache / (kPoints * (in + out))));
}

int64_t Winograd::parts() const { return in * out > 2048 || tiles() < 256 ? 1 : 4; }

size_t Winograd::forwardBytes() const {
  const int64_t threads = omp_get_max_threads();
  const int64_t perThread = apart(blockTiles() * in) + apart(blockTiles() * out);
  return sizeof(float) * static_cast<size_t>(kPoints * (apart(in * out) + perThread * threads) + in + threads * out);
}

size_t Winograd::weightBytes() const {
  const int64_t chunk = apart(chunkTiles() * in) + apart(chunkTiles() * out), rooms = parts() > 1 ? omp_get_max_threads() : 1;
  return sizeof(float) * static_cast<size_t>(kPoints * (parts() * apart(in * out) + rooms * chunk) + std::max(in, out));
}

void Winograd::forward(const float* x, const float* w, const float* bias, float* y, char* scratch) const {
  float* u = reinterpret_cast<float*>(scratch);
  transformWeights(w, in, out, in * kTaps, kTaps, false, u, apart(in * out));
  multiply(x, u, bias, y, scratch);
}

void Winograd::turned(const float* x, const float* w, float* y, char* scratch) const {
  float* u = reinterpret_cast<float*>(scratch);
  transformWeights(w, in, out, kTaps, out * kTaps, true, u, apart(in * out));
  multiply(x, u, nullptr, y, scratch);
}

void Winograd::multiply(const float* x, const float* u, const float* bias, float* y, char* scratch) const {
  const int64_t block = blockTiles(), blocks = (tiles() + block - 1) / block, all = tiles();
  const int64_t uStep = apart(in * out), vStep = apart(block * in), mStep = apart(block * out);
  float* buffers = reinterpret_cast<float*>(scratch) + kPoints * uStep;
  float* zeros = buffers + omp_get_max_threads() * kPoints * (vStep + mStep);
  std::fill_n(zeros, in, 0.0f);
  share(blocks, omp_get_max_threads(), work(), [&](int64_t number, int lane) {
    float* v = buffers + lane * kPoints * (vStep + mStep);
    float* m = v + kPoints * vStep;
    const int64_t first = number * block, count = std::min(block, all - first);
    transformInputs(*this, {x, height, width, in, zeros}, first, count, v, vStep);
    for (int k = 0; k < kPoints; k++) {
      const float *a = v + k * vStep, *b = u + k * uStep;
      float* c = m + k * mStep;
      int64_t o = 0;
      for (; o + kPanel <= out; o += kPanel) {
        productRows<kWide, false>(count, a, in, 1, b + o * in, kPanel, in, c + o, out);
      }
      if (o < out) productRows<1, false>(count, a, in, 1, b + o * in, kLanes, in, c + o, out);
    }
    const Images<float> images{y, outHeight, outWidth, out, zeros + in + lane * out};
    for (int64_t t = 0; t < count; t++) {
      const Tile tile(*this, first + t);
      float* at[kOut * kOut];
      images.locate(tile.n, tile.y, tile.x, kOut, at);
      transformOutput(m + t * out, mStep, out, bias, at);
    }
  });
}

void Winograd::weights(const float* x, const float* y, float* w, char* scratch) const {
  const int64_t chunk = chunkTiles(), all = tiles(), parts = this->parts(), threads = omp_get_max_threads();
  const int64_t sumStep = apart(in * out), vStep = apart(chunk * in), zStep = apart(chunk * out);
  float* sums = reinterpret_cast<float*>(scratch);  // [part][point][in][out]
  float* rooms = sums + parts * kPoints * sumStep;
  float* zeros = rooms + (parts > 1 ? threads : 1) * kPoints * (vStep + zStep);
  std::fill_n(zeros, std::max(in, out), 0.0f);
  const auto transform = [&](int64_t first, int64_t count, float* v, float* z) {
    transformInputs(*this, {x, height, width, in, zeros}, first, count, v, vStep);
    transformGradients(*this, {y, outHeight, outWidth, out, zeros}, first, count, z, zStep);
  };
  // [in][out] (+)= vᵀ z at one point
  const auto addProducts = [&](const float* v, const float* z, int64_t count, bool isFirst, float* to) {
    const auto wide = isFirst ? productRows<kWide, false> : productRows<kWide, true>;
    const auto narrow = isFirst ? productRows<1, false> : productRows<1, true>;
    int64_t o = 0;
    for (; o + kPanel <= out; o += kPanel) wide(in, v, 1, in, z + o, out, count, to + o, out);
    if (o < out) narrow(in, v, 1, in, z + o, out, count, to + o, out);
  };
  if (parts > 1) {  // what one core writes no other reads, but for the sums
    share(parts, threads, work(), [&](int64_t part, int lane) {
      float *v = rooms + lane * kPoints * (vStep + zStep), *z = v + kPoints * vStep;
      const int64_t begin = all * part / parts, end = all * (part + 1) / parts;
      for (int64_t first = begin; first < end; first += chunk) {
        const int64_t count = std::min(chunk, end - first);
        transform(first, count, v, z);
        for (int k = 0; k < kPoints; k++) {
          addProducts(v + k * vStep, z + k * zStep, count, first == begin, sums + (part * kPoints + k) * sumStep);
        }
      }
    });
  } else {
    float *v = rooms, *z = v + kPoints * vStep;
    for (int64_t first = 0; first < all; first += chunk) {
      const int64_t count = std::min(chunk, all - first);
      parallelFor(count, count * (in + out) * 100, [&](int64_t begin, int64_t end) {
        transform(first + begin, end - begin, v + begin * in, z + begin * out);
      });
      share(kPoints, threads, work(), [&](int64_t k, int) {
        addProducts(v + k * vStep, z + k * zStep, count, first == 0, sums + k * sumStep);
      });
    }
  }
  parallelFor(out / kLanes, in * out * 40, [&](int64_t firstBlock, int64_t lastBlock) {
    for (int64_t o = firstBlock * kLanes; o < lastBlock * kLanes; o += kLanes) {
      for (int64_t c = 0; c < in; c++) {
        Vec s[kPoints], half[18], taps[kLanes] = {};
        for (int k = 0; k < kPoints; k++) {
          load(s[k], sums + k * sumStep + c * out + o);
          for (int64_t part = 1; part < parts; part++) {
            Vec more;
            load(more, sums + (part * kPoints + k) * sumStep + c * out + o);
            s[k] += more;
          }
        }
        for (int j = 0; j < kTile; j++) weightGradientTransform(s + j, kTile, half + j, kTile);
        for (int i = 0; i < 3; i++) weightGradientTransform(half + i * kTile, 1, taps + i * 3, 1);
        transpose(taps);
        for (int i = 0; i < kLanes; i++) std::memcpy(w + ((o + i) * in + c) * kTaps, &taps[i], kTaps * sizeof(float));
      }
    }
  });
}

}  // namespace kindling
