// How a product is cut: tiles of rows, slices of columns, and what lies along the axes.
#pragma once

#include <limits>
#include <vector>

#include "direct/pack.hpp"
#include "layout.hpp"

namespace tconv {

/// Products that are too few to wake a thread.
inline constexpr double serial_products = 1 << 19;

/// Blocks of columns, in the tiling's order, that a tile of rows meets before the next tile.
struct Slice {
    std::size_t first_block, last_block;
};

/// A product of `columns` with rows given by `maps`, cut into units: every tile times every slice of every group.
struct Tiling {
    const detail::Columns& columns;
    std::vector<AxisMap> maps;
    std::size_t rank;
    Index batch;
    Layout source, target;
    bool gathered;                             // the source is turned, converted or put together tile by tile
    bool bordered;                             // with zeros around it, so that no row has pixels outside
    Index sum_bytes;                           // of one sum
    std::vector<Range> ranges;                 // [window*rank + axis]
    std::vector<std::vector<Index>> deltas;    // [window][member] targets' distance from the first member's
    std::vector<Index> places;                 // [block] its first target's distance from its row's, or `scattered`
    std::vector<std::vector<ColumnRun>> runs;  // [block] of dots and depthwise, channels last
    std::vector<Index> first, last;            // [axis] rows of all windows
    bool lines;                                // channels first: the numbers of a channel are stored line by line
    std::vector<std::size_t> order;            // of the blocks: what is stored interleaved follows each other
    std::vector<Slice> slices;
    std::vector<std::size_t> slice_of;  // [block]
    std::vector<Index> turned;          // [block] its first one of the columns that are turned into lines together
    Index turned_columns = 0;
    Index widest_block = 0, sum_columns = 0;  // columns whose sums wait in a worker
    std::vector<Index> tile, tiles;           // [batch, axes...] rows of a tile; how many tiles

    Tiling(const detail::Columns& columns, const std::vector<AxisMap>& maps, Index batch, DataFormat format,
           bool converted, Index sum_bytes, bool finite, int threads);

    /// The columns of a block that don't lie side by side in the target.
    static constexpr Index scattered = std::numeric_limits<Index>::min();

    Index rows_of_tile() const;
    Index units() const;
    /// Products of numbers, those with padding columns included.
    double products() const;
    /// The most source indices that a tile needs along an axis: with repetitions, and different ones.
    Index listed(std::size_t axis) const;
    Index picked(std::size_t axis) const;
    /// Numbers of a gathered tile.
    Index panel_numbers() const;

  private:
    void find_ranges();
    void find_places();
    void order_blocks();
    void cut_slices();
    void place_turned();
    void cut_tiles(Index rows);
    void choose_tiles(int threads);
};

}  // namespace tconv
