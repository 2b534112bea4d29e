// A worker's product of few columns: lines of rows whose pixels follow each other, and the rows at their ends.
#include <algorithm>
#include <type_traits>

#include "direct/worker.hpp"

namespace tconv {

/// Whether the kernel of lines stores finished sums itself.
template <class T>
bool Worker<T>::stores_lines() const {
    return std::is_same_v<T, C> && !tiling_.lines;
}

/// One step of one block, for all rows of the tile; the last one finishes them.
template <class T>
void Worker<T>::multiply_dots(const Tile<C>& t, std::size_t number, bool last) {
    const Block& block = shape_.blocks[number];
    const std::size_t inner = rank_ - 1;
    const bool stored = last && stores_lines();
    const Index lines = rows_ / (last_[inner] - first_[inner]);
    C* const sums = t.c;
    DotsLine<C> line{};
    line.offset = t.offset;
    line.row_step = pixel_strides_[inner] * tiling_.maps[inner].source_step;
    line.taps = t.taps;
    line.channels = t.channels;
    line.panel = t.panel;
    line.columns = block.columns;
    line.c_stride = block.width;
    line.load = t.load;
    line.out_step = tiling_.maps[inner].target_step * tiling_.target.axes[inner];
    line.bias = t.bias;
    line.finish = t.finish;
    if (stored) {
        line.runs = tiling_.runs[number].data();
        line.run_count = static_cast<Index>(tiling_.runs[number].size());
    }
    for (Index l = 0; l < lines; ++l) {
        const Range& rows = lines_[l];
        multiply_apart(t, block, rows.first, rows.common_first);
        multiply_apart(t, block, rows.common_last, rows.last);
        if (rows.common_first == rows.common_last) continue;
        line.pixels = line_pixels_ + l * t.taps;
        line.rows = rows.common_last - rows.common_first;
        line.c = sums + rows.common_first * block.width;
        if constexpr (std::is_same_v<T, C>) line.out = stored ? work_.target + targets_[rows.common_first] : nullptr;
        work_.packed.kernels->line_dots(line);
    }
    if (!last) return;
    if (!stored) {
        finish(block, sums, rows_);
        deliver(number, sums);
        return;
    }
    const auto finish_apart = [&](Index first, Index end) {
        if (first == end) return;
        finish(block, sums + first * block.width, end - first);
        store(block, sums, first, end);
    };
    for (Index l = 0; l < lines; ++l) {
        finish_apart(lines_[l].first, lines_[l].common_first);
        finish_apart(lines_[l].common_last, lines_[l].last);
    }
}

/// The sums of rows that have a pointer for each of their pixels.
template <class T>
void Worker<T>::multiply_apart(Tile<C> t, const Block& block, Index first_row, Index last_row) const {
    const Index tile_rows = shape_.panel.tile_rows;
    C* const sums = t.c;
    t.columns = block.columns;
    for (Index row = first_row, end; row < last_row; row = end) {
        const Index strip = row / tile_rows, place = row % tile_rows;
        end = std::min(last_row, row - place + tile_rows);
        t.rows = pixels_ + strip * t.taps * tile_rows + place;
        t.c = sums + row * block.width;
        if (clipped_[strip] && !work_.packed.finite) {
            multiply_exactly(t, end - row);
        } else {
            work_.packed.kernels->dots(t, end - row);
        }
    }
}

template class Worker<float>;
template class Worker<double>;
template class Worker<float16>;
template class Worker<bfloat16>;

}  // namespace tconv
