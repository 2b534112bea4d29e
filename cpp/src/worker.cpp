// A worker's computation: one unit, window by window, block by block.
#include "worker.hpp"

#include <algorithm>
#include <type_traits>

namespace tconv {

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

template <class T>
void Worker<T>::multiply(const Slice& slice, std::size_t window) {
    using Kind = Activation::Kind;
    const Index tile_rows = shape_.tile_rows;
    const std::vector<Step>& steps = shape_.steps[window];
    const Kind kind = work_.finish.kind;
    const bool in_registers = std::is_same_v<T, C> &&
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
            // Finished rows can go straight from registers to the target.
            const Index place = tiling_.places[b];
            const bool direct = in_registers && place != Tiling::scattered;
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
                        for (Index m = 0; m < rows; ++m) out[m] = work_.target + targets_[row + m] + place;
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

template class Worker<float>;
template class Worker<double>;
template class Worker<float16>;
template class Worker<bfloat16>;

}  // namespace tconv
