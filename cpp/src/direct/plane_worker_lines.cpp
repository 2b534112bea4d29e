// A worker's lines of planes: short sums, which are interleaved and stored as they are finished.
#include <algorithm>

#include "direct/plane_worker.hpp"

namespace tconv {

/// Computes and stores a group; false, and nothing done, where its sums have to wait: a line's columns have other rows,
/// or less than a vector of them, or the activation is not the kernel's.
template <class T>
bool PlaneWorker<T>::multiply_lines(const PlaneGroup& group) {
    if (!group.finished || !work_.finish.in_registers()) return false;
    for (std::size_t r = group.first_run; r < group.last_run; ++r) {
        if (!find_rows(grid_.runs[r])) continue;
        const RunRows rows = find_ends(grid_.runs[r]);
        if (!rows.even || rows.end - rows.begin < shape_.panel.width / 2) return false;
    }
    for (std::size_t r = group.first_run, end; r < group.last_run; r = end) {
        end = r + 1;
        while (end < group.last_run && alike(grid_.runs[r], grid_.runs[end])) ++end;
        multiply_runs(r, end);
    }
    return true;
}

/// Whether two runs have the same rows in the box, meet the same pixels, and are packed alike.
template <class T>
bool PlaneWorker<T>::alike(const PlaneRun& one, const PlaneRun& other) const {
    const PlaneColumn& column = grid_.run_columns[one.first];
    const PlaneColumn& another = grid_.run_columns[other.first];
    const auto panel = [this](const PlaneColumn& c) { return shape_.blocks[grid_.weights[c.weights].block].panel; };
    bool same = one.last - one.first == other.last - other.first && panel(column) == panel(another);
    for (std::size_t q = 0; same && one.first + q < one.last; ++q)
        same = grid_.run_columns[one.first + q].window == grid_.run_columns[other.first + q].window;
    for (std::size_t a = 0; a < rank_; ++a) {
        const PlanePhase& phase = grid_.phases[a + 1 < rank_ ? one.phase + a : column.phase];
        const PlanePhase& that = grid_.phases[a + 1 < rank_ ? other.phase + a : another.phase];
        const Index low = box_first_[a + 1] + phase.shift, high = box_last_[a + 1] + phase.shift;
        same = same && phase.shift == that.shift && std::max(low, phase.first) == std::max(low, that.first) &&
               std::min(high, phase.last) == std::min(high, that.last);
    }
    return same;
}

/// Runs that are alike.
template <class T>
void PlaneWorker<T>::multiply_runs(std::size_t first_run, std::size_t last_run) {
    const PlaneRun& first = grid_.runs[first_run];
    const std::size_t window = grid_.run_columns[first.first].window;
    if (!find_rows(first) || !enter(window)) return;
    const RunRows rows = find_ends(first);
    const Step& step = shape_.steps[window].front();
    const Index depth = shape_.depth(step), inner_step = grid_.maps[rank_ - 1].target_step;
    const C* const weights = group_weights();
    PlaneTile<C> t{};
    Index lines = 0;
    for (std::size_t r = first_run; r < last_run; ++r) {
        const PlaneRun& run = grid_.runs[r];
        find_rows(run);
        for (Index c = run.first_channel; c < run.last_channel; ++c) {
            for (std::size_t q = run.first; q < run.last; ++q, ++t.count) {
                const PlaneWeights& column =
                    grid_.weights[grid_.run_columns[q].weights + static_cast<std::size_t>(c - run.first_channel)];
                const detail::Block& block = shape_.blocks[column.block];
                step_weights(block.panel, depth, t);
                columns_[t.count] = weights + weights_place(column, depth, 0);
                if (work_.bias != nullptr)
                    bias_[t.count] = work_.bias[group_ * shape_.group_bias + block.bias + column.number];
            }
            outs_[lines++] = work_.target + place_ + c * grid_.target.channel + rows.begin * inner_step;
        }
    }
    find_rows(first);
    t.offsets = offsets_;
    t.taps = step.last_tap;
    t.channels = step.last_channel;
    t.plane_step = plane_step_;
    t.columns = columns_;
    t.last = true;
    t.bias = work_.bias == nullptr ? nullptr : bias_;
    t.finish = work_.finish;
    t.outs = outs_;
    t.storage = storage_of<T>;
    t.run = static_cast<Index>(first.last - first.first);
    t.rows = rows.end - rows.begin;
    const auto start_of = [&](std::size_t q) {  // from the pixels of the first column's window
        const PlaneColumn& column = grid_.run_columns[first.first + q];
        const Index window_first = std::max(box_first_[rank_], grid_.ranges[(column.window + 1) * rank_ - 1].first);
        return starts_[q] - column.slot * grid_.lanes + rows.begin + window_first - first_[rank_ - 1];
    };
    const Index start = start_of(0);
    if (t.run == 2) t.apart = start_of(1) - start;
    const Lines side_by_side = lines_of_run();
    each_lines([&](Index lane, Index place) {
        t.pixels = pixels_ + start + lane;
        t.out = place - place_;
        for (Index l = 0; l < side_by_side.count; ++l) {
            work_.packed.kernels->planes(t);
            t.pixels += side_by_side.from_step;
            t.out += side_by_side.to_step;
        }
    });
}

template class PlaneWorker<float>;
template class PlaneWorker<double>;
template class PlaneWorker<float16>;
template class PlaneWorker<bfloat16>;

}  // namespace tconv
