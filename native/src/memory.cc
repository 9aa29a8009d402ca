// Memory behaviour of the process. V8 takes the memory of tensors from malloc; by default glibc maps every big block
// anew and unmaps it when freed, so that each training step would pay for page faults again.
#include <cstdint>
#include <cstdlib>

#ifdef __linux__
#include <sys/mman.h>
#endif
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "kernels.h"

namespace kindling {

void tuneMalloc() {
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__)
  mallopt(M_MMAP_MAX, 0);                  // big blocks come from the heap, too
  mallopt(M_TRIM_THRESHOLD, INT32_MAX);    // and the heap keeps what was freed
  mallopt(M_TOP_PAD, 64 * 1024 * 1024);    // and grows in few steps
#endif
}

void adviseHugePages(void* data, size_t bytes) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  constexpr uintptr_t kHuge = 2 * 1024 * 1024;
  if (bytes < 2 * kHuge) return;
  const uintptr_t first = (reinterpret_cast<uintptr_t>(data) + kHuge - 1) / kHuge * kHuge;
  const uintptr_t last = (reinterpret_cast<uintptr_t>(data) + bytes) / kHuge * kHuge;
  if (first < last) madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
#else
  (void)data;
  (void)bytes;
#endif
}

}  // namespace kindling
