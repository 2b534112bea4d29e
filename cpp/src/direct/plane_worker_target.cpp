// A worker's target in planes: columns beside each other are interleaved, and stored line by line.
#include <algorithm>

#include "direct/plane_worker.hpp"
#include "half.hpp"

namespace tconv {
/// The rows of a run along all axes but the last one; false when there are none.
template <class T>
bool PlaneWorker<T>::find_rows(const PlaneRun& run) {
    lane_ = 0;
    place_ =
        grid_.phases[grid_.run_columns[run.first].phase].place + group_ * shape_.target_channels * grid_.target.channel;
    for (std::size_t a = 0; a + 1 < rank_; ++a) {
        const PlanePhase& phase = grid_.phases[run.phase + a];
        begin_[a] = std::max(box_first_[a + 1], phase.first);
        end_[a] = std::min(box_last_[a + 1], phase.last);
        if (begin_[a] >= end_[a]) return false;
        lane_ += (begin_[a] - std::max(box_first_[a + 1], phase.window_first)) * grid_.steps[a + 1];
        place_ += phase.place + begin_[a] * grid_.maps[a].target_step * grid_.target.axes[a];
    }
    return true;
}

/// Asks for the target's lines of a run, which are far from each other: the processor doesn't foresee them.
template <class T>
void PlaneWorker<T>::prefetch(const PlaneRun& run) {
    constexpr Index line = 64 / static_cast<Index>(sizeof(T));
    if (!find_rows(run)) return;
    const std::size_t inner = rank_ - 1;
    const Index step = grid_.maps[inner].target_step;
    const Index length = (box_last_[rank_] - box_first_[rank_]) * step;
    Index lines = 1, line_step = 0;
    if (inner > 0) {
        lines = end_[inner - 1] - begin_[inner - 1];
        line_step = grid_.maps[inner - 1].target_step * grid_.target.axes[inner - 1];
    }
    const Index first = box_first_[rank_] + grid_.phases[grid_.run_columns[run.first].phase].shift;
    const T* to = work_.target + place_ + box_first_[0] * grid_.target.batch + first * step;
    for (Index c = run.first_channel; c < run.last_channel; ++c)
        for (Index l = 0; l < lines; ++l) {
            const T* const here = to + c * grid_.target.channel + l * line_step;
            for (Index i = 0; i < length; i += line) __builtin_prefetch(here + i, 1);
        }
}

/// The rows of a run along the last axis, and where its columns' numbers begin.
template <class T>
typename PlaneWorker<T>::RunRows PlaneWorker<T>::find_ends(const PlaneRun& run) {
    const PlaneColumn* const columns = grid_.run_columns.data() + run.first;
    const Index count = static_cast<Index>(run.last - run.first);
    Index begin = 0, end = 0, lowest = 0, highest = 0;
    for (Index q = 0; q < count; ++q) {
        const PlanePhase& phase = grid_.phases[columns[q].phase];
        const Index box_first = box_first_[rank_] + phase.shift, box_last = box_last_[rank_] + phase.shift;
        const Index low = std::max(box_first, phase.first), high = std::max(low, std::min(box_last, phase.last));
        run_rows_[q] = {low, high, 0, 0};
        begin = q == 0 ? low : std::max(begin, low);
        end = q == 0 ? high : std::min(end, high);
        lowest = q == 0 ? low : std::min(lowest, low);
        highest = q == 0 ? high : std::max(highest, high);
        starts_[q] = columns[q].slot * grid_.lanes + lane_ - std::max(box_first, phase.window_first);
    }
    end = std::max(begin, end);
    return {begin, end, lowest == begin && highest == end};
}

/// Lines of the last axis but one, which go together.
template <class T>
Lines PlaneWorker<T>::lines_of_run() const {
    if (rank_ < 2) return {};
    const std::size_t a = rank_ - 2;
    return {end_[a] - begin_[a], grid_.steps[a + 1], grid_.maps[a].target_step * grid_.target.axes[a], 0};
}

/// Stores the sums of a run, channel by channel, line by line of the box.
template <class T>
void PlaneWorker<T>::store(const PlaneRun& run) {
    const Index count = static_cast<Index>(run.last - run.first), step = grid_.maps[rank_ - 1].target_step;
    if (!find_rows(run)) return;
    const auto [begin, end, even] = find_ends(run);
    Lines lines = lines_of_run();
    for (Index c = run.first_channel; c < run.last_channel; ++c) {
        lines.ahead = c + 1 < run.last_channel && !early_ ? grid_.target.channel : 0;
        each_lines([&, begin = begin, end = end, even = even](Index lane, Index place) {
            const Index from = (c - run.first_channel) * grid_.lanes + lane;
            T* const target = work_.target + place + c * grid_.target.channel;
            if (!even) store_ends(count, begin, end, from, target, lines);
            if (begin == end) return;
            for (Index q = 0; q < count; ++q) from_[q] = sums_ + (starts_[q] + from + begin);
            store_lines(count, end - begin, target + begin * step, lines);
        });
    }
}

/// The rows that only some columns of a run have: number q of row j goes to target[j*step + q].
template <class T>
void PlaneWorker<T>::store_ends(Index count, Index begin, Index end, Index lane, T* target, const Lines& lines) const {
    const Index step = grid_.maps[rank_ - 1].target_step;
    for (Index q = 0; q < count; ++q) {
        const Range& own = run_rows_[q];
        for (Index l = 0; l < lines.count; ++l) {
            const Index from = starts_[q] + lane + l * lines.from_step;
            T* const to = target + l * lines.to_step + q;
            for (Index j = own.first; j < own.last; ++j) {
                if (j == begin) j = end;
                if (j < own.last) to[j * step] = narrow<T>(sums_[from + j]);
            }
        }
    }
}

/// Lines of `rows` rows of the columns in from_.
template <class T>
void PlaneWorker<T>::store_lines(Index count, Index rows, T* to, const Lines& lines) {
    const Kernels<C>& kernels = *work_.packed.kernels;
    const Index step = grid_.maps[rank_ - 1].target_step;
    if (count == step) return kernels.interleave(from_, count, rows, to, storage_of<T>, lines);
    for (Index l = 0; l < lines.count; ++l, to += lines.to_step)
        for (Index q = 0; q < count; ++q) {
            const C* __restrict const from = from_[q];
            T* __restrict const here = to + q;
            for (Index i = 0; i < rows; ++i) here[i * step] = narrow<T>(from[i]);
            from_[q] += lines.from_step;
        }
}

template class PlaneWorker<float>;
template class PlaneWorker<double>;
template class PlaneWorker<float16>;
template class PlaneWorker<bfloat16>;

}  // namespace tconv
