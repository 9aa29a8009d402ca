// Splitting work over the OpenMP pool that oneDNN uses too.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>

namespace kindling {

// Below this many element operations waking other threads costs more than they save.
constexpr int64_t kParallelWork = 400'000;

// While it lives, libraries on the pool use the calling thread only.
class OneThread {
 public:
  OneThread() : before_(omp_get_max_threads()) {
    if (before_ > 1) omp_set_num_threads(1);
  }
  ~OneThread() {
    if (before_ > 1) omp_set_num_threads(before_);
  }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

// Calls run(first, last) for parts of 0 … count − 1, on as many threads as are worth it. Which thread takes which part
// is left to chance, so the parts must not depend on each other.
template <class Run>
inline void parallelFor(int64_t count, int64_t work, Run&& run) {
  const int threads = omp_get_max_threads();
  if (threads == 1 || count < 2 || work < kParallelWork) {
    if (count > 0) run(int64_t(0), count);
    return;
  }
  // Several parts a thread, so that one that is held up does not hold up all.
  const int64_t parts = std::min<int64_t>(count, int64_t(threads) * 8);
#pragma omp parallel for schedule(dynamic, 1)
  for (int64_t part = 0; part < parts; part++) {
    run(part * count / parts, (part + 1) * count / parts);
  }
}

}  // namespace kindling
