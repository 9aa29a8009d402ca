// Tells which JavaScript objects the garbage collector has found dead. The library keeps the memory of a result and
// watches the object that owns it; V8 clears a weak reference while it collects, so this also works in a synchronous
// loop, where finalizers and FinalizationRegistry never get their turn and WeakRef keeps its target alive.
#include "watch.h"

namespace kindling {

namespace {

constexpr int32_t kMostSlots = 1 << 24;

bool isDead(napi_env env, napi_ref reference) {
  napi_value object = nullptr;
  napi_get_reference_value(env, reference, &object);
  return object == nullptr;
}

}  // namespace

bool Watch::watch(napi_env env, napi_value object, int32_t slot) {
  if (slot < 0 || slot >= kMostSlots) return false;
  const auto at = static_cast<size_t>(slot);
  if (at >= references_.size()) references_.resize(at + 1, nullptr);
  if (references_[at] != nullptr) return false;
  return napi_create_reference(env, object, 0, &references_[at]) == napi_ok;
}

bool Watch::unwatch(napi_env env, int32_t slot) {
  if (slot < 0 || static_cast<size_t>(slot) >= references_.size()) return false;
  napi_ref& reference = references_[static_cast<size_t>(slot)];
  if (reference == nullptr) return false;
  napi_delete_reference(env, reference);
  reference = nullptr;
  return true;
}

napi_value Watch::dead(napi_env env) {
  napi_value slots = nullptr;
  napi_create_array(env, &slots);
  if (canary_ != nullptr && !isDead(env, canary_)) return slots;  // nothing was collected since
  if (canary_ != nullptr) napi_delete_reference(env, canary_);
  napi_value object = nullptr;
  napi_create_object(env, &object);
  napi_create_reference(env, object, 0, &canary_);
  uint32_t count = 0;
  for (size_t i = 0; i < references_.size(); i++) {
    if (references_[i] == nullptr) continue;
    napi_handle_scope scope;
    napi_open_handle_scope(env, &scope);
    if (isDead(env, references_[i])) {
      unwatch(env, static_cast<int32_t>(i));
      napi_value slot = nullptr;
      napi_create_int32(env, static_cast<int32_t>(i), &slot);
      napi_set_element(env, slots, count++, slot);
    }
    napi_close_handle_scope(env, scope);
  }
  return slots;
}

void Watch::end(napi_env env) {
  for (size_t i = 0; i < references_.size(); i++) unwatch(env, static_cast<int32_t>(i));
  if (canary_ != nullptr) napi_delete_reference(env, canary_);
  canary_ = nullptr;
}

}  // namespace kindling
