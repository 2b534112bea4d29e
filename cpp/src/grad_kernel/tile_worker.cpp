#include "grad_kernel/tile_worker.hpp"

#include <algorithm>
#include <type_traits>

#include "checked.hpp"
#include "gather.hpp"

namespace tconv {
namespace {

constexpr Index round_up(Index n, Index multiple) { return ceil_div(n, multiple) * multiple; }

/// An odd number of lines of the cache: tiles' numbers don't share its sets.
template <class C>
constexpr Index apart(Index n) {
    constexpr Index line = 64 / static_cast<Index>(sizeof(C));
    return (ceil_div(n, line) | 1) * line;
}

template <class Count>
Index most(const TileCut& cut, const Count& count) {
    Index result = 0;
    for (const TapProduct& product : cut.products) result = std::max(result, count(product));
    return result;
}

/// Lines that a point is a sum of, at most.
Index lines_of(const TapProduct& product) {
    Index lines = 1;
    for (std::size_t a = 0; a + 1 < product.axes.size(); ++a) lines *= std::min<Index>(product.axes[a].points(), 3);
    return lines;
}

}  // namespace

template <class T>
TileWorker<T>::TileWorker(const TileWork<T>& work, Carver& carver)
    : work_(work),
      cut_(work.cut),
      rank_(work.cut.g.axes.size()),
      x_step_(apart<C>(cut_.unit_channels)),
      dy_step_(apart<C>(round_up(cut_.columns(), cut_.width))),
      strip_(round_up(cut_.unit_channels, cut_.tile_rows) * cut_.width),
      sums_size_(ceil_div(cut_.columns(), cut_.width) * strip_) {
    const auto axes = static_cast<Index>(rank_);
    point_ = carver.take<Index>(axes);
    pixel_ = carver.take<Index>(axes);
    member_ = carver.take<Index>(axes);
    // A box may begin and end within a row.
    const Index rows =
        (1 + cut_.unit_members) * most(cut_, [](const TapProduct& p) {
            return std::min(tiles_of_box, ceil_div(tiles_of_box, std::max<Index>(p.axes.back().tiles, 1)) + 1);
        });
    const Index lines = most(cut_, lines_of);
    rows_ = carver.take<Row>(rows);
    places_ = carver.take<Index>(rows * lines);
    weights_ = carver.take<C>(rows * lines);
    from_ = carver.take<const C*>(lines);
    const Index points = most(cut_, [](const TapProduct& p) { return p.axes.back().points(); });
    const Index gathered = !work.gathered ? 0 : most(cut_, [this](const TapProduct& p) {
        const TapAxis& along = p.axes.back();
        const Index pixels = tiles_of_box * along.pixels() + 2, step = along.stride * along.spread;
        Index numbers = pixels * std::max(cut_.unit_channels, cut_.unit_filters);
        if (turns_all(step, std::min(cut_.unit_members, static_cast<Index>(along.members.size())))) {
            const auto [first, last] = std::minmax_element(along.members.begin(), along.members.end(),
                                                           [](const auto& a, const auto& b) { return a.at < b.at; });
            numbers = std::max({numbers, (pixels * step + last->at - first->at) * cut_.unit_filters,
                                pixels * along.spread * cut_.unit_channels});
        }
        return numbers;
    });
    line_ = carver.take<C>(gathered);
    gathered_ = carver.take<C>(gathered);
    x_ = carver.take<C>(points * tiles_of_box * x_step_);
    dy_ = carver.take<C>(points * tiles_of_box * dy_step_);
    sums_ = carver.take<C>(points * sums_size_);
    taps_ = carver.take<C>(most(cut_, [](const TapProduct& p) { return p.taps; }) * sums_size_);
}

template <class T>
void TileWorker<T>::locate(Index unit) {
    first_channel_ = unit % cut_.channel_pieces() * cut_.unit_channels;
    channels_ = std::min(cut_.unit_channels, cut_.channels - first_channel_);
    unit /= cut_.channel_pieces();
    first_filter_ = unit % cut_.filter_pieces() * cut_.unit_filters;
    filters_ = std::min(cut_.unit_filters, cut_.filters - first_filter_);
    unit /= cut_.filter_pieces();
    const TileCut::Run& run = cut_.runs[static_cast<std::size_t>(unit) % cut_.runs.size()];
    product_ = &cut_.products[static_cast<std::size_t>(run.product)];
    along_ = &product_->axes.back();
    first_member_ = run.first;
    last_member_ = run.last;
    unit /= static_cast<Index>(cut_.runs.size());
    group_ = unit % cut_.g.groups;
    part_ = unit / cut_.g.groups;
    first_box_ = cut_.first_box(*product_, part_);
    boxes_ = cut_.first_box(*product_, part_ + 1) - first_box_;

    const Layout &x = work_.x_layout, &dy = work_.dy_layout;
    x_source_ = {work_.x + (group_ * cut_.channels + first_channel_) * x.channel,
                 along_->spread,
                 along_->spread * x.axes.back(),
                 x.channel,
                 channels_,
                 along_->pixels(),
                 x_step_};
    dy_source_ = {work_.dy + (group_ * cut_.filters + first_filter_) * dy.channel,
                  along_->stride * along_->spread,
                  along_->stride * along_->spread * dy.axes.back(),
                  dy.channel,
                  filters_,
                  along_->points(),
                  dy_step_};
}

template <class T>
void TileWorker<T>::compute(Index unit) {
    locate(unit);
    // Columns that fill up the last block are multiplied, but nobody's.
    for (Index i = 0; i < along_->points() * tiles_of_box; ++i)
        std::fill(dy_ + i * dy_step_ + columns(), dy_ + (i + 1) * dy_step_, C(0));
    std::fill_n(taps_, product_->taps * sums_size_, C(0));
    const Index steps = product_->outer_points * boxes_;
    if (steps > 0) plan(0);
    for (Index step = 0; step < steps; ++step) {
        transform();
        const Index tiles = tiles_, box = step % boxes_;
        if (step + 1 < steps) plan(step + 1);
        multiply(tiles, box % boxes_of_sum != 0, step + 1 == steps);
        if ((box + 1) % boxes_of_sum == 0 || box + 1 == boxes_) add_to_taps(step / boxes_);
    }
    store();
}

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
    const Index pixels = tiles * along_->pixels() + along_->taps() - 1, step = along_->stride * along_->spread;
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
            const Index pixel = member_[a] + e * axis.stride * axis.spread;
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
    for (Index r = 0, gathered = 0; r < rows_count_; ++r) {
        const Source& source = source_of(r);
        const Row& row = rows_[r];
        TileSum<C> s{from_,  weights_ + row.first_line,       row.lines,    source.step, 0, 0,
                     row.to, tiles_of_box * source.tile_step, source.count, {}};
        const C one = 1;
        if (work_.gathered) {
            if (r == gathered) gathered += gather(r);
            from_[0] = line_ + (row.pixel - line_pixel_) / line_step_ * source.count;
            s.weights = &one;
            s.lines = row.lines > 0 ? 1 : 0;
            s.from_step = source.pixels / line_step_ * source.count;
        } else if constexpr (std::is_same_v<T, C>) {
            for (Index l = 0; l < row.lines; ++l) from_[l] = source.numbers + places_[row.first_line + l];
        }
        const auto& kernels = &source == &x_source_ ? work_.transforms.weigh_tiles : work_.transforms.analyse_tiles;
        transform(row, source, kernels[scheme], &s);
    }
}

template <class T>
template <class Kernel>
void TileWorker<T>::transform(const Row& row, const Source& source, const Kernel& kernel, TileSum<C>* s) {
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
    const Index m = row % (1 + members()) - 1 + first_member_, all = static_cast<Index>(along_->members.size());
    if (&source_of(row) == &x_source_ || dy_source_.channel_step == 1) return 1;
    const Index count = std::min(all - m % all, last_member_ - m);
    return turns_all(dy_source_.pixels, count) ? count : 1;
}

/// The sum of a row's lines, with what those who share them need, to `line_`. How many rows that are.
template <class T>
Index TileWorker<T>::gather(Index first_row) {
    const Index count = sharing(first_row);
    const Row& row = rows_[first_row];
    const Source& source = source_of(first_row);
    const Index n = source.count;
    line_step_ = source.channel_step != 1 && turns_all(source.pixels, count) ? 1 : source.pixels;
    Index first = 0, last = 0;  // pixels
    for (Index r = first_row; r < first_row + count; ++r) {
        if (rows_[r].begin == rows_[r].end) continue;
        const Index begin = rows_[r].pixel + rows_[r].begin * source.pixels;
        const Index end = rows_[r].pixel + (rows_[r].end - 1) * source.pixels + 1;
        first = first == last ? begin : std::min(first, begin);
        last = std::max(last, end);
    }
    line_pixel_ = first;
    const Index pixels = ceil_div(last - first, line_step_), step = source.step / source.pixels;
    for (Index l = 0; l < row.lines && pixels > 0; ++l) {
        const T* from = source.numbers + places_[row.first_line + l] + (first - row.pixel) * step;
        gather_run<T>(work_.kernels, work_.converters, from, line_step_ * step, source.channel_step, pixels, n,
                      row.lines > 1 ? gathered_ : line_);
        if (row.lines == 1 && weights_[row.first_line] == 1) break;
        const C weights[2] = {weights_[row.first_line + l], 1};
        const C* const both[2] = {row.lines > 1 ? gathered_ : line_, line_};
        work_.transforms.sum_lines({both, weights, l == 0 ? 1 : 2, 1, 0, line_, 0, pixels * n});
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
        if (asked_line_ == row.lines || !asks_for(asked_row_)) {
            ++asked_row_;
            asked_line_ = 0;
            continue;
        }
        const Source& source = source_of(asked_row_);
        const Index first = row.begin + asked_pixel_, count = std::min(pixels, row.end - first);
        const T* from = source.numbers + places_[row.first_line + asked_line_] + first * source.step;
        for (Index p = 0; p < count; ++p, from += source.step)
            for (Index k = 0; k < source.count; k += line) __builtin_prefetch(from + k, 0, 2);
        pixels -= count;
        asked_pixel_ += count;
        if (first + count == row.end) {
            ++asked_line_;
            asked_pixel_ = 0;
        }
    }
}

template <class T>
void TileWorker<T>::multiply(Index tiles, bool add, bool last) {
    Outer<C> o{};
    o.row_step = x_step_;
    o.column_step = dy_step_;
    o.run_count = 1;
    o.c_stride = cut_.width;
    Index pixels = 0;
    if (!last)
        for (Index r = 0; r < rows_count_; ++r)
            if (asks_for(r)) pixels += rows_[r].lines * (rows_[r].end - rows_[r].begin);
    const Index calls = along_->points() * ceil_div(columns(), cut_.width) * ceil_div(channels_, cut_.tile_rows);
    const Index asked = ceil_div(pixels, calls);
    for (Index p = 0; p < along_->points(); ++p) {
        C* sums = sums_ + p * sums_size_;
        o.columns = dy_ + p * tiles_of_box * dy_step_;
        for (Index j = 0; j < columns(); j += cut_.width, o.columns += cut_.width, sums += strip_) {
            const int full = columns() - j > cut_.width / 2;
            o.rows = x_ + p * tiles_of_box * x_step_;
            o.c = sums;
            for (Index i = 0; i < channels_;
                 i += cut_.tile_rows, o.rows += cut_.tile_rows, o.c += cut_.tile_rows * cut_.width) {
                for (Index first = 0; first < tiles; first += product_->chain) {
                    const LineRun run{first, std::min(first + product_->chain, tiles), first * x_step_};
                    o.runs = &run;
                    o.add = add || first > 0;
                    work_.gradient.outer[full][std::min(cut_.tile_rows, channels_ - i) - 1](o);
                }
                ask(asked);
            }
        }
    }
}

/// The last axis of the sums, and what a point of the others is to each of their taps.
template <class T>
void TileWorker<T>::add_to_taps(Index point) {
    work_.transforms.synthesise[static_cast<std::size_t>(along_->scheme)](sums_, sums_size_, sums_size_);
    const Index inner = along_->taps();
    for (Index tap = 0; tap < product_->taps / inner; ++tap) {
        Index rest = tap, of_point = point;
        C weights[2] = {1, 1};
        for (std::size_t a = rank_ - 1; a-- > 0;) {
            const TapAxis& axis = product_->axes[a];
            weights[1] *=
                output_weights[static_cast<std::size_t>(axis.scheme)][rest % axis.taps()][of_point % axis.points()];
            rest /= axis.taps();
            of_point /= axis.points();
        }
        if (weights[1] == 0) continue;
        for (Index i = 0; i < inner; ++i) {
            C* const to = taps_ + (tap * inner + i) * sums_size_;
            const C* const from[2] = {to, sums_ + i * sums_size_};
            work_.transforms.sum_lines({from, weights, 2, 1, 0, to, 0, sums_size_});
        }
    }
}

/// The sums, as [tap][filter][channel].
template <class T>
void TileWorker<T>::store() const {
    const Index width = cut_.width;
    C* const results = work_.results + part_ * cut_.numbers() + group_ * cut_.channels + first_channel_;
    for (Index m = first_member_; m < last_member_; ++m)
        for (Index t = 0; t < product_->taps; ++t) {
            Index tap = 0, scale = 1, member = m, rest = t;
            for (std::size_t a = rank_; a-- > 0;) {
                const TapAxis& axis = product_->axes[a];
                const auto members = static_cast<Index>(axis.members.size());
                const TapAxis::Member& of_axis = axis.members[static_cast<std::size_t>(member % members)];
                tap += (of_axis.tap + rest % axis.taps() * of_axis.tap_step) * scale;
                member /= members;
                rest /= axis.taps();
                scale *= cut_.g.axes[a].kernel;
            }
            C* to = results + (tap * cut_.filters + first_filter_) * cut_.g.in_channels;
            const C* const sums = taps_ + t * sums_size_;
            for (Index column = (m - first_member_) * filters_, end = column + filters_; column < end;) {
                const Index some = std::min(end - column, width - column % width);
                work_.kernels.turn(sums + column / width * strip_ + column % width, width, to, cut_.g.in_channels,
                                   channels_, some);
                column += some;
                to += some * cut_.g.in_channels;
            }
        }
}

template class TileWorker<float>;
template class TileWorker<double>;
template class TileWorker<float16>;
template class TileWorker<bfloat16>;

}  // namespace tconv
