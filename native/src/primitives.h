// What the oneDNN kernels share: its engine, ready-made primitives by shape, and scratch memory.
#pragma once

#include <dnnl.hpp>

#include <cstdlib>
#include <list>
#include <map>
#include <memory>
#include <vector>

namespace kindling {

// One for each environment, so that nothing is shared between threads of JavaScript.
class Primitives {
 public:
  // Everything a primitive depends on, the kind first.
  using Key = std::vector<int64_t>;

  struct Entry {
    virtual ~Entry() = default;
  };

  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};

  ~Primitives() { std::free(scratch_); }

  // The entry for a key, made on first use; the one not used for longest goes when there are too many.
  template <class T, class Make>
  T& find(const Key& key, Make&& make) {
    const auto found = entries_.find(key);
    if (found != entries_.end()) {
      order_.splice(order_.begin(), order_, found->second.place);
      return static_cast<T&>(*found->second.entry);
    }
    std::unique_ptr<T> entry = make();
    T& result = *entry;
    if (entries_.size() >= kMost) {
      entries_.erase(*order_.back());
      order_.pop_back();
    }
    const auto placed = entries_.emplace(key, Slot{std::move(entry), {}}).first;
    order_.push_front(&placed->first);
    placed->second.place = order_.begin();
    return result;
  }

  // At least so many bytes, aligned for vectors; good until the next call.
  char* scratch(size_t bytes) {
    if (bytes > size_) {
      std::free(scratch_);
      size_ = 0;
      const size_t rounded = (bytes + kPage - 1) / kPage * kPage;
      scratch_ = static_cast<char*>(std::aligned_alloc(kPage, rounded));
      if (scratch_ == nullptr) throw std::bad_alloc();
      size_ = rounded;
    }
    return scratch_;
  }

 private:
  static constexpr size_t kMost = 512;
  static constexpr size_t kPage = 4096;

  struct Slot {
    std::unique_ptr<Entry> entry;
    std::list<const Key*>::iterator place;
  };

  std::map<Key, Slot> entries_;
  std::list<const Key*> order_;
  char* scratch_ = nullptr;
  size_t size_ = 0;
};

}  // namespace kindling
