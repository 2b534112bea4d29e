// Every product with a packed kernel: rows of a tile times blocks of columns, in parallel.
#pragma once

#include <string>
#include <vector>

#include "pack.hpp"

namespace tconv {

/// target = finish(bias + kernel applied to source), over the rows that the maps describe. Every target is stored
/// once, by one thread, from one chain of sums in the order of taps and channels: the bits depend on the kernel's
/// shape and the instruction set alone. Throws std::bad_alloc before anything is written.
template <class T>
void multiply(const detail::Packed<T>& packed, const std::vector<AxisMap>& maps, Index batch, DataFormat format,
              const T* source, const T* bias, T* target, Finish<compute_t<T>> finish, int threads);

}  // namespace tconv
