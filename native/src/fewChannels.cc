#include "fewChannels.h"

#include <cstring>
#include <vector>

#include "lanes.h"
#include "pieces.h"
#include "team.h"

namespace kindling {

namespace {

// Windows whose gradients are computed before they are added up.
constexpr int64_t kWindows = 24;

// Vectors of results in a panel, and how many panels' worth of sums the registers hold.
#ifdef __AVX512F__
constexpr int kWide = 4;
constexpr int highest(int vectors) { return vectors == 1 ? 14 : 24 / vectors; }
#else
constexpr int kWide = 1;
constexpr int highest(int) { return 6; }
#endif

// The first few elements, fewer than kLanes.
inline void storeSome(const Vec& v, int64_t count, float* p) {
  constexpr int kHalf = kLanes / 2;
  int64_t i = 0;
  if (count >= kHalf) {
    std::memcpy(p, &v, kHalf * sizeof(float));
    i = kHalf;
  }
  for (; i < count; i++) std::memcpy(p + i, reinterpret_cast<const char*>(&v) + i * sizeof(float), sizeof(float));
}

// Short rows are copied so often that a call of memcpy would count.
inline void copy(const float* from, int64_t size, float* to) {
  int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) {
    Vec v;
    load(v, from + i);
    store(v, to + i);
  }
  for (; i < size; i++) to[i] = from[i];
}

// Calls body(first column, vectors) for panels of at most kWide vectors.
template <class Body>
void eachPanel(int64_t lanes, Body&& body) {
  for (int64_t at = 0; at < lanes;) {
    const int64_t vectors = std::min<int64_t>(kWide, (lanes - at) / kLanes);
    body(at, static_cast<int>(vectors));
    at += vectors * kLanes;
  }
}

// Neighbouring results of one panel: one group, or two of the same size.
struct Results {
  const float* x;  // under the first one's kernel
  int64_t xStep, xGroup, xRow;
  const float* w;  // [kernel row][run][lanes]
  int64_t wStep, rows, run;
  const float* shift;
  float* y;
  int64_t yStep, yGroup;
  int64_t valid;  // columns of the last vector that are there
};

template <bool isWhole, int kGroups, int kPixels, int kVectors>
[[gnu::noinline]] void compute(const Results& r) {
  Vec sums[kGroups][kPixels][kVectors];
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; v++) {
    Vec start;
    load(start, r.shift + v * kLanes);
#pragma GCC unroll 16
    for (int p = 0; p < kGroups * kPixels; p++) sums[p / kPixels][p % kPixels][v] = start;
  }
  const float* w = r.w;
  const int64_t wStep = r.wStep, xStep = r.xStep;
  for (int64_t row = 0; row < r.rows; row++) {
    const float *x = r.x + row * r.xRow, *other = x + r.xGroup;
    // Both groups by the same few distances: more would not fit into the registers for addresses.
    asm("" : "+r"(other));
    for (int64_t j = 0; j < r.run; j++, w += wStep, x++, other++) {
      Vec columns[kVectors];
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; v++) load(columns[v], w + v * kLanes);
#pragma GCC unroll 16
      for (int p = 0; p < kGroups * kPixels; p++) {
        const float* from = p < kPixels ? x : other;
        const float value = from[p % kPixels * xStep];
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; v++) sums[p / kPixels][p % kPixels][v] += value * columns[v];
      }
    }
  }
#pragma GCC unroll 16
  for (int p = 0; p < kGroups * kPixels; p++) {
    float* y = r.y + p / kPixels * r.yGroup + p % kPixels * r.yStep;
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; v++, y += kLanes) {
      const Vec& sum = sums[p / kPixels][p % kPixels][v];
      if (isWhole || v < kVectors - 1) {
        store(sum, y);
      } else {
        storeSome(sum, r.valid, y);
      }
    }
  }
}

template <int kGroups, int kPixels, int kVectors>
void compute(int64_t pixels, const Results& r) {
  if (pixels != kPixels) {
    if constexpr (kPixels > 1) compute<kGroups, kPixels - 1, kVectors>(pixels, r);
  } else if (r.valid == kLanes) {
    compute<true, kGroups, kPixels, kVectors>(r);
  } else {
    compute<false, kGroups, kPixels, kVectors>(r);
  }
}

// `rows` rows of `pixels` results, from the first one's: groups come from one row, or from two where a row has but one.
template <int kVectors>
void computeRows(int vectors, int64_t rows, int64_t pixels, int64_t xDown, int64_t yDown, Results& r) {
  constexpr int kMost = highest(kVectors) / 2;
  if (vectors != kVectors) {
    if constexpr (kVectors > 1) computeRows<kVectors - 1>(vectors, rows, pixels, xDown, yDown, r);
    return;
  }
  const int64_t pieces = (pixels + kMost - 1) / kMost, size = pixels / pieces, larger = pixels % pieces;
  const auto sizeOf = [&](int64_t piece) { return size + (piece < larger ? 1 : 0); };
  const float* x = r.x;
  float* y = r.y;
  for (int64_t row = 0; row < rows;) {
    const bool isPair = pieces == 1 && row + 1 < rows;
    r.x = x;
    r.y = y;
    for (int64_t piece = 0; piece < pieces;) {
      const int64_t count = sizeOf(piece);
      const bool hasNext = piece + 1 < pieces && sizeOf(piece + 1) == count;
      r.xGroup = isPair ? xDown : count * r.xStep;
      r.yGroup = isPair ? yDown : count * r.yStep;
      if (isPair || hasNext) {
        compute<2, kMost, kVectors>(count, r);
      } else {
        compute<1, kMost, kVectors>(count, r);
      }
      const int64_t groups = hasNext ? 2 : 1;
      r.x += groups * count * r.xStep;
      r.y += groups * count * r.yStep;
      piece += groups;
    }
    const int64_t down = isPair ? 2 : 1;
    x += down * xDown;
    y += down * yDown;
    row += down;
  }
}

// Gradients for weights: those of one panel that a kernel row's run has, from a block of rows of y.
struct Gradients {
  const float* x;
  int64_t xStep, xRow;
  const float* y;
  int64_t yStep, rows, pixels;
  float* sums;  // [run][lanes]
  int64_t sumStep;
};

template <int kHigh, int kVectors>
void addGradients(const Gradients& g) {
  Vec sums[kHigh][kVectors];
#pragma GCC unroll 16
  for (int j = 0; j < kHigh; j++) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; v++) load(sums[j][v], g.sums + j * g.sumStep + v * kLanes);
  }
  const float* y = g.y;
  for (int64_t row = 0; row < g.rows; row++) {
    const float* x = g.x + row * g.xRow;
    for (int64_t p = 0; p < g.pixels; p++, x += g.xStep, y += g.yStep) {
      Vec columns[kVectors];
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; v++) load(columns[v], y + v * kLanes);
#pragma GCC unroll 16
      for (int j = 0; j < kHigh; j++) {
        const float value = x[j];
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; v++) sums[j][v] += value * columns[v];
      }
    }
  }
#pragma GCC unroll 16
  for (int j = 0; j < kHigh; j++) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; v++) store(sums[j][v], g.sums + j * g.sumStep + v * kLanes);
  }
}

template <int kHigh, int kVectors>
void addGradients(int64_t high, const Gradients& g) {
  if (high == kHigh) {
    addGradients<kHigh, kVectors>(g);
  } else if constexpr (kHigh > 1) {
    addGradients<kHigh - 1, kVectors>(high, g);
  }
}

template <int kVectors>
void runOfGradients(int vectors, int64_t run, const Gradients& g) {
  if (vectors != kVectors) {
    if constexpr (kVectors > 1) runOfGradients<kVectors - 1>(vectors, run, g);
    return;
  }
  eachPiece(run, highest(kVectors), [&](int64_t first, int64_t count) {
    Gradients piece = g;
    piece.x += first;
    piece.sums += first * g.sumStep;
    addGradients<highest(kVectors), kVectors>(count, piece);
  });
}

}  // namespace

bool FewChannels::pays(Kind kind) const {
  const bool isSmall = kernelHeight <= 16 && kernelWidth <= 16 && strideDown <= 16 && strideAcross <= 16;
  if (!isSmall || taps() == 1 || in > 8 || top >= kernelHeight || left >= kernelWidth) return false;
  if (kind == Weight) return batch >= 4 && out >= 32 && outWidth >= 32;
  // Where oneDNN, which works on sixteen channels, leaves enough of them empty.
  return kind == Data && batch >= 2 && taps() * out * (kLanes - in) >= 1500;
}

int64_t FewChannels::bandRows() const {
  constexpr int64_t kNear = 64 * 1024;  // numbers that stay in a core's second cache
  return std::max<int64_t>(1, std::min(outHeight, kNear / (strideDown * rowSize())));
}

int64_t FewChannels::blockRows() const {
  constexpr int64_t kNearer = 6 * 1024;  // half of the first cache
  return std::max<int64_t>(1, std::min(bandRows(), kNearer / (outWidth * lanesOut())));
}

// Parts of the images, whose sums are added up: for the same sizes the same, whatever the threads.
int64_t FewChannels::parts() const {
  return std::max<int64_t>(1, std::min<int64_t>({batch, 16, static_cast<int64_t>(operations() / 2e6)}));
}

size_t FewChannels::bytes(Kind kind) const {
  const bool isData = kind == Data;
  const int64_t all = isData ? (out + 1) * lanesUnder() : parts() * weightCount();
  const int64_t own = bandSize() + (isData ? kWindows * lanesUnder() + 2 * kLanes : blockRows() * outWidth * lanesOut());
  return sizeof(float) * static_cast<size_t>(all + omp_get_max_threads() * own);
}

void FewChannels::pad(const float* image, int64_t first, int64_t rows, bool hasBorders, float* to) const {
  const int64_t size = rowSize(), before = left * in, inside = std::min(width * in, size - before);
  const int64_t count = (rows - 1) * strideDown + kernelHeight;
  if (!hasBorders) std::fill_n(to, count * size, 0.0f);
  for (int64_t i = 0; i < count; i++, to += size) {
    const int64_t y = first * strideDown - top + i;
    if (y >= 0 && y < height) copy(image + y * width * in, inside, to + before);
  }
}

void FewChannels::addWindows(const float* columns, int64_t count, float* band) const {
  const int64_t size = run(), rest = size % kLanes == 0 ? kLanes : size % kLanes;
  const FirstLanes there(rest);  // of the last vector of a run
  // Windows that overlap are far apart in time: a load that touches what was just stored would have to wait.
  const int64_t step = strideAcross * in, apart = (kLanes + step - 1) / step;
  for (int64_t start = 0; start < apart; start++) {
    for (int64_t i = start; i < count; i += apart) {
      const float* from = columns + i * lanesUnder();
      float* window = band + i * step;
      for (int64_t k = 0; k < kernelHeight; k++, from += size, window += rowSize()) {
        Vec sum, more;
        int64_t j = 0;
        for (; j + kLanes < size; j += kLanes) {
          load(sum, window + j);
          load(more, from + j);
          store(sum + more, window + j);
        }
        load(sum, window + j);
        load(more, from + j);
        store(sum + there.of(more), window + j);
      }
    }
  }
}

void FewChannels::data(const float* y, const float* w, float* x, char* scratch) const {
  const int64_t lanes = lanesUnder(), size = rowSize(), high = bandRows();
  float* u = reinterpret_cast<float*>(scratch);  // [out][kernel row][run], to whole vectors
  float* shift = u + out * lanes;
  std::fill_n(u, (out + 1) * lanes, 0.0f);
  for (int64_t o = 0; o < out; o++) {
    for (int64_t c = 0; c < in; c++) {
      for (int64_t t = 0; t < taps(); t++) u[o * lanes + t * in + c] = w[(o * in + c) * taps() + t];
    }
  }
  float* rooms = shift + lanes;
  const int64_t own = bandSize() + kWindows * lanes + 2 * kLanes;
  const int64_t kept = std::max<int64_t>(0, kernelHeight - strideDown);  // rows that the next band adds to
  share(batch, omp_get_max_threads(), static_cast<int64_t>(operations() / kOperationsPerElement), [&](int64_t n, int lane) {
    float *band = rooms + lane * own, *columns = band + bandSize() + kLanes;
    const float* gradients = y + n * outHeight * outWidth * out;
    float* to = x + n * height * width * in;
    for (int64_t first = 0; first < outHeight; first += high) {
      const int64_t rows = std::min(high, outHeight - first), count = (rows - 1) * strideDown + kernelHeight;
      const int64_t done = first == 0 ? 0 : kept;
      std::fill_n(band + done * size, (count - done) * size, 0.0f);
      for (int64_t row = 0; row < rows; row++) {
        eachPiece(outWidth, kWindows, [&](int64_t at, int64_t windows) {
          const float* from = gradients + ((first + row) * outWidth + at) * out;
          eachPanel(lanes, [&](int64_t column, int vectors) {
            Results r{from, out, 0, 0, u + column, lanes, 1, out, shift, columns + column, lanes, 0, kLanes};
            computeRows<kWide>(vectors, 1, windows, 0, 0, r);
          });
          addWindows(columns, windows, band + row * strideDown * size + at * strideAcross * in);
        });
      }
      const int64_t end = first + rows == outHeight ? top + height : (first + rows) * strideDown;
      for (int64_t at = std::max(top, first * strideDown); at < std::min(end, top + height); at++) {
        float* line = to + (at - top) * width * in;
        const int64_t i = at - first * strideDown;
        if (i < count) {
          copy(band + i * size + left * in, width * in, line);
        } else {
          std::fill_n(line, width * in, 0.0f);
        }
      }
      std::memmove(band, band + rows * strideDown * size, kept * size * sizeof(float));
    }
  });
}

// sums += what one image adds to the gradients for the weights.
void FewChannels::addImage(const float* x, const float* y, bool isFirst, float* sums, float* band, float* block) const {
  const int64_t lanes = lanesOut(), high = bandRows();
  for (int64_t first = 0; first < outHeight; first += high) {
    const int64_t rows = std::min(high, outHeight - first);
    pad(x, first, rows, !isFirst && high == outHeight, band);
    for (int64_t at = 0; at < rows; at += blockRows()) {
      const int64_t count = std::min(blockRows(), rows - at);
      const float* gradients = y + (first + at) * outWidth * out;
      if (lanes != out) {  // whole vectors
        for (int64_t i = 0; i < count * outWidth; i++) {
          std::memcpy(block + i * lanes, gradients + i * out, out * sizeof(float));
          std::fill(block + i * lanes + out, block + (i + 1) * lanes, 0.0f);
        }
        gradients = block;
      }
      eachPanel(lanes, [&](int64_t column, int vectors) {
        for (int64_t k = 0; k < kernelHeight; k++) {
          const Gradients g{band + (at * strideDown + k) * rowSize(), strideAcross * in, strideDown * rowSize(),
                            gradients + column, lanes, count, outWidth, sums + k * run() * lanes + column, lanes};
          runOfGradients<kWide>(vectors, run(), g);
        }
      });
    }
  }
}

void FewChannels::weights(const float* x, const float* y, float* w, char* scratch) const {
  const int64_t lanes = lanesOut(), threads = omp_get_max_threads(), parts = this->parts();
  float* sums = reinterpret_cast<float*>(scratch);  // [part][kernel row][run][lanes]
  float* rooms = sums + parts * weightCount();
  const int64_t own = bandSize() + blockRows() * outWidth * lanes;
  share(parts, threads, static_cast<int64_t>(operations() / kOperationsPerElement), [&](int64_t part, int lane) {
    float *band = rooms + lane * own, *mine = sums + part * weightCount();
    std::fill_n(mine, weightCount(), 0.0f);
    const int64_t first = batch * part / parts;
    for (int64_t n = first; n < batch * (part + 1) / parts; n++) {
      addImage(x + n * height * width * in, y + n * outHeight * outWidth * out, n == first, mine, band, band + bandSize());
    }
  });
  for (int64_t t = 0; t < taps(); t++) {
    for (int64_t c = 0; c < in; c++) {
      float* total = sums + (t * in + c) * lanes;
      for (int64_t part = 1; part < parts; part++) {
        const float* other = total + part * weightCount();
        for (int64_t o = 0; o < out; o++) total[o] += other[o];
      }
      for (int64_t o = 0; o < out; o++) w[(o * in + c) * taps() + t] = total[o];
    }
  }
}

}  // namespace kindling
