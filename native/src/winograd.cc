// Lavin and Gray 2016, Fast algorithms for convolutional neural networks, https://arxiv.org/abs/1509.09308:
//   y = Aᵀ [(G w Gᵀ) ⊙ (Bᵀ x B)] A
// for tiles of 4×4 results. Over channels the products ⊙ are matrix products, 36 at stride 1 and 81 at stride 2. Vectors run
// over channels, of which there are multiples of 16. Gradients for the weights use the same identity read the other way:
//   Gᵀ [(Bᵀ x B) ⊙ (A dy Aᵀ)] G
#include "winograd.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <type_traits>
#include <vector>

#include "team.h"
#include "tiles.h"
#include "winogradAxis.h"

namespace kindling {

namespace {

constexpr int kTaps = 9;
constexpr int64_t kRows = 8;  // blocks are made of so many tiles

// From one point to the next: an odd number of cache lines, since the numbers that a transform reads or writes would
// else fall into a few sets of the caches.
int64_t apart(int64_t numbers) { return (numbers / kLanes | 1) * kLanes; }

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

// Where a tile begins, in what is read and in what comes out.
struct Tile {
  int64_t n, down, across;

  Tile(const Winograd& w, int64_t index)
      : n(index / (w.tilesDown() * w.tilesAcross())),
        down(index / w.tilesAcross() % w.tilesDown()),
        across(index % w.tilesAcross()) {}
};

int64_t roundUp(int64_t n, int64_t step) { return (n + step - 1) / step * step; }

// Columns of transformed weights that lie together: half of them where they would leave the first cache.
int64_t panelWidth(int64_t in) { return (in <= 64 ? kWidest : std::max(kWidest / 2, 1)) * kLanes; }

// Where those for outputs o … o + 15 and input c lie: panel by panel, the last one perhaps narrower.
int64_t panelAt(int64_t o, int64_t c, int64_t in, int64_t out) {
  const int64_t most = panelWidth(in), panel = o / most, width = std::min(most, out - panel * most);
  return panel * most * in + c * width + o % most;
}

// The algorithm with one kind of transforms along both axes.
template <class Axis>
struct Filtering {
  static constexpr int kIn = Axis::kIn, kOut = Axis::kOut, kAlong = Axis::kPoints, kWeightsAlong = Axis::kWeights;
  static constexpr int kPoints = kAlong * kAlong, kMiddle = (kPoints + 1) / 2, kWeights = kWeightsAlong * kWeightsAlong;

  const Winograd& g;

  static int weightOf(int point) {
    return Axis::weightOf(point / kAlong) * kWeightsAlong + Axis::weightOf(point % kAlong);
  }

  // Tiles worked on together by one thread: their transforms should stay in its cache.
  int64_t blockTiles() const {
    constexpr int64_t kCache = 64 * 1024;  // numbers
    const int64_t fitting = kCache / (kPoints * (g.in + g.out));
    const int64_t shared = (g.tiles() + 2 * omp_get_max_threads() - 1) / (2 * omp_get_max_threads());
    return std::max<int64_t>(2 * kRows, roundUp(std::min<int64_t>({fitting, shared, 96}), kRows));
  }

  // For the gradient for the weights: how many results threads take for themselves.
  int64_t groupWidth() const {
    const int64_t groups = g.parts() > 1 ? 1 : (omp_get_max_threads() + 1) / 2;
    return roundUp((g.out + groups - 1) / groups, kLanes);
  }

  // And tiles whose transforms a thread keeps.
  int64_t chunkTiles() const {
    const int64_t points = g.parts() > 1 ? kPoints : kMiddle, kept = (g.parts() > 1 ? 128 : 512) * 1024;  // numbers
    return std::min(g.tiles(), std::max<int64_t>(g.parts() > 1 ? 16 : 64, kept / (points * (g.in + groupWidth()))));
  }

  // Whether each thread transforms all weights for itself: the more tiles, the less it counts, and cores need not wait for
  // each other's memory; not where that would be much memory.
  bool hasOwnWeights() const {
    constexpr int64_t kMost = 2 * 1024 * 1024;  // numbers
    return g.tiles() >= 128 * omp_get_max_threads() && kWeights * apart(g.in * g.out) <= kMost;
  }

  size_t forwardBytes() const {
    const int64_t threads = omp_get_max_threads(), perThread = apart(blockTiles() * g.in) + apart(blockTiles() * g.out);
    const int64_t weights = kWeights * apart(g.in * g.out) * (hasOwnWeights() ? threads : 1);
    const int64_t numbers = weights + kPoints * perThread * threads + g.in + threads * g.out;
    return sizeof(float) * static_cast<size_t>(numbers);
  }

  size_t weightBytes() const {
    const int64_t chunk = apart(chunkTiles() * g.in) + apart(chunkTiles() * groupWidth());
    const int64_t sums = kWeights * g.parts() * apart(g.in * g.out), rooms = kPoints * chunk * omp_get_max_threads();
    return sizeof(float) * static_cast<size_t>(sums + rooms + std::max(g.in, g.out));
  }

  // The points from kFrom to kTo of a square of kSide numbers a side, transformed along both axes: stored `step` apart.
  template <int kFrom, int kTo, int kSide, auto kTransform>
  [[gnu::always_inline]] static void transformPoints(const Vec* d, float* to, int64_t step) {
    constexpr int kTop = kFrom / kAlong, kHigh = (kTo - 1) / kAlong + 1 - kTop;
    Vec half[kHigh * kSide], full[kHigh * kAlong];
    for (int j = 0; j < kSide; j++) {
      Vec column[kAlong];
      kTransform(d + j, kSide, column, 1);
      for (int i = 0; i < kHigh; i++) half[i * kSide + j] = column[kTop + i];
    }
    for (int i = 0; i < kHigh; i++) kTransform(half + i * kSide, 1, full + i * kAlong, 1);
    for (int k = kFrom; k < kTo; k++) store(full[k - kTop * kAlong], to + (k - kFrom) * step);
  }

  // These points of Bᵀ x B of one tile into v[point][…], while the next one's numbers are fetched.
  template <int kFrom, int kTo>
  static void transformInput(const float* const* at, const float* const* next, int64_t channels, float* v,
                             int64_t pointStep) {
    for (int64_t c = 0; c < channels; c += kLanes) {
      Vec d[kIn * kIn];
      for (int k = 0; k < kIn * kIn; k++) {
        load(d[k], at[k] + c);
        __builtin_prefetch(next[k] + c);
      }
      transformPoints<kFrom, kTo, kIn, Axis::input>(d, v + c, pointStep);
    }
  }

  // These points of Bᵀ x B of some tiles.
  template <int kFrom, int kTo>
  void transformInputs(const Images<const float>& x, int64_t first, int64_t count, float* v, int64_t pointStep) const {
    const float *at[kIn * kIn], *next[kIn * kIn];
    const auto locate = [&](int64_t t, const float** to) {
      const Tile tile(g, t);
      x.locate(tile.n, tile.down * Axis::kInStep - g.top, tile.across * Axis::kInStep - g.left, kIn, to);
    };
    locate(first, next);
    for (int64_t t = 0; t < count; t++) {
      std::copy_n(next, kIn * kIn, at);
      if (t + 1 < count) locate(first + t + 1, next);
      transformInput<kFrom, kTo>(at, next, x.channels, v + t * x.channels, pointStep);
    }
  }

  // These points of A dy Aᵀ of some tiles, for some channels.
  template <int kFrom, int kTo>
  void transformGradients(const Images<const float>& y, int64_t channels, int64_t first, int64_t count, float* z,
                          int64_t pointStep) const {
    for (int64_t t = 0; t < count; t++) {
      const Tile tile(g, first + t);
      const float* at[kOut * kOut];
      y.locate(tile.n, tile.down * kOut, tile.across * kOut, kOut, at);
      for (int64_t c = 0; c < channels; c += kLanes) {
        Vec d[kOut * kOut];
        for (int k = 0; k < kOut * kOut; k++) load(d[k], at[k] + c);
        transformPoints<kFrom, kTo, kOut, Axis::gradient>(d, z + t * channels + c, pointStep);
      }
    }
  }

  // [in][width] (+)= vᵀ z at one point
  void addProducts(const float* v, const float* z, int64_t width, int64_t count, bool isFirst, float* to) const {
    const Steps steps{1, g.in, width, count};
    eachPanel(width, kWidest * kLanes, [&](int64_t o, int vectors) {
      const Factors factors{v, z + o};
      const Start start{isFirst ? nullptr : to + o, g.out};
      sumProducts(&factors, 1, steps, g.in, vectors, start, to + o, g.out);
    });
  }

  // Aᵀ m A of one tile, plus the bias, to where it lies in the image.
  static void transformOutput(const float* m, int64_t pointStep, int64_t channels, const float* bias,
                              float* const* at) {
    for (int64_t c = 0; c < channels; c += kLanes) {
      Vec d[kPoints], half[kOut * kAlong], full[kOut * kOut];
      for (int k = 0; k < kPoints; k++) load(d[k], m + k * pointStep + c);
      for (int j = 0; j < kAlong; j++) Axis::output(d + j, kAlong, half + j, kAlong);
      for (int i = 0; i < kOut; i++) Axis::output(half + i * kAlong, 1, full + i * kOut, 1);
      Vec shift{};
      if (bias != nullptr) load(shift, bias + c);
      for (int k = 0; k < kOut * kOut; k++) store(full[k] + shift, at[k] + c);
    }
  }

  // G w Gᵀ for all weights as u[point][panel][in][width].
  void transformWeights(const float* w, float* u) const {
    const int64_t in = g.in, out = g.out, uStep = apart(in * out);
    const int64_t outStep = g.isTurned ? kTaps : in * kTaps, inStep = g.isTurned ? out * kTaps : kTaps;
    const float* end = w + kTaps * in * out;
    parallelFor(out / kLanes, in * out * 40, [&](int64_t first, int64_t last) {
      for (int64_t o = first * kLanes; o < last * kLanes; o += kLanes) {
        for (int64_t c = 0; c < in; c++) {
          Vec taps[kLanes] = {};
          const float* from = w + o * outStep + c * inStep;
          for (int i = 0; i < kLanes; i++) loadAtMost(taps[i], from + i * outStep, end);
          transpose(taps);
          Vec half[kWeightsAlong * 3], full[kWeights];
          if (g.isTurned) std::reverse(taps, taps + kTaps);
          for (int j = 0; j < 3; j++) Axis::weight(taps + j, 3, half + j, 3);
          for (int i = 0; i < kWeightsAlong; i++) Axis::weight(half + i * 3, 1, full + i * kWeightsAlong, 1);
          float* to = u + panelAt(o, c, in, out);
          for (int k = 0; k < kWeights; k++) store(full[k], to + k * uStep);
        }
      }
    });
  }

  void forward(const float* x, const float* w, const float* bias, float* y, float* weights) const {
    const int64_t in = g.in, out = g.out, all = g.tiles(), block = blockTiles(), blocks = (all + block - 1) / block;
    const int64_t uStep = apart(in * out), vStep = apart(block * in), mStep = apart(block * out);
    const int64_t threads = omp_get_max_threads(), own = hasOwnWeights() ? kWeights * uStep : 0;
    float* buffers = weights + (own > 0 ? threads * own : kWeights * uStep);
    float* zeros = buffers + threads * kPoints * (vStep + mStep);
    std::fill_n(zeros, in, 0.0f);
    if (own == 0) transformWeights(w, weights);
    std::vector<char> isReady(threads, own == 0);
    share(blocks, threads, g.work(), [&](int64_t number, int lane) {
      float *u = weights + lane * own, *v = buffers + lane * kPoints * (vStep + mStep), *m = v + kPoints * vStep;
      if (!isReady[lane]) transformWeights(w, u);
      isReady[lane] = true;
      const int64_t first = number * block, count = std::min(block, all - first);
      transformInputs<0, kPoints>({x, g.height, g.width, in, zeros}, first, count, v, vStep);
      for (int k = 0; k < kPoints; k++) {
        const float *a = v + k * vStep, *b = u + weightOf(k) * uStep;
        float* c = m + k * mStep;
        eachPanel(out, panelWidth(in), [&](int64_t o, int vectors) {
          const Factors factors{a, b + o * in};
          sumProducts(&factors, 1, {in, 1, vectors * kLanes, in}, count, vectors, {}, c + o, out);
        });
      }
      const Images<float> images{y, g.outHeight, g.outWidth, out, zeros + in + lane * out};
      for (int64_t t = 0; t < count; t++) {
        const Tile tile(g, first + t);
        float* at[kOut * kOut];
        images.locate(tile.n, tile.down * kOut - g.skipTop, tile.across * kOut - g.skipLeft, kOut, at);
        transformOutput(m + t * out, mStep, out, bias, at);
      }
    });
  }

  // Each thread makes the transforms it needs, so that what one core has written no other reads, but for the sums. Few
  // weights: threads take some of the tiles and have sums of their own. Many weights: they take half of the points, which
  // share no weights, and some of the results.
  void weights(const float* x, const float* y, float* w, float* sums) const {  // sums[part][point][in][out]
    const int64_t in = g.in, out = g.out, chunk = chunkTiles(), most = groupWidth();
    const int64_t parts = g.parts(), groups = (out + most - 1) / most, threads = omp_get_max_threads();
    const int64_t sumStep = apart(in * out), vStep = apart(chunk * in), zStep = apart(chunk * most);
    float* rooms = sums + parts * kWeights * sumStep;
    float* zeros = rooms + threads * kPoints * (vStep + zStep);
    std::fill_n(zeros, std::max(in, out), 0.0f);
    const auto add = [&](auto from, auto to, int64_t begin, int64_t end, int64_t o, float* own, float* v) {
      constexpr int kFrom = decltype(from)::value, kTo = decltype(to)::value;
      const int64_t width = std::min(most, out - o);
      float* z = v + (kTo - kFrom) * vStep;
      for (int64_t first = begin; first < end; first += chunk) {
        const int64_t count = std::min(chunk, end - first);
        transformInputs<kFrom, kTo>({x, g.height, g.width, in, zeros}, first, count, v, vStep);
        transformGradients<kFrom, kTo>({y + o, g.outHeight, g.outWidth, out, zeros}, width, first, count, z, zStep);
        bool isBegun[kWeights] = {};
        for (int k = kFrom; k < kTo; k++) {
          const int weight = weightOf(k), at = k - kFrom;
          const bool isFirst = first == begin && !isBegun[weight];
          addProducts(v + at * vStep, z + at * zStep, width, count, isFirst, own + weight * sumStep + o);
          isBegun[weight] = true;
        }
      }
    };
    constexpr std::integral_constant<int, 0> kBegin;
    constexpr std::integral_constant<int, kMiddle> kHalf;
    constexpr std::integral_constant<int, kPoints> kEnd;
    share(parts > 1 ? parts : 2 * groups, threads, g.work(), [&](int64_t number, int lane) {
      float* room = rooms + lane * kPoints * (vStep + zStep);
      const int64_t all = g.tiles(), o = number / 2 * most;
      if (parts > 1) {
        float* own = sums + number * kWeights * sumStep;
        add(kBegin, kEnd, all * number / parts, all * (number + 1) / parts, 0, own, room);
      } else if (number % 2 == 0) {
        add(kBegin, kHalf, 0, all, o, sums, room);
      } else {
        add(kHalf, kEnd, 0, all, o, sums, room);
      }
    });
    parallelFor(out / kLanes, in * out * 40, [&](int64_t firstBlock, int64_t lastBlock) {
      for (int64_t o = firstBlock * kLanes; o < lastBlock * kLanes; o += kLanes) {
        for (int64_t c = 0; c < in; c++) {
          Vec s[kWeights], half[kWeightsAlong * 3], taps[kLanes] = {};
          for (int k = 0; k < kWeights; k++) {
            load(s[k], sums + k * sumStep + c * out + o);
            for (int64_t part = 1; part < parts; part++) {
              Vec more;
              load(more, sums + (part * kWeights + k) * sumStep + c * out + o);
              s[k] += more;
            }
          }
          for (int j = 0; j < kWeightsAlong; j++) {
            Axis::weightGradient(s + j, kWeightsAlong, half + j, kWeightsAlong);
          }
          for (int i = 0; i < 3; i++) Axis::weightGradient(half + i * kWeightsAlong, 1, taps + i * 3, 1);
          transpose(taps);
          for (int i = 0; i < kLanes; i++) std::memcpy(w + ((o + i) * in + c) * kTaps, &taps[i], kTaps * sizeof(float));
        }
      }
    });
  }
};

// Calls run(Filtering) with the transforms that the stride asks for.
template <class Run>
auto filtering(const Winograd& w, Run&& run) {
  return w.stride == 1 ? run(Filtering<Dense>{w}) : w.isTurned ? run(Filtering<Spread>{w}) : run(Filtering<Strided>{w});
}

}  // namespace


bool Winograd::pays() const {
  static const char* const setting = std::getenv("KINDLING_WINOGRAD");
  if (setting != nullptr && std::strcmp(setting, "0") == 0) return false;
  if (in % kLanes != 0 || out % kLanes != 0 || in < 32 || out < 32) return false;
  const int64_t all = tiles() * tileOut() * tileOut(), wasted = all - batch * outHeight * outWidth;  // outside the image
  if (stride == 1) return tiles() >= 64 && wasted * 3 <= all;
  return tiles() >= std::max<int64_t>(64, in * out / 1024) && wasted * 8 <= all && in * out >= 20 * (in + out);
}

int64_t Winograd::parts() const { return in * out > 2048 || tiles() < 256 ? 1 : 4; }

size_t Winograd::forwardBytes() const {
  return filtering(*this, [](const auto& f) { return f.forwardBytes(); });
}

size_t Winograd::weightBytes() const {
  return stride == 1 ? Filtering<Dense>{*this}.weightBytes() : Filtering<Strided>{*this}.weightBytes();
}

void Winograd::forward(const float* x, const float* w, const float* bias, float* y, char* scratch) const {
  filtering(*this, [&](const auto& f) { f.forward(x, w, bias, y, reinterpret_cast<float*>(scratch)); });
}

void Winograd::weights(const float* x, const float* y, float* w, char* scratch) const {
  float* sums = reinterpret_cast<float*>(scratch);
  if (stride == 1) {
    Filtering<Dense>{*this}.weights(x, y, w, sums);
  } else {
    Filtering<Strided>{*this}.weights(x, y, w, sums);
  }
}

}  // namespace kindling
