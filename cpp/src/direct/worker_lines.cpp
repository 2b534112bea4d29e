// A worker's channels-first target: sums are turned, so that the numbers of a channel are stored line by line.
#include <algorithm>
#include <type_traits>

#include "direct/worker.hpp"
#include "gather.hpp"

namespace tconv {
namespace {

/// to[i*step + q] = from[q][first + i], q < count.
template <class T>
void store_run(const T* const* from, Index count, Index first, Index last, T* __restrict to, Index step) {
    const T* __restrict const a = from[0] + first;
    const Index rows = last - first;
    if (step == 1) {
        std::copy_n(a, rows, to);
    } else if (step == 2 && count == 2) {
        const T* __restrict const b = from[1] + first;
        for (Index i = 0; i < rows; ++i) {
            to[2 * i] = a[i];
            to[2 * i + 1] = b[i];
        }
    } else if (step == 4 && count == 4) {
        const T* __restrict const b = from[1] + first, * __restrict const c = from[2] + first, * __restrict const d = from[3] + first;
        for (Index i = 0; i < rows; ++i) {
            to[4 * i] = a[i];
            to[4 * i + 1] = b[i];
            to[4 * i + 2] = c[i];
            to[4 * i + 3] = d[i];
        }
    } else {
        for (Index q = 0; q < count; ++q) {
            const T* __restrict const line = from[q] + first;
            for (Index i = 0; i < rows; ++i) to[i * step + q] = line[i];
        }
    }
}

}  // namespace

/// Turns the finished sums of a block: rows of columns become columns of rows, in the target's type.
template <class T>
void Worker<T>::turn(std::size_t number, const C* sums) {
    const Block& block = shape_.blocks[number];
    const Kernels<C>& kernels = *work_.packed.kernels;
    const Index rows = turned_rows();  // more than there are: whole vectors go faster
    T* const to = turned_ + tiling_.turned[number] * rows;
    if constexpr (std::is_same_v<T, C>) {
        kernels.turn(sums, block.width, to, rows, rows, block.width);
    } else {
        kernels.turn(sums, block.width, turned_sums_, rows, rows, block.width);
        narrow(*work_.packed.converters, turned_sums_, to, rows * block.columns);
    }
}

/// Stores the turned columns of a block, with those of other blocks that lie between them.
template <class T>
void Worker<T>::store_lines(std::size_t number) {
    const Block& block = shape_.blocks[number];
    const Index run = shape_.window_of(block).run, channels = shape_.target_channels, rows = turned_rows();
    const std::size_t first_block = number - static_cast<std::size_t>(block.first / shape_.block_columns);
    for (Index n = 0; n < block.columns;) {  // columns of one member, whose neighbours are in one block each
        const Index column = block.first + n, member = column / channels, channel = column % channels;
        const Index first_member = member - member % run;
        Index some = std::min(channels - channel, block.columns - n);
        bool together = run > 1;
        for (Index q = 0; q < run; ++q) {
            const Index other = (first_member + q) * channels + channel;
            const std::size_t holder = first_block + static_cast<std::size_t>(other / shape_.block_columns);
            const Index there = other - shape_.blocks[holder].first;
            some = std::min(some, shape_.blocks[holder].columns - there);
            turned_columns_[q] = turned_ + (tiling_.turned[holder] + there) * rows;
            together = together && tiling_.slice_of[holder] == tiling_.slice_of[number];
        }
        if (!together) {
            turned_columns_[0] = turned_ + (tiling_.turned[number] + n) * rows;
            store_channels(member, channel, some, 1);
        } else if (member == first_member) {
            store_channels(member, channel, some, run);
        }
        n += some;
    }
}

/// Stores `some` channels of `count` members that follow each other along the last axis, from the turned columns on.
template <class T>
void Worker<T>::store_channels(Index member, Index channel, Index some, Index count) {
    const Window& window = shape_.windows[window_];
    const std::size_t inner = rank_ - 1;
    const Index step = tiling_.maps[inner].target_step * tiling_.target.axes[inner];
    const Index line = last_[inner] - first_[inner], turned = turned_rows();
    constexpr Index numbers = 64 / static_cast<Index>(sizeof(T));  // of a line of the cache
    const bool dense = step <= numbers;
    T* base =
        work_.target + tiling_.deltas[window_][static_cast<std::size_t>(member)] + channel * tiling_.target.channel;
    for (Index c = 0; c < some; ++c, base += tiling_.target.channel) {
        for (Index row = 0; row < rows_; row += line) {
            const auto some_have = [&](Index begin, Index end) {
                for (Index at = begin; at < end; ++at)
                    for (Index q = 0; q < count; ++q) {
                        if (has(window.members[static_cast<std::size_t>(member + q)], at))
                            base[targets_[at] + q] = turned_columns_[q][at];
                    }
            };
            const bool whole = common_first_ < common_last_ && whole_[row + common_first_];
            const Index begin = row + (whole ? common_first_ : line), end = row + (whole ? common_last_ : line);
            if (dense && whole && c + 1 < some) {  // on another page, which the processor doesn't foresee
                const T* next = base + tiling_.target.channel + targets_[begin];
                for (Index i = 0; i < (end - begin) * step; i += numbers) __builtin_prefetch(next + i, 1);
            }
            some_have(row, begin);
            if (whole) store_run(turned_columns_, count, begin, end, base + targets_[begin], step);
            some_have(end, row + line);
        }
        for (Index q = 0; q < count; ++q) turned_columns_[q] += turned;
    }
}

template class Worker<float>;
template class Worker<double>;
template class Worker<float16>;
template class Worker<bfloat16>;

}  // namespace tconv
