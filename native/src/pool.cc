// Pooling of channels-last images: at each place, loops over the channels of the window's elements.
#include <limits>

#include "images.h"
#include "kernels.h"
#include "threads.h"

namespace kindling {

namespace {

// A range of taps or places along one axis.
struct Range {
  int64_t first, last;
};

// The taps of the window at `place` that lie inside the image.
Range tapsInside(const Along& a, int64_t place) {
  const int64_t start = place * a.stride - a.before;
  const int64_t first = start < 0 ? (-start + a.dilation - 1) / a.dilation : 0;
  const int64_t last = start >= a.size ? 0 : std::min(a.kernel, (a.size - 1 - start) / a.dilation + 1);
  return {first, last};
}

// Images and windows as three spatial axes, smaller ranks with axes of size 1 in front.
struct Pooling {
  View x, y;  // image side, window side
  Windows windows;
  int64_t batch, channels;

  void read(Reader& reader, const char* name) {
    checkImages(name, x);
    checkImages(name, y);
    if (x.rank != y.rank || x.size[0] != y.size[0] || x.size[1] != y.size[1]) refuseImages(name, "images do not fit");
    windows.read(reader, name, x, y, nullptr);
    batch = x.size[0];
    channels = x.size[1];
  }

  int64_t places() const {
    return batch * windows.along[0].places * windows.along[1].places * windows.along[2].places;
  }
  int64_t elements() const { return batch * windows.along[0].size * windows.along[1].size * windows.along[2].size; }
};

// Walks numbered positions of [batch, a, b, c].
struct Position {
  int64_t n, at[3];

  Position(int64_t index, int64_t s0, int64_t s1, int64_t s2)
      : n(index / (s0 * s1 * s2)), at{index / (s1 * s2) % s0, index / s2 % s1, index % s2} {}
};

// Calls visit(position in the image) for the elements of a window; position counts elements of one channel, row-major.
template <class Visit>
inline void eachInside(const Along* along, const int64_t* place, Visit&& visit) {
  const Range r0 = tapsInside(along[0], place[0]);
  const Range r1 = tapsInside(along[1], place[1]);
  const Range r2 = tapsInside(along[2], place[2]);
  for (int64_t i = r0.first; i < r0.last; i++) {
    const int64_t p0 = place[0] * along[0].stride - along[0].before + i * along[0].dilation;
    for (int64_t j = r1.first; j < r1.last; j++) {
      const int64_t p1 = p0 * along[1].size + place[1] * along[1].stride - along[1].before + j * along[1].dilation;
      for (int64_t k = r2.first; k < r2.last; k++) {
        visit(p1 * along[2].size + place[2] * along[2].stride - along[2].before + k * along[2].dilation);
      }
    }
  }
}

// Calls visit(place) along one axis for the windows that look at `element`.
template <class Visit>
inline void eachPlaceAlong(const Along& a, int64_t element, Visit&& visit) {
  for (int64_t tap = 0; tap < a.kernel; tap++) {
    const int64_t reach = element + a.before - tap * a.dilation;
    if (reach < 0) return;
    if (reach % a.stride == 0 && reach / a.stride < a.places) visit(reach / a.stride);
  }
}

// Calls visit(place number, place) for all windows that look at an element of the image.
template <class Visit>
inline void eachPlace(const Along* along, const int64_t* element, Visit&& visit) {
  eachPlaceAlong(along[0], element[0], [&](int64_t p0) {
    eachPlaceAlong(along[1], element[1], [&](int64_t p1) {
      eachPlaceAlong(along[2], element[2], [&](int64_t p2) {
        const int64_t place[3] = {p0, p1, p2};
        visit((p0 * along[1].places + p1) * along[2].places + p2, place);
      });
    });
  });
}

void checkIndices(const char* name, const View& indices, const View& y) {
  checkImages(name, indices, DType::Int32);
  checkSameSizes(indices, y);
}

// One divided by the number of elements counted, by axis and place.
struct Scales {
  std::vector<float> values[3];

  void read(Reader& reader, const Windows& windows) {
    for (int i = 0; i < 3; i++) {
      const int64_t places = windows.along[i].places;
      if (i < 3 - windows.axes) {
        values[i].assign(static_cast<size_t>(places), 1.0f);
        continue;
      }
      values[i].reserve(static_cast<size_t>(places));
      for (int64_t p = 0; p < places; p++) values[i].push_back(static_cast<float>(reader.number()));
    }
  }
  float at(const int64_t* place) const { return values[0][place[0]] * values[1][place[1]] * values[2][place[2]]; }
};

}  // namespace

// Reads x, out, indices, windows with their sizes.
double maxPoolKernel(Context&, Reader& reader) {
  Pooling p;
  View indices;
  reader.view(p.x);
  reader.view(p.y);
  reader.view(indices);
  p.read(reader, "maxPool");
  checkIndices("maxPool", indices, p.y);
  const Along* along = p.windows.along;
  const int64_t c = p.channels, places = p.places();
  const int64_t plane = along[0].size * along[1].size * along[2].size;
  if (plane > std::numeric_limits<int32_t>::max()) refuseImages("maxPool", "the image is too large");
  const int64_t taps = along[0].kernel * along[1].kernel * along[2].kernel;
  parallelFor(places, places * c * taps, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; i++) {
      const Position at(i, along[0].places, along[1].places, along[2].places);
      const float* image = p.x.as<float>() + at.n * plane * c;
      float* __restrict best = p.y.as<float>() + i * c;
      int32_t* __restrict where = indices.as<int32_t>() + i * c;
      bool started = false;
      eachInside(along, at.at, [&](int64_t position) {
        const float* __restrict x = image + position * c;
        const int32_t here = static_cast<int32_t>(position);
        if (!started) {
          started = true;
          for (int64_t j = 0; j < c; j++) best[j] = x[j];
          for (int64_t j = 0; j < c; j++) where[j] = here;
          return;
        }
        for (int64_t j = 0; j < c; j++) {
          const bool keep = x[j] <= best[j] || best[j] != best[j];  // of equals the first; a NaN stays
          best[j] = keep ? best[j] : x[j];
          where[j] = keep ? where[j] : here;
        }
      });
      if (!started) {  // a window in the padding alone
        std::fill(best, best + c, -std::numeric_limits<float>::infinity());
        std::fill(where, where + c, 0);
      }
    }
  });
  return 0;
}

// Reads gradient, indices, out, windows with their sizes.
double maxPoolBackwardKernel(Context&, Reader& reader) {
  Pooling p;
  View indices;
  reader.view(p.y);
  reader.view(indices);
  reader.view(p.x);
  p.read(reader, "maxPoolBackward");
  checkIndices("maxPoolBackward", indices, p.y);
  const Along* along = p.windows.along;
  const int64_t c = p.channels, elements = p.elements();
  const int64_t plane = along[0].size * along[1].size * along[2].size;
  const int64_t places = along[0].places * along[1].places * along[2].places;
  // Each element asks the windows that look at it whether it was their largest: no two threads write one place.
  parallelFor(elements, elements * c * 2, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; i++) {
      const Position at(i, along[0].size, along[1].size, along[2].size);
      const int32_t here = static_cast<int32_t>(i % plane);
      float* __restrict out = p.x.as<float>() + i * c;
      std::fill(out, out + c, 0.0f);
      eachPlace(along, at.at, [&](int64_t place, const int64_t*) {
        const float* __restrict g = p.y.as<float>() + (at.n * places + place) * c;
        const int32_t* __restrict where = indices.as<int32_t>() + (at.n * places + place) * c;
        for (int64_t j = 0; j < c; j++) out[j] += where[j] == here ? g[j] : 0.0f;
      });
    }
  });
  return 0;
}

// Reads x, out, windows with their sizes, scales.
double averagePoolKernel(Context&, Reader& reader) {
  Pooling p;
  reader.view(p.x);
  reader.view(p.y);
  p.read(reader, "averagePool");
  Scales scales;
  scales.read(reader, p.windows);
  const Along* along = p.windows.along;
  const int64_t c = p.channels, places = p.places();
  const int64_t plane = along[0].size * along[1].size * along[2].size;
  const int64_t taps = along[0].kernel * along[1].kernel * along[2].kernel;
  parallelFor(places, places * c * taps, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; i++) {
      const Position at(i, along[0].places, along[1].places, along[2].places);
      const float* image = p.x.as<float>() + at.n * plane * c;
      float* __restrict out = p.y.as<float>() + i * c;
      std::fill(out, out + c, 0.0f);
      eachInside(along, at.at, [&](int64_t position) {
        const float* __restrict x = image + position * c;
        for (int64_t j = 0; j < c; j++) out[j] += x[j];
      });
      const float scale = scales.at(at.at);
      for (int64_t j = 0; j < c; j++) out[j] *= scale;
    }
  });
  return 0;
}

// Reads gradient, out, windows with their sizes, scales.
double averagePoolBackwardKernel(Context&, Reader& reader) {
  Pooling p;
  reader.view(p.y);
  reader.view(p.x);
  p.read(reader, "averagePoolBackward");
  Scales scales;
  scales.read(reader, p.windows);
  const Along* along = p.windows.along;
  const int64_t c = p.channels, elements = p.elements();
  const int64_t places = along[0].places * along[1].places * along[2].places;
  parallelFor(elements, elements * c * 2, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; i++) {
      const Position at(i, along[0].size, along[1].size, along[2].size);
      float* __restrict out = p.x.as<float>() + i * c;
      std::fill(out, out + c, 0.0f);
      eachPlace(along, at.at, [&](int64_t number, const int64_t* place) {
        const float* __restrict g = p.y.as<float>() + (at.n * places + number) * c;
        const float scale = scales.at(place);
        for (int64_t j = 0; j < c; j++) out[j] += g[j] * scale;
      });
    }
  });
  return 0;
}

}  // namespace kindling
