// The numbers of a kernel for the fast algorithms.
#pragma once

#include "fast/columns.hpp"

namespace tconv {

/// The source channels [first, last) of a kernel as it is transformed:
/// numbers[group*of_group + tap*of_tap + (source channel - first)*of_channel + target channel].
template <class C>
struct KernelRows {
    const C* numbers;
    Index first, last;
    Index of_group, of_tap, of_channel;
};

/// A kernel transformed in double precision, and rounded once. What describes it must outlive it.
template <class T>
class FastPacked : public FastColumns {
  public:
    using C = compute_t<T>;

    FastPacked(const detail::Columns& columns, FastChoice choice, Isa isa);

    /// Transforms some channels: until all were, it is of no use.
    void fill(const KernelRows<C>& kernel, int threads);
    /// Those of a forward kernel that is packed, some at a time.
    void fill(const detail::Packed<T>& packed, int threads);

    const Kernels<C>& kernels;
    const FastKernels<C>& transforms;
    const Converters& converters;
    Buffer<C> weights;
    Buffer<C> zeros;  // a pixel outside the source

  private:
    void fill_panels(const KernelRows<C>& kernel, Index group, const FastWindow& w, Index bundle, Index step);
};

}  // namespace tconv
