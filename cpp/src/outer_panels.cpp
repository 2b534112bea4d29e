// A worker's panels: the pixels of x of a box, and the pixels of dy that they meet through the taps of a tile.
#include <algorithm>
#include <type_traits>

#include "outer_worker.hpp"

namespace tconv {

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
            const Index* along = reach_.along(a) + (at_[a + 1] - first_[a + 1]) * taps;
            for (Index i = count; i-- > 0;) {  // backwards: in place
                const Index before = outer[i];
                for (Index m = taps; m-- > 0;)
                    outer[i * taps + m] = before < 0 || along[m] < 0 ? -1 : before + along[m];
            }
            count *= taps;
        }
        more = step();
    }

    dense_ = order_.g.axes[inner].dilation == 1 && reach_.pixel_step() == filters();
    const Index* along = reach_.along(inner);
    for (Index i = 0; i < length_; ++i, along += inner_taps_) {
        low_[i] = 0;
        while (low_[i] < inner_taps_ && along[low_[i]] < 0) ++low_[i];
        high_[i] = low_[i];
        while (high_[i] < inner_taps_ && along[high_[i]] >= 0) ++high_[i];
        base_[i] = low_[i] == inner_taps_ ? 0 : along[low_[i]] - low_[i] * reach_.pixel_step();
    }
}

template <class T>
bool OuterWorker<T>::inside(Index line, Index i, Index q, Index tap) const {
    return outer_[line * outer_taps_ + q] >= 0 && reach_.along(rank_ - 1)[i * inner_taps_ + tap] >= 0;
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

/// The numbers of dy under some taps of a pixel: segment `number` of outer tap q, which is all taps of the last axis
/// where they lie side by side, else one. In place, or put together in `scratch`.
template <class T>
const typename OuterWorker<T>::C* OuterWorker<T>::segment(Index line, Index i, Index q, Index number,
                                                          C* scratch) const {
    const Index before = outer_[line * outer_taps_ + q];
    if (before < 0) return zeros_;
    if (!dense_) {
        const Index at = reach_.along(rank_ - 1)[i * inner_taps_ + number];
        return at < 0 ? zeros_ : reach_.origin + before + at;
    }
    const Index low = low_[i] * filters(), high = high_[i] * filters(), all = inner_taps_ * filters();
    if (low >= high) return zeros_;
    if (low == 0 && high == all) return reach_.origin + before + base_[i];
    std::fill_n(scratch, low, C(0));
    std::copy_n(reach_.origin + before + base_[i] + low, high - low, scratch + low);
    std::fill_n(scratch + high, all - high, C(0));
    return scratch;
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
    for (Index first = 0; first < pixels_; first += scratch_pixels) {
        const Index some = std::min(scratch_pixels, pixels_ - first);
        if (apart) {
            for (Index s = 0; s < segments; ++s) {
                Index line = first / length_, i = first % length_;
                for (Index p = 0; p < some; ++p) {
                    pointers_[p] = segment(line, i, s / segments_of_tap, s % segments_of_tap, scratch_ + p * numbers);
                    if (++i == length_) {
                        i = 0;
                        ++line;
                    }
                }
                deal(pointers_, some, numbers, panel + s * numbers / size * block + first * size, block);
            }
            continue;
        }
        Index line = first / length_, i = first % length_;
        for (Index p = 0; p < some; ++p) {
            C* to = scratch_ + p * pairs();
            pointers_[p] = to;
            for (Index s = 0; s < segments; ++s, to += numbers) {
                const C* from = segment(line, i, s / segments_of_tap, s % segments_of_tap, to);
                if (from != to) {
                    for (Index n = 0; n < numbers; ++n) to[n] = from[n];
                }
            }
            if (++i == length_) {
                i = 0;
                ++line;
            }
        }
        deal(pointers_, some, pairs(), panel + first * size, block);
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
