// Signals and oneDNN do not go together: its matrix product uses the stack pointer as one more register, pointing into a
// workspace on the heap. A signal handled in that moment (a profiler's tick, Ctrl-C) writes its frame over whatever lies
// there. So signals wait while oneDNN computes, and helping threads, which have none to handle, never take any.
#pragma once

#ifndef _WIN32
#include <csignal>
#endif

namespace kindling {

#ifndef _WIN32
class SignalsHeld {
 public:
  SignalsHeld() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsHeld() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsHeld(const SignalsHeld&) = delete;
  SignalsHeld& operator=(const SignalsHeld&) = delete;

 private:
  sigset_t before_;
};
#else
class SignalsHeld {};
#endif

}  // namespace kindling
