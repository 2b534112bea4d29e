// Targets that no tap reaches.
#pragma once

#include "direct/pack.hpp"

namespace tconv {

/// Whether a product has such targets.
bool has_dead_targets(const detail::Columns& columns, const std::vector<AxisMap>& maps);

/// They hold the finished bias: the whole target is filled with it, before the others are stored.
template <class T>
void fill_dead_targets(const detail::Columns& columns, const Kernels<compute_t<T>>& kernels,
                       const std::vector<AxisMap>& maps, Index batch, bool channels_last, T* target, const T* bias,
                       Finish<compute_t<T>> finish, int threads);

}  // namespace tconv
