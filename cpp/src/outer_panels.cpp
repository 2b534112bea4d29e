// A worker's panels: the pixels of x of a box, and the pixels of dy that they meet through the taps of a tile.
#include <algorithm>
#include <cstring>
#include <type_traits>

#include "outer_worker.hpp"

namespace tconv {
namespace {

/// `n` numbers of each of some lines: moves of constant size, which overlap rather than leave a rest.
template <class C>
void copy_lines(const C* from, Index from_step, C* to, Index to_step, Index lines, Index n) {
    const auto copy = [&](const auto& line) {
        for (Index i = 0; i < lines; ++i, from += from_step, to += to_step) line();
    };
    constexpr Index step = 4;
    if (n == 1) {
        copy([&] { *to = *from; });
    } else if (n < step) {
        copy([&] {
            std::memcpy(to, from, 2 * sizeof(C));
            to[n - 1] = from[n - 1];
        });
    } else {
        copy([&] {
            for (Index k = 0; k + step < n; k += step) std::memcpy(to + k, from + k, step * sizeof(C));
            std::memcpy(to + n - step, from + n - step, step * sizeof(C));
        });
    }
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
    const Index channels = (last_group_ - first_group_ - 1) * order_.filters + filters();
    reach_.enter(first_, last_, tile_first_ + 1, tile_last_ + 1, channels);
    reach_.take(work_.kernels, work_.converters,
                work_.dy + (first_group_ * order_.filters + tile_first_[0]) * work_.dy_layout.channel, 1);
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

/// Where the pixels of x begin, gathered for all groups of the unit where they have to be.
template <class T>
void OuterWorker<T>::take_x() {
    const Layout& layout = work_.x_layout;
    const Index channel = first_group_ * order_.channels + first_channel_, step = layout.axes.back();
    const Index channels = (last_group_ - first_group_ - 1) * order_.channels + channels_;
    const T* from = work_.x + channel * layout.channel;
    C* gathered = x_;
    for (Index line = 0, p = 0; line < lines_; ++line) {
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
    if (cut_.swapped) {
        work_.outer.deal_columns(x_pixels_, pixels_, channels_, column_panel_, column_block_);
    } else {
        work_.outer.deal_rows(x_pixels_, pixels_, channels_, row_panel_, row_block_);
    }
}

/// What `count` pixels of a line, from pixel i on, meet through segment `number` of outer tap q, which is all taps of
/// the last axis where they lie side by side in dy, else one: even(first, count, from, step) for pixels whose segments
/// are whole and even, one(pixel, from, low, high) for others, the numbers of whose segment are zeros but for [low,
/// high).
template <class T>
template <class Even, class One>
void OuterWorker<T>::each_segment(const C* origin, Index line, Index i, Index count, Index q, Index number,
                                  const Even& even, const One& one) const {
    const std::size_t inner = rank_ - 1;
    const Index before = outer_[line * outer_taps_ + q];
    if (before < 0) {
        for (Index p = 0; p < count; ++p) one(p, zeros_, 0, 0);
        return;
    }
    const C* from = origin + before;
    const Index begin = std::clamp<Index>(reach_.begin(inner) - i, 0, count);
    const Index end = std::clamp<Index>(reach_.end(inner) - i, begin, count);
    const auto some = [&](Index p, Index last) {
        for (; p < last; ++p) {
            if (dense_) {
                one(p, from + reach_.base(inner, i + p), reach_.low(inner, i + p) * filters(),
                    reach_.high(inner, i + p) * filters());
            } else {
                const Index at = reach_.at(inner, i + p, number);
                one(p, from + at, 0, at < 0 ? 0 : filters());
            }
        }
    };
    some(0, begin);
    if (begin < end) {
        even(begin, end - begin, from + reach_.base(inner, i + begin) + number * reach_.tap_step(inner),
             reach_.pixel_step(inner));
    }
    some(end, count);
}

template <class T>
void OuterWorker<T>::pack_dy(Index group) {
    const auto deal = cut_.swapped ? work_.outer.deal_rows : work_.outer.deal_columns;
    const Index size = cut_.swapped ? cut_.tile_rows : cut_.width;
    const Index block = cut_.swapped ? row_block_ : column_block_;
    C* const panel = cut_.swapped ? row_panel_ : column_panel_;
    const C* origin = reach_.origin + (group - first_group_) * order_.filters;
    const Index segments_of_tap = dense_ ? 1 : inner_taps_, segments = outer_taps_ * segments_of_tap;
    const Index numbers = pairs() / segments;  // of a segment
    const bool apart = segments == 1 || numbers % size == 0;
    for (Index first = 0; first < pixels_; first += scratch_pixels) {
        const Index some = std::min(scratch_pixels, pixels_ - first);
        for (Index s = 0; s < segments; ++s) {
            const Index q = s / segments_of_tap, number = s % segments_of_tap;
            for (Index p = 0; p < some;) {
                const Index line = (first + p) / length_, i = (first + p) % length_;
                const Index count = std::min(some - p, length_ - i);
                if (apart) {
                    each_segment(
                        origin, line, i, count, q, number,
                        [&](Index k, Index lines, const C* from, Index step) {
                            for (Index last = k + lines; k < last; ++k, from += step) pixels_of_dy_[p + k] = from;
                        },
                        [&](Index k, const C* from, Index low, Index high) {
                            C* to = scratch_ + (p + k) * numbers;
                            if (high - low < numbers) copy_between(from, low, high, numbers, to);
                            pixels_of_dy_[p + k] = high - low < numbers ? to : from;
                        });
                } else {
                    C* to = scratch_ + p * pairs() + s * numbers;
                    each_segment(
                        origin, line, i, count, q, number,
                        [&](Index k, Index lines, const C* from, Index step) {
                            copy_lines(from, step, to + k * pairs(), pairs(), lines, numbers);
                        },
                        [&](Index k, const C* from, Index low, Index high) {
                            copy_between(from, low, high, numbers, to + k * pairs());
                        });
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

#define TCONV_INSTANTIATE(T)                                                \
    template void OuterWorker<T>::enter_box(Index);                         \
    template bool OuterWorker<T>::step();                                   \
    template void OuterWorker<T>::enter_tile(Index);                        \
    template bool OuterWorker<T>::inside(Index, Index, Index, Index) const; \
    template void OuterWorker<T>::take_x();                                 \
    template void OuterWorker<T>::pack_x(Index);                            \
    template void OuterWorker<T>::pack_dy(Index);
TCONV_INSTANTIATE(float)
TCONV_INSTANTIATE(double)
TCONV_INSTANTIATE(float16)
TCONV_INSTANTIATE(bfloat16)
#undef TCONV_INSTANTIATE

}  // namespace tconv
