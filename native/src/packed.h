// What the normalisations read from the descriptor: float32 views without gaps.
#pragma once

#include <stdexcept>
#include <string>

#include "view.h"

namespace kindling {

[[noreturn]] inline void refuse(const char* kernel) {
  throw std::runtime_error(std::string("kindling addon: ") + kernel + ": views do not fit each other");
}

inline bool isPacked(const View& v) {
  int64_t step = 1;
  for (int i = v.rank - 1; i >= 0; i--) {
    if (v.size[i] != 1 && v.stride[i] != step) return false;
    step *= v.size[i];
  }
  return v.dtype == DType::Float32;
}

inline void readMatrix(Reader& reader, const char* kernel, View& v) {
  reader.view(v);
  if (v.rank != 2 || v.elements() == 0 || !isPacked(v)) refuse(kernel);
}

inline void readVector(Reader& reader, const char* kernel, View& v, int64_t size) {
  reader.view(v);
  if (v.rank != 1 || v.size[0] != size || !isPacked(v)) refuse(kernel);
}

// Columns at the end may be written twice, so that results must not lie where something is still to be read.
inline void checkApart(const char* kernel, const View& in, const View& out) {
  if (overlap(in, out)) refuse(kernel);
}

// A view that may be left out.
struct Optional {
  bool given = false;
  View view;

  void read(Reader& reader, const char* kernel, int64_t size) {
    given = reader.flag();
    if (given) readVector(reader, kernel, view, size);
  }
  float at(int64_t i, float otherwise) const { return given ? view.as<float>()[i] : otherwise; }
};

}  // namespace kindling
