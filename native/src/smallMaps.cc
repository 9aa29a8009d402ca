#include "smallMaps.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "lanes.h"
#include "team.h"

namespace kindling {

namespace {

// Rows and vectors of columns that are computed together: as many sums as there are registers for.
#ifdef __AVX512F__
constexpr int kRows = 8, kWide = 2;
#else
constexpr int kRows = 4, kWide = 1;
#endif
constexpr int64_t kPanel = kWide * kLanes;

// One of several products that add up: rows of a and of b begin here.
struct Part {
  const float *a, *b;
};

// How elements of all parts lie: a's rows and steps, b's steps, and the number of steps.
struct Steps {
  int64_t aRow, aStep, bStep, count;
};

// c[kHigh × 16·kVectors] = the sum of all parts, plus `shift` for each column if there is one.
template <int kHigh, int kVectors>
inline void tile(const std::vector<Part>& parts, int64_t aOffset, const Steps& steps, const float* shift, float* c,
                 int64_t cRow) {
  Vec sums[kHigh][kVectors];
#pragma GCC unroll 2
  for (int j = 0; j < kVectors; j++) {
    Vec start{};
    if (shift != nullptr) load(start, shift + j * kLanes);
#pragma GCC unroll 8
    for (int i = 0; i < kHigh; i++) sums[i][j] = start;
  }
  for (const Part& part : parts) {
    const float *a = part.a + aOffset, *b = part.b;
    for (int64_t p = 0; p < steps.count; p++, a += steps.aStep, b += steps.bStep) {
      Vec columns[kVectors];
#pragma GCC unroll 2
      for (int j = 0; j < kVectors; j++) load(columns[j], b + j * kLanes);
#pragma GCC unroll 8
      for (int i = 0; i < kHigh; i++) {
#pragma GCC unroll 2
        for (int j = 0; j < kVectors; j++) sums[i][j] += a[i * steps.aRow] * columns[j];
      }
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kHigh; i++) {
#pragma GCC unroll 2
    for (int j = 0; j < kVectors; j++) store(sums[i][j], c + i * cRow + j * kLanes);
  }
}

// The same for any number of rows.
template <int kVectors>
void tiles(int64_t rows, const std::vector<Part>& parts, const Steps& steps, const float* shift, float* c,
           int64_t cRow) {
  int64_t i = 0;
  for (; i + kRows <= rows; i += kRows) tile<kRows, kVectors>(parts, i * steps.aRow, steps, shift, c + i * cRow, cRow);
  for (; i + 4 <= rows; i += 4) tile<4, kVectors>(parts, i * steps.aRow, steps, shift, c + i * cRow, cRow);
  for (; i < rows; i++) tile<1, kVectors>(parts, i * steps.aRow, steps, shift, c + i * cRow, cRow);
}

void tiles(int64_t width, int64_t rows, const std::vector<Part>& parts, const Steps& steps, const float* shift,
           float* c, int64_t cRow) {
  const auto run = width == kPanel ? tiles<kWide> : tiles<1>;
  run(rows, parts, steps, shift, c, cRow);
}

// Calls run(address in w, address in u) for sixteen neighbouring weights of an output at a time: w is [out][in][taps],
// u is [tap][in][lanes].
template <class W, class U, class Run>
inline void eachSixteen(W* w, U* u, int64_t in, int64_t taps, int64_t lanes, Run&& run) {
  for (int64_t first = 0, c = 0, t = 0; first < in * taps; first += kLanes) {
    U* at[kLanes];
    for (int i = 0; i < kLanes; i++) {
      at[i] = u + (t * in + c) * lanes;
      if (++t == taps) {
        t = 0;
        c++;
      }
    }
    run(w + first, at);
  }
}

// Calls run(first column, number of columns, scratch of this thread) for panels of columns on all threads.
template <class Run>
void eachPanel(int64_t columns, int64_t work, float* scratch, int64_t perThread, Run&& run) {
  const int64_t panels = (columns + kPanel - 1) / kPanel;
  share(panels, omp_get_max_threads(), work, [&](int64_t panel, int lane) {
    const int64_t first = panel * kPanel;
    // Columns come in whole vectors; the last panel may be narrower.
    for (int64_t at = first, end = std::min(columns, first + kPanel); at < end;) {
      const int64_t width = end - at == kPanel ? kPanel : kLanes;
      run(at, width, scratch + lane * perThread);
      at += width;
    }
  });
}

}  // namespace

bool SmallMaps::pays() const {
  if (in % kLanes != 0 || out % kLanes != 0 || in * out < 1024 || batch < 8) return false;
  return taps() > 1 && outHeight * outWidth <= 16 && height * width <= 64;
}

size_t SmallMaps::bytes(Kind kind) const {
  const int64_t own = taps() * kPanel * (kind == Weight ? in : std::max(in, out));
  const int64_t packed = kind == Weight ? batch * outHeight * outWidth * kPanel : 0;
  return sizeof(float) * static_cast<size_t>((own + packed) * omp_get_max_threads());
}

void SmallMaps::forward(const float* x, const float* w, const float* bias, float* y, char* scratch) const {
  const int64_t all = taps();
  eachPanel(out, work(), reinterpret_cast<float*>(scratch), all * kPanel * std::max(in, out),
            [&](int64_t o, int64_t lanes, float* u) {
    // u[tap][in][lanes]
    for (int64_t half = 0; half < lanes; half += kLanes) {
      eachSixteen(w + (o + half) * in * all, u + half, in, all, lanes, [&](const float* from, float** to) {
        Vec rows[kLanes];
        for (int i = 0; i < kLanes; i++) load(rows[i], from + i * in * all);
        transpose(rows);
        for (int i = 0; i < kLanes; i++) store(rows[i], to[i]);
      });
    }
    std::vector<Part> parts;
    const Steps steps{height * width * in, 1, lanes, in};
    for (int64_t oy = 0; oy < outHeight; oy++) {
      for (int64_t ox = 0; ox < outWidth; ox++) {
        parts.clear();
        for (int64_t t = 0; t < all; t++) {
          const int64_t iy = under(oy, t / kernelWidth, strideDown, top, height);
          const int64_t ix = under(ox, t % kernelWidth, strideAcross, left, width);
          if (iy >= 0 && ix >= 0) parts.push_back({x + (iy * width + ix) * in, u + t * in * lanes});
        }
        tiles(lanes, batch, parts, steps, bias == nullptr ? nullptr : bias + o, y + (oy * outWidth + ox) * out + o,
              outHeight * outWidth * out);
      }
    }
  });
}

void SmallMaps::data(const float* y, const float* w, float* x, char* scratch) const {
  const int64_t all = taps();
  eachPanel(in, work(), reinterpret_cast<float*>(scratch), all * kPanel * std::max(in, out),
            [&](int64_t c, int64_t lanes, float* u) {
    // u[tap][out][lanes]
    for (int64_t o = 0; o < out; o++) {
      for (int64_t half = 0; half < lanes; half += kLanes) {
        const float* from = w + (o * in + c + half) * all;
        for (int64_t t = 0; t < all; t += kLanes) {
          Vec rows[kLanes] = {};
          for (int i = 0; i < kLanes; i++) loadAtMost(rows[i], from + i * all + t, w + in * out * all);
          transpose(rows);
          for (int i = 0; i < std::min<int64_t>(kLanes, all - t); i++) store(rows[i], u + ((t + i) * out + o) * lanes + half);
        }
      }
    }
    std::vector<std::vector<Part>> parts(height * width);
    for (int64_t t = 0; t < all; t++) {
      for (int64_t oy = 0; oy < outHeight; oy++) {
        for (int64_t ox = 0; ox < outWidth; ox++) {
          const int64_t iy = under(oy, t / kernelWidth, strideDown, top, height);
          const int64_t ix = under(ox, t % kernelWidth, strideAcross, left, width);
          if (iy < 0 || ix < 0) continue;
          parts[iy * width + ix].push_back({y + (oy * outWidth + ox) * out, u + t * out * lanes});
        }
      }
    }
    const Steps steps{outHeight * outWidth * out, 1, lanes, out};
    for (int64_t pixel = 0; pixel < height * width; pixel++) {
      tiles(lanes, batch, parts[pixel], steps, nullptr, x + pixel * in + c, height * width * in);
    }
  });
}

void SmallMaps::weights(const float* x, const float* y, float* w, char* scratch) const {
  const int64_t all = taps(), pixels = outHeight * outWidth;
  eachPanel(out, work(), reinterpret_cast<float*>(scratch), (all * in + batch * pixels) * kPanel,
            [&](int64_t o, int64_t lanes, float* sums) {
    // The panel's columns of y lie together, so that all of them stay in the first cache.
    float* columns = sums + all * in * kPanel;  // [pixel][batch][lanes]
    for (int64_t n = 0; n < batch; n++) {
      for (int64_t pixel = 0; pixel < pixels; pixel++) {
        std::memcpy(columns + (pixel * batch + n) * lanes, y + (n * pixels + pixel) * out + o, lanes * sizeof(float));
      }
    }
    std::vector<std::vector<Part>> parts(all);
    for (int64_t t = 0; t < all; t++) {
      for (int64_t pixel = 0; pixel < pixels; pixel++) {
        const int64_t iy = under(pixel / outWidth, t / kernelWidth, strideDown, top, height);
        const int64_t ix = under(pixel % outWidth, t % kernelWidth, strideAcross, left, width);
        if (iy >= 0 && ix >= 0) parts[t].push_back({x + (iy * width + ix) * in, columns + pixel * batch * lanes});
      }
    }
    const Steps steps{1, height * width * in, lanes, batch};
    for (int64_t c = 0; c < in; c += kLanes) {  // all taps of a cache line's channels while these are near
      for (int64_t t = 0; t < all; t++) {
        for (Part& part : parts[t]) part.a += c == 0 ? 0 : kLanes;
        tiles(lanes, kLanes, parts[t], steps, nullptr, sums + (t * in + c) * lanes, lanes);
      }
    }
    for (int64_t half = 0; half < lanes; half += kLanes) {
      eachSixteen(w + (o + half) * in * all, sums + half, in, all, lanes, [&](float* to, float** from) {
        Vec rows[kLanes];
        for (int i = 0; i < kLanes; i++) load(rows[i], from[i]);
        transpose(rows);
        for (int i = 0; i < kLanes; i++) store(rows[i], to + i * in * all);
      });
    }
  });
}

}  // namespace kindling
