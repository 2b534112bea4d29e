// A worker's computation: one unit, window by window, block by block.
#include "direct/worker.hpp"

#include <algorithm>
#include <type_traits>

#include "checked.hpp"

namespace tconv {
namespace {

constexpr Index far_pixels = 128;  // bytes of a pixel, from where the processor doesn't foresee the next ones

}  // namespace

template <class T>
Worker<T>::Worker(const Work<T>& work, Carver& carver)
    : work_(work),
      tiling_(work.tiling),
      shape_(work.packed),
      rank_(work.tiling.rank),
      pixel_bytes_(static_cast<Index>(work.tiling.gathered ? sizeof(C) : sizeof(T))) {
    const Index axes = static_cast<Index>(rank_);
    const Index rows =
        (tiling_.rows_of_tile() + shape_.panel.tile_rows - 1) / shape_.panel.tile_rows * shape_.panel.tile_rows;
    const Index turned_rows = (rows + turned_together - 1) / turned_together * turned_together;
    Index taps = 1, outer = 1, table = 1, listed = 0, run = 1;
    for (std::size_t w = 0; w < shape_.windows.size(); ++w) {
        for (const Step& step : shape_.steps[w]) taps = std::max(taps, step.last_tap - step.first_tap);
        run = std::max(run, shape_.windows[w].run);
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
    in_sums_ = carver.take<Index>(rows);
    coordinates_ = carver.take<Index>(rows * axes);
    whole_ = carver.take<bool>(rows);
    pixels_ = carver.take<const C*>(rows * taps);
    clipped_ = carver.take<bool>(rows / shape_.panel.tile_rows);
    const Index lines = shape_.form != Form::panels ? tiling_.rows_of_tile() / tiling_.tile[rank_] : 0;
    lines_ = carver.take<Range>(lines);
    line_pixels_ = carver.take<const C*>(lines * taps);
    row_pixels_ = carver.take<const C*>(pixel_storage() != Storage::own ? taps : 0);
    line_runs_ = carver.take<ColumnRun>(lines > 0 ? tiling_.widest_block : 0);
    sums_ = carver.take<C>((tiling_.lines ? turned_rows : rows) * tiling_.sum_columns);
    const bool narrowed = !std::is_same_v<T, C>;
    narrowed_ = carver.take<T>(narrowed && !tiling_.lines ? rows * tiling_.widest_block : 0);
    turned_ = carver.take<T>(turned_rows * tiling_.turned_columns);
    turned_sums_ = carver.take<C>(narrowed && tiling_.lines ? turned_rows * tiling_.widest_block : 0);
    turned_columns_ = carver.take<const T*>(tiling_.lines ? run : 0);
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
    } else {
        for (std::size_t a = 0; a < rank_; ++a) pixel_strides_[a] = tiling_.source.axes[a];
        batch_stride_ = tiling_.source.batch;
        origin_ = work_.source + batch_first_ * batch_stride_ + group_ * shape_.source_channels;
    }
    for (std::size_t a = 0; a < rank_; ++a) pixel_strides_[a] *= pixel_bytes_;
    batch_stride_ *= pixel_bytes_;
    for (std::size_t b = slice_->first_block; b < slice_->last_block;) {
        const auto window_of = [this](std::size_t position) { return shape_.blocks[tiling_.order[position]].window; };
        const auto window = static_cast<std::size_t>(window_of(b));
        Slice same{b, b};
        while (b < slice_->last_block && static_cast<std::size_t>(window_of(b)) == window) ++b;
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
        // Locals: what the loop writes might be a member's.
        const Index begin = first_[a], end = last_[a], taps = phase.taps, source_step = map.source_step;
        const Index extent = map.source_extent, stride = pixel_strides_[a];
        const Picked* const picked = tiling_.gathered ? picked_ + a : nullptr;
        struct Rows {
            Index from, until;
        };
        const auto steps = [source_step](Index n) { return source_step == 1 ? n : ceil_div(n, source_step); };
        const auto inside = [&](Index m) {
            if (tiling_.bordered) return Rows{begin, end};
            const Index index = map.source(phase, begin, m);
            const Index from = std::clamp(begin + steps(-index), begin, end);
            return Rows{from, std::clamp(begin + steps(extent - index), from, end)};
        };
        Rows all{begin, end};  // those that have all of their taps inside: the first tap and the last one
        if (taps > 0) {
            const Rows one = inside(0), other = inside(taps - 1);
            all = {std::max(one.from, other.from), std::min(one.until, other.until)};
        }
        const bool listed = picked != nullptr && picked->list != nullptr;
        even_ = a + 1 == rank_ && all.from < all.until && !listed;
        row_step_ = source_step * stride;
        inside_first_ = std::min(all.from, all.until);
        inside_last_ = all.until;
        for (Index m = 0; m < taps; ++m) {
            const Rows rows = inside(m);
            const Index index = map.source(phase, begin, m), first = picked == nullptr ? 0 : picked->from;
            const auto fill = [&](Index from, Index until) {
                for (Index j = from; j < until; ++j) {
                    const Index at = index + (j - begin) * source_step;
                    Index& to = table[(j - begin) * taps + m];
                    if (j < rows.from || j >= rows.until) {
                        to = -1;
                    } else {
                        to = (listed ? picked->position(at) : at - first) * stride;
                    }
                }
            };
            fill(begin, even_ ? all.from + 1 : end);
            fill(even_ ? all.until : end, end);
        }
        table += (last_[a] - first_[a]) * phase.taps;
    }
    if (rows_ == 0) return false;
    place_rows();
    return true;
}

template <class T>
void Worker<T>::multiply(const Slice& slice, std::size_t window) {
    const std::vector<Step>& steps = shape_.steps[window];
    Tile<C> t{};
    t.finish = work_.finish;
    Index done = 0;  // products of the steps before
    for (std::size_t s = 0; s < steps.size(); ++s) {
        const Step& step = steps[s];
        if (s == 0 || step.first_tap != steps[s - 1].first_tap) find_pixels(step);
        t.taps = step.last_tap - step.first_tap;
        t.load = s > 0;
        t.c = sums_;
        for (std::size_t b = slice.first_block; b < slice.last_block; ++b) {
            const std::size_t number = tiling_.order[b];
            const Block& block = shape_.blocks[number];
            t.offset = shape_.form == Form::depthwise ? block.first : step.first_channel;
            t.channels = shape_.form == Form::depthwise ? block.width : step.last_channel - step.first_channel;
            t.panel = work_.packed.weights.data() + group_ * shape_.group_weights + block.weights + done * block.panel;
            t.c_stride = block.width;
            t.bias = work_.bias == nullptr ? nullptr : work_.bias + group_ * shape_.group_bias + block.bias;
            const bool last = s + 1 == steps.size();
            shape_.form == Form::panels ? multiply_block(t, number, last, b == slice.first_block)
                                        : multiply_along(t, number, last);
            if (steps.size() > 1) t.c += strips() * shape_.panel.tile_rows * block.width;
        }
        done += shape_.products(step);
    }
    if (tiling_.lines && shape_.windows[window].run > 1) {
        for (std::size_t b = slice.first_block; b < slice.last_block; ++b) store_lines(tiling_.order[b]);
    }
}

/// One step of one block, for all rows of the tile; the last one finishes them.
template <class T>
void Worker<T>::multiply_block(Tile<C> t, std::size_t number, bool last, bool first_block) {
    const Block& block = shape_.blocks[number];
    const Kernels<C>& kernels = *work_.packed.kernels;
    const auto& panels = kernels.multiply[block.width == shape_.panel.width ? 1 : 0];
    const Index tile_rows = shape_.panel.tile_rows, place = tiling_.places[number];
    // Sums that a kernel finishes go straight from registers to the target, where that takes them as they are.
    const bool finished = last && work_.finish.in_registers();
    const bool direct = finished && place != Tiling::scattered;
    const bool far = first_block && t.channels * static_cast<Index>(sizeof(C)) >= far_pixels;
    if (finished && !(direct && all_whole_)) {
        for (Index row = 0; row < rows_; ++row) in_sums_[row] = row * block.width;
    }
    // Whole strips that need no look at each of them go together.
    const bool exact = !work_.packed.finite && clipped_any_;
    const bool together = !far && !exact && (!direct || all_whole_);
    C* const sums = t.c;
    for (Index strip = 0, row = 0; row < rows_; strip += t.strips) {
        t.strips = together ? std::max<Index>((rows_ - row) / tile_rows, 1) : 1;
        const Index rows = std::min(tile_rows, rows_ - row), end = std::min(row + t.strips * tile_rows, rows_);
        t.rows = pixels_ + strip * t.taps * tile_rows;
        t.c = sums + row * block.width;
        t.out = nullptr;
        t.columns = block.width;
        if (far && end < rows_) prefetch(t, std::min(tile_rows, rows_ - end));
        const bool there = direct && (all_whole_ || std::all_of(whole_ + row, whole_ + end, [](bool w) { return w; }));
        if (there) {
            t.out = work_.target + place;
            t.targets = targets_ + row;
            t.columns = block.columns;
        } else if (finished) {
            t.out = sums;
            t.targets = in_sums_ + row;
        }
        t.storage = there ? storage_of<T> : Storage::own;
        if (exact && clipped_[strip]) {
            multiply_exactly(t, rows);
        } else {
            panels[rows - 1](t);
        }
        if (direct && !there) store(block, sums, row, end);
        row = end;
    }
    if (!last || direct) return;
    if (!finished) finish(block, sums, rows_);
    deliver(number, sums);
}

/// Asks for the pixels that the next strip meets first: its rows are too short for the processor to foresee them.
template <class T>
void Worker<T>::prefetch(const Tile<C>& t, Index rows) const {
    constexpr Index line = 64 / sizeof(C);
    const C* const* next = t.rows + t.taps * shape_.panel.tile_rows;
    for (Index m = 0; m < rows; ++m) {
        for (Index k = 0; k < t.channels; k += line) __builtin_prefetch(next[m] + t.offset + k);
    }
}

/// Row by row and, where some pixel lies outside, tap by tap without it: zero times infinity is not zero.
template <class T>
void Worker<T>::multiply_exactly(Tile<C> t, Index rows) const {
    const auto kernel = work_.packed.kernels->multiply[t.c_stride == shape_.panel.width ? 1 : 0][0];
    const Index tile_rows = shape_.panel.tile_rows;
    const C* const outside = work_.packed.zeros.data();
    const Tile<C> strip = t;
    for (Index m = 0; m < rows; ++m) {
        t = strip;
        t.rows = strip.rows + m;
        t.c = strip.c + m * strip.c_stride;
        t.out = strip.out;
        t.targets = strip.targets + m;
        bool inside = true;
        for (Index tap = 0; tap < strip.taps; ++tap) inside = inside && t.rows[tap * tile_rows] != outside;
        if (inside) {
            kernel(t);
            continue;
        }
        t.taps = 1;
        t.out = nullptr;
        for (Index tap = 0; tap < strip.taps; ++tap) {
            t.rows = strip.rows + tap * tile_rows + m;
            if (*t.rows == outside) continue;
            t.panel = strip.panel + tap * t.channels * t.c_stride;
            kernel(t);
            t.load = true;
        }
        // No product at all: store what there is.
        if (!t.load || strip.out != nullptr) {
            t.taps = 0;
            t.out = strip.out;
            kernel(t);
        }
    }
}

template class Worker<float>;
template class Worker<double>;
template class Worker<float16>;
template class Worker<bfloat16>;

}  // namespace tconv
