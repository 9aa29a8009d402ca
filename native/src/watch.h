#pragma once

#include <node_api.h>

#include <cstdint>
#include <vector>

namespace kindling {

// Weak references by number, of one environment (the main thread, or a worker).
class Watch {
 public:
  // False where the number is in use or out of range, or `object` is none.
  bool watch(napi_env env, napi_value object, int32_t slot);
  // False where nothing is watched under that number.
  bool unwatch(napi_env env, int32_t slot);
  // The numbers of those that died since the last call, as an array; they are free again.
  napi_value dead(napi_env env);
  // Lets go of everything, before the environment ends.
  void end(napi_env env);

 private:
  std::vector<napi_ref> references_;
  napi_ref canary_ = nullptr;  // of an object that the next collection takes
};

}  // namespace kindling
