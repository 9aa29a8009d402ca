#include "block.h"

namespace kindling {

namespace {

template <class T, class E>
void loadLine(T* to, int64_t toStep, const E* from, int64_t fromStep, int64_t n) {
  if (fromStep == 0) {
    const T value = static_cast<T>(widen(*from));
    for (int64_t i = 0; i < n; i++) to[i * toStep] = value;
  } else if (toStep == 1 && fromStep == 1) {
    for (int64_t i = 0; i < n; i++) to[i] = static_cast<T>(widen(from[i]));
  } else if (toStep == 1) {
    for (int64_t i = 0; i < n; i++) to[i] = static_cast<T>(widen(from[i * fromStep]));
  } else {
    for (int64_t i = 0; i < n; i++) to[i * toStep] = static_cast<T>(widen(from[i * fromStep]));
  }
}

template <class T, class E>
void storeLine(E* to, int64_t toStep, const T* from, int64_t fromStep, int64_t n) {
  if constexpr (std::is_same_v<E, int32_t> || std::is_same_v<E, uint8_t>) {
    // Values that need no wrapping, nearly all, take a loop that vectorises.
    int wide = 0;
    for (int64_t i = 0; i < n; i++) wide |= !(std::fabs(from[i * fromStep]) < T(2147483648.0));
    if (wide == 0) {
      for (int64_t i = 0; i < n; i++) to[i * toStep] = static_cast<E>(static_cast<int32_t>(from[i * fromStep]));
      return;
    }
  }
  if (fromStep == 0) {
    E value;
    narrow(*from, value);
    for (int64_t i = 0; i < n; i++) to[i * toStep] = value;
  } else if (toStep == 1 && fromStep == 1) {
    for (int64_t i = 0; i < n; i++) narrow(from[i], to[i]);
  } else {
    for (int64_t i = 0; i < n; i++) narrow(from[i * fromStep], to[i * toStep]);
  }
}

}  // namespace

template <class T>
void loadBlock(T* block, const Access& access, const char* memory, const Box& box, int rank) {
  const BlockShape shape(box, access.stride, rank);
  visitDType(access.dtype, [&](auto type) {
    using E = typename decltype(type)::Element;
    const E* from = reinterpret_cast<const E*>(memory);
    if (shape.rank == 0) {
      *block = static_cast<T>(widen(*from));
      return;
    }
    const int last = shape.rank - 1;
    eachLine(shape, [&](int64_t source, int64_t at) {
      loadLine(block + at, shape.packed[last], from + source, shape.stride[last], shape.extent[last]);
    });
  });
}

template <class T>
void storeBlock(const T* block, bool uniform, const Access& access, char* memory, const Box& box, int rank) {
  const BlockShape shape(box, access.stride, rank);
  visitDType(access.dtype, [&](auto type) {
    using E = typename decltype(type)::Element;
    E* to = reinterpret_cast<E*>(memory);
    if (shape.rank == 0) {
      narrow(*block, *to);
      return;
    }
    const int last = shape.rank - 1;
    const int64_t step = uniform ? 0 : shape.packed[last];
    eachLine(shape, [&](int64_t target, int64_t at) {
      storeLine(to + target, shape.stride[last], block + (uniform ? 0 : at), step, shape.extent[last]);
    });
  });
}

template void loadBlock<float>(float*, const Access&, const char*, const Box&, int);
template void loadBlock<double>(double*, const Access&, const char*, const Box&, int);
template void storeBlock<float>(const float*, bool, const Access&, char*, const Box&, int);
template void storeBlock<double>(const double*, bool, const Access&, char*, const Box&, int);

}  // namespace kindling
