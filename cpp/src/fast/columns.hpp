// A kernel for the fast algorithms: windows of phases, each axis with a scheme, and the transformed numbers.
//
// Along an axis of r taps a window's outputs are a convolution of stride 1. A scheme F(m, q) computes m neighbours of
// them through m + q - 1 products instead of m*q; r > q taps are `parts` such convolutions, shifted by q, whose sums
// go on in one chain. The input gradient's taps that see the same phase of the source are such convolutions too.
// Along several axes points are products of the axes' points.
#pragma once

#include <vector>

#include "direct/pack.hpp"
#include "kernels/fast_table.hpp"

namespace tconv {

/// Which windows there are, and the scheme of each along each axis. It depends on shapes and the instruction set alone.
struct FastChoice {
    Join join = Join::all_axes;
    std::vector<std::vector<Scheme>> schemes;  // [window][axis]

    bool operator==(const FastChoice&) const = default;
};

/// Whether the fast algorithms know this kernel at all.
bool has_fast(const detail::Columns& columns);

/// A convolution of stride 1 along an axis, through at most as many taps as a scheme has.
struct FastPart {
    Index source;               // its first entry's pixel, from that of the row's first tap
    Index first_tap, tap_step;  // of the taps that its entries meet; some may not be the kernel's
};

struct FastWindow {
    Window window;
    std::vector<Scheme> schemes;     // [axis]
    std::vector<Index> spreads;      // [axis] rows between neighbours: further apart where the kernel is dilated
    std::vector<Index> entry_steps;  // [axis] pixels between them
    std::vector<std::vector<FastPart>> along;  // [axis][part]
    std::vector<std::size_t> axes;             // those of more than one point
    bool halves;                               // Strassen's algorithm, along the last axis
    Index source_channels, target_channels;    // of all, or of a half
    Index points = 1, parts = 1;
    Index outputs = 1;  // of a tile: neighbours along the last axis in turn, those of the other half behind all
    /// A part's weights at a point, that more points may share.
    struct Set {
        Index part, point;
    };
    std::vector<Set> sets;
    std::vector<Index> set_of;         // [point][part], -1 where all weights are zero
    Index columns = 0;                 // (member, target channel) pairs, those of a half
    Index bias = 0, weights = 0;       // where they begin
    std::vector<Index> slot_of;        // [point][part] its number among the point's that have weights, or -1
    std::vector<Index> slots;          // [point] so many have
    Index products = 0;                // of a tile, a channel and a column: as many as slots
    std::vector<Index> step_channels;  // where the steps begin that the channels of a sum are cut into, and end
    /// One axis of two taps: of each panel, the packed kernel's block that has those taps as they are. A point's
    /// weights are a tap's, or made of both when they are met. Empty: what the points need is kept.
    std::vector<Index> lent;

    FastWindow(Window window, std::vector<Scheme> schemes, const detail::Columns& columns);

    Index parts_along(std::size_t axis) const { return static_cast<Index>(along[axis].size()); }
    /// Pixels of a part that a tile reads, halves of them where channels are cut so.
    Index pixels() const { return halves ? halves_numbers : points; }
    Index steps() const { return static_cast<Index>(step_channels.size()) - 1; }
    /// The first channel of a step.
    Index step_channel(Index step) const { return step_channels[static_cast<std::size_t>(step)]; }

    static constexpr Index lent_taps = 2;

  private:
    void cut_taps(std::size_t axis, const detail::Columns& columns);
    void find_sets();
    void cut_channels(Index products);
    void find_lent(const detail::Columns& columns);
};

/// Whether channels and filters are so many that halves of both are whole vectors.
bool has_halves(const detail::Columns& columns);

/// Taps that a scheme along an axis may be used on together.
Index taps_together(const detail::Columns& columns, const Window& window, std::size_t axis);

/// All of a transformed kernel but its numbers.
struct FastColumns {
    const detail::Columns& columns;
    FastChoice choice;
    std::vector<FastWindow> windows;
    Index group_weights = 0, group_bias = 0;  // numbers from one product group to the next

    FastColumns(const detail::Columns& columns, FastChoice choice);

    Index panels(const FastWindow& w) const { return (w.columns + columns.panel.width - 1) / columns.panel.width; }
    /// Numbers of a window's bias: a half's behind the other's.
    Index bias_numbers(const FastWindow& w) const { return panels(w) * columns.panel.width * (w.halves ? 2 : 1); }
    /// Columns of a panel that are computed: all, or half of them in the last one.
    Index width(const FastWindow& w, Index panel) const;
    /// Where a panel begins among a window's numbers: [panel][step][set][channel][width]; none are there if they are
    /// lent.
    Index panel_weights(const FastWindow& w, Index panel) const;
};

}  // namespace tconv
