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

// Kernels of 3×3 at stride 1 up to `mostStride`, padded by at most 2.
bool isThreeByThree(const Problem& p, int64_t mostStride) {
  if (p.windows.axes != 2) return false;
  const Along &y = p.windows.spatial(0), &x = p.windows.spatial(1);
  for (const Along* a : {&y, &x}) {
    if (a->kernel != 3 || a->stride > mostStride || a->dilation != 1 || a->before > 2) return false;
  }
  return y.stride == x.stride;
}

bool asWinograd(const Problem& p, Kind kind, Winograd& w) {
  if (p.groups != 1 || !isThreeByThree(p, 2)) return false;
  const Along &y = p.windows.spatial(0), &x = p.windows.spatial(1);
  if (kind == Data) {
    const Begin down = turnedBegin(y), across = turnedBegin(x);
    w = {p.x.size[0], y.places, x.places, p.y.size[1], y.size, x.size, p.x.size[1], y.stride, true,
         down.read, across.read, down.result, across.result};
  } else {
    w = {p.x.size[0], y.size, x.size, p.x.size[1], y.places, x.places, p.y.size[1], y.stride, false, y.before, x.before};
  }
  return w.pays();
}

bool asDepthwise(const Problem& p, Kind kind, Depthwise& d) {
  const int64_t c = p.x.size[1];
  if (kind == Weight || p.groups != c || p.y.size[1] != c || !isThreeByThree(p, 1)) return false;
  const Along &y = p.windows.spatial(0), &x = p.windows.spatial(1);
  if (kind == Data) {
    d = {p.x.size[0], y.places, x.places, c, y.size, x.size, 2 - y.before, 2 - x.before, true};
  } else {
    d = {p.x.size[0], y.size, x.size, c, y.places, x.places, y.before, x.before, false};
  }
  return d.pays();
}

// With an algorithm to which the gradient for the input is a convolution, too.
template <class Algorithm>
void convolve(const Problem& p, Kind kind, const Algorithm& algorithm, char* scratch) {
  float *x = p.x.as<float>(), *y = p.y.as<float>(), *weight = p.weight.as<float>();
  if (kind == Data) {
    algorithm.forward(y, weight, nullptr, x, scratch);
  } else {
    algorithm.forward(x, weight, p.hasBias ? p.bias.as<float>() : nullptr, y, scratch);
  }
}

void runWinograd(Context& context, const Problem& p, Kind kind, const Winograd& w) {
  if (kind == Weight) {
    w.weights(p.x.as<float>(), p.y.as<float>(), p.weight.as<float>(), context.dnn().scratch(w.weightBytes()));
  } else {
    convolve(p, kind, w, context.dnn().scratch(w.forwardBytes()));
  }
}

// Problems of plain images without dilation or groups.
bool asMaps(const Problem& p, Maps& m) {
  if (p.windows.axes != 2 || p.groups != 1) return false;
  const Along &y = p.windows.spatial(0), &x = p.windows.spatial(1);
  if (y.dilation != 1 || x.dilation != 1) return false;
  m = {p.x.size[0], y.size, x.size, p.x.size[1], y.places, x.places, p.y.size[1],
       y.kernel, x.kernel, y.stride, x.stride, y.before, x.before};
  return true;
}

template <class Algorithm>
void gradientOf(const Problem& p, Kind kind, const Algorithm& m, char* scratch) {
  float *x = p.x.as<float>(), *y = p.y.as<float>(), *weight = p.weight.as<float>();
  if (kind == Data) {
    m.data(y, weight, x, scratch);
  } else {
    m.weights(x, y, weight, scratch);
  }
}

void runSmallMaps(Context& context, const Problem& p, Kind kind, const SmallMaps& m) {
  char* scratch = context.dnn().scratch(m.bytes(kind));
  if (kind != Forward) return gradientOf(p, kind, m, scratch);
  m.forward(p.x.as<float>(), p.weight.as<float>(), p.hasBias ? p.bias.as<float>() : nullptr, p.y.as<float>(), scratch);
}

}  // namespace

bool runOwn(Context& context, const Problem& p, Kind kind) {
  Winograd w;
  Depthwise d;
  Maps m;
  if (asWinograd(p, kind, w)) {
    runWinograd(context, p, kind, w);
  } else if (asDepthwise(p, kind, d)) {
    convolve(p, kind, d, context.dnn().scratch(d.bytes()));
  } else if (!asMaps(p, m)) {
    return false;
  } else if (const SmallMaps small{m}; small.pays()) {
    runSmallMaps(context, p, kind, small);
  } else if (const FewChannels few{m}; few.pays(kind)) {
    gradientOf(p, kind, few, context.dnn().scratch(few.bytes(kind)));
  } else {
    return false;
  }
  return true;
}

}  // namespace kindling
