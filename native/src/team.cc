#include "team.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>

#include "signals.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace kindling {

namespace {

// From this many element operations on a job is worth waking workers for.
constexpr int64_t kWakingWork = 65'536;
// How long a worker looks out for the next job before it sleeps: longer than JavaScript takes between two operations,
// and at first without offering its core to others.
constexpr auto kAlert = std::chrono::microseconds(60), kAwake = std::chrono::microseconds(300);
constexpr int kMostWorkers = 127;
// So many times each lane takes of what is left of a job, if there are enough parts.
constexpr int kTakings = 8;
constexpr int64_t kMostParts = 4095;

using Clock = std::chrono::steady_clock;

inline void pause() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

class Team {
 public:
  // Never destroyed: workers may still look at it while the process ends.
  static Team& instance() {
    static Team* const team = new Team();
    return *team;
  }

  // Whether nobody else has a job under way; then the caller must run() and leave().
  bool enter() { return !busy_.exchange(true, std::memory_order_acquire); }
  void leave() { busy_.store(false, std::memory_order_release); }

  // Gives what a part threw, if one did.
  std::exception_ptr run(int parts, int threads, bool wakes, PartFunction function, void* job) {
    const int lanes = std::min(threads, kMostWorkers + 1);
    while (workers_ < lanes - 1 && hire()) {
    }
    failure_ = nullptr;
    hasFailed_.store(false, std::memory_order_relaxed);
    function_ = function;
    job_ = job;
    done_.store(0, std::memory_order_relaxed);
    offer_.store(Offer(++number_, lanes, 0, parts).word(), std::memory_order_seq_cst);
    if (wakes && asleep_.load(std::memory_order_seq_cst) > 0) wake();
    while (take(0)) {
    }
    for (int spins = 0; done_.load(std::memory_order_acquire) != parts; spins++) {
      if (spins < 2000) {
        pause();
      } else {
        std::this_thread::yield();  // perhaps the worker waits for this very core
      }
    }
    return failure_;
  }

  void rest() { resting_.store(offer_.load(std::memory_order_relaxed) >> 32, std::memory_order_relaxed); }

 private:
  // What is still to be taken of which job, in one word, so that a part can be taken only of the job it belongs to. The
  // caller takes parts from the front and workers from the back: of memory that one job after another goes through, each
  // finds in its cache what it had the last time.
  struct Offer {
    uint32_t number;
    int lanes;
    int front, back;

    explicit Offer(uint64_t word)
        : number(word >> 32), lanes(word >> 24 & 255), front(word >> 12 & 4095), back(word & 4095) {}
    Offer(uint32_t n, int l, int f, int b) : number(n), lanes(l), front(f), back(b) {}
    uint64_t word() const {
      return uint64_t(number) << 32 | uint64_t(lanes) << 24 | uint64_t(front) << 12 | uint64_t(back);
    }
  };

  // Takes and does some of the parts, if there are any for this lane: of many parts several at once, as to take costs more
  // than a small part, and fewer towards the end. What belongs to the job is read only after something was taken: the job
  // cannot end before that is done.
  bool take(int lane) {
    uint64_t word = offer_.load(std::memory_order_acquire);
    for (;;) {
      Offer offer(word);
      if (offer.front == offer.back || lane >= offer.lanes) return false;
      const int count = std::max(1, (offer.back - offer.front) / (kTakings * offer.lanes));
      const int first = lane == 0 ? offer.front : offer.back - count;
      if (lane == 0) {
        offer.front += count;
      } else {
        offer.back -= count;
      }
      if (offer_.compare_exchange_weak(word, offer.word(), std::memory_order_acq_rel)) {
        for (int part = first; part < first + count; part++) doPart(part, lane);
        done_.fetch_add(count, std::memory_order_release);
        return true;
      }
    }
  }

  void doPart(int part, int lane) {
    try {
      function_(job_, part, lane);
    } catch (...) {
      if (!hasFailed_.exchange(true, std::memory_order_acq_rel)) failure_ = std::current_exception();
    }
  }

  // Whether there is one more; a system that gives no thread is not asked again.
  bool hire() {
    if (isRefused_) return false;
    const SignalsHeld held;  // workers inherit it: signals are for the thread of JavaScript
    try {
      std::thread([this, lane = workers_ + 1] { help(lane); }).detach();
      workers_++;
    } catch (const std::system_error&) {
      isRefused_ = true;
    }
    return !isRefused_;
  }

  void help(int lane) {
    omp_set_num_threads(1);
    auto idle = Clock::now();
    for (uint32_t spins = 0;; spins++) {
      if (take(lane)) {
        while (take(lane)) {
        }
        idle = Clock::now();
        spins = 0;
      }
      if (spins % 16 != 15) {
        pause();
        continue;
      }
      const auto waited = Clock::now() - idle;
      if (waited > kAwake || isResting()) {
        sleep();
        idle = Clock::now();
      } else if (waited > kAlert) {
        std::this_thread::yield();
      }
    }
  }

  bool isResting() const { return resting_.load(std::memory_order_relaxed) == offer_.load(std::memory_order_relaxed) >> 32; }

  void sleep() {
    std::unique_lock<std::mutex> lock(mutex_);
    asleep_.fetch_add(1, std::memory_order_seq_cst);
    // A job that came before the caller could see this one asleep.
    const Offer offer(offer_.load(std::memory_order_seq_cst));
    if (offer.front != offer.back) {
      asleep_.fetch_sub(1, std::memory_order_relaxed);
      return;
    }
    const uint64_t before = wakings_;
    awake_.wait(lock, [&] { return wakings_ != before; });
  }

  void wake() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      wakings_++;
      asleep_.store(0, std::memory_order_relaxed);  // they are on their way: no need to be called twice
    }
    awake_.notify_all();
  }

  alignas(64) std::atomic<uint64_t> offer_{0};
  alignas(64) std::atomic<int> done_{0};
  PartFunction function_ = nullptr;
  void* job_ = nullptr;
  alignas(64) std::atomic<bool> busy_{false};
  std::atomic<uint64_t> resting_{~uint64_t(0)};
  std::atomic<int> asleep_{0};
  std::atomic<bool> hasFailed_{false};
  std::exception_ptr failure_;
  bool isRefused_ = false;
  uint32_t number_ = 0;
  int workers_ = 0;
  std::mutex mutex_;
  std::condition_variable awake_;
  uint64_t wakings_ = 0;
};

thread_local bool isSharing = false;

// More parts than can be told apart, several as one.
struct Bundle {
  PartFunction run;
  void* job;
  int64_t parts;

  static void runSome(void* self, int64_t bundle, int lane) {
    const Bundle& b = *static_cast<Bundle*>(self);
    for (int64_t part = bundle * b.parts / kMostParts; part < (bundle + 1) * b.parts / kMostParts; part++) {
      b.run(b.job, part, lane);
    }
  }
};

void runAlone(int64_t parts, PartFunction run, void* job) {
  for (int64_t part = 0; part < parts; part++) run(job, part, 0);
}

}  // namespace

void shareParts(int64_t parts, int threads, int64_t work, PartFunction run, void* job) {
  Team& team = Team::instance();
  if (parts < 2 || threads < 2 || isSharing || !team.enter()) {
    runAlone(parts, run, job);
    return;
  }
  isSharing = true;
  std::exception_ptr failure;
  if (parts <= kMostParts) {
    failure = team.run(static_cast<int>(parts), threads, work >= kWakingWork, run, job);
  } else {
    Bundle bundle{run, job, parts};
    failure = team.run(kMostParts, threads, true, Bundle::runSome, &bundle);
  }
  isSharing = false;
  team.leave();
  if (failure != nullptr) std::rethrow_exception(failure);
}

void restWorkers() { Team::instance().rest(); }

}  // namespace kindling
