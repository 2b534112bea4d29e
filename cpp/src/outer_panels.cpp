// A worker's panels: the pixels of x of a box, and the pixels of dy that they meet through the taps of a tile.
#include <algorithm>
#include <cstring>
#include <type_traits>

#include "outer_worker.hpp"

namespace tconv {
namespace {

/// Copies of a few numbers, without a loop for each.
template <class C>
void copy_few(const C* from, Index n, C* to) {
    constexpr Index step = 4;
    if (n < step) {
        for (Index i = 0; i < n; ++i) to[i] = from[i];
        return;
    }
    for (Index i = 0; i + step <= n; i += step) std::memcpy(to + i, from + i, step * sizeof(C));
    std::memcpy(to + n - step, from + n - step, step * sizeof(C));
}

/// The numbers [low, high) of n, zeros around them.
template <class C>
void copy_between(const C* from, Index low, Index high, Index n, C* to) {
    std::fill_n(to, low, C(0));
    if (low < high) std::copy_n(from + low, high - low, to + low);
    std::fill_n(to + high, n - high, C(0));
}

}  // namespace

/// Where the lines of a box lie in x.
template <class T>
void OuterWorker<T>::enter_box(Index box) {
    order_.boxes.locate(box, first_, last_);
    length_ = last_[rank_] - first_[rank_];
    lines_ = 0;
    std::copy_n(first_, rank_ + 1, at_);
    for (bool more = true; more; ++lines_) {
        x_lines_[lines_] = at_[0] * work_.x_layout.batch;
        for (std::size_t a = 0; a < rank_; ++a) x_lines_[lines_] += at_[a + 1] * work_.x_layout.axes[a];
        more = step();
    }
    pixels_ = lines_ * length_;
}

/// The next line of the box; false after the last.
template <class T>
bool OuterWorker<T>::step() {
    for (std::size_t a = rank_; a-- > 0;) {  // all but the last axis
        if (++at_[a] < last_[a]) return true;
        at_[a] = first_[a];
    }
    return false;
}

/// What the lines meet in dy through the taps of a tile.
template <class T>
void OuterWorker<T>::enter_tile(Index tile) {
    cut_.tiles.locate(tile, tile_first_, tile_last_);
    reach_.enter(first_, last_, tile_first_ + 1, tile_last_ + 1, filters());
    const std::size_t inner = rank_ - 1;
    inner_taps_ = reach_.taps(inner);
    outer_taps_ = 1;
    for (std::size_t a = 0; a < inner; ++a) outer_taps_ *= reach_.taps(a);
    std::copy_n(first_, rank_ + 1, at_);
    Index* outer = outer_;
    for (bool more = true; more; outer += outer_taps_) {
        Index count = 1;
        outer[0] = (at_[0] - first_[0]) * reach_.batch_step();
        for (std::size_t a = 0; a < inner; ++a) {
            const Index taps = reach_.taps(a);
            for (Index i = count; i-- > 0;) {  // backwards: in place
                const Index before = outer[i];
                for (Index m = taps; m-- > 0;) {
                    const Index at = reach_.at(a, at_[a + 1] - first_[a + 1], m);
                    outer[i * taps + m] = before < 0 || at < 0 ? -1 : before + at;
                }
            }
            count *= taps;
        }
        more = step();
    }
    dense_ = reach_.even(inner) && (inner_taps_ == 1 || reach_.tap_step(inner) == filters());
}

template <class T>
bool OuterWorker<T>::inside(Index line, Index i, Index q, Index tap) const {
    return outer_[line * outer_taps_ + q] >= 0 && tap >= reach_.low(rank_ - 1, i) && tap < reach_.high(rank_ - 1, i);
}

template <class T>
void OuterWorker<T>::pack_x(Index group) {
    const Index channel = group * order_.channels + first_channel_, step = work_.x_layout.axes.back();
    const T* from = work_.x + channel * work_.x_layout.channel;
    C* gathered = x_;
    for (Index line = 0, p = 0; line < lines_; ++line) {
        if (cut_.gathered) {
            gather_run(work_.kernels, work_.converters, from + x_lines_[line], step, work_.x_layout.channel, length_,
                       channels_, gathered);
            for (Index i = 0; i < length_; ++i, ++p, gathered += channels_) pointers_[p] = gathered;
        } else if constexpr (std::is_same_v<T, C>) {
            for (Index i = 0; i < length_; ++i, ++p) pointers_[p] = from + x_lines_[line] + i * step;
        }
    }
    if (cut_.swapped) {
        work_.outer.deal_columns(pointers_, pixels_, channels_, column_panel_, column_block_);
    } else {
        work_.outer.deal_rows(pointers_, pixels_, channels_, row_panel_, row_block_);
    }
}

/// What `count` pixels of a line, from pixel i on, meet through segment `number` of outer tap q, which is all taps of
/// the last axis where they lie side by side in dy, else one: put(pixel, numbers from, first, last), where the numbers
/// of the segment before `first` and from `last` on are zeros.
template <class T>
template <class Put>
void OuterWorker<T>::each_segment(Index line, Index i, Index count, Index q, Index number, const Put& put) const {
    const std::size_t inner = rank_ - 1;
    const Index before = outer_[line * outer_taps_ + q];
    const C* from = reach_.origin + before;
    for (Index p = 0; p < count; ++p, ++i) {
        if (before < 0) {
            put(p, zeros_, 0, 0);
        } else if (dense_) {
            put(p, from + reach_.base(inner, i), reach_.low(inner, i) * filters(), reach_.high(inner, i) * filters());
        } else {
            const Index at = reach_.at(inner, i, number);
            put(p, from + at, 0, at < 0 ? 0 : filters());
        }
    }
}

template <class T>
void OuterWorker<T>::pack_dy(Index group) {
    reach_.take(work_.kernels, work_.converters,
                work_.dy + (group * order_.filters + tile_first_[0]) * work_.dy_layout.channel, 1);
    const auto deal = cut_.swapped ? work_.outer.deal_rows : work_.outer.deal_columns;
    const Index size = cut_.swapped ? cut_.tile_rows : cut_.width;
    const Index block = cut_.swapped ? row_block_ : column_block_;
    C* const panel = cut_.swapped ? row_panel_ : column_panel_;
    const Index segments_of_tap = dense_ ? 1 : inner_taps_, segments = outer_taps_ * segments_of_tap;
    const Index numbers = pairs() / segments;  // of a segment
    const bool apart = segments == 1 || numbers % size == 0;
    const Index line_numbers = apart ? numbers : pairs();
    for (Index first = 0; first < pixels_; first += scratch_pixels) {
        const Index some = std::min(scratch_pixels, pixels_ - first);
        for (Index s = 0; s < segments; ++s) {
            const Index q = s / segments_of_tap, number = s % segments_of_tap;
            for (Index p = 0; p < some;) {
                const Index line = (first + p) / length_, i = (first + p) % length_;
                const Index count = std::min(some - p, length_ - i);
                if (apart) {
                    each_segment(line, i, count, q, number, [&](Index k, const C* from, Index low, Index high) {
                        C* to = scratch_ + (p + k) * line_numbers;
                        if (high - low < numbers) copy_between(from, low, high, numbers, to);
                        pointers_[p + k] = high - low < numbers ? to : from;
                    });
                } else {
                    each_segment(line, i, count, q, number, [&](Index k, const C* from, Index low, Index high) {
                        C* to = scratch_ + (p + k) * line_numbers;
                        if (s == 0) pointers_[p + k] = to;
                        to += s * numbers;
                        if (high - low < numbers) {
                            copy_between(from, low, high, numbers, to);
                        } else {
                            copy_few(from, numbers, to);
                        }
                    });
                }
                p += count;
            }
            if (apart) deal(pointers_, some, numbers, panel + s * numbers / size * block + first * size, block);
        }
        if (!apart) deal(pointers_, some, pairs(), panel + first * size, block);
    }
}

#define TCONV_INSTANTIATE(T)                                                \
    template void OuterWorker<T>::enter_box(Index);                         \
    template bool OuterWorker<T>::step();                                   \
    template void OuterWorker<T>::enter_tile(Index);                        \
    template bool OuterWorker<T>::inside(Index, Index, Index, Index) const; \
    template void OuterWorker<T>::pack_x(Index);                            \
    template void OuterWorker<T>::pack_dy(Index);
TCONV_INSTANTIATE(float)
TCONV_INSTANTIATE(double)
TCONV_INSTANTIATE(float16)
TCONV_INSTANTIATE(bfloat16)
#undef TCONV_INSTANTIATE

}  // namespace tconv
