// Reading and adding at positions given by an index. Every index is checked before anything is written.
#include <cstring>

#include "block.h"
#include "kernels.h"
#include "team.h"

namespace kindling {

namespace {

// Pairs rows of the view that is indexed with rows of the plain view, which has the shape of the index. Axes along which
// the index does not change form the rows; the others, the indexed axis among them, are walked outside.
struct Pairing {
  Space outer, rows;
  Access index, indexed, plain;    // along the outer axes; `indexed` stands still along the indexed one
  Access indexedRow, plainRow;     // along the rows' axes
  int64_t step = 0;                // of the indexed view along the indexed axis
  int64_t limit = 0;               // size of that axis
};

void checkShapes(const View& indexed, const View& index, const View& plain, int axis) {
  checkSameSizes(index, plain);
  bool fits = indexed.rank == plain.rank && index.dtype == DType::Int32 && indexed.dtype == plain.dtype;
  for (int i = 0; fits && i < plain.rank; i++) fits = i == axis || indexed.size[i] >= plain.size[i];
  if (!fits) throw std::runtime_error("kindling addon: index, source and target do not fit each other");
}

Pairing pair(const View& indexed, const View& index, const View& plain, int axis) {
  Pairing p;
  p.step = indexed.stride[axis];
  p.limit = indexed.size[axis];
  Access outer[3] = {{index.data, index.dtype, index.low, index.high, {}},
                     {indexed.data, indexed.dtype, indexed.low, indexed.high, {}},
                     {plain.data, plain.dtype, plain.low, plain.high, {}}};
  Access rows[2] = {outer[1], outer[2]};
  int order[kMaxRank];
  for (int i = 0; i < kMaxRank; i++) order[i] = i;
  for (int i = 0; i < plain.rank; i++) {
    const bool isRow = i != axis && (index.stride[i] == 0 || index.size[i] == 1);
    Space& space = isRow ? p.rows : p.outer;
    const int at = space.rank++;
    space.size[at] = plain.size[i];
    space.reduced[at] = false;
    Access* accesses = isRow ? rows : outer + 1;
    accesses[0].stride[at] = i == axis ? 0 : indexed.stride[i];
    accesses[1].stride[at] = plain.stride[i];
    if (!isRow) outer[0].stride[at] = index.stride[i];
  }
  collapse(p.outer, outer, 3, order);
  collapse(p.rows, rows, 2, order);
  p.index = outer[0], p.indexed = outer[1], p.plain = outer[2];
  p.indexedRow = rows[0], p.plainRow = rows[1];
  return p;
}

// Calls visit(position in the indexed view, position in the plain view) for the outer positions first … last − 1.
template <class Visit>
void eachRow(const Pairing& p, int64_t first, int64_t last, Visit&& visit) {
  const int32_t* indices = reinterpret_cast<const int32_t*>(p.index.data);
  int64_t position[kMaxRank];
  int64_t index = 0, indexed = 0, plain = 0, rest = first;
  for (int i = p.outer.rank - 1; i >= 0; i--) {
    position[i] = rest % p.outer.size[i];
    rest /= p.outer.size[i];
    index += position[i] * p.index.stride[i];
    indexed += position[i] * p.indexed.stride[i];
    plain += position[i] * p.plain.stride[i];
  }
  for (int64_t n = first; n < last; n++) {
    visit(indexed + indices[index] * p.step, plain);
    for (int i = p.outer.rank - 1; i >= 0; i--) {
      index += p.index.stride[i];
      indexed += p.indexed.stride[i];
      plain += p.plain.stride[i];
      if (++position[i] < p.outer.size[i]) break;
      position[i] = 0;
      index -= p.index.stride[i] * p.outer.size[i];
      indexed -= p.indexed.stride[i] * p.outer.size[i];
      plain -= p.plain.stride[i] * p.outer.size[i];
    }
  }
}

bool indicesInRange(const Pairing& p) {
  const int32_t* indices = reinterpret_cast<const int32_t*>(p.index.data);
  bool bad = false;
  int64_t position[kMaxRank] = {};
  const int inner = p.outer.rank - 1;
  const int64_t n = inner < 0 ? 1 : p.outer.size[inner], step = inner < 0 ? 0 : p.index.stride[inner];
  for (int64_t at = 0;;) {
    int any = 0;
    for (int64_t i = 0; i < n; i++) {
      const int64_t value = indices[at + i * step];
      any |= (value < 0) | (value >= p.limit);
    }
    bad |= any != 0;
    int axis = inner - 1;
    for (; axis >= 0; axis--) {
      at += p.index.stride[axis];
      if (++position[axis] < p.outer.size[axis]) break;
      at -= p.index.stride[axis] * p.outer.size[axis];
      position[axis] = 0;
    }
    if (axis < 0) return !bad;
  }
}

// Rows far apart would come from memory too late if nobody asked for them before their turn.
inline void askFor(const void* row, size_t bytes) {
  constexpr size_t kLine = 64, kMost = 8192;
  const char* at = static_cast<const char*>(row);
  for (size_t i = 0; i < std::min(bytes, kMost); i += kLine) __builtin_prefetch(at + i);
}

template <class E>
void copyRows(const Pairing& p) {
  E* to = reinterpret_cast<E*>(p.plain.data);
  const E* from = reinterpret_cast<const E*>(p.indexed.data);
  const int inner = p.rows.rank - 1;
  const int64_t n = inner < 0 ? 1 : p.rows.size[inner];
  const int64_t fromStep = inner < 0 ? 1 : p.indexedRow.stride[inner], toStep = inner < 0 ? 1 : p.plainRow.stride[inner];
  const bool packed = fromStep == 1 && toStep == 1;
  const int64_t outer = p.outer.elements();
  const auto copyLine = [&](const E* source, E* target) {
    if (packed) {
      std::memcpy(target, source, n * sizeof(E));
    } else {
      for (int64_t i = 0; i < n; i++) target[i * toStep] = source[i * fromStep];
    }
  };
  if (packed && inner <= 0 && p.outer.rank == 1) {
    const int32_t* indices = reinterpret_cast<const int32_t*>(p.index.data);
    const auto source = [&](int64_t row) {
      return from + row * p.indexed.stride[0] + indices[row * p.index.stride[0]] * p.step;
    };
    parallelFor(outer, outer * n, [&](int64_t first, int64_t last) {
      for (int64_t row = first; row < last; row++) {
        if (row + 1 < last) askFor(source(row + 1), n * sizeof(E));
        std::memcpy(to + row * p.plain.stride[0], source(row), n * sizeof(E));
      }
    });
    return;
  }
  parallelFor(outer, outer * p.rows.elements(), [&](int64_t first, int64_t last) {
    eachRow(p, first, last, [&](int64_t source, int64_t target) {
      if (inner <= 0) return copyLine(from + source, to + target);
      int64_t position[kMaxRank] = {};
      for (;;) {
        copyLine(from + source, to + target);
        int axis = inner - 1;
        for (; axis >= 0; axis--) {
          source += p.indexedRow.stride[axis];
          target += p.plainRow.stride[axis];
          if (++position[axis] < p.rows.size[axis]) break;
          source -= p.indexedRow.stride[axis] * p.rows.size[axis];
          target -= p.plainRow.stride[axis] * p.rows.size[axis];
          position[axis] = 0;
        }
        if (axis < 0) return;
      }
    });
  });
}

// Threads share the columns of the rows, not the rows: each sum keeps the order of the source.
template <class E>
void addRows(const Pairing& p) {
  E* to = reinterpret_cast<E*>(p.indexed.data);
  const E* from = reinterpret_cast<const E*>(p.plain.data);
  const int inner = p.rows.rank - 1;
  const int64_t columns = inner < 0 ? 1 : p.rows.size[inner];
  const int64_t toStep = inner < 0 ? 1 : p.indexedRow.stride[inner], fromStep = inner < 0 ? 1 : p.plainRow.stride[inner];
  const bool packed = fromStep == 1 && toStep == 1;
  const int64_t outer = p.outer.elements();
  constexpr int64_t kColumns = 64;
  const int64_t parts = (columns + kColumns - 1) / kColumns;
  parallelFor(parts, outer * p.rows.elements(), [&](int64_t firstPart, int64_t lastPart) {
    const int64_t start = firstPart * kColumns, n = std::min(columns, lastPart * kColumns) - start;
    const auto addLine = [&](E* target, const E* source) {
      target += start * toStep;
      source += start * fromStep;
      if (packed) {
#pragma GCC ivdep
        for (int64_t i = 0; i < n; i++) target[i] += source[i];
      } else {
        for (int64_t i = 0; i < n; i++) target[i * toStep] += source[i * fromStep];
      }
    };
    eachRow(p, 0, outer, [&](int64_t target, int64_t source) {
      if (inner <= 0) return addLine(to + target, from + source);
      int64_t position[kMaxRank] = {};
      for (;;) {
        addLine(to + target, from + source);
        int axis = inner - 1;
        for (; axis >= 0; axis--) {
          target += p.indexedRow.stride[axis];
          source += p.plainRow.stride[axis];
          if (++position[axis] < p.rows.size[axis]) break;
          target -= p.indexedRow.stride[axis] * p.rows.size[axis];
          source -= p.plainRow.stride[axis] * p.rows.size[axis];
          position[axis] = 0;
        }
        if (axis < 0) return;
      }
    });
  });
}

}  // namespace

// Reads axis, x, index, out.
double gatherKernel(Context&, Reader& reader) {
  const int axis = reader.count(kMaxRank - 1);
  View x, index, out;
  reader.view(x);
  reader.view(index);
  reader.view(out);
  if (axis >= x.rank) throw std::runtime_error("kindling addon: no such axis");
  checkShapes(x, index, out, axis);
  if (out.elements() == 0) return 0;
  const Pairing p = pair(x, index, out, axis);
  if (!indicesInRange(p)) return 1;
  switch (bytesOf(x.dtype)) {
    case 1: copyRows<uint8_t>(p); break;
    case 2: copyRows<uint16_t>(p); break;
    case 4: copyRows<uint32_t>(p); break;
    default: copyRows<uint64_t>(p);
  }
  return 0;
}

// Reads axis, out, index, source; of float32, float64 or int32.
double scatterAddKernel(Context&, Reader& reader) {
  const int axis = reader.count(kMaxRank - 1);
  View out, index, source;
  reader.view(out);
  reader.view(index);
  reader.view(source);
  if (axis >= out.rank) throw std::runtime_error("kindling addon: no such axis");
  checkShapes(out, index, source, axis);
  if (source.elements() == 0) return 0;
  const Pairing p = pair(out, index, source, axis);
  if (!indicesInRange(p)) return 1;
  switch (out.dtype) {
    case DType::Float32: addRows<float>(p); break;
    case DType::Float64: addRows<double>(p); break;
    case DType::Int32: addRows<uint32_t>(p); break;  // unsigned: sums wrap
    default: throw std::runtime_error("kindling addon: scatterAdd does not take this dtype");
  }
  return 0;
}

}  // namespace kindling
