// Reads what the JavaScript side wrote into the descriptor, and refuses whatever could reach outside a storage.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

#include "dtype.h"

namespace kindling {

constexpr int kMaxRank = 16;
constexpr int kMaxViews = 32;

// A window on memory; strides count elements. `low` and `high` bound the bytes it can touch.
struct View {
  char* data = nullptr;
  DType dtype = DType::Float32;
  int rank = 0;
  int64_t size[kMaxRank];
  int64_t stride[kMaxRank];
  const char* low = nullptr;
  const char* high = nullptr;

  int64_t elements() const {
    int64_t n = 1;
    for (int i = 0; i < rank; i++) n *= size[i];
    return n;
  }
  template <class E>
  E* as() const {
    return reinterpret_cast<E*>(data);
  }
};

inline bool overlap(const View& a, const View& b) { return a.low < b.high && b.low < a.high; }

// Walks the descriptor; the layout is described at the top of addon.cc.
class Reader {
 public:
  Reader(const double* begin, const double* end) : at_(begin), end_(end) {}

  double number() {
    if (at_ >= end_) throw std::runtime_error("kindling addon: descriptor ends early");
    return *at_++;
  }

  int64_t integer(int64_t low, int64_t high) {
    const double x = number();
    if (!(x >= static_cast<double>(low) && x <= static_cast<double>(high)) || x != std::trunc(x)) {
      throw std::runtime_error("kindling addon: " + std::to_string(x) + " in the descriptor is not a whole number from " +
                               std::to_string(low) + " to " + std::to_string(high));
    }
    return static_cast<int64_t>(x);
  }

  int count(int high) { return static_cast<int>(integer(0, high)); }
  bool flag() { return integer(0, 1) != 0; }
  DType dtype() { return static_cast<DType>(integer(0, kDTypeCount - 1)); }

  void view(View& v) {
    const int64_t address = integer(0, kLimit);
    const int64_t byteLength = integer(0, kLimit);
    const int64_t offset = integer(0, kLimit);
    v.dtype = dtype();
    v.rank = count(kMaxRank);
    for (int i = 0; i < v.rank; i++) v.size[i] = integer(0, kLimit);
    for (int i = 0; i < v.rank; i++) v.stride[i] = integer(-kLimit, kLimit);
    place(v, address, byteLength, offset);
  }

 private:
  static constexpr int64_t kLimit = int64_t(1) << 50;

  static void place(View& v, int64_t address, int64_t byteLength, int64_t offset) {
    int64_t lowest = offset, highest = offset;
    int64_t elements = 1;
    bool bad = false;
    for (int i = 0; i < v.rank; i++) {
      int64_t reach = 0;
      if (v.size[i] > 0) bad |= __builtin_mul_overflow(v.size[i] - 1, v.stride[i], &reach);
      int64_t& bound = reach < 0 ? lowest : highest;
      bad |= __builtin_add_overflow(bound, reach, &bound);
      bad |= __builtin_mul_overflow(elements, v.size[i], &elements);
    }
    const int64_t bytes = bytesOf(v.dtype);
    if (elements == 0 && !bad) {
      lowest = offset = 0;
      highest = -1;
    }
    if (bad || lowest < 0 || highest >= byteLength / bytes || (elements > 0 && address == 0)) {
      throw std::runtime_error("kindling addon: a view reaches elements " + std::to_string(lowest) + " to " +
                               std::to_string(highest) + " of a storage of " + std::to_string(byteLength / bytes));
    }
    char* base = reinterpret_cast<char*>(static_cast<intptr_t>(address));
    v.data = base + offset * bytes;
    v.low = base + lowest * bytes;
    v.high = base + (highest + 1) * bytes;
  }

  const double* at_;
  const double* end_;
};

// Strides that let `v` be read as one of the given shape: aligned at the right, 0 along stretched axes.
inline void broadcastStrides(const View& v, int rank, const int64_t* size, int64_t* stride) {
  const int lead = rank - v.rank;
  if (lead < 0) throw std::runtime_error("kindling addon: an input has more axes than the output");
  for (int i = 0; i < rank; i++) {
    if (i < lead || (v.size[i - lead] == 1 && size[i] != 1)) {
      stride[i] = 0;
    } else if (v.size[i - lead] == size[i]) {
      stride[i] = v.stride[i - lead];
    } else {
      throw std::runtime_error("kindling addon: an input of size " + std::to_string(v.size[i - lead]) +
                               " does not broadcast to " + std::to_string(size[i]));
    }
  }
}

inline void checkSameSizes(const View& a, const View& b) {
  bool same = a.rank == b.rank;
  for (int i = 0; same && i < a.rank; i++) same = a.size[i] == b.size[i];
  if (!same) throw std::runtime_error("kindling addon: views differ in shape");
}

}  // namespace kindling
