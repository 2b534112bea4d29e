// A kernel for the fast algorithms: windows of phases, each axis with a scheme, and the transformed numbers.
//
// Along an axis of r taps a window's outputs are a convolution of stride 1. A scheme F(m, q) computes m neighbours of
// them through m + q - 1 products instead of m*q; r > q taps are `parts` such convolutions, shifted by q, whose sums
// go on in one chain. Along several axes points are products of the axes' points.
#pragma once

#include <vector>

#include "kernels/fast_table.hpp"
#include "pack.hpp"

namespace tconv {

/// Which windows there are, and the scheme of each along each axis. It depends on shapes and the instruction set alone.
struct FastChoice {
    Join join = Join::all_axes;
    std::vector<std::vector<Scheme>> schemes;  // [window][axis]

    bool operator==(const FastChoice&) const = default;
};

/// Whether the fast algorithms know this kernel at all.
bool has_fast(const detail::Columns& columns);

struct FastWindow {
    Window window;
    std::vector<Scheme> schemes;     // [axis]
    std::vector<Index> parts_along;  // [axis]
    std::vector<std::size_t> axes;   // those of more than one point
    Index points = 1, outputs = 1, parts = 1;
    Index columns = 0;            // (member, target channel) pairs
    Index bias = 0, weights = 0;  // where they begin
    Index steps = 1;              // that the channels of a sum are cut into

    FastWindow(Window window, std::vector<Scheme> schemes, Index source_channels, Index target_channels);

    /// Rows between neighbours along an axis: they are further apart where the kernel is dilated.
    Index spread(std::size_t axis) const { return -window.first()[axis].tap_shift; }
};

/// All of a transformed kernel but its numbers.
struct FastColumns {
    const detail::Columns& columns;
    FastChoice choice;
    std::vector<FastWindow> windows;
    Index group_weights = 0, group_bias = 0;  // numbers from one product group to the next

    FastColumns(const detail::Columns& columns, FastChoice choice);

    Index panels(const FastWindow& w) const { return (w.columns + columns.full_width - 1) / columns.full_width; }
    /// Columns of a panel that are computed: all, or half of them in the last one.
    Index width(const FastWindow& w, Index panel) const;
    /// Where a panel begins among a window's numbers: [panel][point][step][part][channel][width].
    Index panel_weights(const FastWindow& w, Index panel) const;
    /// The channels [first, last) of a step.
    Index step_channel(const FastWindow& w, Index step) const { return columns.source_channels * step / w.steps; }
};

/// A kernel transformed in double precision, and rounded once. The direct kernel must outlive it.
template <class T>
class FastPacked : public FastColumns {
  public:
    using C = compute_t<T>;

    FastPacked(const detail::Packed<T>& packed, FastChoice choice);

    const detail::Packed<T>& packed;
    Buffer<C> weights;

  private:
    void fill(const Buffer<C>& kernel, Index group, const FastWindow& w, Index panel);
    std::vector<Index> entries_of(const FastWindow& w, Index part) const;
    void take(const Buffer<C>& kernel, const FastWindow& w, Index column, const std::vector<Index>& entries,
              Index channel, Index some, double* numbers) const;
    void to_points(const FastWindow& w, double* numbers) const;
};

}  // namespace tconv
