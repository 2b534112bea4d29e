// The rows of tiles of a box: which lines of x and dy they are sums of, and their transforms.
#include <algorithm>
#include <type_traits>

#include "gather.hpp"
#include "grad_kernel/tile_worker.hpp"

namespace tconv {

/// Finds the rows of a step.
template <class T>
void TileWorker<T>::plan(Index step) {
    Index rest = step / boxes_;
    for (std::size_t a = rank_ - 1; a-- > 0; rest /= product_->axes[a].points())
        point_[a] = rest % product_->axes[a].points();
    const Index first = (first_box_ + step % boxes_) * tiles_of_box;
    tiles_ = std::min(tiles_of_box, product_->tiles - first);
    rows_count_ = lines_count_ = 0;
    asked_row_ = asked_line_ = asked_pixel_ = 0;
    for (Index place = 0; place < tiles_;) {
        const Index at = (first + place) % along_->tiles, tiles = std::min(tiles_ - place, along_->tiles - at);
        Index row = (first + place) / along_->tiles;
        pixel_[rank_ - 1] = row % along_->lattices + along_->spread * along_->pixels() * at;
        row /= along_->lattices;
        for (std::size_t a = rank_ - 1; a-- > 0;) {
            const TapAxis& axis = product_->axes[a];
            pixel_[a] = axis.first_pixel(row % axis.all_tiles());
            row /= axis.all_tiles();
        }
        plan_x(row, tiles, place);
        plan_dy(row, tiles, place);
        place += tiles;
    }
}

/// The lines of all entries of a tile along all axes but the last: `line(axis, entry, &place)` is an entry's weight,
/// and its place; none is outside, or has the weight 0.
template <class T>
template <class Line>
void TileWorker<T>::find_lines(Row* row, Index origin, const Line& line) {
    Index* const places = places_ + lines_count_;
    C* const weights = weights_ + lines_count_;
    Index lines = 1;
    places[0] = origin;
    weights[0] = 1;
    for (std::size_t a = 0; a + 1 < rank_; ++a) {
        Index found = 0, entry_places[4];
        C entry_weights[4];
        for (Index e = 0; e < product_->axes[a].points(); ++e) {
            const int weight = line(a, e, &entry_places[found]);
            if (weight != 0) entry_weights[found++] = static_cast<C>(weight);
        }
        lines *= found;
        for (Index i = lines; i-- > 0;) {
            places[i] = places[i / found] + entry_places[i % found];
            weights[i] = weights[i / found] * entry_weights[i % found];
        }
    }
    row->lines = lines;
    row->first_line = lines_count_;
    if (lines == 0) row->begin = row->end = 0;
    lines_count_ += lines;
}

template <class T>
void TileWorker<T>::plan_x(Index batch, Index tiles, Index place) {
    const Layout& layout = work_.x_layout;
    const Index first = pixel_[rank_ - 1];
    Row& row = rows_[rows_count_++];
    row.pixel = first;
    row.begin = 0;
    row.end = std::clamp<Index>(ceil_div(along_->in - first, along_->spread), 0, tiles * along_->pixels());
    row.tiles = tiles;
    row.to = x_ + place * x_step_;
    find_lines(&row, batch * layout.batch + first * layout.axes.back(), [&](std::size_t a, Index e, Index* at) {
        const TapAxis& axis = product_->axes[a];
        const Index pixel = pixel_[a] + e * axis.spread;
        *at = pixel * layout.axes[a];
        const bool inside = e < axis.pixels() && pixel < axis.in;
        return inside ? weight_signs[static_cast<std::size_t>(axis.scheme)][point_[a]][e] : 0;
    });
}

template <class T>
void TileWorker<T>::plan_dy(Index batch, Index tiles, Index place) {
    const Layout& layout = work_.dy_layout;
    const Index pixels = tiles * along_->pixels() + along_->taps() - 1, step = along_->step();
    for (Index m = first_member_; m < last_member_; ++m) {
        Index rest = m;
        for (std::size_t a = rank_; a-- > 0;) {
            const TapAxis& axis = product_->axes[a];
            const auto members = static_cast<Index>(axis.members.size());
            member_[a] = axis.members[static_cast<std::size_t>(rest % members)].at + axis.stride * pixel_[a];
            rest /= members;
        }
        const Index first = member_[rank_ - 1];
        Row& row = rows_[rows_count_++];
        row.pixel = first;
        row.begin = std::clamp<Index>(ceil_div(-first, step), 0, pixels);
        row.end = std::clamp<Index>(ceil_div(along_->out - first, step), row.begin, pixels);
        row.tiles = tiles;
        row.to = dy_ + place * dy_step_ + (m - first_member_) * filters_;
        find_lines(&row, batch * layout.batch + first * layout.axes.back(), [&](std::size_t a, Index e, Index* at) {
            const TapAxis& axis = product_->axes[a];
            const Index pixel = member_[a] + e * axis.step();
            *at = pixel * layout.axes[a];
            const bool inside = pixel >= 0 && pixel < axis.out;
            return inside ? pixel_signs[static_cast<std::size_t>(axis.scheme)][point_[a]][e] : 0;
        });
    }
}

/// All rows of the step.
template <class T>
void TileWorker<T>::transform() {
    const auto scheme = static_cast<std::size_t>(along_->scheme);
    const C one = 1;
    for (Index r = 0, gathered = 0; r < rows_count_; ++r) {
        const Source& source = source_of(r);
        const Row& row = rows_[r];
        TileSum<C> s{from_,
                     weights_ + row.first_line,
                     row.lines,
                     source.pixels * source.step,
                     0,
                     0,
                     row.to,
                     tiles_of_box * source.tile_step,
                     source.count,
                     {}};
        if (work_.gathered && r == gathered) gathered += gather(r);
        if (row.begin == row.end) {
            s.lines = 0;  // nothing of it is inside
        } else if (work_.gathered) {
            from_[0] = line_ + (row.pixel - line_pixel_) / line_step_ * source.count;
            s.weights = &one;
            s.lines = 1;
            s.from_step = source.pixels / line_step_ * source.count;
        } else if constexpr (std::is_same_v<T, C>) {
            for (Index l = 0; l < row.lines; ++l) from_[l] = source.numbers + places_[row.first_line + l];
        }
        const auto& kernels = &source == &x_source_ ? work_.transforms.weigh_tiles : work_.transforms.analyse_tiles;
        transform(row, source, kernels[scheme], &s);
    }
}

template <class T>
void TileWorker<T>::transform(const Row& row, const Source& source, void (*kernel)(const TileSum<C>&), TileSum<C>* s) {
    const Index pixels = along_->pixels(), entries = source.entries;
    const auto some = [&](Index first, Index count) {
        s->begin = std::clamp<Index>(row.begin - first * pixels, 0, entries);
        s->end = std::clamp<Index>(row.end - first * pixels, s->begin, entries);
        s->run = {count, pixels * s->from_step, source.tile_step};
        kernel(*s);
        s->to += count * source.tile_step;
        for (Index l = 0; l < s->lines; ++l) from_[l] += count * pixels * s->from_step;
    };
    const Index first = std::min(ceil_div(row.begin, pixels), row.tiles);
    const Index last = std::clamp<Index>(floor_div(row.end - entries, pixels) + 1, first, row.tiles);
    for (Index tile = 0; tile < first; ++tile) some(tile, 1);
    if (first < last) some(first, last - first);
    for (Index tile = last; tile < row.tiles; ++tile) some(tile, 1);
}

/// The rows from one on that meet the same lines, where it pays to turn all pixels of those.
template <class T>
Index TileWorker<T>::sharing(Index row) const {
    if (&source_of(row) == &x_source_ || !cut_.turned) return 1;
    const auto all = static_cast<Index>(along_->members.size());
    const Index m = row % (1 + members()) - 1 + first_member_, count = std::min(all - m % all, last_member_ - m);
    const TapAxis::Member* const member = along_->members.data() + m % all;
    const bool near = member[count - 1].at - member->at <= turned_steps * along_->step();
    return near && turns_all(along_->step(), count) ? count : 1;
}

/// The sum of a row's lines, with what those who share them need, to `line_`. How many rows that are.
template <class T>
Index TileWorker<T>::gather(Index first_row) {
    const Index count = sharing(first_row);
    const Row& row = rows_[first_row];
    const Source& source = source_of(first_row);
    const Index n = source.count;
    line_step_ = cut_.turned && turns_all(source.pixels, count) ? 1 : source.pixels;
    Index first = 0, last = 0;  // pixels
    for (Index r = first_row; r < first_row + count; ++r) {
        if (rows_[r].begin == rows_[r].end) continue;
        const Index begin = rows_[r].pixel + rows_[r].begin * source.pixels;
        const Index end = rows_[r].pixel + (rows_[r].end - 1) * source.pixels + 1;
        first = first == last ? begin : std::min(first, begin);
        last = std::max(last, end);
    }
    line_pixel_ = first;
    const Index pixels = ceil_div(last - first, line_step_);
    for (Index l = 0; l < row.lines && pixels > 0; ++l) {
        const T* from = source.numbers + places_[row.first_line + l] + (first - row.pixel) * source.step;
        gather_run<T>(work_.kernels, work_.converters, from, line_step_ * source.step, source.channel_step, pixels, n,
                      row.lines > 1 ? gathered_ : line_);
        if (row.lines == 1 && weights_[row.first_line] == 1) break;
        const C weights[2] = {weights_[row.first_line + l], 1};
        const C* const both[2] = {row.lines > 1 ? gathered_ : line_, line_};
        work_.transforms.sum_lines({both, weights, l == 0 ? 1 : 2, line_, pixels * n});
    }
    return count;
}

template <class T>
const typename TileWorker<T>::Source& TileWorker<T>::source_of(Index row) const {
    return row % (1 + members()) == 0 ? x_source_ : dy_source_;
}

/// Short pixels, far from each other, are what the processor does not foresee.
template <class T>
bool TileWorker<T>::asks_for(Index row) const {
    constexpr Index most_bytes = 128;
    return !work_.gathered && source_of(row).count * static_cast<Index>(sizeof(T)) <= most_bytes;
}

/// Asks for so many pixels of the step that comes.
template <class T>
void TileWorker<T>::ask(Index pixels) {
    constexpr Index line = 64 / static_cast<Index>(sizeof(T));
    while (pixels > 0 && asked_row_ < rows_count_) {
        const Row& row = rows_[asked_row_];
        if (row.begin == row.end || asked_line_ == row.lines || !asks_for(asked_row_)) {
            ++asked_row_;
            asked_line_ = 0;
            continue;
        }
        const Source& source = source_of(asked_row_);
        const Index first = row.begin + asked_pixel_, count = std::min(pixels, row.end - first);
        const Index step = source.pixels * source.step;
        const T* from = source.numbers + places_[row.first_line + asked_line_] + first * step;
        for (Index p = 0; p < count; ++p, from += step)
            for (Index k = 0; k < source.count; k += line) __builtin_prefetch(from + k, 0, 2);
        pixels -= count;
        asked_pixel_ += count;
        if (first + count == row.end) {
            ++asked_line_;
            asked_pixel_ = 0;
        }
    }
}

#define TCONV_INSTANTIATE(T)                            \
    template void TileWorker<T>::plan(Index);           \
    template void TileWorker<T>::transform();           \
    template bool TileWorker<T>::asks_for(Index) const; \
    template void TileWorker<T>::ask(Index);
TCONV_INSTANTIATE(float)
TCONV_INSTANTIATE(double)
TCONV_INSTANTIATE(float16)
TCONV_INSTANTIATE(bfloat16)
#undef TCONV_INSTANTIATE

}  // namespace tconv
