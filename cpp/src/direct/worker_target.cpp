// A worker's target: where the rows of a tile are stored, and how.
#include <algorithm>
#include <cstring>
#include <type_traits>

#include "direct/worker.hpp"
#include "gather.hpp"

namespace tconv {
namespace {

/// `rows` rows of `count` numbers each, `width` apart, to where target(row) says.
template <class T, class Target>
void copy_rows(const T* from, Index width, Index count, Index rows, const Target& target) {
    const auto fixed = [&](auto constant) {
        constexpr std::size_t bytes = sizeof(T) * decltype(constant)::value;
        for (Index row = 0; row < rows; ++row) std::memcpy(target(row), from + row * width, bytes);
    };
    switch (count) {
        case 1:
            return fixed(std::integral_constant<Index, 1>());
        case 2:
            return fixed(std::integral_constant<Index, 2>());
        case 3:
            return fixed(std::integral_constant<Index, 3>());
        case 4:
            return fixed(std::integral_constant<Index, 4>());
        case 6:
            return fixed(std::integral_constant<Index, 6>());
        case 8:
            return fixed(std::integral_constant<Index, 8>());
        case 16:  // a panel's columns or half of them
            return fixed(std::integral_constant<Index, 16>());
        case 32:
            return fixed(std::integral_constant<Index, 32>());
        default:
            for (Index row = 0; row < rows; ++row) std::copy_n(from + row * width, count, target(row));
    }
}

}  // namespace

/// Where each row's first target lies, and whether every member of the window has the row.
template <class T>
void Worker<T>::place_rows() {
    const Window& shape = shape_.windows[window_];
    const std::size_t inner = rank_ - 1;
    const Range& inner_range = tiling_.ranges[window_ * rank_ + inner];
    const Index step = tiling_.maps[inner].target_step * tiling_.target.axes[inner];
    const Index line = last_[inner] - first_[inner];  // rows; all members have those in the common range
    common_first_ = std::clamp<Index>(inner_range.common_first - first_[inner], 0, line);
    common_last_ = std::clamp<Index>(inner_range.common_last - first_[inner], common_first_, line);
    all_whole_ = common_last_ - common_first_ == line;
    std::copy_n(first_, rank_, at_);
    Index row = 0;
    for (Index n = batch_first_; n < batch_last_; ++n) {
        for (bool more = true; more;) {
            Index offset = n * tiling_.target.batch + group_ * shape_.target_channels * tiling_.target.channel;
            bool whole = true;
            for (std::size_t a = 0; a < rank_; ++a) {
                offset += tiling_.maps[a].target(shape.first()[a], at_[a]) * tiling_.target.axes[a];
                const Range& range = tiling_.ranges[window_ * rank_ + a];
                if (a != inner) whole = whole && at_[a] >= range.common_first && at_[a] < range.common_last;
            }
            all_whole_ = all_whole_ && whole;
            Index* const targets = targets_ + row;
            bool* const wholes = whole_ + row;
            for (Index i = 0; i < line; ++i) targets[i] = offset + i * step;
            std::fill_n(wholes, line, whole);
            if (whole) {
                std::fill_n(wholes, common_first_, false);
                std::fill(wholes + common_last_, wholes + line, false);
            }
            for (Index i = 0; i < line; ++i) {
                if (wholes[i]) {
                    i = common_last_ - 1;
                    continue;
                }
                at_[inner] = first_[inner] + i;
                std::copy_n(at_, rank_, coordinates_ + (row + i) * static_cast<Index>(rank_));
            }
            row += line;
            at_[inner] = first_[inner];
            more = false;
            for (std::size_t a = inner; a-- > 0;) {
                if (++at_[a] < last_[a]) {
                    more = true;
                    break;
                }
                at_[a] = first_[a];
            }
        }
    }
}

/// Adds the bias to the sums of a block, and applies the activation.
template <class T>
void Worker<T>::finish(const Block& block, C* sums, Index rows) const {
    const C* bias = work_.bias == nullptr ? nullptr : work_.bias + group_ * shape_.group_bias + block.bias;
    work_.packed.kernels->finish(sums, block.width, rows, block.width, bias, work_.finish);
}

/// Puts the finished sums of a block, all rows of the tile, where they belong.
template <class T>
void Worker<T>::deliver(std::size_t number, const C* sums) {
    const Block& block = shape_.blocks[number];
    if (tiling_.lines) {
        turn(number, sums);
        if (shape_.window_of(block).run == 1) store_lines(number);
    } else {
        store(block, sums, 0, rows_);
    }
}

/// Puts the rows of a block, of which `sums` are finished sums, where they belong.
template <class T>
void Worker<T>::store(const Block& block, const C* sums, Index first_row, Index last_row) {
    const Index width = block.width;
    sums += first_row * width;
    const T* from;
    if constexpr (std::is_same_v<T, C>) {
        from = sums;
    } else {
        narrow(*work_.packed.converters, sums, narrowed_, (last_row - first_row) * width);
        from = narrowed_;
    }
    for (Index row = first_row; row < last_row;) {  // rows that all members have go together
        Index end = all_whole_ ? last_row : row + 1;
        while (whole_[row] && end < last_row && whole_[end]) ++end;
        scatter(block, from + (row - first_row) * width, row, end);
        row = end;
    }
}

/// Puts the finished numbers of rows into a channels-last target: rows that every member has, or one that some have.
template <class T>
void Worker<T>::scatter(const Block& block, const T* from, Index first_row, Index last_row) {
    const Window& window = shape_.window_of(block);
    const Index width = block.width, channels = shape_.target_channels, rows = last_row - first_row;
    const bool whole = whole_[first_row];
    const std::vector<Index>& deltas = tiling_.deltas[static_cast<std::size_t>(block.window)];
    for (Index n = 0; n < block.columns;) {  // one member's columns at a time, or several that lie side by side
        const Index column = block.first + n, channel = column % channels;
        const auto number = static_cast<std::size_t>(column / channels);
        const Index delta = deltas[number] + channel;
        Index some = std::min(channels - channel, block.columns - n);
        if (whole) {
            for (std::size_t next = number + 1; n + some < block.columns && deltas[next] == delta + some; ++next)
                some += std::min(channels, block.columns - n - some);
        }
        const Index* const places = targets_ + first_row;
        T* const base = work_.target + delta;  // a local: what is stored might be the member
        if (whole || has(window.members[number], first_row))
            copy_rows(from + n, width, some, rows, [=](Index row) { return base + places[row]; });
        n += some;
    }
}

/// Whether a member of the window has a row, which not all have.
template <class T>
bool Worker<T>::has(const std::vector<Phase>& member, Index row) const {
    for (std::size_t a = 0; a < rank_; ++a) {
        const Index j = coordinates_[row * static_cast<Index>(rank_) + static_cast<Index>(a)];
        const Index target = tiling_.maps[a].target(member[a], j);
        if (target < 0 || target >= tiling_.maps[a].target_extent) return false;
    }
    return true;
}

template class Worker<float>;
template class Worker<double>;
template class Worker<float16>;
template class Worker<bfloat16>;

}  // namespace tconv
