// One worker of a fast kernel gradient: it transforms tiles of pixels and what they meet in dy, sums their products
// point by point over all tiles, and transforms the sums to taps.
#pragma once

#include "carver.hpp"
#include "checked.hpp"
#include "grad_kernel/tile_cut.hpp"
#include "half.hpp"
#include "kernels/gradient_table.hpp"
#include "kernels/table.hpp"
#include "layout.hpp"

namespace tconv {

template <class T>
struct TileWork : KernelWork<T> {
    const TileCut& cut;
    bool gathered;  // tensors are turned or converted line by line
    const Kernels<compute_t<T>>& kernels;
    const GradientKernels<compute_t<T>>& gradient;
    const FastKernels<compute_t<T>>& transforms;
    const Converters& converters;

    Index units() const { return cut.units(); }
};

template <class T>
class TileWorker {
  public:
    using C = compute_t<T>;

    /// Takes its memory from the carver; computes nothing when that only counts.
    TileWorker(const TileWork<T>& work, Carver& carver);

    void compute(Index unit);

  private:
    /// Neighbouring tiles of a row, of x or of what a member meets in dy, to be transformed.
    struct Row {
        Index lines, first_line;  // whose sum they are
        Index pixel;              // the first tile's first one along the last axis; it may be outside
        Index begin, end;         // those that are inside, counted from there
        Index tiles;
        C* to;  // at the first point
    };
    /// A tensor as it is read.
    struct Source {
        const T* numbers;
        Index pixels;              // from a pixel of a tile to the next
        Index step, channel_step;  // numbers from a pixel of a line to the next
        Index count;               // of channels
        Index entries, tile_step;  // of a tile; numbers of one at a point
    };

    void locate(Index unit);
    void plan(Index step);
    void plan_x(Index batch, Index tiles, Index place);
    void plan_dy(Index batch, Index tiles, Index place);
    template <class Line>
    void find_lines(Row* row, Index origin, const Line& line);
    void transform();
    void transform(const Row& row, const Source& source, void (*kernel)(const TileSum<C>&), TileSum<C>* s);
    Index sharing(Index row) const;
    Index gather(Index first_row);
    void multiply(Index tiles, bool add, bool last);
    const Source& source_of(Index row) const;
    bool asks_for(Index row) const;
    void ask(Index pixels);
    void add_to_taps(Index point);
    void store() const;

    Index members() const { return last_member_ - first_member_; }
    Index columns() const { return members() * filters_; }
    /// Numbers of a point's sums that the unit has.
    Index used() const { return ceil_div(columns(), cut_.width) * strip_; }

    const TileWork<T>& work_;
    const TileCut& cut_;
    const KernelSums& order_;
    std::size_t rank_;
    Index x_step_, dy_step_;   // numbers of a tile at a point
    Index strip_, sums_size_;  // numbers of sums from a block of columns to the next, and of a point

    // The unit.
    const TapProduct* product_ = nullptr;
    const TapAxis* along_ = nullptr;  // its last axis
    Index part_ = 0, group_ = 0, first_channel_ = 0, channels_ = 0, first_filter_ = 0, filters_ = 0;
    Index first_member_ = 0, last_member_ = 0, first_box_ = 0, boxes_ = 0;
    Source x_source_{}, dy_source_{};

    // A step: a point along all axes but the last, and a box.
    Index *point_, *pixel_, *member_;  // [axis]; where a row begins, and what it meets
    Index tiles_ = 0;                  // of the box
    Row* rows_;                        // [row][x, members...]
    Index rows_count_ = 0, lines_count_ = 0;
    Index* places_;  // [line] in the tensor
    C* weights_;     // [line]

    // What is asked for next: a row, a line of it and a pixel of that.
    Index asked_row_ = 0, asked_line_ = 0, asked_pixel_ = 0;

    const C** from_;
    C *line_, *gathered_;  // [pixel][channel or filter]
    Index line_pixel_ = 0, line_step_ = 1;
    C *x_, *dy_;       // [point][tile][channel or column]
    C *sums_, *taps_;  // [point or tap][block of columns][channel][column]
    double* totals_;   // of the taps, where boxes are many
};

}  // namespace tconv
