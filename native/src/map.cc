// Elementwise kernels over one or many sets of views.
#include "kernels.h"
#include "team.h"

namespace kindling {

namespace {

bool needsDouble(DType dtype, bool isOutput) {
  return dtype == DType::Int32 || dtype == DType::Float64 || (isOutput && dtype == DType::Uint8);
}

template <class T>
void bind(Evaluation<T>& e, const Program& program, const View* inputs, const View* outputs, const double* scalars) {
  const View& shape = outputs[0];
  const int inputCount = program.inputCount, outputCount = static_cast<int>(program.results.size());
  Access accesses[2 * kMaxViews];
  for (int i = 0; i < outputCount; i++) {
    if (i > 0) checkSameSizes(shape, outputs[i]);
    accesses[i] = accessOf(outputs[i], shape.rank, shape.size);
  }
  for (int i = 0; i < inputCount; i++) accesses[outputCount + i] = accessOf(inputs[i], shape.rank, shape.size);
  int order[kMaxRank];
  orderByStride(shape.stride, shape.rank, order);
  e.space.rank = shape.rank;
  std::copy(shape.size, shape.size + shape.rank, e.space.size);
  std::fill(e.space.reduced, e.space.reduced + shape.rank, false);
  collapse(e.space, accesses, inputCount + outputCount, order);
  fillOrTileExtents(e.space, accesses, inputCount + outputCount, Evaluation<T>::kCapacity);
  e.outputs.assign(accesses, accesses + outputCount);
  e.inputs.assign(accesses + outputCount, accesses + outputCount + inputCount);
  e.prepare(program, scalars);
}

template <class T>
void runSets(std::deque<Evaluation<T>>& sets, const Context& context, const Program& program, int setCount) {
  const size_t perSet = program.inputCount + program.results.size();
  if (sets.size() < static_cast<size_t>(setCount)) sets.resize(setCount);
  int64_t boxes = 0, work = 0;
  for (int s = 0; s < setCount; s++) {
    const View* views = context.views.data() + s * perSet;
    bind(sets[s], program, views, views + program.inputCount, context.scalars.data());
    boxes += sets[s].space.boxes();
    work += sets[s].work();
  }
  parallelFor(boxes, work, [&](int64_t first, int64_t last) {
    int64_t start = 0;  // number of the first box of set s
    for (int s = 0; s < setCount && start < last; s++) {
      const int64_t own = sets[s].space.boxes();
      const int64_t from = std::max(first - start, int64_t(0)), to = std::min(last - start, own);
      start += own;
      if (from >= to) continue;
      BoxRunner<T> runner(sets[s]);
      BoxWalk walk(sets[s].space, from);
      for (int64_t box = from; box < to; box++, walk.next()) runner.run(walk.box());
    }
  });
}

}  // namespace

double mapKernel(Context& context, Reader& reader) {
  const Program& program = context.program(reader);
  const int sets = reader.count(1 << 20);
  context.scalars.resize(program.scalarCount);
  for (double& scalar : context.scalars) scalar = reader.number();
  const int perSet = program.inputCount + static_cast<int>(program.results.size());
  if (program.results.empty()) throw std::runtime_error("kindling addon: a kernel without outputs");
  context.views.resize(static_cast<size_t>(sets) * perSet);
  bool isDouble = false;
  for (size_t i = 0; i < context.views.size(); i++) {
    reader.view(context.views[i]);
    isDouble = isDouble || needsDouble(context.views[i].dtype, static_cast<int>(i % perSet) >= program.inputCount);
  }
  if (isDouble) {
    runSets(context.doubles, context, program, sets);
  } else {
    runSets(context.floats, context, program, sets);
  }
  return 0;
}

}  // namespace kindling
