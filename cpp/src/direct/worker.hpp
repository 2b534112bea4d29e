// One worker of a product: it computes a tile of rows with a slice of columns, in memory of its own.
#pragma once

#include "carver.hpp"
#include "direct/tiling.hpp"
#include "picked.hpp"

namespace tconv {

/// What all workers of a product share.
template <class T>
struct Work {
    const detail::Packed<T>& packed;
    const Tiling& tiling;
    const T* source;
    T* target;
    const compute_t<T>* bias;  // [group][block][column], or nullptr
    Finish<compute_t<T>> finish;
};

template <class T>
class Worker {
  public:
    using C = compute_t<T>;

    /// Takes its memory from the carver; computes nothing when that only counts.
    Worker(const Work<T>& work, Carver& carver);

    /// Computes one unit of the tiling.
    void compute(Index unit);

  private:
    static constexpr Index turned_together = 16;  // rows: a multiple of any vector's width
    using Block = detail::Block;
    using Step = detail::Step;

    void locate(Index unit);
    void pick();
    void gather();
    bool enter(std::size_t window);
    void place_rows();
    void find_pixels(const Step& step);
    void multiply(const Slice& slice, std::size_t window);
    void multiply_block(Tile<C> t, std::size_t number, bool last, bool first_block);
    void multiply_along(const Tile<C>& t, std::size_t number, bool last);
    Index find_runs(std::size_t number, Index row);
    void multiply_apart(Tile<C> t, const Block& block, Index first_row, Index last_row) const;
    void multiply_rows(const Tile<C>& t, const Block& block, Index first_row, Index last_row) const;
    void deliver(std::size_t number, const C* sums);
    void prefetch(const Tile<C>& t, Index rows) const;
    void multiply_exactly(Tile<C> t, Index rows) const;
    bool stores_lines() const { return !tiling_.lines; }  // the kernel does, finished
    Storage pixel_storage() const { return tiling_.gathered ? Storage::own : storage_of<T>; }
    void finish(const Block& block, C* sums, Index rows) const;
    void store(const Block& block, const C* sums, Index first_row, Index last_row);
    void scatter(const Block& block, const T* from, Index first_row, Index last_row);
    void turn(std::size_t number, const C* sums);
    void store_lines(std::size_t number);
    void store_channels(Index member, Index channel, Index some, Index count);
    bool has(const std::vector<Phase>& member, Index row) const;

    Index turned_rows() const { return (rows_ + turned_together - 1) / turned_together * turned_together; }
    Index strips() const { return (rows_ + shape_.panel.tile_rows - 1) / shape_.panel.tile_rows; }
    Index batches() const { return batch_last_ - batch_first_; }

    const Work<T>& work_;
    const Tiling& tiling_;
    const detail::Columns& shape_;
    std::size_t rank_;
    Index pixel_bytes_;  // of a number where it is read

    // The unit.
    Index group_ = 0, batch_first_ = 0, batch_last_ = 0;
    const Slice* slice_ = nullptr;
    Index *tile_first_, *tile_last_;  // [axis]

    // The gathered tile, or the source itself.
    Picked* picked_;  // [axis]
    Index* lists_;
    C* panel_;
    // From here to outer_ in bytes, where they are away from pixels.
    Index* pixel_strides_;  // [axis]
    Index batch_stride_ = 0;
    const void* origin_ = nullptr;

    // The window.
    std::size_t window_ = 0;
    Index rows_ = 0;
    Index *first_, *last_, *at_;                // [axis] its rows in the tile; the row being looked at
    Index* offsets_;                            // [axis][row of the axis][tap of the axis] of pixels, or -1
    Index** axis_offsets_;                      // [axis] into offsets_
    Index inside_first_ = 0, inside_last_ = 0;  // rows of the last axis all of whose taps are inside
    bool even_ = false;                         // their pixels are row_step_ apart, and only the first one's are listed
    Index row_step_ = 0;
    Index* outer_;        // [tap of all axes but the last] the same for a row of rows
    Index* targets_;      // [row] offset of the first member's first channel
    Index* in_sums_;      // [row] where it lies in the sums of a block
    Index* coordinates_;  // [row][axis], of rows that some member has not
    bool* whole_;         // [row] every member has it
    Index common_first_ = 0,
          common_last_ = 0;   // of a line of rows, those that every member has, in a line that all have
    bool all_whole_ = false;  // every member has every row
    const C** pixels_;        // [strip][tap of the step][row of the strip]; of T's where they lie
    bool* clipped_;           // [strip] some pixel lies outside
    bool clipped_any_ = false;
    Range* lines_;           // [line of rows, of dots] its rows in the tile, and those that are computed together
    const C** line_pixels_;  // [line of rows][tap of the step] of the first one of those, or nullptr where outside
    const C** row_pixels_;   // [tap of the step] the same of one row
    ColumnRun* line_runs_;   // of a line that some members have not
    C* sums_;
    T* narrowed_;
    T* turned_;                 // [column][turned row]
    C* turned_sums_;            // the same of a block, before they are narrowed
    const T** turned_columns_;  // [member of a run] where its column begins
};

}  // namespace tconv
