// Convolution and its two gradients through oneDNN. Images are used where they lie, in channels-last order; weights are
// reordered to what the primitive asks for in each call, which costs little beside the work.
#include "images.h"
#include "kernels.h"
#include "primitives.h"
#include "signals.h"
#include "smallMaps.h"
#include "threads.h"
#include "winograd.h"

namespace kindling {

Primitives& Context::dnn() {
  if (primitives == nullptr) primitives = std::make_shared<Primitives>();
  return *primitives;
}

namespace {

using dnnl::memory;
using Dims = memory::dims;

enum Kind : int64_t { Forward, Data, Weight };

// The parties of a convolution, whatever is computed from what.
struct Problem {
  View x, weight, bias, y;
  bool hasBias = false;
  int64_t groups = 1;
  Windows windows;
};

void check(const char* name, Problem& p, Reader& reader) {
  p.groups = reader.integer(1, int64_t(1) << 30);
  checkImages(name, p.x);
  checkImages(name, p.y);
  const View& w = p.weight;
  if (w.rank != p.x.rank || w.dtype != DType::Float32 || w.elements() == 0 || !isRowMajor(w)) {
    refuseImages(name, "weights must be row-major float32 of the images' rank");
  }
  const bool fits = p.y.rank == p.x.rank && p.x.size[0] == p.y.size[0] && w.size[0] == p.y.size[1] &&
                    w.size[1] * p.groups == p.x.size[1] && w.size[0] % p.groups == 0;
  if (!fits) refuseImages(name, "channels, groups or batch do not fit");
  if (p.hasBias && (p.bias.rank != 1 || p.bias.size[0] != w.size[0] || p.bias.dtype != DType::Float32 ||
                    (p.bias.size[0] > 1 && p.bias.stride[0] != 1))) {
    refuseImages(name, "the bias does not fit");
  }
  p.windows.read(reader, name, p.x, p.y, w.size + 2);
}

memory::desc imageDesc(const View& v) {
  Dims dims(v.size, v.size + v.rank), strides(v.rank);
  int64_t step = 1;
  strides[1] = step;
  step *= v.size[1];
  for (int i = v.rank - 1; i > 1; i--) {
    strides[i] = step;
    step *= v.size[i];
  }
  strides[0] = step;
  return {dims, memory::data_type::f32, strides};
}

Dims weightDims(const Problem& p) {
  Dims dims(p.weight.size, p.weight.size + p.weight.rank);
  if (p.groups > 1) {
    dims[0] /= p.groups;
    dims.insert(dims.begin(), p.groups);
  }
  return dims;
}

memory::desc plainDesc(const Dims& dims) {
  Dims strides(dims.size());
  int64_t step = 1;
  for (size_t i = dims.size(); i-- > 0;) {
    strides[i] = step;
    step *= dims[i];
  }
  return {dims, memory::data_type::f32, strides};
}

memory::desc anyDesc(const Dims& dims) { return {dims, memory::data_type::f32, memory::format_tag::any}; }

// How the primitive is told what it needs to know; oneDNN 3 has no operation descriptors any more.
struct Shapes {
  memory::desc x, weight, bias, y;
  Dims strides, dilations, before, after;
  dnnl::primitive_attr attributes;

  explicit Shapes(const Problem& p) : x(imageDesc(p.x)), weight(anyDesc(weightDims(p))), y(imageDesc(p.y)) {
    if (p.hasBias) bias = memory::desc({p.weight.size[0]}, memory::data_type::f32, memory::format_tag::a);
    for (int i = 0; i < p.windows.axes; i++) {
      const Along& a = p.windows.spatial(i);
      strides.push_back(a.stride);
      dilations.push_back(a.dilation - 1);
      before.push_back(a.before);
      after.push_back(a.after());
    }
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  }
};

constexpr auto kDirect = dnnl::algorithm::convolution_direct;
using Fwd = dnnl::convolution_forward;
using BwdData = dnnl::convolution_backward_data;
using BwdWeight = dnnl::convolution_backward_weights;

#if DNNL_VERSION_MAJOR >= 3
Fwd::primitive_desc forwardDesc(const dnnl::engine& engine, const Shapes& s) {
  return Fwd::primitive_desc(engine, dnnl::prop_kind::forward_training, kDirect, s.x, s.weight, s.bias, s.y, s.strides,
                             s.dilations, s.before, s.after, s.attributes);
}
BwdData::primitive_desc dataDesc(const dnnl::engine& engine, const Shapes& s, const Fwd::primitive_desc& hint) {
  return BwdData::primitive_desc(engine, kDirect, s.x, s.weight, s.y, s.strides, s.dilations, s.before, s.after, hint,
                                 s.attributes);
}
BwdWeight::primitive_desc weightDesc(const dnnl::engine& engine, const Shapes& s, const Fwd::primitive_desc& hint) {
  return BwdWeight::primitive_desc(engine, kDirect, s.x, s.weight, s.bias, s.y, s.strides, s.dilations, s.before,
                                   s.after, hint, s.attributes);
}
#else
Fwd::primitive_desc forwardDesc(const dnnl::engine& engine, const Shapes& s) {
  const Fwd::desc desc(dnnl::prop_kind::forward_training, kDirect, s.x, s.weight, s.bias, s.y, s.strides, s.dilations,
                       s.before, s.after);
  return Fwd::primitive_desc(desc, s.attributes, engine);
}
BwdData::primitive_desc dataDesc(const dnnl::engine& engine, const Shapes& s, const Fwd::primitive_desc& hint) {
  const BwdData::desc desc(kDirect, s.x, s.weight, s.y, s.strides, s.dilations, s.before, s.after);
  return BwdData::primitive_desc(desc, s.attributes, engine, hint);
}
BwdWeight::primitive_desc weightDesc(const dnnl::engine& engine, const Shapes& s, const Fwd::primitive_desc& hint) {
  const BwdWeight::desc desc(kDirect, s.x, s.weight, s.bias, s.y, s.strides, s.dilations, s.before, s.after);
  return BwdWeight::primitive_desc(desc, s.attributes, engine, hint);
}
#endif

// A primitive with its memory objects; only the addresses change from call to call.
struct ConvEntry : Primitives::Entry {
  dnnl::primitive primitive;
  dnnl::reorder reorder;  // of the weights, where the primitive wants them otherwise
  bool reorders = false;
  size_t weightBytes = 0, scratchBytes = 0;
  memory x, plain, weight, bias, y, scratch;
  std::unordered_map<int, memory> arguments, reorderArguments;
};

size_t padded(size_t bytes) { return (bytes + 4095) / 4096 * 4096; }

void addMemory(ConvEntry& e, const dnnl::engine& engine, const Shapes& s, const Problem& p, Kind kind,
               const memory::desc& wanted, const memory::desc& scratch) {
  e.x = memory(s.x, engine, nullptr);
  e.y = memory(s.y, engine, nullptr);
  e.plain = memory(plainDesc(weightDims(p)), engine, nullptr);
  e.reorders = wanted != e.plain.get_desc();
  e.weight = e.reorders ? memory(wanted, engine, nullptr) : e.plain;
  e.weightBytes = e.reorders ? padded(wanted.get_size()) : 0;
  e.scratch = memory(scratch, engine, nullptr);
  e.scratchBytes = scratch.get_size();
  if (p.hasBias) e.bias = memory(s.bias, engine, nullptr);
  const bool fromWeight = kind == Weight;
  if (e.reorders) {
    memory &from = fromWeight ? e.weight : e.plain, &to = fromWeight ? e.plain : e.weight;
    e.reorder = dnnl::reorder(from, to);
    e.reorderArguments = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
  }
  e.arguments = {{kind == Data ? DNNL_ARG_DIFF_SRC : DNNL_ARG_SRC, e.x},
                 {kind == Weight ? DNNL_ARG_DIFF_WEIGHTS : DNNL_ARG_WEIGHTS, e.weight},
                 {kind == Forward ? DNNL_ARG_DST : DNNL_ARG_DIFF_DST, e.y},
                 {DNNL_ARG_SCRATCHPAD, e.scratch}};
  if (p.hasBias) e.arguments.insert({kind == Forward ? DNNL_ARG_BIAS : DNNL_ARG_DIFF_BIAS, e.bias});
}

std::unique_ptr<ConvEntry> makeEntry(const dnnl::engine& engine, const Problem& p, Kind kind) {
  auto e = std::make_unique<ConvEntry>();
  const Shapes s(p);
  const auto forward = forwardDesc(engine, s);
  if (kind == Forward) {
    addMemory(*e, engine, s, p, kind, forward.weights_desc(), forward.scratchpad_desc());
    e->primitive = Fwd(forward);
  } else if (kind == Data) {
    const auto desc = dataDesc(engine, s, forward);
    addMemory(*e, engine, s, p, kind, desc.weights_desc(), desc.scratchpad_desc());
    e->primitive = BwdData(desc);
  } else {
    const auto desc = weightDesc(engine, s, forward);
    addMemory(*e, engine, s, p, kind, desc.diff_weights_desc(), desc.scratchpad_desc());
    e->primitive = BwdWeight(desc);
  }
  return e;
}

Primitives::Key keyOf(const Problem& p, Kind kind) {
  Primitives::Key key{kind, p.groups, p.hasBias, omp_get_max_threads(), p.windows.axes};
  key.insert(key.end(), p.x.size, p.x.size + 2);
  key.push_back(p.weight.size[0]);
  for (int i = 0; i < p.windows.axes; i++) {
    const Along& a = p.windows.spatial(i);
    key.insert(key.end(), {a.size, a.places, a.kernel, a.stride, a.dilation, a.before});
  }
  return key;
}

// The problem as Winograd's algorithm takes it: 3×3 kernels at stride 1, padded by at most 2.
bool asWinograd(const Problem& p, Kind kind, Winograd& w) {
  if (p.windows.axes != 2 || p.groups != 1) return false;
  const Along &y = p.windows.spatial(0), &x = p.windows.spatial(1);
  for (const Along* a : {&y, &x}) {
    if (a->kernel != 3 || a->stride != 1 || a->dilation != 1 || a->before > 2) return false;
  }
  if (kind == Data) {
    w = {p.x.size[0], y.places, x.places, p.y.size[1], y.size, x.size, p.x.size[1], 2 - y.before, 2 - x.before};
  } else {
    w = {p.x.size[0], y.size, x.size, p.x.size[1], y.places, x.places, p.y.size[1], y.before, x.before};
  }
  return w.pays();
}

void runWinograd(Context& context, const Problem& p, Kind kind, const Winograd& w) {
  char* scratch = context.dnn().scratch(kind == Weight ? w.weightBytes() : w.forwardBytes());
  float *x = p.x.as<float>(), *y = p.y.as<float>(), *weight = p.weight.as<float>();
  if (kind == Forward) {
    w.forward(x, weight, p.hasBias ? p.bias.as<float>() : nullptr, y, scratch);
  } else if (kind == Data) {
    w.turned(y, weight, x, scratch);
  } else {
    w.weights(x, y, weight, scratch);
  }
}

// The problem as products of small maps take it.
bool asSmallMaps(const Problem& p, SmallMaps& m) {
  if (p.windows.axes != 2 || p.groups != 1) return false;
  const Along &y = p.windows.spatial(0), &x = p.windows.spatial(1);
  if (y.dilation != 1 || x.dilation != 1) return false;
  m = {p.x.size[0], y.size, x.size, p.x.size[1], y.places, x.places, p.y.size[1],
       y.kernel, x.kernel, y.stride, x.stride, y.before, x.before};
  return m.pays();
}

void runSmallMaps(Context& context, const Problem& p, Kind kind, const SmallMaps& m) {
  char* scratch = context.dnn().scratch(m.bytes(kind == Weight));
  float *x = p.x.as<float>(), *y = p.y.as<float>(), *weight = p.weight.as<float>();
  if (kind == Forward) {
    m.forward(x, weight, p.hasBias ? p.bias.as<float>() : nullptr, y, scratch);
  } else if (kind == Data) {
    m.data(y, weight, x, scratch);
  } else {
    m.weights(x, y, weight, scratch);
  }
}

// The gradient for the bias: sums over all positions, in float over blocks and in double over these.
void sumPositions(const View& y, float* bias) {
  constexpr int64_t kBlock = 64;
  const int64_t c = y.size[1], rows = y.elements() / c;
  std::vector<double> total(c, 0.0);
  std::vector<float> block(c);
  const float* row = y.as<float>();
  for (int64_t first = 0; first < rows; first += kBlock) {
    std::fill(block.begin(), block.end(), 0.0f);
    for (int64_t i = first; i < std::min(rows, first + kBlock); i++, row += c) {
      for (int64_t j = 0; j < c; j++) block[j] += row[j];
    }
    for (int64_t j = 0; j < c; j++) total[j] += block[j];
  }
  for (int64_t j = 0; j < c; j++) bias[j] = static_cast<float>(total[j]);
}

// Whether one of the addon's own algorithms took the problem.
bool runOwn(Context& context, const Problem& p, Kind kind) {
  Winograd w;
  SmallMaps m;
  if (asWinograd(p, kind, w)) {
    runWinograd(context, p, kind, w);
  } else if (asSmallMaps(p, m)) {
    runSmallMaps(context, p, kind, m);
  } else {
    return false;
  }
  if (kind == Weight && p.hasBias) sumPositions(p.y, p.bias.as<float>());
  return true;
}

void run(Context& context, const Problem& p, Kind kind) {
  if (runOwn(context, p, kind)) return;
  Primitives& primitives = context.dnn();
  ConvEntry& e = primitives.find<ConvEntry>(keyOf(p, kind), [&] { return makeEntry(primitives.engine, p, kind); });
  char* scratch = primitives.scratch(e.weightBytes + e.scratchBytes);
  e.x.set_data_handle(p.x.data);
  e.y.set_data_handle(p.y.data);
  e.plain.set_data_handle(p.weight.data);
  if (e.reorders) e.weight.set_data_handle(scratch);
  if (p.hasBias) e.bias.set_data_handle(p.bias.data);
  e.scratch.set_data_handle(scratch + e.weightBytes);
  const SignalsHeld held;
  if (e.reorders && kind != Weight) e.reorder.execute(primitives.stream, e.reorderArguments);
  e.primitive.execute(primitives.stream, e.arguments);
  if (e.reorders && kind == Weight) e.reorder.execute(primitives.stream, e.reorderArguments);
  primitives.stream.wait();
}

}  // namespace

// Reads whether there is a bias, x, weight, [bias,] out, groups, windows.
double convolutionKernel(Context& context, Reader& reader) {
  Problem p;
  p.hasBias = reader.flag();
  reader.view(p.x);
  reader.view(p.weight);
  if (p.hasBias) reader.view(p.bias);
  reader.view(p.y);
  check("convolution", p, reader);
  run(context, p, Forward);
  return 0;
}

// Reads gradient, weight, out, groups, windows.
double convolutionDataKernel(Context& context, Reader& reader) {
  Problem p;
  reader.view(p.y);
  reader.view(p.weight);
  reader.view(p.x);
  check("convolutionData", p, reader);
  run(context, p, Data);
  return 0;
}

// Reads whether the bias is wanted, x, gradient, out, [bias,] groups, windows.
double convolutionWeightKernel(Context& context, Reader& reader) {
  Problem p;
  p.hasBias = reader.flag();
  reader.view(p.x);
  reader.view(p.y);
  reader.view(p.weight);
  if (p.hasBias) reader.view(p.bias);
  check("convolutionWeight", p, reader);
  run(context, p, Weight);
  return 0;
}

}  // namespace kindling
