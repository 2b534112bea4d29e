// A worker's pixels of channels side by side: turned to planes, whose sums are turned back.
#include <algorithm>
#include <type_traits>

#include "direct/plane_worker.hpp"
#include "gather.hpp"

namespace tconv {

/// The product groups whose channels lie side by side, for which the pixels may have been gathered already.
template <class T>
void PlaneWorker<T>::compute_bundle(bool gathered) {
    if (!gathered) gather_pixels();
    plane_step_ = grid_.plane;
    for (std::size_t g = first_group_; g < last_group_; ++g) {
        const PlaneGroup& group = grid_.groups[g];
        for (group_ = bundle_; group_ < bundle_ + some_; ++group_) {
            pixels_ = panel_ + (group_ - bundle_) * shape_.source_channels * grid_.plane;
            multiply(group);
        }
        group_ = bundle_;
        for (std::size_t r = group.first_run; r < group.last_run; ++r) {
            if (!find_rows(grid_.runs[r])) continue;
            find_ends(grid_.runs[r]);
            store_pixels(grid_.runs[r]);
        }
    }
}

/// The pixels of the box, plane by plane, with zeros around them.
template <class T>
void PlaneWorker<T>::gather_pixels() {
    const std::size_t inner = rank_ - 1;
    const Kernels<C>& kernels = *work_.packed.kernels;
    const Index lines = find_lines(), channels = some_ * shape_.source_channels, step = grid_.source.axes[inner];
    const Index length = grid_.boxes.size()[rank_] + grid_.spread[inner], start = box_first_[rank_] + grid_.low[inner];
    const Index begin = std::clamp<Index>(-start, 0, length);
    const Index end = std::clamp<Index>(grid_.maps[inner].source_extent - start, begin, length);
    const T* const source = work_.source + bundle_ * shape_.source_channels + (start + begin) * step;
    for (Index k = 0; k < channels; ++k) {
        C* const plane = panel_ + k * grid_.plane;
        for (Index l = 0; l < lines; ++l) {
            const bool inside = lines_[l] >= 0;
            C* const line = plane + l * length;
            std::fill(line, line + (inside ? begin : length), C(0));
            if (inside) std::fill(line + end, line + length, C(0));
        }
        if (!cleared_) std::fill(plane + lines * length, plane + grid_.plane, C(0));
    }
    cleared_ = cleared_ || some_ == grid_.together;
    for (Index l = 0; l < lines; ++l) {
        if (lines_[l] < 0) continue;
        C* const to = panel_ + l * length + begin;
        if (step == 1) {
            widen(*work_.packed.converters, source + lines_[l], to, end - begin);
        } else if constexpr (std::is_same_v<T, C>) {
            kernels.turn(source + lines_[l], step, to, grid_.plane, end - begin, channels);
        } else {
            gather_run<T>(kernels, *work_.packed.converters, source + lines_[l], step, 1, end - begin, channels, rows_);
            kernels.turn(rows_, channels, to, grid_.plane, end - begin, channels);
        }
    }
}

/// Stores the sums of a run of one column, whose rows are found.
template <class T>
void PlaneWorker<T>::store_pixels(const PlaneRun& run) {
    const Kernels<C>& kernels = *work_.packed.kernels;
    const Range& rows = run_rows_[0];
    const Index count = rows.last - rows.first, channels = some_ * shape_.target_channels;
    if (count == 0) return;
    const Index step = grid_.maps[rank_ - 1].target_step * grid_.target.axes[rank_ - 1];
    const Index between = grid_.run_columns[run.first].slot * (grid_.together - 1) * grid_.lanes;
    const Lines lines = lines_of_run();
    each_lines([&](Index lane, Index place) {
        const C* from = sums_ + starts_[0] + between + lane + rows.first;
        T* to = work_.target + place + rows.first * step;
        for (Index l = 0; l < lines.count; ++l, from += lines.from_step, to += lines.to_step) {
            if constexpr (std::is_same_v<T, C>) {
                kernels.turn(from, grid_.lanes, to, step, channels, count);
            } else {
                kernels.turn(from, grid_.lanes, rows_, channels, channels, count);
                for (Index i = 0; i < count; ++i)
                    narrow(*work_.packed.converters, rows_ + i * channels, to + i * step, channels);
            }
        }
    });
}

template class PlaneWorker<float>;
template class PlaneWorker<double>;
template class PlaneWorker<float16>;
template class PlaneWorker<bfloat16>;

}  // namespace tconv
