// Convolution and its two gradients through oneDNN. Images are used where they lie, in channels-last order; weights are
// reordered to what the primitive asks for in each call, which costs little beside the work.
#include "columns.h"
#include "convolution.h"
#include "primitives.h"
#include "signals.h"
#include "team.h"

#include <optional>
#include <string>
#include <string_view>

namespace kindling {

Primitives& Context::dnn() {
  if (primitives == nullptr) primitives = std::make_shared<Primitives>();
  return *primitives;
}

namespace {

using dnnl::memory;
using Dims = memory::dims;

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
  bool hasFewChannels;

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
    hasFewChannels = p.weight.size[1] <= 8;
  }
};

constexpr auto kDirect = dnnl::algorithm::convolution_direct;
using Fwd = dnnl::convolution_forward;
using BwdData = dnnl::convolution_backward_data;
using BwdWeight = dnnl::convolution_backward_weights;

// What make() gives, or for few input channels oneDNN's direct kernel, which is faster than the products for each tap that
// it tries first.
template <class Make>
Fwd::primitive_desc fasterDesc(const Shapes& s, Make&& make) {
  constexpr std::string_view kProducts = "brgconv:", kDirectKernel = "jit:";
  const Fwd::primitive_desc first = make();
  const std::string_view name = first.impl_info_str();
  if (!s.hasFewChannels || name.substr(0, kProducts.size()) != kProducts) return first;
  const std::string wanted = std::string(kDirectKernel).append(name.substr(kProducts.size()));  // for the same processor
  for (Fwd::primitive_desc next = make(); next.next_impl();) {
    if (next.impl_info_str() == wanted) return next;
  }
  return first;
}

#if DNNL_VERSION_MAJOR >= 3
Fwd::primitive_desc forwardDesc(const dnnl::engine& engine, const Shapes& s) {
  return fasterDesc(s, [&] {
    return Fwd::primitive_desc(engine, dnnl::prop_kind::forward_training, kDirect, s.x, s.weight, s.bias, s.y, s.strides,
                               s.dilations, s.before, s.after, s.attributes);
  });
}
BwdData::primitive_desc dataDesc(const dnnl::engine& engine, const Shapes& s, const Fwd::primitive_desc& hint) {
  return BwdData::primitive_desc(engine, kDirect, s.x, s.weight, s.y, s.strides, s.dilations, s.before, s.after, hint,
                                 s.attributes);
}
BwdWeight::primitive_desc weightDesc(const dnnl::engine& engine, const Shapes& s, const Fwd::primitive_desc& hint) {
  return BwdWeight::primitive_desc(engine, kDirect, s.x, s.weight, s.y, s.strides, s.dilations, s.before, s.after, hint,
                                   s.attributes);
}
#else
Fwd::primitive_desc forwardDesc(const dnnl::engine& engine, const Shapes& s) {
  const Fwd::desc desc(dnnl::prop_kind::forward_training, kDirect, s.x, s.weight, s.bias, s.y, s.strides, s.dilations,
                       s.before, s.after);
  return fasterDesc(s, [&] { return Fwd::primitive_desc(desc, s.attributes, engine); });  // which hold on to `desc`
}
BwdData::primitive_desc dataDesc(const dnnl::engine& engine, const Shapes& s, const Fwd::primitive_desc& hint) {
  const BwdData::desc desc(kDirect, s.x, s.weight, s.y, s.strides, s.dilations, s.before, s.after);
  return BwdData::primitive_desc(desc, s.attributes, engine, hint);
}
BwdWeight::primitive_desc weightDesc(const dnnl::engine& engine, const Shapes& s, const Fwd::primitive_desc& hint) {
  const BwdWeight::desc desc(kDirect, s.x, s.weight, s.y, s.strides, s.dilations, s.before, s.after);
  return BwdWeight::primitive_desc(desc, s.attributes, engine, hint);
}
#endif

// A primitive for some of the images, with its memory objects; only the addresses change from call to call.
struct ConvEntry : Primitives::Entry {
  dnnl::primitive primitive;
  dnnl::reorder reorder;  // of the weights, where the primitive wants them otherwise
  bool reorders = false;
  bool isProduct = false;
  memory::desc weightDesc;
  memory plain, blocked;
  size_t weightBytes = 0, scratchBytes = 0;
  // One of these for each thread.
  struct Lane {
    memory x, weight, bias, y, scratch;
    std::unordered_map<int, memory> arguments;
  };
  std::vector<Lane> lanes;
};

size_t padded(size_t bytes) { return (bytes + 4095) / 4096 * 4096; }

void addMemory(ConvEntry& e, const dnnl::engine& engine, const Shapes& s, const Problem& p, Kind kind,
               const memory::desc& wanted, const memory::desc& scratch, int lanes) {
  e.plain = memory(plainDesc(weightDims(p)), engine, nullptr);
  e.weightDesc = wanted;
  e.reorders = wanted != e.plain.get_desc();
  e.weightBytes = padded(wanted.get_size());
  e.scratchBytes = padded(scratch.get_size());
  e.blocked = memory(wanted, engine, nullptr);
  if (e.reorders) e.reorder = kind == Weight ? dnnl::reorder(e.blocked, e.plain) : dnnl::reorder(e.plain, e.blocked);
  for (int i = 0; i < lanes; i++) {
    ConvEntry::Lane lane{memory(s.x, engine, nullptr), memory(wanted, engine, nullptr), memory(),
                         memory(s.y, engine, nullptr), memory(scratch, engine, nullptr), {}};
    lane.arguments = {{kind == Data ? DNNL_ARG_DIFF_SRC : DNNL_ARG_SRC, lane.x},
                      {kind == Weight ? DNNL_ARG_DIFF_WEIGHTS : DNNL_ARG_WEIGHTS, lane.weight},
                      {kind == Forward ? DNNL_ARG_DST : DNNL_ARG_DIFF_DST, lane.y},
                      {DNNL_ARG_SCRATCHPAD, lane.scratch}};
    if (p.hasBias) {
      lane.bias = memory(s.bias, engine, nullptr);
      lane.arguments.insert({DNNL_ARG_BIAS, lane.bias});
    }
    e.lanes.push_back(std::move(lane));
  }
}

// Whether oneDNN copies windows side by side and multiplies matrices, by the name of its implementation.
bool isProduct(const dnnl::primitive_desc_base& desc) {
  return std::string_view(desc.impl_info_str()).find("gemm") != std::string_view::npos;
}

// `weight`: how weights must lie, or an empty description for the primitive to choose.
std::unique_ptr<ConvEntry> makeEntry(const dnnl::engine& engine, const Problem& p, Kind kind, int lanes,
                                     const memory::desc& weight) {
  auto e = std::make_unique<ConvEntry>();
  Shapes s(p);
  if (!weight.is_zero()) s.weight = weight;  // as a bool, an empty one is true in oneDNN 3
  const auto forward = forwardDesc(engine, s);
  if (kind == Forward) {
    addMemory(*e, engine, s, p, kind, forward.weights_desc(), forward.scratchpad_desc(), lanes);
    e->isProduct = isProduct(forward);
    e->primitive = Fwd(forward);
  } else if (kind == Data) {
    const auto desc = dataDesc(engine, s, forward);
    addMemory(*e, engine, s, p, kind, desc.weights_desc(), desc.scratchpad_desc(), lanes);
    e->isProduct = isProduct(desc);
    e->primitive = BwdData(desc);
  } else {
    const auto desc = weightDesc(engine, s, forward);
    addMemory(*e, engine, s, p, kind, desc.diff_weights_desc(), desc.scratchpad_desc(), lanes);
    e->isProduct = isProduct(desc);
    e->primitive = BwdWeight(desc);
  }
  return e;
}

// `others`: for images left over, the entry of the other parts, whose weights lie alike; else null.
ConvEntry& entryFor(Primitives& primitives, const Problem& p, Kind kind, int lanes, const ConvEntry* others) {
  Primitives::Key key{kind, p.groups, p.hasBias, omp_get_max_threads(), lanes, others != nullptr, p.windows.axes};
  key.insert(key.end(), p.x.size, p.x.size + 2);
  key.push_back(p.weight.size[0]);
  for (int i = 0; i < p.windows.axes; i++) {
    const Along& a = p.windows.spatial(i);
    key.insert(key.end(), {a.size, a.places, a.kernel, a.stride, a.dilation, a.before});
  }
  const memory::desc weight = others == nullptr ? memory::desc() : others->weightDesc;
  return primitives.find<ConvEntry>(key, [&] { return makeEntry(primitives.engine, p, kind, lanes, weight); });
}

// Some of the images of a problem; Windows and weights stay as they are.
Problem imagesOf(const Problem& p, int64_t count) {
  Problem some = p;
  some.x.size[0] = some.y.size[0] = count;
  return some;
}

// Into how many parts the images are cut. For the weights, whose parts are summed, it depends on the sizes alone.
int64_t partsOf(const Problem& p, Kind kind, int threads) {
  const int64_t images = p.x.size[0];
  if (kind != Weight) {
    if (threads == 1) return 1;
    const bool isLong = p.operations() > 5e7;
    return std::min<int64_t>(images, isLong ? 2 * threads : threads);
  }
  const int64_t fair = (p.x.elements() + p.y.elements()) / (3 * p.weight.elements());
  return std::max<int64_t>(1, std::min<int64_t>({images, 4, fair, static_cast<int64_t>(p.operations() / 2e6)}));
}

// sums[0] += the others, `step` numbers apart
void addParts(float* sums, int64_t parts, int64_t step, int64_t size) {
  parallelFor(size, size * parts, [&](int64_t first, int64_t last) {
    for (int64_t part = 1; part < parts; part++) {
      const float* other = sums + part * step;
      for (int64_t i = first; i < last; i++) sums[i] += other[i];
    }
  });
}

// A convolution on its own threads by oneDNN where there is little to cut, else image by image on ours.
void run(Context& context, const Problem& p, Kind kind) {
  if (runOwn(context, p, kind)) return;
  Primitives& primitives = context.dnn();
  const int threads = omp_get_max_threads();
  const double operations = p.operations();
  int64_t parts = partsOf(p, kind, threads);
  const bool isShared = parts > 1 || operations < 1e7;  // else oneDNN's threads do it
  if (!isShared && threads > 1) restWorkers();
  const std::optional<OneThread> one = isShared ? std::make_optional<OneThread>() : std::nullopt;
  const int64_t size = (p.x.size[0] + parts - 1) / parts;
  parts = (p.x.size[0] + size - 1) / size;
  const int64_t rest = p.x.size[0] - (parts - 1) * size;
  const int lanes = isShared ? static_cast<int>(std::min<int64_t>(threads, parts)) : 1;
  ConvEntry& e = entryFor(primitives, imagesOf(p, size), kind, lanes, nullptr);
  ConvEntry& last = rest == size ? e : entryFor(primitives, imagesOf(p, rest), kind, lanes, &e);
  const SignalsHeld held(!isShared || e.isProduct || last.isProduct);

  // Scratch: weights as the primitives want them (a set for each part that makes some), room for each thread.
  const int64_t sets = kind == Weight ? (e.reorders || parts > 1 ? parts : 0) : (e.reorders ? 1 : 0);
  const size_t room = std::max(e.scratchBytes, last.scratchBytes);
  char* weights = primitives.scratch(sets * e.weightBytes + lanes * room);
  char* rooms = weights + sets * e.weightBytes;
  e.plain.set_data_handle(p.weight.data);
  e.blocked.set_data_handle(sets > 0 ? weights : p.weight.data);
  if (e.reorders && kind != Weight) e.reorder.execute(primitives.stream, e.plain, e.blocked);

  const int64_t xStep = p.x.elements() / p.x.size[0] * size, yStep = p.y.elements() / p.y.size[0] * size;
  share(parts, lanes, static_cast<int64_t>(operations / kOperationsPerElement), [&](int64_t part, int lane) {
    ConvEntry& entry = part == parts - 1 ? last : e;
    ConvEntry::Lane& l = entry.lanes[lane];
    l.x.set_data_handle(p.x.as<float>() + part * xStep);
    l.y.set_data_handle(p.y.as<float>() + part * yStep);
    l.weight.set_data_handle(sets == 0 ? p.weight.data : weights + (kind == Weight ? part * e.weightBytes : 0));
    if (p.hasBias) l.bias.set_data_handle(p.bias.data);
    l.scratch.set_data_handle(rooms + lane * room);
    entry.primitive.execute(primitives.stream, l.arguments);
  });

  if (kind == Weight && parts > 1) {
    addParts(reinterpret_cast<float*>(weights), parts, e.weightBytes / sizeof(float), e.weightDesc.get_size() / sizeof(float));
  }
  if (kind == Weight && sets > 0) {
    if (e.reorders) {
      e.reorder.execute(primitives.stream, e.blocked, e.plain);
    } else {
      std::copy_n(weights, e.weightDesc.get_size(), p.weight.data);
    }
  }
}

// The gradient for the bias: sums over all positions, in float over blocks and in double over these. oneDNN, which has it
// done with the weights, takes longer than to read the gradients once more.
void sumPositions(const View& y, float* bias) {
  constexpr int64_t kParts = 16, kFewest = 64;
  const int64_t c = y.size[1], rows = y.elements() / c;
  const int64_t parts = std::min(kParts, (rows + kFewest - 1) / kFewest);
  std::vector<double> totals(parts * c, 0.0);
  share(parts, omp_get_max_threads(), y.elements(), [&](int64_t part, int) {
    const int64_t first = rows * part / parts, count = rows * (part + 1) / parts - first;
    const Wide wide(count, c);
    const float* gradients = y.as<float>() + first * c;
    double* total = totals.data() + part * c;
    const auto add = [&](const float* row) {
      for (int64_t j = 0; j < c; j++) total[j] += row[j];
    };
    std::vector<float> sums(wide.width);
    eachBlock(wide.rows, wide.width, [&](int64_t from, int64_t to) {
      sumRows(gradients + from * wide.width, to - from, wide.width, sums.data());
      for (int64_t j = 0; j < wide.width; j += c) add(sums.data() + j);
    });
    for (int64_t row = count - wide.tail; row < count; row++) add(gradients + row * c);
  });
  for (int64_t j = 0; j < c; j++) {
    double total = 0;
    for (int64_t part = 0; part < parts; part++) total += totals[part * c + j];
    bias[j] = static_cast<float>(total);
  }
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
  if (p.hasBias) sumPositions(p.y, p.bias.as<float>());
  p.hasBias = false;  // what is left to do
  run(context, p, Weight);
  return 0;
}

}  // namespace kindling
