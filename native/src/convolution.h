// A convolution as JavaScript asks for it.
#pragma once

#include "images.h"
#include "kernels.h"
#include "maps.h"

namespace kindling {

// The parties of a convolution, whatever is computed from what.
struct Problem {
  View x, weight, bias, y;
  bool hasBias = false;
  int64_t groups = 1;
  Windows windows;

  double operations() const {
    double taps = 1;
    for (int i = 0; i < windows.axes; i++) taps *= static_cast<double>(windows.spatial(i).kernel);
    return 2.0 * y.elements() * x.size[1] / groups * taps;
  }
};

// Does it with one of the addon's own algorithms, where one pays; false leaves it to oneDNN.
bool runOwn(Context& context, const Problem& p, Kind kind);

}  // namespace kindling
