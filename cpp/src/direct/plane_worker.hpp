// One worker of a product of planes: it computes a box of rows with groups of columns, in memory of its own.
#pragma once

#include "direct/plane_grid.hpp"
#include "direct/worker.hpp"

namespace tconv {

/// What all workers of a product of planes share.
template <class T>
struct PlaneWork {
    const detail::Packed<T>& packed;
    const PlaneGrid& grid;
    const T* source;
    T* target;
    const compute_t<T>* bias;  // [group][block][column], or nullptr
    Finish<compute_t<T>> finish;
};

template <class T>
class PlaneWorker {
  public:
    using C = compute_t<T>;

    /// Takes its memory from the carver; computes nothing when that only counts.
    PlaneWorker(const PlaneWork<T>& work, Carver& carver);

    /// Computes one unit of the grid: a box of rows with a slice of columns.
    void compute(Index unit);

  private:
    using Step = detail::Step;

    void locate(Index unit);
    void gather();
    void find_in_place();
    bool enter(std::size_t window);
    void multiply(const PlaneGroup& group);
    void multiply_step(const Step& step, Index done, bool last, std::size_t first_piece, std::size_t last_piece);
    bool find_rows(const PlaneRun& run);
    void prefetch(const PlaneRun& run);
    void store(const PlaneRun& run);
    void store_ends(Index count, Index begin, Index end, Index lane, T* target, const Lines& lines) const;
    void store_lines(Index count, Index rows, T* to, const Lines& lines);

    const PlaneWork<T>& work_;
    const PlaneGrid& grid_;
    const detail::Columns& shape_;
    std::size_t rank_;
    bool early_;  // the target's lines are asked for before the sums are computed

    // The unit.
    Index group_ = 0;
    std::size_t first_group_ = 0, last_group_ = 0;
    Index *box_first_, *box_last_;  // [batch, axes...]; rows from the grid's first ones

    C* panel_;
    const C* pixels_ = nullptr;   // the panel, or the source itself
    Index plane_step_ = 0;        // from one channel to the next
    Index* lines_;                // [line of the panel] offset in a plane of the source, or -1
    Index *first_, *last_, *at_;  // [axis] rows of the window in the box; the row being looked at
    Index *begin_, *end_;         // [axis] the same of a run
    Index vectors_ = 0;           // of the window's rows
    Index* offsets_;              // [tap of the step]
    const C** columns_;           // [column of the piece] its weights
    C* bias_;                     // [column of the piece]
    C* sums_;                     // [column of the group][lane]
    C* line_;                     // interleaved, before it is narrowed
    Index lane_ = 0, place_ = 0;  // of a run: its first row, without the last axis, in a column and in the target
    const C** from_;              // [column of a run] where its numbers begin
    Index* starts_;               // [column of a run] the same, of row 0 of the box' first line
    Range* run_rows_;             // [column of a run] its rows in the box, along the last axis
};

}  // namespace tconv
