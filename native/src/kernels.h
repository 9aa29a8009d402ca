// What the addon offers, by name; addon.cc makes each a JavaScript function.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "evaluation.h"
#include "program.h"
#include "view.h"

namespace kindling {

class Primitives;

// What one environment (the main thread, or a worker) owns.
struct Context {
  std::vector<std::unique_ptr<Program>> programs;
  std::vector<double> scalars;  // of the call under way
  std::vector<View> views;
  // Kept between calls for their memory.
  std::deque<Evaluation<float>> floats;
  std::deque<Evaluation<double>> doubles;
  std::shared_ptr<Primitives> primitives;  // made on first use

  Primitives& dnn();

  const Program& program(Reader& reader) {
    return *programs[static_cast<size_t>(reader.integer(0, static_cast<int64_t>(programs.size()) - 1))];
  }
};

// Reads the descriptor, does the work and returns a number for JavaScript: where nothing else is said 0, or 1 when an
// index or target in the data is out of range and nothing was written.
using KernelFunction = double (*)(Context& context, Reader& reader);

struct KernelEntry {
  const char* name;
  KernelFunction function;
};

double compileKernel(Context& context, Reader& reader);
double mapKernel(Context& context, Reader& reader);
double reduceKernel(Context& context, Reader& reader);
double argReduceKernel(Context& context, Reader& reader);
double gatherKernel(Context& context, Reader& reader);
double scatterAddKernel(Context& context, Reader& reader);
double randomKernel(Context& context, Reader& reader);
double matmulKernel(Context& context, Reader& reader);
double crossEntropyKernel(Context& context, Reader& reader);
double crossEntropyBackwardKernel(Context& context, Reader& reader);
double softmaxKernel(Context& context, Reader& reader);
double convolutionKernel(Context& context, Reader& reader);
double convolutionDataKernel(Context& context, Reader& reader);
double convolutionWeightKernel(Context& context, Reader& reader);
double maxPoolKernel(Context& context, Reader& reader);
double maxPoolBackwardKernel(Context& context, Reader& reader);
double averagePoolKernel(Context& context, Reader& reader);
double averagePoolBackwardKernel(Context& context, Reader& reader);
double columnMomentsKernel(Context& context, Reader& reader);
double normalizeColumnsKernel(Context& context, Reader& reader);
double normalizeColumnsBackwardKernel(Context& context, Reader& reader);
double groupNormKernel(Context& context, Reader& reader);
double groupNormBackwardKernel(Context& context, Reader& reader);
double layerNormKernel(Context& context, Reader& reader);
double layerNormBackwardKernel(Context& context, Reader& reader);

void tuneMalloc();
// Asks for huge pages under a big block that has not been touched yet.
void adviseHugePages(void* data, size_t bytes);

}  // namespace kindling
