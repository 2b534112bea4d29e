// How a product is cut whose pixels and outputs lie in planes, a channel each, or are turned to lie so: boxes of rows,
// groups of columns.
#pragma once

#include <utility>
#include <vector>

#include "boxes.hpp"
#include "direct/tiling.hpp"

namespace tconv {

/// A column in its block.
struct PlaneWeights {
    std::size_t block;
    Index number;
};

/// Columns of a window, of blocks that are packed alike, which are computed together.
struct PlanePiece {
    std::size_t window;
    Index panel;              // columns of a block, as packed
    std::size_t first, last;  // among the weights
    Index slot;               // of its first column, among the group's
};

/// One column of a run.
struct PlaneColumn {
    Index slot;
    std::size_t window, member;
    std::size_t phase;    // along the last axis
    std::size_t weights;  // of its first channel; the next ones' follow
};

/// Columns of a target channel whose phases follow each other along the last axis and agree along the others: the
/// numbers of a line of the target, interleaved. The next channel's are in the slots after those.
struct PlaneRun {
    Index first_channel, last_channel;
    std::size_t first, last;  // among all columns of runs
    std::size_t phase;        // [axis but the last] from here on: see PlanePhase
};

/// A phase along one axis: its rows, where its window's begin, and where row 0 is stored. Along the last axis its rows
/// may be called `shift` more than they are, so that row j of all phases lies within the same `target_step` numbers.
struct PlanePhase {
    Index first, last, window_first, place, shift;
};

/// Columns whose sums wait for each other, to be stored in whole lines.
struct PlaneGroup {
    std::size_t first_piece, last_piece;
    std::size_t first_run, last_run;
    Index columns;
    bool finished;  // runs' columns meet the same pixels and are packed alike: they can be stored as they are summed
};

/// A product of `columns` with planes of pixels. A box of rows reads a box of pixels, which lies as it is, with zeros
/// around it, in a panel of planes: row (n, j...) of a window is number n*steps[0] + j[0]*steps[1] + ... from its
/// first one, and under each tap all rows are the same distance away. Between the ends of one line and the
/// beginning of the next lie rows that nobody stores.
struct PlaneGrid {
    const detail::Columns& columns;
    std::vector<AxisMap> maps;
    std::size_t rank;
    Index batch;
    bool channels_last;  // pixels and sums are turned
    Layout source, target;
    std::vector<Index> renamed;                   // [window*rank + axis] how much more than it is a row is called
    std::vector<std::pair<Index, Index>> ranges;  // [window*rank + axis] its rows
    std::vector<Index> first, rows;               // [axis] of all windows: the first row; how many
    std::vector<Index> low, spread;               // [axis] the sources of a row: [row + low, row + low + spread]
    std::vector<std::vector<Index>> tap_shifts;   // [window] [tap][axis] from row + low
    std::vector<PlaneWeights> weights;            // by piece
    std::vector<PlanePiece> pieces;               // by group, by window
    std::vector<PlaneColumn> run_columns;         // by run
    std::vector<PlaneRun> runs;                   // by group, by channel
    std::vector<PlanePhase> phases;               // [window] [member][axis], as columns and runs name them
    std::vector<PlaneGroup> groups;
    std::vector<std::size_t> slices;  // the first group of each, and the end
    Index together = 1;               // product groups whose pixels and sums are turned together
    Boxes boxes;                      // of rows: (batch, axes...)
    bool in_place = false;            // pixels are read where they are
    bool inside = false;              // they are in boxes around which there are others
    Index column_products = 0;        // of a column's sum, at most
    Index group_columns = 0;          // at most
    std::vector<Index> steps;         // [batch, axes...] lanes from one row to the next
    Index lanes = 0;                  // rows of a box, those in between included, in whole vectors
    Index plane = 0;                  // numbers of a panel from one channel to the next
    std::vector<Index> turned;        // [block] where the weights of its columns are that lie side by side, or empty
    Index turned_numbers = 0;         // of those of all blocks

    PlaneGrid(const detail::Columns& columns, const std::vector<AxisMap>& maps, Index batch, DataFormat format,
              bool converted, Index sum_bytes, int threads);

    /// Whether planes serve a product with these columns and extents. It does not depend on the batch.
    static bool suits(const detail::Columns& columns, const std::vector<AxisMap>& maps, DataFormat format);

    Index units() const { return boxes.count() * static_cast<Index>(slices.size() - 1) * bundles(); }
    /// Product groups, so many together.
    Index bundles() const { return (columns.product_groups + together - 1) / together; }
    /// From one column's weights that lie side by side to the next one's.
    Index turned_step(const detail::Block& block) const;
    /// Lines of a panel's plane.
    Index panel_lines() const;
    /// Products of numbers.
    double products() const;

  private:
    using Runs = std::vector<std::vector<PlaneColumn>>;

    std::vector<std::size_t> first_phases;  // [window]

    void find_rows();
    void find_phases();
    void make_groups(Index sum_bytes);
    bool is_panel(Index sum_bytes) const;
    void cut_boxes(Index sum_bytes, int threads, bool images_are_panels);
    double time_of_boxes(int threads) const;
    Index slices_for(int threads) const;
    void cut_slices(int threads);
    void place_turned(Index sum_bytes);
    bool finishes(const PlaneRun& run) const;
    void add_group(const std::vector<Runs>& outer, Index first_channel, Index last_channel);
};

}  // namespace tconv
