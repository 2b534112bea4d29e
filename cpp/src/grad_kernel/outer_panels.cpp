// A worker's panels: the pixels of x of a box, and the pixels of dy that they meet through the taps of a tile.
#include <algorithm>
#include <type_traits>

#include "grad_kernel/outer_worker.hpp"

namespace tconv {
/// Where the lines of a box lie in x.
template <class T>
void OuterWorker<T>::enter_box(Index box) {
    order_.boxes.locate(box, first_, last_);
    std::copy_n(first_, rank_ + 1, at_);
    Index* line = x_lines_;
    do {
        *line = at_[0] * work_.x_layout.batch;
        for (std::size_t a = 0; a < rank_; ++a) *line += at_[a + 1] * work_.x_layout.axes[a];
        ++line;
    } while (next_line(rank_, first_, last_, at_));
    length_ = last_[rank_] - first_[rank_];
    pixels_ = (line - x_lines_) * length_;
}

/// What the pixels meet in dy through the taps of a tile.
template <class T>
void OuterWorker<T>::enter_tile(Index tile) {
    cut_.tiles.locate(tile, tile_first_, tile_last_);
    const Index channels = (last_group_ - first_group_ - 1) * order_.filters + filters();
    segments_.enter(first_, last_, tile_first_ + 1, tile_last_ + 1, filters(), channels, work_.kernels,
                    work_.converters,
                    work_.dy + (first_group_ * order_.filters + tile_first_[0]) * work_.dy_layout.channel);
    if (cut_.dy_in_place) {
        if (order_.g.groups > 1) segments_.split();  // however many groups are gathered together
        find_pieces();
    } else {
        find_runs();
    }
}

/// The pixels that meet something through some tap of the tile. The others are zeros in dy's panel. Where x is read in
/// place, a run's pixels are evenly spaced, which those of images of one pixel, channels first, are not.
template <class T>
void OuterWorker<T>::find_runs() {
    run_count_ = 0;
    Index next = 0;
    const auto [begin, end] = segments_.whole();
    for (Index line = 0; line < segments_.lines(); ++line) {
        if (!segments_.met(line)) continue;
        const Index pixel = line * length_;
        const auto add = [&](Index first, Index last) {
            const Index row =
                cut_.x_in_place ? x_lines_[line] - x_lines_[0] + first * row_step_ : (pixel + first) * row_step_;
            if (run_count_ == 0 || runs_[run_count_ - 1].last != pixel + first || row != next)
                runs_[run_count_++] = {pixel + first, pixel + first, row};
            runs_[run_count_ - 1].last = pixel + last;
            next = row + (last - first) * row_step_;
        };
        for (Index i = 0; i < length_; ++i) {
            if (i == begin && begin < end) {
                add(begin, end);
                i = end - 1;
            } else if (segments_.met_along(i)) {
                add(i, i + 1);
            }
        }
    }
}

/// Where the pixels of x begin, gathered for all groups of the unit where they have to be.
template <class T>
void OuterWorker<T>::take_x() {
    const Layout& layout = work_.x_layout;
    const Index channel = first_group_ * order_.channels + first_channel_, step = layout.axes.back();
    const Index channels = (last_group_ - first_group_ - 1) * order_.channels + channels_;
    const T* from = work_.x + channel * layout.channel;
    C* gathered = x_;
    for (Index line = 0, p = 0; p < pixels_; ++line) {
        if (cut_.gathered) {
            gather_pixels(work_.kernels, work_.converters, from + x_lines_[line], step, layout.channel, length_,
                          channels, gathered);
            for (Index i = 0; i < length_; ++i, ++p, gathered += channels) x_pixels_[p] = gathered;
        } else if constexpr (std::is_same_v<T, C>) {
            for (Index i = 0; i < length_; ++i, ++p) x_pixels_[p] = from + x_lines_[line] + i * step;
        }
    }
}

template <class T>
void OuterWorker<T>::pack_x(Index group) {
    if (group != first_group_) {
        for (Index p = 0; p < pixels_; ++p) x_pixels_[p] += order_.channels;
    }
    if (cut_.x_in_place) return;
    const auto deal_columns = work_.gradient.deal_columns[cut_.vectors() - 1];
    if (cut_.swapped) {
        deal_columns(x_pixels_, pixels_, channels_, column_panel_, column_block_);
    } else {
        work_.gradient.deal_rows(x_pixels_, pixels_, channels_, row_panel_, row_block_);
    }
}

template <class T>
void OuterWorker<T>::pack_dy(Index group) {
    const auto deal = cut_.swapped ? work_.gradient.deal_rows : work_.gradient.deal_columns[cut_.vectors() - 1];
    const Index size = cut_.swapped ? cut_.tile_rows : cut_.width;
    const Index block = cut_.swapped ? row_block_ : column_block_;
    C* const panel = cut_.swapped ? row_panel_ : column_panel_;
    const Index channel = (group - first_group_) * order_.filters;
    const Index numbers = segments_.numbers();
    const bool apart = segments_.count() == 1 || numbers % size == 0;
    if (!cut_.swapped && !apart && pairs() <= size) {  // one block: segments are put together there
        for (Index line = 0; line < segments_.lines(); ++line) {
            C* const to = panel + line * length_ * size;
            for (Index s = 0; s < segments_.count(); ++s)
                segments_.copy(channel, line, 0, length_, s, 0, numbers, to + s * numbers, size);
            if (pairs() == size) continue;
            for (Index i = 0; i < length_; ++i) std::fill_n(to + i * size + pairs(), size - pairs(), C(0));
        }
        return;
    }
    for (Index first = 0; first < pixels_; first += scratch_pixels) {
        const Index some = std::min(scratch_pixels, pixels_ - first);
        for (Index s = 0; s < segments_.count(); ++s) {
            for (Index p = 0; p < some;) {
                const Index line = (first + p) / length_, i = (first + p) % length_;
                const Index count = std::min(some - p, length_ - i);
                if (apart) {
                    segments_.each(
                        channel, line, i, count, s,
                        [&](Index k, Index lines, const C* from, Index step) {
                            for (Index last = k + lines; k < last; ++k, from += step) pixels_of_dy_[p + k] = from;
                        },
                        [&](Index k, const C* from, Index low, Index high) {
                            C* to = scratch_ + (p + k) * numbers;
                            if (high - low < numbers) copy_between(from, low, high, numbers, to);
                            pixels_of_dy_[p + k] = high - low < numbers ? to : from;
                        });
                } else {
                    segments_.copy(channel, line, i, count, s, 0, numbers, scratch_ + p * pairs() + s * numbers,
                                   pairs());
                }
                p += count;
            }
            if (apart) deal(pixels_of_dy_, some, numbers, panel + s * numbers / size * block + first * size, block);
        }
        if (apart) continue;
        for (Index p = 0; p < some; ++p) pixels_of_dy_[p] = scratch_ + p * pairs();
        deal(pixels_of_dy_, some, pairs(), panel + first * size, block);
    }
}

#define TCONV_INSTANTIATE(T)                         \
    template void OuterWorker<T>::enter_box(Index);  \
    template void OuterWorker<T>::enter_tile(Index); \
    template void OuterWorker<T>::find_runs();       \
    template void OuterWorker<T>::take_x();          \
    template void OuterWorker<T>::pack_x(Index);     \
    template void OuterWorker<T>::pack_dy(Index);
TCONV_INSTANTIATE(float)
TCONV_INSTANTIATE(double)
TCONV_INSTANTIATE(float16)
TCONV_INSTANTIATE(bfloat16)
#undef TCONV_INSTANTIATE

}  // namespace tconv
