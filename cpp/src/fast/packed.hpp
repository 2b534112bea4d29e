// The numbers of a kernel for the fast algorithms.
#pragma once

#include "fast/panel_filler.hpp"

namespace tconv {

/// A kernel transformed in double precision, and rounded once: all of it, or some panels at a time. What describes it
/// must outlive it.
template <class T>
class FastPacked : public FastColumns {
  public:
    using C = compute_t<T>;

    FastPacked(const detail::Columns& columns, FastChoice choice, std::pmr::memory_resource* memory);

    Index numbers() const { return group_weights * columns.product_groups; }
    /// Transforms all of it.
    void fill(const KernelRows<C>& kernel, int threads);
    /// A forward kernel that is packed, some channels at a time; it must outlive this one, which it may lend weights.
    void fill(const detail::Packed<T>& packed, int threads);
    /// Makes room for so many panels of a window.
    void reserve_panels(const FastWindow& w, Index count);
    /// Transforms a group's panels [first, last) of a window in place of those that were there, with that window's
    /// filler; it cannot fail.
    void refill(PanelFiller<C>& filler, const KernelRows<C>& kernel, Index group, const FastWindow& w, Index first,
                Index last);
    /// [step][set][channel][width] of a panel that was transformed.
    const C* panel(Index group, const FastWindow& w, Index panel) const {
        return weights_.data() + place_of(group, w, panel);
    }

    /// [tap][channel][width] of a step of a panel that is lent.
    const C* lent_panel(Index group, const FastWindow& w, Index panel, Index step) const {
        const detail::Block& block = columns.blocks[static_cast<std::size_t>(w.lent[static_cast<std::size_t>(panel)])];
        return lender_ + group * columns.group_weights + block.weights +
               FastWindow::lent_taps * w.step_channel(step) * block.panel;
    }

    const Kernels<C>& kernels;
    const FastKernels<C>& transforms;
    const Converters& converters;
    Buffer<C> zeros;  // a pixel outside the source

  private:
    Index place_of(Index group, const FastWindow& w, Index panel) const {
        return group * group_weights + panel_weights(w, panel) - first_;
    }
    void fill_all(const KernelRows<C>& kernel, int threads);

    std::pmr::memory_resource* memory_;  // of the weights
    Buffer<C> weights_;
    const C* lender_ = nullptr;
    Index first_ = 0;  // of all numbers, the one that lies first
};

}  // namespace tconv
