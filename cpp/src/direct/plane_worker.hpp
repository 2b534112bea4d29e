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
    const compute_t<T>* turned;  // [group][block][column] weights, see PlaneGrid::turned
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
    /// Of a run along the last axis: those that all of its columns have, and whether they have no others.
    struct RunRows {
        Index begin, end;
        bool even;
    };

    void locate(Index unit);
    Index find_lines();
    void gather();
    void gather_pixels();
    void compute_bundle(bool gathered);
    void store_pixels(const PlaneRun& run);
    void find_in_place();
    bool find_inside();
    bool enter(std::size_t window);
    void place_vectors();
    void finish(const PlaneTile<C>& t) const;
    void multiply(const PlaneGroup& group);
    void multiply_step(const Step& step, Index done, bool last, std::size_t first_piece, std::size_t last_piece);
    Index sums_place(Index slot) const;
    const C* group_weights() const;
    Index weights_place(const PlaneWeights& column, Index depth, Index product) const;
    void step_weights(Index panel, Index depth, PlaneTile<C>& t) const;
    bool find_rows(const PlaneRun& run);
    RunRows find_ends(const PlaneRun& run);
    bool multiply_lines(const PlaneGroup& group);
    bool alike(const PlaneRun& one, const PlaneRun& other) const;
    void multiply_runs(std::size_t first_run, std::size_t last_run);
    void prefetch(const PlaneRun& run);
    void store(const PlaneRun& run);
    Lines lines_of_run() const;
    template <class Use>
    void each_lines(const Use& use);
    void store_ends(Index count, Index begin, Index end, Index lane, T* target, const Lines& lines) const;
    void store_lines(Index count, Index rows, T* to, const Lines& lines);

    const PlaneWork<T>& work_;
    const PlaneGrid& grid_;
    const detail::Columns& shape_;
    std::size_t rank_;
    bool early_;  // the target's lines are asked for before the sums are computed

    // The unit.
    Index group_ = 0;              // of products
    Index bundle_ = 0, some_ = 1;  // the first of those that are turned together, and how many they are
    std::size_t first_group_ = 0, last_group_ = 0;
    Index *box_first_, *box_last_;  // [batch, axes...]; rows from the grid's first ones

    C* panel_;
    const C* pixels_ = nullptr;   // the panel, or the source itself
    Index plane_step_ = 0;        // from one channel to the next
    bool cleared_ = false;        // what lies between the panel's planes
    Index gathered_ = -1;         // the box of a product group that the panel is of
    Index* lines_;                // [line of the panel] offset in a plane of the source, or -1
    Index *first_, *last_, *at_;  // [axis] rows of the window in the box; the row being looked at
    Index *begin_, *end_;         // [axis] the same of a run
    Index vectors_ = 0;           // of the window's rows
    Index* places_;               // [vector] where it begins; nullptr, where one follows the other
    Index* all_places_;           // room for them
    Index* offsets_;              // [tap of the step]
    const C** columns_;           // [column of the piece] its weights
    C* bias_;                     // [column of the piece]
    void** outs_;                 // [line of the group's columns] where the first row is stored
    C* sums_;                     // [column of the group][lane], or [member of it][product group][column][lane]
    C* rows_;                     // [pixel][channel] of a line that is turned, or nullptr
    Index lane_ = 0, place_ = 0;  // of a run: its first row, without the last axis, in a column and in the target
    const C** from_;              // [column of a run] where its numbers begin
    Index* starts_;               // [column of a run] the same, of row 0 of the box' first line
    Range* run_rows_;             // [column of a run] its rows in the box, along the last axis
};

/// Where the sums of a column are; see sums_.
template <class T>
inline Index PlaneWorker<T>::sums_place(Index slot) const {
    const Index column = slot % shape_.target_channels;
    return (slot - column) * grid_.together + (group_ - bundle_) * shape_.target_channels + column;
}

/// The weights of the product group.
template <class T>
inline const compute_t<T>* PlaneWorker<T>::group_weights() const {
    return work_.turned != nullptr ? work_.turned + group_ * grid_.turned_numbers
                                   : work_.packed.weights.data() + group_ * shape_.group_weights;
}

/// Where among them those of a column are, from a product on, the first of a step.
template <class T>
inline Index PlaneWorker<T>::weights_place(const PlaneWeights& column, Index depth, Index product) const {
    const detail::Block& block = shape_.blocks[column.block];
    if (work_.turned != nullptr) return grid_.turned[column.block] + column.number * grid_.turned_step(block) + product;
    return block.weights + product * block.panel + column.number * (shape_.form == Form::dots ? depth : 1);
}

/// How far those of a column are apart, in panels so wide.
template <class T>
inline void PlaneWorker<T>::step_weights(Index panel, Index depth, PlaneTile<C>& t) const {
    const Index beside = work_.turned != nullptr ? 1 : panel;
    t.channel_step = shape_.form == Form::dots ? 1 : beside;
    t.tap_step = depth * beside;
}

/// Calls use(lane, place) for the lines of the rows that find_rows found, those of the last axis but one together:
/// where they begin in a column and in the target, from row 0 and channel 0 on.
template <class T>
template <class Use>
void PlaneWorker<T>::each_lines(const Use& use) {
    const std::size_t outer = rank_ < 2 ? 0 : rank_ - 2;
    for (Index n = box_first_[0]; n < box_last_[0]; ++n) {
        for (std::size_t a = 0; a < outer; ++a) at_[a] = begin_[a];
        for (bool more = true; more;) {
            Index lane = (n - box_first_[0]) * grid_.steps[0], place = place_ + n * grid_.target.batch;
            more = false;
            for (std::size_t a = 0; a < outer; ++a) {
                lane += (at_[a] - begin_[a]) * grid_.steps[a + 1];
                place += (at_[a] - begin_[a]) * grid_.maps[a].target_step * grid_.target.axes[a];
            }
            for (std::size_t a = outer; a-- > 0;) {
                if (++at_[a] < end_[a]) {
                    more = true;
                    break;
                }
                at_[a] = begin_[a];
            }
            use(lane, place);
        }
    }
}

}  // namespace tconv
