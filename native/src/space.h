// The loop nest an expression runs over: axes, outermost first, cut into boxes small enough for the cache.
#pragma once

#include <algorithm>

#include "view.h"

namespace kindling {

struct Space {
  int rank = 0;
  int64_t size[kMaxRank];
  int64_t extent[kMaxRank];  // of a box
  bool reduced[kMaxRank];    // whether the axis is joined by a reduction

  int64_t elements() const {
    int64_t n = 1;
    for (int i = 0; i < rank; i++) n *= size[i];
    return n;
  }
  int64_t boxesAlong(int axis) const { return (size[axis] + extent[axis] - 1) / extent[axis]; }
  int64_t boxes() const {
    int64_t n = 1;
    for (int i = 0; i < rank; i++) n *= boxesAlong(i);
    return n;
  }
  int64_t boxElements() const {
    int64_t n = 1;
    for (int i = 0; i < rank; i++) n *= extent[i];
    return n;
  }
};

// How a view is walked along the axes of a space.
struct Access {
  char* data;
  DType dtype;
  const char* low;
  const char* high;
  int64_t stride[kMaxRank];
};

inline Access accessOf(const View& view, int rank, const int64_t* size) {
  Access access{view.data, view.dtype, view.low, view.high, {}};
  broadcastStrides(view, rank, size, access.stride);
  return access;
}

inline bool overlap(const Access& a, const Access& b) { return a.low < b.high && b.low < a.high; }

// A part of a space.
struct Box {
  int64_t origin[kMaxRank];
  int64_t extent[kMaxRank];

  int64_t elements(int rank) const {
    int64_t n = 1;
    for (int i = 0; i < rank; i++) n *= extent[i];
    return n;
  }
};

// The axes by falling stride, so that the innermost loop walks through memory; stable, and axes along which the view
// stands still stay where they are.
void orderByStride(const int64_t* stride, int rank, int* order);

// Puts the axes in `order`, drops those of size 1, and joins neighbours that are one run in every access.
void collapse(Space& space, Access* accesses, int count, const int* order);

// Box extents filled from the innermost axis outwards; axes before `first` keep extent 1.
void fillExtents(Space& space, int first, int64_t capacity);

// The same, but tiles of two axes where an access runs across the innermost one.
void fillOrTileExtents(Space& space, const Access* accesses, int count, int64_t capacity);

// Whether the elements of every box lie one after another in the access.
bool contiguousInBoxes(const Space& space, const Access& access);

// Whether the access stays on one element in every box.
bool constantInBoxes(const Space& space, const Access& access);

// Walks the boxes numbered first … last − 1.
class BoxWalk {
 public:
  BoxWalk(const Space& space, int64_t first) : space_(space) {
    for (int i = space.rank - 1; i >= 0; i--) {
      const int64_t along = space.boxesAlong(i);
      set(i, (first % along) * space.extent[i]);
      first /= along;
    }
  }
  const Box& box() const { return box_; }
  void next() {
    for (int i = space_.rank - 1; i >= 0; i--) {
      const int64_t moved = box_.origin[i] + space_.extent[i];
      if (moved < space_.size[i]) return set(i, moved);
      set(i, 0);
    }
  }

 private:
  void set(int axis, int64_t origin) {
    box_.origin[axis] = origin;
    box_.extent[axis] = std::min(space_.extent[axis], space_.size[axis] - origin);
  }
  const Space& space_;
  Box box_;
};

}  // namespace kindling
