// Which convolutions the addon's own algorithms take.
#include "convolution.h"
#include "depthwise.h"
#include "fewChannels.h"
#include "primitives.h"
#include "smallMaps.h"
#include "team.h"
#include "winograd.h"

namespace kindling {

namespace {

// Where the first tile of the gradient for the input begins, in what is read and in the result.
struct Begin {
  int64_t read, result;
};

Begin turnedBegin(const Along& a) {
  if (a.stride == 1) return {2 - a.before, 0};
  return {a.before == 0 ? 1 : 0, a.before == 1 ? 0 : 1};  // under a middle tap
}

// The problem as Winograd's algorithm takes it: 3×3 kernels at stride 1 or 2, padded by at most 2.
bool asWinograd(const Problem& p, Kind kind, Winograd& w) {
  if (p.windows.axes != 2 || p.groups != 1) return false;
  const Along &y = p.windows.spatial(0), &x = p.windows.spatial(1);
  for (const Along* a : {&y, &x}) {
    if (a->kernel != 3 || a->stride > 2 || a->dilation != 1 || a->before > 2) return false;
  }
  if (y.stride != x.stride) return false;
  if (kind == Data) {
    const Begin down = turnedBegin(y), across = turnedBegin(x);
    w = {p.x.size[0], y.places, x.places, p.y.size[1], y.size, x.size, p.x.size[1], y.stride, true,
         down.read, across.read, down.result, across.result};
  } else {
    w = {p.x.size[0], y.size, x.size, p.x.size[1], y.places, x.places, p.y.size[1], y.stride, false, y.before, x.before};
  }
  return w.pays();
}

void runWinograd(Context& context, const Problem& p, Kind kind, const Winograd& w) {
  char* scratch = context.dnn().scratch(kind == Weight ? w.weightBytes() : w.forwardBytes());
  float *x = p.x.as<float>(), *y = p.y.as<float>(), *weight = p.weight.as<float>();
  if (kind == Forward) {
    w.forward(x, weight, p.hasBias ? p.bias.as<float>() : nullptr, y, scratch);
  } else if (kind == Data) {
    w.forward(y, weight, nullptr, x, scratch);
  } else {
    w.weights(x, y, weight, scratch);
  }
}

// Problems of plain images without dilation.
bool asMaps(const Problem& p, Maps& m) {
  if (p.windows.axes != 2) return false;
  const Along &y = p.windows.spatial(0), &x = p.windows.spatial(1);
  if (y.dilation != 1 || x.dilation != 1) return false;
  m = {p.x.size[0], y.size, x.size, p.x.size[1], y.places, x.places, p.y.size[1],
       y.kernel, x.kernel, y.stride, x.stride, y.before, x.before};
  return true;
}

template <class Algorithm>
void runOnMaps(Context& context, const Problem& p, Kind kind, const Algorithm& m) {
  char* scratch = context.dnn().scratch(m.bytes(kind));
  float *x = p.x.as<float>(), *y = p.y.as<float>(), *weight = p.weight.as<float>();
  if (kind == Forward) {
    m.forward(x, weight, p.hasBias ? p.bias.as<float>() : nullptr, y, scratch);
  } else if (kind == Data) {
    m.data(y, weight, x, scratch);
  } else {
    m.weights(x, y, weight, scratch);
  }
}

void runDepthwise(Context& context, const Problem& p, Kind kind, const Depthwise& d) {
  char* scratch = context.dnn().scratch(d.bytes());
  float *x = p.x.as<float>(), *y = p.y.as<float>(), *weight = p.weight.as<float>();
  if (kind == Forward) {
    d.forward(x, weight, p.hasBias ? p.bias.as<float>() : nullptr, y, scratch);
  } else {
    d.data(y, weight, x, scratch);
  }
}

// The gradient for the bias: sums over all positions, in float over blocks and in double over these.
void sumPositions(const View& y, float* bias) {
  constexpr int64_t kBlock = 64, kParts = 16;
  const int64_t c = y.size[1], rows = y.elements() / c;
  const int64_t parts = std::min(kParts, (rows + kBlock - 1) / kBlock);
  std::vector<double> totals(parts * c, 0.0);
  share(parts, omp_get_max_threads(), y.elements(), [&](int64_t part, int) {
    double* total = totals.data() + part * c;
    std::vector<float> block(c);
    const int64_t end = rows * (part + 1) / parts;
    for (int64_t first = rows * part / parts; first < end; first += kBlock) {
      std::fill(block.begin(), block.end(), 0.0f);
      for (int64_t i = first; i < std::min(end, first + kBlock); i++) {
        const float* row = y.as<float>() + i * c;
        for (int64_t j = 0; j < c; j++) block[j] += row[j];
      }
      for (int64_t j = 0; j < c; j++) total[j] += block[j];
    }
  });
  for (int64_t j = 0; j < c; j++) {
    double total = 0;
    for (int64_t part = 0; part < parts; part++) total += totals[part * c + j];
    bias[j] = static_cast<float>(total);
  }
}

}  // namespace

bool runOwn(Context& context, const Problem& p, Kind kind) {
  Winograd w;
  Maps m;
  if (asWinograd(p, kind, w)) {
    runWinograd(context, p, kind, w);
  } else if (!asMaps(p, m)) {
    return false;
  } else if (p.groups > 1) {
    const Depthwise depthwise{m};
    if (p.groups != m.in || m.in != m.out || !depthwise.pays(kind)) return false;
    runDepthwise(context, p, kind, depthwise);
  } else if (const SmallMaps small{m}; small.pays()) {
    runOnMaps(context, p, kind, small);
  } else if (const FewChannels few{m}; few.pays(kind)) {
    runOnMaps(context, p, kind, few);
  } else {
    return false;
  }
  if (kind == Weight && p.hasBias) sumPositions(p.y, p.bias.as<float>());
  return true;
}

}  // namespace kindling
