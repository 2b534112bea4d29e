// The numbers of a kernel for the fast algorithms.
#pragma once

#include "fast_columns.hpp"

namespace tconv {

/// A kernel as it is transformed: numbers[group*of_group + tap*of_tap + source channel*of_channel + target channel].
template <class C>
struct KernelRows {
    const C* numbers;
    Index of_group, of_tap, of_channel;
};

/// The forward kernel as it was, [group][tap][source channel][target channel], from the packed one.
template <class T>
Buffer<compute_t<T>> unpack(const detail::Packed<T>& packed);

/// A kernel transformed in double precision, and rounded once. What describes it must outlive it.
template <class T>
class FastPacked : public FastColumns {
  public:
    using C = compute_t<T>;

    FastPacked(const detail::Columns& columns, FastChoice choice, const KernelRows<C>& kernel, Isa isa, int threads);

    const Kernels<C>& kernels;
    const FastKernels<C>& transforms;
    const Converters& converters;
    Buffer<C> weights;
    Buffer<C> zeros;  // a pixel outside the source

  private:
    void fill(const KernelRows<C>& kernel, int threads);
    void fill_panel(const KernelRows<C>& kernel, Index group, const FastWindow& w, Index panel, Index step);
};

}  // namespace tconv
