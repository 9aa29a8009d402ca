// Image batches that are worked on sample by sample.
//
// Images come as [n, c, p], p being all places of a map, in row-major order or with the channels last. Many samples are
// done one after the other, so that the last loop over one finds in the cache what the first has read; few big ones are
// cut into pieces: channels of row-major images, places of others. The cutting depends on the sizes alone, so results do
// not depend on the number of threads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "columns.h"
#include "packed.h"
#include "team.h"

namespace kindling {

inline bool liesIn(const View& v, int64_t channelStep, int64_t placeStep) {
  const int64_t steps[] = {v.size[1] * v.size[2], channelStep, placeStep};
  for (int i = 0; i < 3; i++) {
    if (v.size[i] != 1 && v.stride[i] != steps[i]) return false;
  }
  return true;
}

struct Range {
  int64_t first, last;
};

// The sizes of all images of a call, and how they are cut up.
struct Images {
  int64_t n = 0, c = 0, p = 0, groups = 0, each = 0;  // each: channels of a group
  bool inRows = true, inColumns = true;               // orders that all views lie in

  void read(Reader& reader, const char* kernel, View& v) {
    reader.view(v);
    if (v.rank != 3 || v.dtype != DType::Float32 || v.elements() == 0) refuse(kernel);
    if (n == 0) {
      n = v.size[0], c = v.size[1], p = v.size[2];
    } else if (v.size[0] != n || v.size[1] != c || v.size[2] != p) {
      refuse(kernel);
    }
    inRows = inRows && liesIn(v, p, 1);
    inColumns = inColumns && liesIn(v, 1, c);
    if (!inRows && !inColumns) refuse(kernel);
  }

  void setGroups(const char* kernel, int64_t count) {
    if (c % count != 0) refuse(kernel);
    groups = count;
    each = c / count;
  }

  // Rows of one element would leave vectors empty.
  bool channelsLast() const { return inColumns && (p == 1 || !inRows); }
  int64_t elements() const { return n * c * p; }
  // How many parts the samples are cut into, and into how many pieces each sample.
  int64_t parts() const { return std::min<int64_t>(16, n); }
  int64_t pieces() const {
    if (n >= 8) return 1;
    return std::max<int64_t>(1, std::min<int64_t>({16, c * p / 65536, channelsLast() ? p : c}));
  }
  // The channels of a piece of a row-major sample, or the places of another.
  Range piece(int64_t k) const {
    const int64_t count = channelsLast() ? p : c;
    return {k * count / pieces(), (k + 1) * count / pieces()};
  }
};

// Calls of a job, for each sample i: measure(i, k, sums) for each of its pieces k, finish(i, part, sums of all pieces)
// once, write(i, k) for each piece.
template <class Job>
void runSamples(Job& job, const Images& images, int64_t work) {
  const int64_t n = images.n, c = images.c, parts = images.parts(), pieces = images.pieces();
  if (pieces == 1) {
    parallelFor(parts, work, [&](int64_t firstPart, int64_t lastPart) {
      std::vector<typename Job::Sum> sums(c);
      for (int64_t part = firstPart; part < lastPart; part++) {
        for (int64_t i = part * n / parts; i < (part + 1) * n / parts; i++) {
          std::fill(sums.begin(), sums.end(), typename Job::Sum());
          job.measure(i, 0, sums.data());
          job.finish(i, part, sums.data());
          job.write(i, 0);
        }
      }
    });
    return;
  }
  std::vector<typename Job::Sum> sums(n * pieces * c);
  parallelFor(n * pieces, work, [&](int64_t first, int64_t last) {
    for (int64_t k = first; k < last; k++) job.measure(k / pieces, k % pieces, &sums[k * c]);
  });
  for (int64_t i = 0; i < n; i++) job.finish(i, i * parts / n, &sums[i * pieces * c]);
  parallelFor(n * pieces, work, [&](int64_t first, int64_t last) {
    for (int64_t k = first; k < last; k++) job.write(k / pieces, k % pieces);
  });
}

// Rows of numbers that belong to the channels, repeated over the width of wide rows.
class Spread {
 public:
  Spread(const Wide& w, int rows) : wide_(w), data_(rows * w.width) {}
  float* operator[](int row) { return &data_[row * wide_.width]; }

  // After the first of each were written.
  void repeat() {
    for (size_t row = 0; row < data_.size(); row += wide_.width) {
      for (int64_t j = wide_.columns; j < wide_.width; j++) data_[row + j] = data_[row + j - wide_.columns];
    }
  }

 private:
  const Wide& wide_;
  std::vector<float> data_;
};

}  // namespace kindling
