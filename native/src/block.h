// Moves the elements of a box between memory with any strides and a packed block.
#pragma once

#include "space.h"

namespace kindling {

// The axes of a box longer than 1, outermost first, with the strides of memory (`stride`) and of the packed block.
struct BlockShape {
  int rank = 0;
  int64_t extent[kMaxRank];
  int64_t stride[kMaxRank];
  int64_t packed[kMaxRank];

  BlockShape(const Box& box, const int64_t* strides, int spaceRank) {
    int64_t step = 1;
    int64_t packedOf[kMaxRank];
    for (int i = spaceRank - 1; i >= 0; i--) {
      packedOf[i] = step;
      step *= box.extent[i];
    }
    for (int i = 0; i < spaceRank; i++) {
      if (box.extent[i] == 1) continue;
      extent[rank] = box.extent[i];
      stride[rank] = strides[i];
      packed[rank] = packedOf[i];
      rank++;
    }
    if (rank > 1 && stride[rank - 1] != 1) preferMemoryOrder();
  }

 private:
  // The loop over adjacent memory goes innermost when it is long enough to pay.
  void preferMemoryOrder() {
    for (int i = 0; i < rank - 1; i++) {
      if (stride[i] != 1 || extent[i] < 8) continue;
      std::swap(extent[i], extent[rank - 1]);
      std::swap(stride[i], stride[rank - 1]);
      std::swap(packed[i], packed[rank - 1]);
      return;
    }
  }
};

// Calls run(memory offset, block offset) for every innermost line.
template <class Run>
inline void eachLine(const BlockShape& shape, Run&& run) {
  int64_t position[kMaxRank] = {};
  int64_t memory = 0, block = 0;
  for (;;) {
    run(memory, block);
    int axis = shape.rank - 2;
    for (; axis >= 0; axis--) {
      memory += shape.stride[axis];
      block += shape.packed[axis];
      if (++position[axis] < shape.extent[axis]) break;
      memory -= shape.stride[axis] * shape.extent[axis];
      block -= shape.packed[axis] * shape.extent[axis];
      position[axis] = 0;
    }
    if (axis < 0) return;
  }
}

template <class T>
void loadBlock(T* block, const Access& access, const char* memory, const Box& box, int rank);

// With `uniform`, block holds one value for all elements.
template <class T>
void storeBlock(const T* block, bool uniform, const Access& access, char* memory, const Box& box, int rank);

}  // namespace kindling
