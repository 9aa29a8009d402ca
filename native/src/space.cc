#include "space.h"

#include <cstdlib>

namespace kindling {

void orderByStride(const int64_t* stride, int rank, int* order) {
  for (int i = 0; i < rank; i++) {  // insertion sort: the axes are nearly always in order already
    const int64_t own = std::llabs(stride[i]);
    int k = i;
    for (; k > 0 && own != 0; k--) {
      const int64_t before = std::llabs(stride[order[k - 1]]);
      if (before == 0 || before >= own) break;
      order[k] = order[k - 1];
    }
    order[k] = i;
  }
}

void collapse(Space& space, Access* accesses, int count, const int* order) {
  const Space old = space;
  int rank = 0;
  int from[kMaxRank];  // for each new axis, the innermost old axis joined into it
  for (int k = 0; k < old.rank; k++) {
    const int axis = order[k];
    const int64_t size = old.size[axis];
    if (size == 1) continue;
    bool joins = rank > 0 && space.reduced[rank - 1] == old.reduced[axis];
    for (int v = 0; joins && v < count; v++) {
      joins = accesses[v].stride[from[rank - 1]] == accesses[v].stride[axis] * size;
    }
    if (joins) {
      space.size[rank - 1] *= size;
    } else {
      space.size[rank] = size;
      space.reduced[rank] = old.reduced[axis];
      rank++;
    }
    from[rank - 1] = axis;
  }
  space.rank = rank;
  for (int v = 0; v < count; v++) {
    int64_t stride[kMaxRank];
    for (int i = 0; i < rank; i++) stride[i] = accesses[v].stride[from[i]];
    std::copy(stride, stride + rank, accesses[v].stride);
  }
}

void fillExtents(Space& space, int first, int64_t capacity) {
  int64_t room = capacity;
  for (int i = space.rank - 1; i >= 0; i--) {
    if (i < first) room = 1;
    space.extent[i] = std::max<int64_t>(1, std::min(space.size[i], room));
    // A box that does not hold the whole axis ends there: outer axes step one by one.
    room = space.extent[i] < space.size[i] ? 0 : room / std::max<int64_t>(space.size[i], 1);
  }
}

void fillOrTileExtents(Space& space, const Access* accesses, int count, int64_t capacity) {
  fillExtents(space, 0, capacity);
  const int inner = space.rank - 1;
  constexpr int64_t kTile = 32;
  if (inner < 1 || space.size[inner] < kTile) return;
  for (int v = 0; v < count; v++) {
    if (std::llabs(accesses[v].stride[inner]) < 16) continue;
    for (int i = 0; i < inner; i++) {
      if (accesses[v].stride[i] != 1 || space.size[i] < 8) continue;
      for (int k = 0; k <= inner; k++) space.extent[k] = 1;
      space.extent[inner] = kTile;
      space.extent[i] = std::min(space.size[i], capacity / kTile);
      return;
    }
  }
}

bool contiguousInBoxes(const Space& space, const Access& access) {
  int64_t step = 1;
  bool cut = false;  // an axis inside was cut, so boxes at its end are smaller
  for (int i = space.rank - 1; i >= 0; i--) {
    if (space.extent[i] == 1) continue;
    if (access.stride[i] != step || cut) return false;
    step *= space.extent[i];
    cut = space.extent[i] != space.size[i];
  }
  return true;
}

bool constantInBoxes(const Space& space, const Access& access) {
  for (int i = 0; i < space.rank; i++) {
    if (space.extent[i] != 1 && access.stride[i] != 0) return false;
  }
  return true;
}

}  // namespace kindling
