#include "space.h"

#include <cstdlib>

namespace kindling {

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

void chooseExtents(Space& space, const Access* accesses, int count, int64_t capacity) {
  const int inner = space.rank - 1;
  int64_t room = capacity;
  for (int i = inner; i >= 0; i--) {
    space.extent[i] = std::min(space.size[i], std::max<int64_t>(room, 1));
    // A box that does not hold the whole axis ends there: outer axes step one by one.
    room = space.extent[i] < space.size[i] ? 0 : room / std::max<int64_t>(space.size[i], 1);
  }
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
