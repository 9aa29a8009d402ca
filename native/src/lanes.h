// Sixteen neighbouring numbers, as one vector or as many as the processor needs.
#pragma once

#include <cstring>

namespace kindling {

constexpr int kLanes = 16;
typedef float Vec __attribute__((vector_size(kLanes * sizeof(float))));

inline void load(Vec& v, const float* p) { std::memcpy(&v, p, sizeof(v)); }
inline void store(const Vec& v, float* p) { std::memcpy(p, &v, sizeof(v)); }

}  // namespace kindling
