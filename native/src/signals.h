// Signals and two of oneDNN's products do not go together: where they keep a copy of one factor on the heap, the stack
// pointer points there while they compute. A signal handled in that moment (a profiler's tick, Ctrl-C) writes its frame
// over whatever lies there. So signals wait meanwhile, and workers, which have none to handle, never take any. Holding
// them is two system calls, 0.3 µs on some machines and 2.4 µs on others, as long as a small product takes: where the
// copy is small (product.cc) or there is no product at all (conv.cc), they are not held.
#pragma once

#ifndef _WIN32
#include <csignal>
#endif

namespace kindling {

#ifndef _WIN32
class SignalsHeld {
 public:
  explicit SignalsHeld(bool isNeeded = true) : isHeld_(isNeeded) {
    if (!isHeld_) return;
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsHeld() {
    if (isHeld_) pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  SignalsHeld(const SignalsHeld&) = delete;
  SignalsHeld& operator=(const SignalsHeld&) = delete;

 private:
  const bool isHeld_;
  sigset_t before_;
};
#else
class SignalsHeld {
 public:
  explicit SignalsHeld(bool = true) {}
};
#endif

}  // namespace kindling
