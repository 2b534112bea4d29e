#include "worker.hpp"

#include <algorithm>
#include <cstring>
#include <type_traits>

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
        default:
            for (Index row = 0; row < rows; ++row) std::copy_n(from + row * width, count, target(row));
    }
}

}  // namespace

Index Picked::position(Index index) const {
    return list == nullptr ? index - from : std::lower_bound(list, list + count, index) - list;
}

template <class T>
Worker<T>::Worker(const Work<T>& work, Carver& carver)
    : work_(work), tiling_(work.tiling), shape_(work.packed), rank_(work.tiling.rank) {
    const Index axes = static_cast<Index>(rank_);
    const Index rows = (tiling_.rows_of_tile() + shape_.tile_rows - 1) / shape_.tile_rows * shape_.tile_rows;
    Index taps = 1, outer = 1, table = 1, listed = 0;
    for (std::size_t w = 0; w < shape_.windows.size(); ++w) {
        for (const Step& step : shape_.steps[w]) taps = std::max(taps, step.last_tap - step.first_tap);
        const std::vector<Index>& along = shape_.windows[w].taps_along;
        outer = std::max(outer, shape_.windows[w].taps / along.back());
        Index all = 0;
        for (std::size_t a = 0; a < rank_; ++a) all += tiling_.tile[a + 1] * along[a];
        table = std::max(table, all);
    }
    for (std::size_t a = 0; a < rank_; ++a) listed += tiling_.listed(a);

    tile_first_ = carver.take<Index>(axes);
    tile_last_ = carver.take<Index>(axes);
    first_ = carver.take<Index>(axes);
    last_ = carver.take<Index>(axes);
    at_ = carver.take<Index>(axes);
    pixel_strides_ = carver.take<Index>(axes);
    axis_offsets_ = carver.take<Index*>(axes);
    offsets_ = carver.take<Index>(table);
    outer_ = carver.take<Index>(outer);
    targets_ = carver.take<Index>(rows);
    coordinates_ = carver.take<Index>(rows * axes);
    whole_ = carver.take<bool>(rows);
    pixels_ = carver.take<const C*>(rows * taps);
    clipped_ = carver.take<bool>(rows / shape_.tile_rows);
    sums_ = carver.take<C>(rows * tiling_.sum_columns);
    narrowed_ = carver.take<T>(std::is_same_v<T, C> ? 0 : rows * tiling_.widest_block);
    picked_ = carver.take<Picked>(tiling_.gathered ? axes : 0);
    lists_ = carver.take<Index>(tiling_.gathered ? listed : 0);
    panel_ = carver.take<C>(tiling_.gathered ? tiling_.panel_numbers() : 0);
}

template <class T>
void Worker<T>::compute(Index unit) {
    locate(unit);
    if (tiling_.gathered) {
        pick();
        gather();
    } else if constexpr (std::is_same_v<T, C>) {
        for (std::size_t a = 0; a < rank_; ++a) pixel_strides_[a] = tiling_.source.axes[a];
        batch_stride_ = tiling_.source.batch;
        origin_ = work_.source + batch_first_ * batch_stride_ + group_ * shape_.source_channels;
    }
    for (std::size_t b = slice_->first_block; b < slice_->last_block;) {
        const auto window = static_cast<std::size_t>(shape_.blocks[b].window);
        Slice same{b, b};
        while (b < slice_->last_block && static_cast<std::size_t>(shape_.blocks[b].window) == window) ++b;
        same.last_block = b;
        if (enter(window)) multiply(same, window);
    }
}

/// unit -> group, slice and tile; the tiles of a slice follow each other, so that its columns stay in the cache.
template <class T>
void Worker<T>::locate(Index unit) {
    for (std::size_t i = rank_ + 1; i-- > 0;) {
        const Index part = unit % tiling_.tiles[i];
        unit /= tiling_.tiles[i];
        if (i == 0) {
            batch_first_ = part * tiling_.tile[0];
            batch_last_ = std::min(batch_first_ + tiling_.tile[0], tiling_.batch);
        } else {
            tile_first_[i - 1] = tiling_.first[i - 1] + part * tiling_.tile[i];
            tile_last_[i - 1] = std::min(tile_first_[i - 1] + tiling_.tile[i], tiling_.last[i - 1]);
        }
    }
    const auto slices = static_cast<Index>(tiling_.slices.size());
    slice_ = &tiling_.slices[static_cast<std::size_t>(unit % slices)];
    group_ = unit / slices;
}

/// The source indices that the tile needs along each axis: a run where that is dense, else a list.
template <class T>
void Worker<T>::pick() {
    Index* list = lists_;
    for (std::size_t a = 0; a < rank_; ++a) {
        const AxisMap& map = tiling_.maps[a];
        Index low = map.source_extent, high = -1, listed = 0;
        const auto each_row = [&](const auto& use) {
            for (const Phase& phase : shape_.phases[a]) {
                const Index begin = std::max(tile_first_[a], map.first(phase));
                const Index end = std::min(tile_last_[a], map.last(phase));
                for (Index j = begin; j < end; ++j) use(phase, j);
            }
        };
        each_row([&](const Phase& phase, Index j) {
            listed += phase.taps;
            for (const Index m : {Index(0), phase.taps - 1}) {
                const Index index = map.source(phase, j, m);
                low = std::min(low, index);
                high = std::max(high, index);
            }
        });
        low = std::max<Index>(low, 0);
        high = std::min(high, map.source_extent - 1);
        picked_[a] = {low, std::max<Index>(high - low + 1, 0), nullptr};
        if (picked_[a].count <= 2 * listed) continue;
        Index count = 0;
        each_row([&](const Phase& phase, Index j) {
            for (Index m = 0; m < phase.taps; ++m) {
                const Index index = map.source(phase, j, m);
                if (index >= 0 && index < map.source_extent) list[count++] = index;
            }
        });
        std::sort(list, list + count);
        count = std::unique(list, list + count) - list;
        picked_[a] = {0, count, list};
        list += count;
    }
}

/// The picked pixels, as rows of channels in the type of the sums.
template <class T>
void Worker<T>::gather() {
    const Layout& source = tiling_.source;
    Index stride = shape_.source_channels;
    for (std::size_t a = rank_; a-- > 0;) {
        pixel_strides_[a] = stride;
        stride *= picked_[a].count;
    }
    batch_stride_ = stride;
    origin_ = panel_;
    if (stride == 0) return;

    const Picked& line = picked_[rank_ - 1];
    const Index group_offset = group_ * shape_.source_channels * source.channel;
    std::fill_n(at_, rank_, 0);
    C* to = panel_;
    for (Index n = batch_first_; n < batch_last_; ++n) {
        for (bool more = true; more;) {
            Index offset = n * source.batch + group_offset;
            for (std::size_t a = 0; a + 1 < rank_; ++a) offset += picked_[a].at(at_[a]) * source.axes[a];
            for (Index p = 0; p < line.count;) {
                Index run = line.list == nullptr ? line.count : 1;
                while (p + run < line.count && line.at(p + run) == line.at(p) + run) ++run;
                gather_run(*work_.packed.kernels, *work_.packed.converters, work_.source + offset + line.at(p) * source.axes[rank_ - 1],
                           source.axes[rank_ - 1], source.channel, run, shape_.source_channels, to);
                to += run * shape_.source_channels;
                p += run;
            }
            more = false;
            for (std::size_t a = rank_ - 1; a-- > 0;) {
                if (++at_[a] < picked_[a].count) {
                    more = true;
                    break;
                }
                at_[a] = 0;
            }
        }
    }
}

/// Prepares the rows of a window in this tile; false when there are none.
template <class T>
bool Worker<T>::enter(std::size_t window) {
    window_ = window;
    rows_ = batches();
    Index* table = offsets_;
    const Window& shape = shape_.windows[window];
    for (std::size_t a = 0; a < rank_; ++a) {
        const Range& range = tiling_.ranges[window * rank_ + a];
        first_[a] = std::max(tile_first_[a], range.first);
        last_[a] = std::min(tile_last_[a], range.last);
        if (first_[a] >= last_[a]) return false;
        rows_ *= last_[a] - first_[a];
        axis_offsets_[a] = table;
        const AxisMap& map = tiling_.maps[a];
        const Phase& phase = shape.first()[a];
        for (Index j = first_[a]; j < last_[a]; ++j) {
            for (Index m = 0; m < phase.taps; ++m) {
                const Index index = map.source(phase, j, m);
                const bool inside = index >= 0 && index < map.source_extent;
                const Index position = !inside ? -1 : tiling_.gathered ? picked_[a].position(index) : index;
                *table++ = inside ? position * pixel_strides_[a] : -1;
            }
        }
    }
    if (rows_ == 0) return false;
    place_rows();
    return true;
}

/// Where each row's first target lies, and whether every member of the window has the row.
template <class T>
void Worker<T>::place_rows() {
    const Window& shape = shape_.windows[window_];
    const std::size_t inner = rank_ - 1;
    const Range& inner_range = tiling_.ranges[window_ * rank_ + inner];
    const Index step = tiling_.maps[inner].target_step * tiling_.target.axes[inner];
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
            for (Index j = first_[inner]; j < last_[inner]; ++j, ++row, offset += step) {
                targets_[row] = offset;
                whole_[row] = whole && j >= inner_range.common_first && j < inner_range.common_last;
                if (!whole_[row]) {
                    at_[inner] = j;
                    std::copy_n(at_, rank_, coordinates_ + row * static_cast<Index>(rank_));
                }
            }
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

/// The pixel under each tap of a step, for every row.
template <class T>
void Worker<T>::find_pixels(const Step& step) {
    const Index tile_rows = shape_.tile_rows, taps = step.last_tap - step.first_tap;
    const std::vector<Index>& along = shape_.windows[window_].taps_along;
    const std::size_t inner = rank_ - 1;
    const Index inner_taps = along[inner];
    const Index first_outer = step.first_tap / inner_taps, last_outer = (step.last_tap - 1) / inner_taps;
    const C* outside = shape_.depthwise ? nullptr : work_.packed.zeros.data();
    std::fill_n(clipped_, strips(), false);
    std::copy_n(first_, rank_, at_);
    Index row = 0;
    for (Index n = 0; n < batches(); ++n) {
        for (bool more = true; more;) {
            // The outer taps of this line of rows: sums of the axes' offsets, or -1.
            Index count = 1;
            outer_[0] = n * batch_stride_;
            for (std::size_t a = 0; a < inner; ++a) {
                const Index* offsets = axis_offsets_[a] + (at_[a] - first_[a]) * along[a];
                for (Index i = count; i-- > 0;) {  // backwards: in place
                    const Index before = outer_[i];
                    for (Index m = along[a]; m-- > 0;)
                        outer_[i * along[a] + m] = before < 0 || offsets[m] < 0 ? -1 : before + offsets[m];
                }
                count *= along[a];
            }
            for (Index j = first_[inner]; j < last_[inner]; ++j, ++row) {
                const Index* offsets = axis_offsets_[inner] + (j - first_[inner]) * inner_taps;
                const C** to = pixels_ + row / tile_rows * taps * tile_rows + row % tile_rows;
                bool inside = true;
                for (Index o = first_outer; o <= last_outer; ++o) {
                    const Index begin = std::max(step.first_tap - o * inner_taps, Index(0));
                    const Index end = std::min(step.last_tap - o * inner_taps, inner_taps);
                    const Index before = outer_[o];
                    for (Index m = begin; m < end; ++m, to += tile_rows) {
                        const bool here = before >= 0 && offsets[m] >= 0;
                        *to = here ? origin_ + before + offsets[m] : outside;
                        inside = inside && here;
                    }
                }
                if (!inside) clipped_[row / tile_rows] = true;
            }
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

template <class T>
void Worker<T>::multiply(const Slice& slice, std::size_t window) {
    using Kind = Activation::Kind;
    const Index tile_rows = shape_.tile_rows;
    const std::vector<Step>& steps = shape_.steps[window];
    const Kind kind = work_.finish.kind;
    // Finished rows can go straight from registers to the target.
    const bool direct = std::is_same_v<T, C> && tiling_.target.channel == 1 && shape_.windows[window].adjacent &&
                        (shape_.windows[window].members.size() == 1 || shape_.product_groups == 1) &&
                        (kind == Kind::linear || kind == Kind::relu || kind == Kind::leaky_relu);
    C* out[max_tile_rows];
    Tile<C> t{};
    t.finish = work_.finish;
    Index done = 0;  // products of the steps before
    for (std::size_t s = 0; s < steps.size(); ++s) {
        const Step& step = steps[s];
        const bool last = s + 1 == steps.size();
        if (s == 0 || step.first_tap != steps[s - 1].first_tap) find_pixels(step);
        t.taps = step.last_tap - step.first_tap;
        t.load = s > 0;
        C* sums = sums_;
        for (std::size_t b = slice.first_block; b < slice.last_block; ++b) {
            const Block& block = shape_.blocks[b];
            t.offset = shape_.depthwise ? block.first : step.first_channel;
            t.channels = shape_.depthwise ? block.width : step.last_channel - step.first_channel;
            t.panel = work_.packed.weights.data() + group_ * shape_.group_weights + block.weights + done * block.width;
            t.columns = block.columns;
            t.c_stride = block.width;
            t.bias = work_.bias == nullptr ? nullptr : work_.bias + group_ * shape_.group_bias + block.bias;
            const auto& kernels = work_.packed.kernels->multiply[block.width == shape_.full_width ? 1 : 0];
            for (Index strip = 0, row = 0; row < rows_; ++strip, row += tile_rows) {
                const Index rows = std::min(tile_rows, rows_ - row);
                t.rows = pixels_ + strip * t.taps * tile_rows;
                t.c = sums + row * block.width;
                t.out = nullptr;
                if constexpr (std::is_same_v<T, C>) {
                    if (direct && last && std::all_of(whole_ + row, whole_ + row + rows, [](bool w) { return w; })) {
                        for (Index m = 0; m < rows; ++m) out[m] = work_.target + targets_[row + m] + block.first;
                        t.out = out;
                    }
                }
                if (shape_.depthwise) {
                    work_.packed.kernels->depthwise(t, rows);
                } else if (clipped_[strip] && !work_.packed.finite) {
                    multiply_exactly(t, rows);
                } else {
                    kernels[rows - 1](t);
                }
                if (last && direct && t.out == nullptr) store(block, sums, row, row + rows);
            }
            if (last && !direct) store(block, sums, 0, rows_);
            if (steps.size() > 1) sums += strips() * tile_rows * block.width;
        }
        done += step.products();
    }
}

/// Row by row and tap by tap, leaving out the pixels outside: zero times infinity is not zero.
template <class T>
void Worker<T>::multiply_exactly(Tile<C> t, Index rows) const {
    const Index taps = t.taps, panel_step = t.channels * t.c_stride;
    C* const* out = t.out;
    const auto kernel = work_.packed.kernels->multiply[t.c_stride == shape_.full_width ? 1 : 0][0];
    const Tile<C> strip = t;
    for (Index m = 0; m < rows; ++m) {
        t = strip;
        t.taps = 1;
        t.out = nullptr;
        t.c = strip.c + m * strip.c_stride;
        for (Index tap = 0; tap < taps; ++tap) {
            t.rows = strip.rows + tap * shape_.tile_rows + m;
            if (*t.rows == work_.packed.zeros.data()) continue;
            t.panel = strip.panel + tap * panel_step;
            kernel(t);
            t.load = true;
        }
        // No product at all: store what there is.
        if (!t.load || out != nullptr) {
            t.taps = 0;
            t.out = out == nullptr ? nullptr : out + m;
            kernel(t);
        }
    }
}

/// Finishes the sums of a block's rows and puts them where they belong.
template <class T>
void Worker<T>::store(const Block& block, const C* sums_of_block, Index first_row, Index last_row) {
    const Index width = block.width;
    C* sums = const_cast<C*>(sums_of_block) + first_row * width;
    const C* bias = work_.bias == nullptr ? nullptr : work_.bias + group_ * shape_.group_bias + block.bias;
    work_.packed.kernels->finish(sums, width, last_row - first_row, width, bias, work_.finish);
    const T* from;
    if constexpr (std::is_same_v<T, C>) {
        from = sums;
    } else {
        narrow(*work_.packed.converters, sums, narrowed_, (last_row - first_row) * width);
        from = narrowed_;
    }
    const bool all_whole = std::all_of(whole_ + first_row, whole_ + last_row, [](bool w) { return w; });
    const Window& window = shape_.window_of(block);
    const Index channels = shape_.target_channels, step = tiling_.target.channel;
    const std::vector<Index>& deltas = tiling_.deltas[static_cast<std::size_t>(block.window)];
    for (Index n = 0; n < block.columns;) {  // one member's columns at a time, or several that lie side by side
        const Index column = block.first + n, channel = column % channels;
        const auto number = static_cast<std::size_t>(column / channels);
        const Index delta = deltas[number] + channel * step;
        Index some = std::min(channels - channel, block.columns - n);
        if (all_whole && step == 1) {
            for (std::size_t next = number + 1; n + some < block.columns && deltas[next] == delta + some;
                 ++next)
                some += std::min(channels, block.columns - n - some);
        }
        const T* numbers = from + n;
        const auto target = [&](Index row) { return work_.target + targets_[row] + delta; };
        if (!all_whole) {
            const std::vector<Phase>& member = window.members[number];
            for (Index row = first_row; row < last_row; ++row) {
                if (!whole_[row] && !has(member, row)) continue;
                T* to = target(row);
                for (Index k = 0; k < some; ++k) to[k * step] = numbers[(row - first_row) * width + k];
            }
        } else if (step == 1) {
            copy_rows(numbers, width, some, last_row - first_row, [&](Index row) { return target(first_row + row); });
        } else {
            for (Index k = 0; k < some; ++k)
                for (Index row = first_row; row < last_row; ++row)
                    target(row)[k * step] = numbers[(row - first_row) * width + k];
        }
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
