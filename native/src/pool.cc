// Pooling of channels-last images: at each place, loops over the channels of the window's elements.
#include <limits>
#include <type_traits>

#include "images.h"
#include "kernels.h"
#include "team.h"

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

// Walks numbered positions of [batch, a, b, c]; divisions cost more than the work on a few channels.
struct Position {
  int64_t n, at[3];

  Position(int64_t index, const int64_t* size)
      : n(index / (size[0] * size[1] * size[2])),
        at{index / (size[1] * size[2]) % size[0], index / size[2] % size[1], index % size[2]} {}

  void next(const int64_t* size) {
    for (int axis = 2; axis >= 0; axis--) {
      if (++at[axis] < size[axis]) return;
      at[axis] = 0;
    }
    n++;
  }
};

// For each position on one side of an axis, those on the other side that have to do with it.
struct Partners {
  std::vector<int64_t> start{0}, list;

  // The elements under each window.
  static Partners ofPlaces(const Along& a) {
    Partners result;
    for (int64_t place = 0; place < a.places; place++) {
      const Range taps = tapsInside(a, place);
      for (int64_t k = taps.first; k < taps.last; k++) result.list.push_back(place * a.stride - a.before + k * a.dilation);
      result.start.push_back(static_cast<int64_t>(result.list.size()));
    }
    return result;
  }

  // The windows over each element.
  static Partners ofElements(const Along& a) {
    Partners result;
    for (int64_t element = 0; element < a.size; element++) {
      for (int64_t tap = 0; tap < a.kernel; tap++) {
        const int64_t reach = element + a.before - tap * a.dilation;
        if (reach < 0) break;
        if (reach % a.stride == 0 && reach / a.stride < a.places) result.list.push_back(reach / a.stride);
      }
      result.start.push_back(static_cast<int64_t>(result.list.size()));
    }
    return result;
  }
};

// The partners along all three axes.
struct PartnerGrid {
  Partners along[3];
  int64_t size[3];   // of the side that is walked
  int64_t other[3];  // of the other

  static PartnerGrid ofPlaces(const Windows& w) { return of(w, Partners::ofPlaces, &Along::places, &Along::size); }
  static PartnerGrid ofElements(const Windows& w) { return of(w, Partners::ofElements, &Along::size, &Along::places); }

  // Whether each position has just one.
  bool isSingle() const {
    for (int axis = 0; axis < 3; axis++) {
      for (int64_t i = 0; i < size[axis]; i++) {
        if (along[axis].start[i + 1] - along[axis].start[i] != 1) return false;
      }
    }
    return true;
  }

  // Calls visit(number of the partner, its coordinates) for all partners of a position, row-major.
  template <class Visit>
  void each(const int64_t* at, Visit&& visit) const {
    const auto begin = [&](int i) { return along[i].list.data() + along[i].start[at[i]]; };
    const auto end = [&](int i) { return along[i].list.data() + along[i].start[at[i] + 1]; };
    const int64_t *last0 = end(0), *last1 = end(1), *last2 = end(2);
    for (const int64_t* p0 = begin(0); p0 != last0; p0++) {
      for (const int64_t* p1 = begin(1); p1 != last1; p1++) {
        for (const int64_t* p2 = begin(2); p2 != last2; p2++) {
          const int64_t partner[3] = {*p0, *p1, *p2};
          visit((*p0 * other[1] + *p1) * other[2] + *p2, partner);
        }
      }
    }
  }

 private:
  static PartnerGrid of(const Windows& w, Partners (*partners)(const Along&), int64_t Along::* walked, int64_t Along::* others) {
    PartnerGrid grid;
    for (int i = 0; i < 3; i++) {
      grid.along[i] = partners(w.along[i]);
      grid.size[i] = w.along[i].*walked;
      grid.other[i] = w.along[i].*others;
    }
    return grid;
  }
};

void checkIndices(const char* name, const View& indices, const View& y) {
  checkImages(name, indices, DType::Int32);
  checkSameSizes(indices, y);
}

// Calls run(channels) with the number of channels as a constant where it is a usual small one: loops over so few are
// unrolled then, and cost a third.
template <class Run>
void withChannels(int64_t channels, Run&& run) {
  switch (channels) {
    case 8: return run(std::integral_constant<int64_t, 8>());
    case 16: return run(std::integral_constant<int64_t, 16>());
    case 32: return run(std::integral_constant<int64_t, 32>());
    case 64: return run(std::integral_constant<int64_t, 64>());
    default: return run(channels);
  }
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
  const int64_t places = p.places();
  const int64_t plane = along[0].size * along[1].size * along[2].size;
  if (plane > std::numeric_limits<int32_t>::max()) refuseImages("maxPool", "the image is too large");
  const int64_t taps = along[0].kernel * along[1].kernel * along[2].kernel;
  const PartnerGrid grid = PartnerGrid::ofPlaces(p.windows);
  parallelFor(places, places * p.channels * taps, [&](int64_t first, int64_t last) {
    withChannels(p.channels, [&](auto c) {
      Position at(first, grid.size);
      for (int64_t i = first; i < last; i++, at.next(grid.size)) {
        const float* image = p.x.as<float>() + at.n * plane * c;
        float* __restrict best = p.y.as<float>() + i * c;
        int32_t* __restrict where = indices.as<int32_t>() + i * c;
        bool started = false;
        grid.each(at.at, [&](int64_t position, const int64_t*) {
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
  const int64_t elements = p.elements();
  const int64_t plane = along[0].size * along[1].size * along[2].size;
  const int64_t places = along[0].places * along[1].places * along[2].places;
  const PartnerGrid grid = PartnerGrid::ofElements(p.windows);
  // Each element asks the windows that look at it whether it was their largest: no two threads write one place.
  parallelFor(elements, elements * p.channels * 2, [&](int64_t first, int64_t last) {
    withChannels(p.channels, [&](auto c) {
      Position at(first, grid.size);
      for (int64_t i = first; i < last; i++, at.next(grid.size)) {
        const int32_t here = static_cast<int32_t>(i % plane);
        float* __restrict out = p.x.as<float>() + i * c;
        std::fill(out, out + c, 0.0f);
        grid.each(at.at, [&](int64_t place, const int64_t*) {
          const float* __restrict g = p.y.as<float>() + (at.n * places + place) * c;
          const int32_t* __restrict where = indices.as<int32_t>() + (at.n * places + place) * c;
          for (int64_t j = 0; j < c; j++) out[j] += where[j] == here ? g[j] : 0.0f;
        });
      }
    });
  });
  return 0;
}

// out = scale · the sum of a window's elements. With few channels the sums stay in registers.
template <int64_t kChannels>
void averageOf(std::integral_constant<int64_t, kChannels>, const float* image, const PartnerGrid& grid, const int64_t* at,
               float scale, float* out) {
  float sums[kChannels] = {};
  grid.each(at, [&sums, image](int64_t position, const int64_t*) {
    for (int64_t j = 0; j < kChannels; j++) sums[j] += image[position * kChannels + j];
  });
  for (int64_t j = 0; j < kChannels; j++) out[j] = sums[j] * scale;
}

void averageOf(int64_t channels, const float* image, const PartnerGrid& grid, const int64_t* at, float scale,
               float* __restrict out) {
  std::fill(out, out + channels, 0.0f);
  grid.each(at, [&](int64_t position, const int64_t*) {
    const float* __restrict x = image + position * channels;
    for (int64_t j = 0; j < channels; j++) out[j] += x[j];
  });
  for (int64_t j = 0; j < channels; j++) out[j] *= scale;
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
  const int64_t places = p.places();
  const int64_t plane = along[0].size * along[1].size * along[2].size;
  const int64_t taps = along[0].kernel * along[1].kernel * along[2].kernel;
  const PartnerGrid grid = PartnerGrid::ofPlaces(p.windows);
  parallelFor(places, places * p.channels * taps, [&](int64_t first, int64_t last) {
    withChannels(p.channels, [&](auto c) {
      Position at(first, grid.size);
      for (int64_t i = first; i < last; i++, at.next(grid.size)) {
        const float* image = p.x.as<float>() + at.n * plane * c;
        averageOf(c, image, grid, at.at, scales.at(at.at), p.y.as<float>() + i * c);
      }
    });
  });
  return 0;
}

// out = the sum over all windows that look at an element of their gradient, each by its own scale.
template <int64_t kChannels>
void gatherFrom(std::integral_constant<int64_t, kChannels>, const float* gradient, const PartnerGrid& grid,
                const int64_t* at, const Scales& scales, float* out) {
  float sums[kChannels] = {};
  grid.each(at, [&sums, &scales, gradient](int64_t number, const int64_t* place) {
    const float scale = scales.at(place);
    for (int64_t j = 0; j < kChannels; j++) sums[j] += gradient[number * kChannels + j] * scale;
  });
  for (int64_t j = 0; j < kChannels; j++) out[j] = sums[j];
}

void gatherFrom(int64_t channels, const float* gradient, const PartnerGrid& grid, const int64_t* at, const Scales& scales,
                float* __restrict out) {
  std::fill(out, out + channels, 0.0f);
  grid.each(at, [&](int64_t number, const int64_t* place) {
    const float* __restrict g = gradient + number * channels;
    const float scale = scales.at(place);
    for (int64_t j = 0; j < channels; j++) out[j] += g[j] * scale;
  });
}

// Gives all elements of one window its scaled gradient.
template <int64_t kChannels>
void spreadOver(std::integral_constant<int64_t, kChannels>, const float* gradient, float scale, const PartnerGrid& grid,
                const int64_t* at, float* image) {
  float scaled[kChannels];
  for (int64_t j = 0; j < kChannels; j++) scaled[j] = gradient[j] * scale;
  grid.each(at, [&scaled, image](int64_t position, const int64_t*) {
    for (int64_t j = 0; j < kChannels; j++) image[position * kChannels + j] = scaled[j];
  });
}

void spreadOver(int64_t channels, const float* __restrict gradient, float scale, const PartnerGrid& grid, const int64_t* at,
                float* image) {
  grid.each(at, [&](int64_t position, const int64_t*) {
    float* __restrict out = image + position * channels;
    for (int64_t j = 0; j < channels; j++) out[j] = gradient[j] * scale;
  });
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
  const int64_t elements = p.elements();
  const int64_t places = along[0].places * along[1].places * along[2].places;
  const PartnerGrid grid = PartnerGrid::ofElements(p.windows);
  if (grid.isSingle()) {  // windows write what is theirs
    const int64_t plane = along[0].size * along[1].size * along[2].size;
    const PartnerGrid elementsOf = PartnerGrid::ofPlaces(p.windows);
    parallelFor(p.places(), elements * p.channels * 2, [&](int64_t first, int64_t last) {
      withChannels(p.channels, [&](auto c) {
        Position at(first, elementsOf.size);
        for (int64_t i = first; i < last; i++, at.next(elementsOf.size)) {
          float* image = p.x.as<float>() + at.n * plane * c;
          spreadOver(c, p.y.as<float>() + i * c, scales.at(at.at), elementsOf, at.at, image);
        }
      });
    });
    return 0;
  }
  parallelFor(elements, elements * p.channels * 2, [&](int64_t first, int64_t last) {
    withChannels(p.channels, [&](auto c) {
      Position at(first, grid.size);
      for (int64_t i = first; i < last; i++, at.next(grid.size)) {
        const float* gradient = p.y.as<float>() + at.n * places * c;
        gatherFrom(c, gradient, grid, at.at, scales, p.x.as<float>() + i * c);
      }
    });
  });
  return 0;
}

}  // namespace kindling
