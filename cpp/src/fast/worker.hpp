// One worker of a fast product, in memory of its own: it transforms tiles of pixels, multiplies them with panels of
// transformed weights, and transforms the sums to outputs.
#pragma once

#include <cstdint>

#include "carver.hpp"
#include "fast/grid.hpp"
#include "fast/packed.hpp"

namespace tconv {

/// What all workers of a fast product share.
template <class T>
struct FastWork {
    const FastPacked<T>& packed;
    const FastKernels<compute_t<T>>& transforms;
    const std::vector<FastGrid>& grids;
    bool staged;  // the target is turned or converted, row by row
    const T* source;
    T* target;
    const compute_t<T>* bias;  // [group][window][column], or nullptr
    Finish<compute_t<T>> finish;
};

template <class T>
class FastWorker {
  public:
    using C = compute_t<T>;

    /// Takes its memory from the carver; computes nothing when that only counts.
    FastWorker(const FastWork<T>& work, Carver& carver);

    /// Turns to a box of a grid and a product group.
    void enter(std::size_t grid, Index group, Index box);
    /// All of the box.
    void compute();
    /// The channels [first, last) of the tiles [first_tile, last_tile) of the box, to `transformed`: see
    /// FastGrid::transformed.
    void transform(Index first_tile, Index last_tile, Index first, Index last, C* transformed);
    /// The tiles [first, last) of the box with the panels [first_panel, last_panel).
    void multiply(Index first, Index last, Index first_panel, Index last_panel, const C* transformed);
    Index tiles() const { return tiles_; }

  private:
    /// Columns of a block that lie side by side in the target; the first one's member.
    struct Piece {
        Index first, count;  // of the columns that are stored together
        Index member, place;
    };

    void look_along_axes();
    void look_along_lines();
    void look_at_members();
    void look_within();
    void look_at_reach(Index first_tile, Index last_tile);
    void gather(Index first_channel, Index channels);
    void locate(Index tile);
    void advance(Index tiles);
    void transform_tiles(Index first_tile, Index last_tile, Index first, Index channels, Index offset, C* transformed);
    void prefetch(Index channels) const;
    void find_pixels(Index part, Index channel, const C** pixels);
    Index even_sources() const;
    void analyse(Index part, Index tile, Index tiles, Index from_step, Index first, Index channels, C* transformed);
    void multiply_panels(Index first, Index count, Index first_panel, Index last_panel, const C* transformed);
    void find_needed(Index first, Index count, Index first_panel, Index last_panel);
    Index list_needing(const std::uint64_t* needs, Index count, Index point);
    void borrow(Index point, Index panel, Index step, Rows<C>* t) const;
    void multiply_plain(Index first, Index count, Index first_panel, Index last_panel);
    void cut_columns(Index first, Index last);
    Index store(C* sums, Index most);
    void finish(const C* sums, T* target, const Piece* piece, Index tiles);
    void narrow_rows(T* target, const Piece& piece);
    bool find_targets(const Piece& piece);
    void synthesise(C* sums);
    template <class Row>
    void finish_columns(const C* sums, Index column, Index columns, const TileRun& run, const Row& row);
    Index line_rows(const FastGrid& grid) const;
    Index line_numbers(const FastGrid& grid) const;
    void store_lines(Index first, Index count);
    void store_segment(C* sums, Index tiles);
    template <class Use>
    void each_columns(const Use& use);
    void store_columns(Index member, Index count, Index channel, Index some, Index tiles);
    void store_line(Index count, Index offset, Index begin, Index end, T* target, Index to, Index step,
                    const Lines& lines);

    const FastWork<T>& work_;
    const detail::Columns& shape_;
    std::size_t rank_;

    // The box, along its axes.
    const FastGrid* grid_ = nullptr;
    Index group_ = 0, box_ = -1, tiles_ = 0;
    Index *first_, *last_;                  // [batch, axes...]
    Index **sources_, **targets_;           // [axis] [tile][part][entry] of pixels, or -1; [tile][output]
    bool** inside_;                         // [axis] [tile][part] every entry is a pixel
    unsigned char** valid_;                 // [axis] [tile][phase] a bit for each output that the phase has
    bool** whole_;                          // [axis] [tile] every phase of the window has every output
    std::uint64_t** needed_;                // [axis] [tile][phase] a bit for each point that its outputs need
    Index *even_sources_, *even_targets_;   // [tile] of the last axis: so many from it on are inside, and whole, and
                                            // evenly spaced
    bool uneven_ = false;                   // some outputs are nobody's
    Index *kinds_, *phase_kinds_;           // [member], [phase]: the same for neighbours with the same outputs
    Index *pixel_strides_, *low_, *count_;  // [axis] of the pixels where they are read
    Index *reach_end_, first_image_ = 0, last_image_ = 0;  // of the tiles that pixels are gathered for
    Index batch_stride_ = 0, half_ = 0;                    // half: to the same pixel's other half
    const C* origin_ = nullptr;
    Index* indices_;
    unsigned char* bits_;
    bool* flags_;
    std::uint64_t* masks_;

    // A tile.
    Index* at_;       // [batch, axes...] in the box
    Index* offsets_;  // [point] of its pixels

    // What is the same for all tiles of a window. The last one or two transformed axes are transformed together, as a
    // line or a plane of points; a slice is one of them, among the points of the axes before.
    Index* part_places_;  // [part][axis] which of the axis' parts it is
    Index* row_places_;   // [point] where the box's first row is
    Index* slot_places_;  // [part][point] where its slot is from a row on, or -1
    Index slice_points_ = 1, slice_outputs_ = 1;
    Index* slices_;  // [slice] its first point
    Index slices_count_ = 0;
    typename FastKernels<C>::FinishRows* finish_ = nullptr;  // of a slice
    Index* places_;                                          // [output] distance from the tile's first target
    Index* digits_;                                          // [output][axis]
    Index ahead_ = 0;  // from a target to the next tile's along the last axis, where it is stored to directly
    bool* here_;       // [output] there is such a target
    Piece *pieces_, *runs_;
    Index pieces_count_ = 0, runs_count_ = 0, first_column_ = 0, columns_ = 0;

    // A block of tiles and panels.
    bool leaves_out_ = false;               // products that no output needs
    std::uint64_t *needs_, *needs_of_all_;  // [panel][tile] a bit for each point; [panel] those that every tile needs
    Index* alike_;                          // [panel] the first one whose tiles need the same, since when all do
    Index *every_[2], *some_[2];            // where tiles' rows and sums are: of all in turn; of who needs a point

    const C **pixels_, **next_;            // [point]
    const C** strips_;                     // [strip][part][row] pixels where nothing is transformed
    const C* const** lines_;               // of points' pixels
    C *signs_, **to_;                      // [line]; [point of a slice] where a tile is stored
    Index *row_offsets_, *panel_offsets_;  // [part]
    C* made_;                              // a panel of weights
    C *panel_, *transformed_, *sums_, *staged_;

    // Channels first: neighbours along the last axis.
    struct Segment {
        Index first, last;  // outputs that a member has
        const C* from;
    };
    C* turned_;         // [column][row]
    Segment* segment_;  // [member of a run]
    const C** from_;    // the same
    Index* rows_;       // [output] of the first tile, times the width of a row
    Index segment_rows_ = 0;
};

/// The last axes, bias and activation of some columns of a run of tiles, output o of the first one to row(o), which
/// may be none.
template <class T>
template <class Row>
void FastWorker<T>::finish_columns(const C* sums, Index column, Index columns, const TileRun& run, const Row& row) {
    const Index width = grid_->block_panels * shape_.panel.width;
    const C* const bias = work_.bias == nullptr ? nullptr
                                                : work_.bias + group_ * work_.packed.group_bias + grid_->window.bias +
                                                      first_column_ + column;
    C* to[9];
    if (grid_->window.halves) {
        for (Index o = 0; o < halves_numbers; ++o) to[o] = row(o);
        const Index of_half = bias == nullptr ? 0 : work_.packed.bias_numbers(grid_->window) / 2;
        const C* const of_halves[] = {bias, bias + of_half};
        return work_.transforms.finish_halves(sums + column, width, to, columns, bias == nullptr ? nullptr : of_halves,
                                              work_.finish, run, ahead_);
    }
    for (Index s = 0, output = 0; s < slices_count_; ++s) {
        for (Index o = 0; o < slice_outputs_; ++o) to[o] = row(output++);
        finish_(sums + slices_[s] * width + column, width, to, columns, bias, work_.finish, run, ahead_);
    }
}

}  // namespace tconv
