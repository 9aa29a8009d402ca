#include "smallMaps.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "team.h"
#include "tiles.h"

namespace kindling {

namespace {

// Columns of a panel: of those with weights beside them more would leave the caches.
constexpr int64_t kPanel = std::max(kWidest / 2, 1) * kLanes, kWidePanel = kWidest * kLanes;

// What begins where in x and y, and in the weights or columns.
using Parts = std::vector<Factors>;

// c[rows × width] = the sum of all parts, plus `shift` for each column if there is one.
void addUp(const Parts& parts, const Steps& steps, int64_t rows, int64_t width, const float* shift, float* c, int64_t cRow) {
  sumProducts(parts.data(), static_cast<int64_t>(parts.size()), steps, rows, static_cast<int>(width / kLanes), {shift, 0}, c, cRow);
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

// Calls run(first column, number of columns, scratch of this thread) for panels of `most` columns on all threads.
template <class Run>
void sharePanels(int64_t columns, int64_t most, int64_t work, float* scratch, int64_t perThread, Run&& run) {
  share((columns + most - 1) / most, omp_get_max_threads(), work, [&](int64_t panel, int lane) {
    run(panel * most, std::min(most, columns - panel * most), scratch + lane * perThread);
  });
}

}  // namespace

bool SmallMaps::pays() const {
  if (in % kLanes != 0 || out % kLanes != 0 || in * out < 1024 || batch < 8) return false;
  return taps() > 1 && outHeight * outWidth <= 16 && height * width <= 64;
}

size_t SmallMaps::bytes(Kind kind) const {
  const bool isWeight = kind == Weight;
  const int64_t own = isWeight ? (taps() * in + batch * outHeight * outWidth) * kWidePanel : taps() * std::max(in, out) * kPanel;
  return sizeof(float) * static_cast<size_t>(own * omp_get_max_threads());
}

void SmallMaps::forward(const float* x, const float* w, const float* bias, float* y, char* scratch) const {
  const int64_t all = taps();
  sharePanels(out, kPanel, work(), reinterpret_cast<float*>(scratch), all * kPanel * std::max(in, out),
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
    Parts parts;
    const Steps steps{height * width * in, 1, lanes, in};
    for (int64_t oy = 0; oy < outHeight; oy++) {
      for (int64_t ox = 0; ox < outWidth; ox++) {
        parts.clear();
        for (int64_t t = 0; t < all; t++) {
          const int64_t iy = under(oy, t / kernelWidth, strideDown, top, height);
          const int64_t ix = under(ox, t % kernelWidth, strideAcross, left, width);
          if (iy >= 0 && ix >= 0) parts.push_back({x + (iy * width + ix) * in, u + t * in * lanes});
        }
        addUp(parts, steps, batch, lanes, bias == nullptr ? nullptr : bias + o, y + (oy * outWidth + ox) * out + o,
              outHeight * outWidth * out);
      }
    }
  });
}

void SmallMaps::data(const float* y, const float* w, float* x, char* scratch) const {
  const int64_t all = taps();
  sharePanels(in, kPanel, work(), reinterpret_cast<float*>(scratch), all * kPanel * std::max(in, out),
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
    std::vector<Parts> parts(height * width);
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
      addUp(parts[pixel], steps, batch, lanes, nullptr, x + pixel * in + c, height * width * in);
    }
  });
}

void SmallMaps::weights(const float* x, const float* y, float* w, char* scratch) const {
  const int64_t all = taps(), pixels = outHeight * outWidth;
  sharePanels(out, kWidePanel, work(), reinterpret_cast<float*>(scratch), (all * in + batch * pixels) * kWidePanel,
            [&](int64_t o, int64_t lanes, float* sums) {
    // The panel's columns of y lie together, so that all of them stay in the first cache.
    float* columns = sums + all * in * kWidePanel;  // [pixel][batch][lanes]
    for (int64_t n = 0; n < batch; n++) {
      for (int64_t pixel = 0; pixel < pixels; pixel++) {
        std::memcpy(columns + (pixel * batch + n) * lanes, y + (n * pixels + pixel) * out + o, lanes * sizeof(float));
      }
    }
    std::vector<Parts> parts(all);
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
        for (Factors& part : parts[t]) part.a += c == 0 ? 0 : kLanes;
        addUp(parts[t], steps, kLanes, lanes, nullptr, sums + (t * in + c) * lanes, lanes);
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
