// One worker of a kernel gradient by outer products: some tiles of the kernel, summed over the boxes of a part.
#pragma once

#include "grad_kernel/outer_cut.hpp"
#include "segments.hpp"

namespace tconv {

/// Pixels whose numbers are put together at once.
inline constexpr Index scratch_pixels = 32;

template <class T>
struct OuterWork : KernelWork<T> {
    const OuterCut& cut;
    const Kernels<compute_t<T>>& kernels;
    const GradientKernels<compute_t<T>>& gradient;
    const Converters& converters;

    Index units() const { return cut.units(); }
};

template <class T>
class OuterWorker {
  public:
    using C = compute_t<T>;

    /// Takes its memory from the carver; computes nothing when that only counts.
    OuterWorker(const OuterWork<T>& work, Carver& carver);

    void compute(Index unit);

  private:
    void locate(Index unit);
    void add_boxes(bool looking);
    void add_box(Index box, bool add, bool more_boxes);
    template <class Use>
    bool each_tile(const Use& use);
    void enter_box(Index box);
    void enter_tile(Index tile);
    void find_runs();
    void take_x();
    void pack_x(Index group);
    void pack_dy(Index group);
    void multiply(C* sums, bool add);
    void multiply_exactly(C* sums, bool add);
    struct Span;
    struct Piece;
    void find_pieces();
    Index find_spans(Index segment);
    void add_run(Piece& piece, Index pixel, Index row, const Span& span);
    void multiply_in_place(Index group, bool more_boxes, C* sums);
    void store(Index group, const C* sums) const;
    bool finite() const;
    bool finite_sums();

    /// Neighbouring pixels of a line of which the same numbers of a segment are inside.
    struct Span {
        Index first, last, low, high, at;
    };
    /// Rows of a tile, a few numbers of a segment, and the runs of pixels that meet them.
    struct Piece {
        Index first, rows, first_run, runs;
    };

    Index filters() const { return tile_last_[0] - tile_first_[0]; }
    Index pairs() const { return segments_.taps() * filters(); }
    Index rows() const { return cut_.swapped ? pairs() : channels_; }
    Index columns() const { return cut_.swapped ? channels_ : pairs(); }

    const OuterWork<T>& work_;
    const OuterCut& cut_;
    const KernelSums& order_;
    std::size_t rank_;
    Index strip_, tile_sums_;         // numbers of sums from a block of columns to the next, and of a tile
    Index row_block_, column_block_;  // numbers of panels from block to block
    Index row_step_;                  // from a pixel's rows to the next one's
    Segments<T> segments_;

    // The unit.
    Index part_ = 0, first_group_ = 0, last_group_ = 0, first_channel_ = 0, channels_ = 0;
    Index first_tile_ = 0, last_tile_ = 0;
    bool looking_ = false;  // at pixels that taps lead out of dy, of which there are some
    bool clipped_ = false;

    // The box and what it meets through the taps of a tile.
    Index *first_, *last_, *at_;      // [batch, axes...]
    Index *tile_first_, *tile_last_;  // [filters, taps...]
    Index length_ = 0, pixels_ = 0;
    Index* x_lines_;  // [line] where x's pixels begin

    LineRun* runs_;  // of pixels that meet something
    Index run_count_ = 0;
    Span* spans_;  // of a segment whose numbers are rows
    Piece* pieces_;
    Index piece_count_ = 0;
    const C **x_pixels_, **pixels_of_dy_;
    C *x_, *scratch_;
    C *row_panel_, *column_panel_;
    C* sums_;  // [group or tile][block of columns][row][column]
    C *masked_, *product_;
    double* totals_;
};

}  // namespace tconv
