// A worker's target in planes: columns beside each other are interleaved, and stored line by line.
#include <algorithm>
#include <type_traits>

#include "gather.hpp"
#include "plane_worker.hpp"

namespace tconv {

/// Stores the sums of a run, line by line of the box.
template <class T>
void PlaneWorker<T>::store(const PlaneRun& run) {
    const std::size_t inner = rank_ - 1;
    const PlaneColumn* const columns = grid_.run_columns.data() + run.first;
    const Index count = static_cast<Index>(run.last - run.first);
    Index lane = 0, place = (group_ * shape_.target_channels + run.channel) * grid_.target.channel +
                            grid_.phases[columns->phase].place;
    for (std::size_t a = 0; a < inner; ++a) {
        const PlanePhase& phase = grid_.phases[run.phase + a];
        begin_[a] = std::max(box_first_[a + 1], phase.first);
        end_[a] = std::min(box_last_[a + 1], phase.last);
        if (begin_[a] >= end_[a]) return;
        at_[a] = begin_[a];
        lane += (begin_[a] - std::max(box_first_[a + 1], phase.window_first)) * grid_.steps[a + 1];
        place += phase.place + begin_[a] * grid_.maps[a].target_step * grid_.target.axes[a];
    }
    Range all{0, 0, box_first_[rank_], box_last_[rank_]};
    for (Index q = 0; q < count; ++q) {
        const PlanePhase& phase = grid_.phases[columns[q].phase];
        const Index low = std::max(box_first_[rank_], phase.first);
        const Index high = std::max(low, std::min(box_last_[rank_], phase.last));
        run_rows_[q] = {low, high, 0, 0};
        all.common_first = std::max(all.common_first, low);
        all.common_last = std::min(all.common_last, high);
        starts_[q] = columns[q].slot * grid_.lanes + lane - std::max(box_first_[rank_], phase.window_first);
    }
    all.common_last = std::max(all.common_first, all.common_last);
    for (Index n = box_first_[0]; n < box_last_[0]; ++n) {
        const Index batch_lane = (n - box_first_[0]) * grid_.steps[0];
        for (bool more = true; more;) {
            Index line_lane = batch_lane, line_place = place + n * grid_.target.batch;
            for (std::size_t a = 0; a < inner; ++a) {
                line_lane += (at_[a] - begin_[a]) * grid_.steps[a + 1];
                line_place += (at_[a] - begin_[a]) * grid_.maps[a].target_step * grid_.target.axes[a];
            }
            store_line(count, all, line_lane, work_.target + line_place);
            more = false;
            for (std::size_t a = inner; a-- > 0;) {
                if (++at_[a] < end_[a]) {
                    more = true;
                    break;
                }
                at_[a] = begin_[a];
            }
        }
    }
}

/// A line of `count` columns, whose row j goes to target[j*step + number of the column].
template <class T>
void PlaneWorker<T>::store_line(Index count, const Range& all, Index lane, T* target) const {
    const Index step = grid_.maps[rank_ - 1].target_step, begin = all.common_first, rows = all.common_last - begin;
    for (Index q = 0; q < count; ++q) {
        const C* const sums = sums_;
        const Index from = starts_[q] + lane;
        const Range& own = run_rows_[q];
        const auto some = [&](Index low, Index high) {
            for (Index j = low; j < high; ++j) target[j * step + q] = narrow<T>(sums[from + j]);
        };
        some(own.first, rows > 0 ? std::min(own.last, begin) : own.last);
        if (rows > 0) some(std::max(own.first, all.common_last), own.last);
        from_[q] = sums + (from + begin);
    }
    if (rows == 0) return;
    T* const to = target + begin * step;
    const Kernels<C>& kernels = *work_.packed.kernels;
    if (count != step) {
        for (Index i = 0; i < rows; ++i)
            for (Index q = 0; q < count; ++q) to[i * step + q] = narrow<T>(from_[q][i]);
    } else if constexpr (std::is_same_v<T, C>) {
        kernels.interleave(from_, count, rows, to);
    } else {
        const C* line = from_[0];
        if (count > 1) {
            kernels.interleave(from_, count, rows, line_);
            line = line_;
        }
        narrow(*work_.packed.converters, line, to, count * rows);
    }
}

template class PlaneWorker<float>;
template class PlaneWorker<double>;
template class PlaneWorker<float16>;
template class PlaneWorker<bfloat16>;

}  // namespace tconv
