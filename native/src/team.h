// Threads that share work. Parts of a job are handed out to whoever asks, a few at a time; the caller takes part, and waits
// only for parts that a worker has taken. A worker that sleeps holds nobody up, one that the system has put aside little.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>
#include <type_traits>

namespace kindling {

// Below this many element operations sharing costs more than it saves.
constexpr int64_t kParallelWork = 32'768;

// Multiplications and additions of a product in the time of one element operation.
constexpr double kOperationsPerElement = 60;

// Calls run(job, part, lane) for parts 0 … parts − 1, on at most `threads` threads. Which thread takes which part is left
// to chance, so parts must not depend on each other. Lanes number the threads from 0, for scratch memory of their own.
// What a part throws is thrown to the caller when all are done. `work` is the whole job in element operations: little of
// it does not wake workers that sleep.
using PartFunction = void (*)(void* job, int64_t part, int lane);
void shareParts(int64_t parts, int threads, int64_t work, PartFunction run, void* job);

// The same for a function object run(part, lane).
template <class Run>
inline void share(int64_t parts, int threads, int64_t work, Run&& run) {
  using Body = std::remove_reference_t<Run>;
  shareParts(parts, threads, work, [](void* job, int64_t part, int lane) { (*static_cast<Body*>(job))(part, lane); },
             const_cast<void*>(static_cast<const void*>(&run)));
}

// While it lives, libraries on OpenMP's pool use the calling thread only, and so do calls of `share` from it.
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

// Sends the workers to sleep before a library's own threads take the cores.
void restWorkers();

// In which order parts are taken. The caller begins at the front and workers at the back; both end in the middle, so that
// a second pass over the same memory goes outward: it begins with what is still in their caches.
enum class Order { Inward, Outward };

// Calls run(first, last) for parts of 0 … count − 1, on as many threads as are worth it.
template <class Run>
inline void parallelFor(int64_t count, int64_t work, Order order, Run&& run) {
  const int threads = omp_get_max_threads();
  if (threads == 1 || count < 2 || work < kParallelWork) {
    if (count > 0) run(int64_t(0), count);
    return;
  }
  // Several parts a thread, so that one that is held up does not hold up all; none so small that asking for it counts.
  const int64_t parts = std::min<int64_t>({count, int64_t(threads) * 8, std::max<int64_t>(2, work / 8192)});
  const int64_t middle = parts / 2;
  share(parts, threads, work, [&](int64_t turn, int) {
    const int64_t outward = turn < middle ? middle - 1 - turn : parts - 1 - turn + middle;
    const int64_t part = order == Order::Inward ? turn : outward;
    run(part * count / parts, (part + 1) * count / parts);
  });
}

template <class Run>
inline void parallelFor(int64_t count, int64_t work, Run&& run) {
  parallelFor(count, work, Order::Inward, run);
}

}  // namespace kindling
