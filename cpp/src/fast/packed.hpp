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

/// A kernel transformed in double precision, and rounded once: all of it, or some panels at a time. What describes it
/// must outlive it.
template <class T>
class FastPacked : public FastColumns {
  public:
    using C = compute_t<T>;

    FastPacked(const detail::Columns& columns, FastChoice choice, Isa isa);

    Index numbers() const { return group_weights * columns.product_groups; }
    /// Transforms all of it.
    void fill(const KernelRows<C>& kernel, int threads);
    /// A forward kernel that is packed, some channels at a time.
    void fill(const detail::Packed<T>& packed, int threads);
    /// Makes room for so many panels of a window.
    void reserve_panels(const FastWindow& w, Index count);
    /// Transforms a group's panels [first, last) of a window in place of those that were there.
    void refill(const KernelRows<C>& kernel, Index group, const FastWindow& w, Index first, Index last, int threads);
    /// [step][set][channel][width] of a panel that was transformed.
    const C* panel(Index group, const FastWindow& w, Index panel) const {
        return weights_.data() + place_of(group, w, panel);
    }

    const Kernels<C>& kernels;
    const FastKernels<C>& transforms;
    const Converters& converters;
    Buffer<C> zeros;  // a pixel outside the source

  private:
    Index place_of(Index group, const FastWindow& w, Index panel) const {
        return group * group_weights + panel_weights(w, panel) - first_;
    }
    void reserve(Index numbers);
    void fill_all(const KernelRows<C>& kernel, int threads);
    void fill_panels(const KernelRows<C>& kernel, Index group, const FastWindow& w, Index first_panel, Index last_panel,
                     Index step);

    Buffer<C> weights_;
    Index first_ = 0;  // of all numbers, the one that lies first
};

}  // namespace tconv
