// How a window of the fast algorithms is cut: tiles of neighbouring rows, boxes of tiles, panels of columns.
#pragma once

#include <vector>

#include "boxes.hpp"
#include "direct/tiling.hpp"
#include "fast/columns.hpp"

namespace tconv {

/// Memory that a box of transformed tiles may take that all workers share.
inline constexpr Index shared_bytes = 8 << 20;
/// Channels that are gathered at once.
inline constexpr Index fast_chunk = 64;

/// One window over the rows that the maps describe. A tile is `outputs` rows, neighbours along each axis; of a dilated
/// kernel's, those that read the same pixels: every spread-th row.
struct FastGrid {
    const FastColumns& columns;
    const FastWindow& window;
    const std::vector<AxisMap>& maps;
    const Layout &source, &target;
    std::vector<Range> ranges;                       // [axis] rows
    std::vector<Index> tiles;                        // [axis] of one of `spread` sets of rows
    std::vector<Index> point_strides;                // [axis]
    std::vector<std::vector<std::size_t>> phase_of;  // [member][axis] its number among the axis' phases
    std::vector<Index> deltas;                       // [member] targets' distance from the first member's
    std::vector<Index> order, places;                // panels as they are computed; [panel] its place among those
    Boxes boxes;                                     // of tiles: (batch, axes...)
    bool gathered;                                   // the source is turned or converted, chunk by chunk of channels
    bool plain;                                      // nothing to transform: products of pixels where they are
    bool shared = false;                             // a box is transformed once, for all workers
    Index block_tiles = 1;                           // that meet a block of columns together
    Index block_panels = 1;                          // of a block of columns
    std::vector<Index> row_numbers;                  // [point] from one tile's transformed channels to the next one's
    Index tile_numbers = 0;                          // of all points
    Index sum_numbers = 1;                           // from one tile's sums to the next

    FastGrid(const FastColumns& columns, const FastWindow& window, const std::vector<AxisMap>& maps,
             const Layout& source, const Layout& target, Index batch, bool gathered, Index sum_bytes, int threads);

    Index members() const { return static_cast<Index>(phase_of.size()); }
    bool empty() const { return boxes.count() == 0; }
    /// Numbers of a transformed box: [point][tile][slot][channel].
    Index transformed() const { return plain ? 0 : boxes.points() * tile_numbers; }
    /// The source indices that a box needs along an axis, at most.
    Index reach(std::size_t axis) const;
    /// Numbers of a chunk of channels of the pixels of a box, of either half.
    Index panel_numbers() const;
    /// The first row of tile c along an axis that no tile before has.
    Index own_row(std::size_t axis, Index c) const {
        const Index lattice = c / tiles[axis], at = c % tiles[axis];
        return ranges[axis].first + lattice + window.spreads[axis] * outputs_of(window.schemes[axis]) * at;
    }
    /// Its first row: one further back where a single row is left, and the output in the middle takes the fewest
    /// points.
    Index row(std::size_t axis, Index c) const {
        const Index own = own_row(axis, c);
        return is_back(axis, own) ? own - window.spreads[axis] : own;
    }
    /// The column that is computed n-th, and which one a column is.
    Index column_at(Index n) const { return order[static_cast<std::size_t>(n / width())] * width() + n % width(); }
    Index place_of(Index column) const {
        return places[static_cast<std::size_t>(column / width())] * width() + column % width();
    }
    Index width() const { return columns.columns.panel.width; }
    bool is_back(std::size_t axis, Index own_row) const {
        return window.schemes[axis] == Scheme::three_by_two && own_row + window.spreads[axis] >= ranges[axis].last;
    }

  private:
    bool order_panels();
};

}  // namespace tconv
