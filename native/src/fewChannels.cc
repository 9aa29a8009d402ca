#include "fewChannels.h"

#include <cstring>
#include <vector>

#include "pieces.h"
#include "team.h"
#include "tiles.h"

namespace kindling {

namespace {

// Windows whose gradients are computed before they are added up.
constexpr int64_t kWindows = 24;

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
  const int64_t all = isData ? out * lanesUnder() : parts() * weightCount();
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
  float* rooms = u + out * lanes;
  std::fill_n(u, out * lanes, 0.0f);
  for (int64_t o = 0; o < out; o++) {
    for (int64_t c = 0; c < in; c++) {
      for (int64_t t = 0; t < taps(); t++) u[o * lanes + t * in + c] = w[(o * in + c) * taps() + t];
    }
  }
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
          eachPanel(lanes, kWidest * kLanes, [&](int64_t column, int vectors) {
            const Factors factors{from, u + column};
            sumProducts(&factors, 1, {out, 1, lanes, out}, windows, vectors, {}, columns + column, lanes);
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
  std::vector<Factors> lines(blockRows());  // rows of windows and the gradients that belong to them
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
      eachPanel(lanes, kWidest * kLanes, [&](int64_t column, int vectors) {
        for (int64_t k = 0; k < kernelHeight; k++) {
          for (int64_t row = 0; row < count; row++) {
            lines[row] = {band + ((at + row) * strideDown + k) * rowSize(), gradients + row * outWidth * lanes + column};
          }
          float* to = sums + k * run() * lanes + column;
          sumProducts(lines.data(), count, {1, strideAcross * in, lanes, outWidth}, run(), vectors, {to, lanes}, to, lanes);
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
