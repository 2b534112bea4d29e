// A worker's product of few columns, or depthwise: lines of rows whose pixels follow each other, and the rows at their
// ends.
#include <algorithm>

#include "direct/worker.hpp"

namespace tconv {

/// One step of one block, for all rows of the tile; the last one finishes them.
template <class T>
void Worker<T>::multiply_along(const Tile<C>& t, std::size_t number, bool last) {
    const Block& block = shape_.blocks[number];
    const std::size_t inner = rank_ - 1;
    const bool stored = last && stores_lines();
    const Kernels<C>& kernels = *work_.packed.kernels;
    const bool depthwise = shape_.form == Form::depthwise;
    const Index lines = rows_ / (last_[inner] - first_[inner]);
    C* const sums = t.c;
    LineTile<C> line{};
    line.offset = t.offset;
    line.pixel_storage = pixel_storage();
    line.row_step = pixel_strides_[inner] * tiling_.maps[inner].source_step / pixel_bytes_;
    line.taps = t.taps;
    line.channels = t.channels;
    line.panel = t.panel;
    line.columns = block.columns;
    line.c_stride = block.width;
    line.load = t.load;
    line.storage = storage_of<T>;
    line.out_step = tiling_.maps[inner].target_step * tiling_.target.axes[inner];
    line.bias = t.bias;
    line.finish = t.finish;
    const auto finish_apart = [&](Index first, Index end) {
        if (first == end) return;
        finish(block, sums + first * block.width, end - first);
        store(block, sums, first, end);
    };
    for (Index l = 0; l < lines; ++l) {
        const Range& rows = lines_[l];
        multiply_apart(t, block, rows.first, rows.common_first);
        multiply_apart(t, block, rows.common_last, rows.last);
        if (stored) {
            finish_apart(rows.first, rows.common_first);
            finish_apart(rows.common_last, rows.last);
        }
        if (rows.common_first == rows.common_last) continue;
        line.pixels = line_pixels_ + l * t.taps;
        line.rows = rows.common_last - rows.common_first;
        line.c = sums + rows.common_first * block.width;
        line.out = nullptr;
        if (stored && whole_[rows.common_first]) {
            line.runs = tiling_.runs[number].data();
            line.run_count = static_cast<Index>(tiling_.runs[number].size());
        } else if (stored) {
            line.runs = line_runs_;
            line.run_count = find_runs(number, rows.common_first);
        }
        const bool there = stored && line.run_count > 0;
        if (there) line.out = work_.target + targets_[rows.common_first];
        (depthwise ? kernels.line_depthwise : kernels.line_dots)(line);
        if (stored && !there) finish_apart(rows.common_first, rows.common_last);
    }
    if (!last || stored) return;
    finish(block, sums, rows_);
    deliver(number, sums);
}

/// The runs of columns of members that have a row's line; none, if a run is of some that have and some that have not.
template <class T>
Index Worker<T>::find_runs(std::size_t number, Index row) {
    const Block& block = shape_.blocks[number];
    const Window& window = shape_.window_of(block);
    const Index channels = shape_.target_channels;
    Index count = 0;
    for (const ColumnRun& run : tiling_.runs[number]) {
        const Index first = block.first + run.first, last_member = (first + run.count - 1) / channels;
        Index there = 0, members = 0;
        for (Index member = first / channels; member <= last_member; ++member, ++members)
            there += has(window.members[static_cast<std::size_t>(member)], row) ? 1 : 0;
        if (there > 0 && there < members) return 0;
        if (there > 0) line_runs_[count++] = run;
    }
    return count;
}

/// The sums of rows that have a pointer for each of their pixels.
template <class T>
void Worker<T>::multiply_apart(Tile<C> t, const Block& block, Index first_row, Index last_row) const {
    const Kernels<C>& kernels = *work_.packed.kernels;
    if (pixel_storage() != Storage::own) return multiply_rows(t, block, first_row, last_row);
    const auto kernel = shape_.form == Form::depthwise ? kernels.depthwise : kernels.dots;
    const Index tile_rows = shape_.panel.tile_rows;
    C* const sums = t.c;
    t.columns = block.columns;
    t.outside = work_.packed.zeros.data();
    for (Index row = first_row, end; row < last_row; row = end) {
        const Index strip = row / tile_rows, place = row % tile_rows;
        const bool alone = clipped_[strip] && !work_.packed.finite;  // a single row leaves out what lies outside
        end = alone ? row + 1 : std::min(last_row, row - place + tile_rows);
        t.rows = pixels_ + strip * t.taps * tile_rows + place;
        t.c = sums + row * block.width;
        kernel(t, end - row);
    }
}

/// The same of pixels that are converted as they are read: lines of one row.
template <class T>
void Worker<T>::multiply_rows(const Tile<C>& t, const Block& block, Index first_row, Index last_row) const {
    const C* const outside = work_.packed.zeros.data();
    const Index tile_rows = shape_.panel.tile_rows;
    LineTile<C> line{};
    line.pixels = row_pixels_;
    line.pixel_storage = pixel_storage();
    line.offset = t.offset;
    line.rows = 1;
    line.taps = t.taps;
    line.channels = t.channels;
    line.panel = t.panel;
    line.columns = block.columns;
    line.c_stride = block.width;
    line.load = t.load;
    for (Index row = first_row; row < last_row; ++row) {
        const C* const* pixels = pixels_ + row / tile_rows * t.taps * tile_rows + row % tile_rows;
        for (Index tap = 0; tap < t.taps; ++tap, pixels += tile_rows)
            row_pixels_[tap] = *pixels == outside ? nullptr : *pixels;
        line.c = t.c + row * block.width;
        work_.packed.kernels->line_dots(line);
    }
}

template class Worker<float>;
template class Worker<double>;
template class Worker<float16>;
template class Worker<bfloat16>;

}  // namespace tconv
