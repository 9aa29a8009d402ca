// Expressions joined over axes. Work is cut by the shapes alone and parts are joined in a fixed order, so results do
// not depend on the number of threads. Within a part, values are joined in several lanes of the type we compute in, for
// a few dozen terms at most, then in double: the error is like that of a pairwise sum.
#include <limits>

#include "kernels.h"
#include "team.h"

namespace kindling {

namespace {

enum class Kind : int { Sum, Prod, Max, Min };

template <Kind kind, class T>
inline T join(T a, T b) {
  if constexpr (kind == Kind::Sum) return a + b;
  if constexpr (kind == Kind::Prod) return a * b;
  if constexpr (kind == Kind::Max) return (a > b) | (a != a) ? a : b;
  return (a < b) | (a != a) ? a : b;
}

template <Kind kind, class T>
constexpr T identity() {
  if constexpr (kind == Kind::Sum) return T(0);
  if constexpr (kind == Kind::Prod) return T(1);
  return kind == Kind::Max ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::infinity();
}

template <Kind kind, class T, int lanes>
double joinLanes(const T* x, int64_t n) {
  T part[lanes];
  for (int l = 0; l < lanes; l++) part[l] = x[l];
  int64_t i = lanes;
  for (; i + lanes <= n; i += lanes) {
    for (int l = 0; l < lanes; l++) part[l] = join<kind>(part[l], x[i + l]);
  }
  for (int l = 0; i < n; i++, l++) part[l] = join<kind>(part[l], x[i]);
  for (int half = lanes / 2; half > 0; half /= 2) {
    for (int l = 0; l < half; l++) part[l] = join<kind>(part[l], part[l + half]);
  }
  return part[0];
}

template <Kind kind, class T>
double joinLine(const T* x, int64_t n) {
  if (n >= 256) return joinLanes<kind, T, 64>(x, n);
  if (n >= 32) return joinLanes<kind, T, 16>(x, n);
  double all = x[0];
  for (int64_t i = 1; i < n; i++) all = join<kind, double>(all, x[i]);
  return all;
}

// A reduction bound to its views: axes are [kept…, reduced…], or [kept…, reduced…, kept] by columns.
template <class T>
struct Bound {
  Evaluation<T>& e;
  Access out;
  int kept = 0;          // axes before the reduced ones
  bool byColumns = false;
  bool asBool = false;   // max is "any", min is "all"

  const T* result(BoxRunner<T>& runner, int64_t n) const { return asBool ? runner.resultAsBool(n) : runner.result(n); }
  int64_t sizeOf(int first, int last) const {
    int64_t n = 1;
    for (int i = first; i < last; i++) n *= e.space.size[i];
    return n;
  }
  int64_t boxesOf(int first, int last) const {
    int64_t n = 1;
    for (int i = first; i < last; i++) n *= e.space.boxesAlong(i);
    return n;
  }
};

template <class T>
void storeResult(const Bound<T>& bound, Box box, const double* values) {
  const Space& space = bound.e.space;
  int64_t offset = 0;
  for (int i = 0; i < space.rank; i++) {
    if (space.reduced[i]) {
      box.extent[i] = 1;
    } else {
      offset += box.origin[i] * bound.out.stride[i];
    }
  }
  char* memory = bound.out.data + offset * bytesOf(bound.out.dtype);
  storeBlock<double>(values, false, bound.out, memory, box, space.rank);
}

// Several whole lines in a box.
template <Kind kind, class T>
void reduceShortLines(Bound<T>& bound, int64_t line) {
  Space& space = bound.e.space;
  parallelFor(space.boxes(), bound.e.work(), [&](int64_t first, int64_t last) {
    BoxRunner<T> runner(bound.e);
    BoxWalk walk(space, first);
    double results[Evaluation<T>::kCapacity];
    for (int64_t i = first; i < last; i++, walk.next()) {
      const int64_t n = walk.box().elements(space.rank);
      runner.run(walk.box());
      const T* block = bound.result(runner, n);
      for (int64_t k = 0; k < n / line; k++) results[k] = joinLine<kind>(block + k * line, line);
      storeResult(bound, walk.box(), results);
    }
  });
}

// How many parts the reduced boxes of one result are cut into.
inline int64_t splitsFor(int64_t results, int64_t boxes) {
  if (results >= 16) return 1;
  return std::clamp<int64_t>(boxes / 16, 1, 64);
}

// Lines longer than a box.
template <Kind kind, class T>
void reduceLongLines(Bound<T>& bound) {
  Space& space = bound.e.space;
  const int64_t lines = bound.sizeOf(0, bound.kept);
  const int64_t perLine = bound.boxesOf(bound.kept, space.rank);
  const int64_t splits = splitsFor(lines, perLine);
  std::vector<double> parts(lines * splits);
  parallelFor(lines * splits, bound.e.work(), [&](int64_t first, int64_t last) {
    BoxRunner<T> runner(bound.e);
    for (int64_t task = first; task < last; task++) {
      const int64_t split = task % splits;
      const int64_t start = task / splits * perLine;
      const int64_t from = start + split * perLine / splits, to = start + (split + 1) * perLine / splits;
      double all = identity<kind, double>();
      BoxWalk walk(space, from);
      for (int64_t i = from; i < to; i++, walk.next()) {
        const int64_t n = walk.box().elements(space.rank);
        runner.run(walk.box());
        all = join<kind, double>(all, joinLine<kind>(bound.result(runner, n), n));
      }
      parts[task] = all;
    }
  });
  BoxWalk walk(space, 0);
  Space lineSpace = space;
  lineSpace.rank = bound.kept;
  BoxWalk lineWalk(lineSpace, 0);
  for (int64_t line = 0; line < lines; line++, lineWalk.next()) {
    double all = parts[line * splits];
    for (int64_t s = 1; s < splits; s++) all = join<kind, double>(all, parts[line * splits + s]);
    Box box = walk.box();
    std::copy(lineWalk.box().origin, lineWalk.box().origin + bound.kept, box.origin);
    storeResult(bound, box, &all);
  }
}

// Joins the rows of blocks into one row of totals.
template <Kind kind, class T>
class ColumnTotals {
 public:
  void start(int64_t columns) {
    columns_ = columns;
    fold_ = columns < 64 ? (64 + columns - 1) / columns : 1;  // narrow rows are joined several at a time
    std::fill(totals_, totals_ + columns, identity<kind, double>());
    clear();
  }
  void add(const T* block, int64_t n) {
    const int64_t width = columns_ * fold_;
    int64_t at = 0;
    for (; at + width <= n; at += width) {
      addRow(block + at, width);
      if (++terms_ >= 32) flush();
    }
    for (; at < n; at += columns_) addRow(block + at, columns_);
    if (terms_ >= 16) flush();
  }
  const double* finish() {
    flush();
    return totals_;
  }

 private:
  void addRow(const T* row, int64_t n) {
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++) parts_[i] = join<kind>(parts_[i], row[i]);
  }
  void flush() {
    for (int64_t f = 0; f < fold_; f++) {
      const T* part = parts_ + f * columns_;
#pragma GCC ivdep
      for (int64_t i = 0; i < columns_; i++) totals_[i] = join<kind, double>(totals_[i], part[i]);
    }
    clear();
  }
  void clear() {
    std::fill(parts_, parts_ + columns_ * fold_, identity<kind, T>());
    terms_ = 0;
  }
  int64_t columns_ = 0, fold_ = 1, terms_ = 0;
  T parts_[Evaluation<T>::kCapacity + 64];
  double totals_[Evaluation<T>::kCapacity];
};

// The innermost axis is kept: whole rows are joined, element by element.
template <Kind kind, class T>
void reduceColumns(Bound<T>& bound) {
  Space& space = bound.e.space;
  const int last = space.rank - 1;
  Space rows = space;  // the reduced axes alone
  rows.rank = last - bound.kept;
  std::copy(space.size + bound.kept, space.size + last, rows.size);
  std::copy(space.extent + bound.kept, space.extent + last, rows.extent);
  Space results = space;  // the kept axes alone
  results.rank = bound.kept + 1;
  results.size[bound.kept] = space.size[last];
  results.extent[bound.kept] = space.extent[last];

  const int64_t resultBoxes = results.boxes(), rowBoxes = rows.boxes(), columns = space.extent[last];
  const int64_t splits = splitsFor(resultBoxes, rowBoxes);
  std::vector<double> parts(splits > 1 ? resultBoxes * splits * columns : 0);
  const auto boxOf = [&](const Box& result) {
    Box box;
    std::copy(result.origin, result.origin + bound.kept, box.origin);
    std::copy(result.extent, result.extent + bound.kept, box.extent);
    for (int i = bound.kept; i < last; i++) box.origin[i] = 0, box.extent[i] = 1;
    box.origin[last] = result.origin[bound.kept];
    box.extent[last] = result.extent[bound.kept];
    return box;
  };
  parallelFor(resultBoxes * splits, bound.e.work(), [&](int64_t first, int64_t end) {
    BoxRunner<T> runner(bound.e);
    ColumnTotals<kind, T> totals;
    for (int64_t task = first; task < end; task++) {
      const int64_t split = task % splits;
      Box box = boxOf(BoxWalk(results, task / splits).box());
      totals.start(box.extent[last]);
      const int64_t from = split * rowBoxes / splits, to = (split + 1) * rowBoxes / splits;
      BoxWalk walk(rows, from);
      for (int64_t i = from; i < to; i++, walk.next()) {
        std::copy(walk.box().origin, walk.box().origin + rows.rank, box.origin + bound.kept);
        std::copy(walk.box().extent, walk.box().extent + rows.rank, box.extent + bound.kept);
        const int64_t n = box.elements(space.rank);
        runner.run(box);
        totals.add(bound.result(runner, n), n);
      }
      const double* row = totals.finish();
      if (splits == 1) {
        storeResult(bound, box, row);
      } else {
        std::copy(row, row + box.extent[last], parts.data() + task * columns);
      }
    }
  });
  if (splits == 1) return;
  for (int64_t r = 0; r < resultBoxes; r++) {
    const Box box = boxOf(BoxWalk(results, r).box());
    double* all = parts.data() + r * splits * columns;
    for (int64_t s = 1; s < splits; s++) {
      for (int64_t i = 0; i < box.extent[last]; i++) all[i] = join<kind, double>(all[i], all[s * columns + i]);
    }
    storeResult(bound, box, all);
  }
}

// The axes by falling stride of the input with the most elements.
void orderByMemory(const Space& space, const Access* accesses, int inputs, int* order) {
  int guide = inputs;  // the output, if there is no input
  int64_t most = -1;
  for (int v = 0; v < inputs; v++) {
    int64_t n = 1;
    for (int i = 0; i < space.rank; i++) n *= accesses[v].stride[i] == 0 ? 1 : space.size[i];
    if (n > most) guide = v, most = n;
  }
  orderByStride(accesses[guide].stride, space.rank, order);
}

template <class T>
void layOut(Bound<T>& bound, Access* accesses, int inputs) {
  Space& space = bound.e.space;
  int order[kMaxRank];
  orderByMemory(space, accesses, inputs, order);
  collapse(space, accesses, inputs + 1, order);
  const int last = space.rank - 1;
  const bool anyReduced = std::find(space.reduced, space.reduced + space.rank, true) != space.reduced + space.rank;
  bound.byColumns = anyReduced && !space.reduced[last] && space.size[last] >= 8;
  int at = 0;
  for (int i = 0; i < space.rank; i++) {
    if (!space.reduced[i] && !(bound.byColumns && i == last)) order[at++] = i;
  }
  for (int i = 0; i < space.rank; i++) {
    if (space.reduced[i]) order[at++] = i;
  }
  if (bound.byColumns) order[at++] = last;
  collapse(space, accesses, inputs + 1, order);
  bound.kept = 0;
  while (bound.kept < space.rank && !space.reduced[bound.kept]) bound.kept++;
  if (bound.byColumns && bound.kept == space.rank) bound.byColumns = false;
}

template <Kind kind, class T>
void run(Bound<T>& bound, const Program& program, const double* scalars) {
  Space& space = bound.e.space;
  const int64_t line = bound.sizeOf(bound.kept, space.rank);
  const bool longLines = line > Evaluation<T>::kCapacity / 2;
  fillExtents(space, bound.byColumns || longLines ? bound.kept : 0, Evaluation<T>::kCapacity);
  bound.e.prepare(program, scalars);
  if (bound.byColumns) {
    reduceColumns<kind>(bound);
  } else if (longLines) {
    reduceLongLines<kind>(bound);
  } else {
    reduceShortLines<kind>(bound, line);
  }
}

void fillIdentity(const View& out, Kind kind) {
  const double value = kind == Kind::Prod ? 1 : 0;
  Box box;
  std::fill(box.origin, box.origin + out.rank, 0);
  std::copy(out.size, out.size + out.rank, box.extent);
  Access access{out.data, out.dtype, out.low, out.high, {}};
  std::copy(out.stride, out.stride + out.rank, access.stride);
  if (out.elements() > 0) storeBlock<double>(&value, true, access, out.data, box, out.rank);
}

template <class T>
void reduceTo(std::deque<Evaluation<T>>& kept, Context& context, const Program& program, Kind kind, const Space& space,
              const View& out) {
  if (kept.empty()) kept.resize(1);
  Bound<T> bound{kept[0], {}};
  bound.e.space = space;
  Access accesses[kMaxViews + 1];
  for (int i = 0; i < program.inputCount; i++) accesses[i] = accessOf(context.views[i], space.rank, space.size);
  accesses[program.inputCount] = accessOf(out, space.rank, space.size);
  layOut(bound, accesses, program.inputCount);
  bound.e.inputs.assign(accesses, accesses + program.inputCount);
  bound.e.outputs.clear();
  bound.out = accesses[program.inputCount];
  bound.asBool = out.dtype == DType::Bool && (kind == Kind::Max || kind == Kind::Min);
  const double* scalars = context.scalars.data();
  switch (kind) {
    case Kind::Sum: return run<Kind::Sum>(bound, program, scalars);
    case Kind::Prod: return run<Kind::Prod>(bound, program, scalars);
    case Kind::Max: return run<Kind::Max>(bound, program, scalars);
    case Kind::Min: return run<Kind::Min>(bound, program, scalars);
  }
}

}  // namespace

// Reads program, kind, scalars…, inputs…, out, shape[rank of out].
double reduceKernel(Context& context, Reader& reader) {
  const Program& program = context.program(reader);
  const Kind kind = static_cast<Kind>(reader.count(3));
  if (program.results.size() != 1) throw std::runtime_error("kindling addon: a reduction has one expression");
  context.scalars.resize(program.scalarCount);
  for (double& scalar : context.scalars) scalar = reader.number();
  context.views.resize(program.inputCount);
  bool isDouble = false;
  for (View& view : context.views) {
    reader.view(view);
    isDouble = isDouble || view.dtype == DType::Int32 || view.dtype == DType::Float64;
  }
  View out;
  reader.view(out);
  isDouble = isDouble || out.dtype == DType::Int32 || out.dtype == DType::Float64 || out.dtype == DType::Uint8;
  Space space;
  space.rank = out.rank;
  for (int i = 0; i < out.rank; i++) {
    space.size[i] = reader.integer(0, int64_t(1) << 50);
    space.reduced[i] = out.size[i] == 1 && space.size[i] != 1;
    if (!space.reduced[i] && out.size[i] != space.size[i]) {
      throw std::runtime_error("kindling addon: a kept axis changes its size");
    }
  }
  if (space.elements() == 0) {
    fillIdentity(out, kind);
  } else if (isDouble) {
    reduceTo(context.doubles, context, program, kind, space, out);
  } else {
    reduceTo(context.floats, context, program, kind, space, out);
  }
  return 0;
}

}  // namespace kindling
