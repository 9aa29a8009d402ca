// Entry points: plain Node-API, one JavaScript function per kernel.
//
// The descriptor. JavaScript registers one Float64Array per environment with setDescriptor(array) and writes a call's
// arguments there before calling kernel(keepAlive…); what a kernel reads is said beside it. The functions' own arguments
// are ignored: they only keep the buffers reachable while the call runs. A view is written as
//   address, byte length of its storage, offset, dtype code, rank, sizes[rank], strides[rank]
// where offset and strides count elements. Reader (view.h) checks that a view lies inside its storage.
//
// To add a kernel: declare it in kernels.h, define it in a file of its own, name it in kKernels.
#include <node_api.h>

#include <cstring>
#include <exception>

#include "kernels.h"
#include "ops.h"
#include "team.h"
#include "watch.h"

namespace kindling {

double compileKernel(Context& context, Reader& reader) {
  context.programs.push_back(std::make_unique<Program>(readProgram(reader)));
  return static_cast<double>(context.programs.size() - 1);
}

namespace {

constexpr KernelEntry kKernels[] = {
    {"compile", compileKernel},
    {"map", mapKernel},
    {"reduce", reduceKernel},
    {"argReduce", argReduceKernel},
    {"gather", gatherKernel},
    {"scatterAdd", scatterAddKernel},
    {"random", randomKernel},
    {"matmul", matmulKernel},
    {"crossEntropy", crossEntropyKernel},
    {"crossEntropyBackward", crossEntropyBackwardKernel},
    {"softmax", softmaxKernel},
    {"convolution", convolutionKernel},
    {"convolutionData", convolutionDataKernel},
    {"convolutionWeight", convolutionWeightKernel},
    {"maxPool", maxPoolKernel},
    {"maxPoolBackward", maxPoolBackwardKernel},
    {"averagePool", averagePoolKernel},
    {"averagePoolBackward", averagePoolBackwardKernel},
    {"columnMoments", columnMomentsKernel},
    {"normalizeColumns", normalizeColumnsKernel},
    {"normalizeColumnsBackward", normalizeColumnsBackwardKernel},
    {"groupNorm", groupNormKernel},
    {"groupNormBackward", groupNormBackwardKernel},
    {"layerNorm", layerNormKernel},
    {"layerNormBackward", layerNormBackwardKernel},
};

struct Environment {
  Context context;
  napi_ref descriptor = nullptr;
  double* begin = nullptr;
  double* end = nullptr;
  Watch watch;
};

struct Bound {
  Environment* environment;
  KernelFunction function;
};

napi_value fail(napi_env env, const char* message) {
  napi_throw_error(env, nullptr, message);
  return nullptr;
}

Environment* environmentOf(napi_env env) {
  void* data = nullptr;
  napi_get_instance_data(env, &data);
  return static_cast<Environment*>(data);
}

napi_value firstArgument(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument = nullptr;
  napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr);
  return argument;
}

napi_value callKernel(napi_env env, napi_callback_info info) {
  void* data = nullptr;
  napi_get_cb_info(env, info, nullptr, nullptr, nullptr, &data);
  const Bound& bound = *static_cast<Bound*>(data);
  try {
    Reader reader(bound.environment->begin, bound.environment->end);
    const double result = bound.function(bound.environment->context, reader);
    napi_value value = nullptr;
    napi_create_double(env, result, &value);
    return value;
  } catch (const std::exception& error) {
    return fail(env, error.what());
  }
}

napi_value setDescriptor(napi_env env, napi_callback_info info) {
  const napi_value array = firstArgument(env, info);
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(env, array, &type, &length, &data, nullptr, nullptr) != napi_ok ||
      type != napi_float64_array) {
    return fail(env, "kindling addon: the descriptor must be a Float64Array");
  }
  Environment* environment = environmentOf(env);
  if (environment->descriptor != nullptr) napi_delete_reference(env, environment->descriptor);
  napi_create_reference(env, array, 1, &environment->descriptor);
  environment->begin = static_cast<double*>(data);
  environment->end = environment->begin + length;
  return nullptr;
}

// addressOf(buffer): where an ArrayBuffer's bytes lie; they do not move while it lives.
napi_value addressOf(napi_env env, napi_callback_info info) {
  void* data = nullptr;
  size_t bytes = 0;
  if (napi_get_arraybuffer_info(env, firstArgument(env, info), &data, &bytes) != napi_ok) {
    return fail(env, "kindling addon: addressOf takes an ArrayBuffer");
  }
  adviseHugePages(data, bytes);
  napi_value value = nullptr;
  napi_create_double(env, static_cast<double>(reinterpret_cast<intptr_t>(data)), &value);
  return value;
}

// watch(object, slot): from now on dead() tells when the object is no more.
napi_value watchObject(napi_env env, napi_callback_info info) {
  size_t count = 2;
  napi_value arguments[2] = {nullptr, nullptr};
  napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr);
  int32_t slot = -1;
  if (napi_get_value_int32(env, arguments[1], &slot) != napi_ok ||
      !environmentOf(env)->watch.watch(env, arguments[0], slot)) {
    return fail(env, "kindling addon: watch takes an object and a number that is not in use");
  }
  return nullptr;
}

// unwatch(slot): frees a number.
napi_value unwatchObject(napi_env env, napi_callback_info info) {
  int32_t slot = -1;
  if (napi_get_value_int32(env, firstArgument(env, info), &slot) != napi_ok ||
      !environmentOf(env)->watch.unwatch(env, slot)) {
    return fail(env, "kindling addon: unwatch takes a number that is in use");
  }
  return nullptr;
}

// dead(): the numbers of objects found dead since the last call, which are free again.
napi_value deadObjects(napi_env env, napi_callback_info info) { return environmentOf(env)->watch.dead(env); }

// setThreads(n): threads used by calls from this JavaScript thread; 0 leaves it. Returns the number in use.
napi_value setThreads(napi_env env, napi_callback_info info) {
  int32_t threads = 0;
  if (napi_get_value_int32(env, firstArgument(env, info), &threads) != napi_ok || threads < 0 || threads > 1024) {
    return fail(env, "kindling addon: setThreads takes a number from 0 to 1024");
  }
  if (threads > 0) {
    omp_set_num_threads(threads);
  }
  napi_value value = nullptr;
  napi_create_int32(env, omp_get_max_threads(), &value);
  return value;
}

void addFunction(napi_env env, napi_value exports, const char* name, napi_callback callback, void* data) {
  napi_value function = nullptr;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, data, &function);
  napi_set_named_property(env, exports, name, function);
}

// What the compiler was allowed to use and this processor lacks, or null. A build that was carried to another machine
// would die of an illegal instruction.
const char* missingFeature() {
#if defined(__x86_64__) && defined(__GNUC__)
#ifdef __AVX2__
  if (!__builtin_cpu_supports("avx2")) return "avx2";
#endif
#ifdef __FMA__
  if (!__builtin_cpu_supports("fma")) return "fma";
#endif
#ifdef __AVX512F__
  if (!__builtin_cpu_supports("avx512f")) return "avx512f";
#endif
#ifdef __AVX512VL__
  if (!__builtin_cpu_supports("avx512vl") || !__builtin_cpu_supports("avx512dq")) return "avx512vl or avx512dq";
#endif
#ifdef __AVX512BW__
  if (!__builtin_cpu_supports("avx512bw")) return "avx512bw";
#endif
#ifdef __AVX512VBMI__
  if (!__builtin_cpu_supports("avx512vbmi")) return "avx512vbmi";
#endif
#endif
  return nullptr;
}

napi_value initialize(napi_env env, napi_value exports) {
  if (const char* feature = missingFeature()) {
    return fail(env, (std::string("built for another processor (this one has no ") + feature + ")").c_str());
  }
  static const bool tuned = (tuneMalloc(), true);
  (void)tuned;
  auto* environment = new Environment();
  constexpr size_t kCount = sizeof(kKernels) / sizeof(kKernels[0]);
  auto* bounds = new Bound[kCount];
  napi_set_instance_data(
      env, environment, [](napi_env env, void* data, void* hint) {
        static_cast<Environment*>(data)->watch.end(env);
        delete static_cast<Environment*>(data);
        delete[] static_cast<Bound*>(hint);
      },
      bounds);
  for (size_t i = 0; i < kCount; i++) {
    bounds[i] = {environment, kKernels[i].function};
    addFunction(env, exports, kKernels[i].name, callKernel, &bounds[i]);
  }
  addFunction(env, exports, "setDescriptor", setDescriptor, nullptr);
  addFunction(env, exports, "addressOf", addressOf, nullptr);
  addFunction(env, exports, "setThreads", setThreads, nullptr);
  addFunction(env, exports, "watch", watchObject, nullptr);
  addFunction(env, exports, "unwatch", unwatchObject, nullptr);
  addFunction(env, exports, "dead", deadObjects, nullptr);
  napi_value names = nullptr;
  napi_create_string_utf8(env, kOpNames, NAPI_AUTO_LENGTH, &names);
  napi_set_named_property(env, exports, "operations", names);
  return exports;
}

}  // namespace

}  // namespace kindling

NAPI_MODULE_INIT() { return kindling::initialize(env, exports); }
