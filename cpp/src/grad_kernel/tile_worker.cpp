// A worker's sums: boxes of tiles, point by point.
#include "grad_kernel/tile_worker.hpp"

#include <algorithm>

namespace tconv {
namespace {

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
      order_(work.sums),
      rank_(work.sums.g.axes.size()),
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
        const Index sharing = std::min(cut_.unit_members, static_cast<Index>(along.members.size()));
        const Index entries = tiles_of_box * along.pixels() + 2;
        const Index of_x = turns_all(along.spread, 1) ? entries * along.spread : entries;
        const Index of_dy = turns_all(along.step(), sharing) ? (entries + turned_steps) * along.step() : entries;
        return std::max(of_x * cut_.unit_channels, of_dy * cut_.unit_filters);
    });
    line_ = carver.take<C>(gathered);
    gathered_ = carver.take<C>(lines > 1 ? gathered : 0);
    x_ = carver.take<C>(points * tiles_of_box * x_step_);
    dy_ = carver.take<C>(points * tiles_of_box * dy_step_);
    sums_ = carver.take<C>(points * sums_size_);
    // Not all rows of a tile are written, but all are transformed.
    if (sums_ != nullptr) std::fill_n(sums_, points * sums_size_, C(0));
    const Index taps = most(cut_, [](const TapProduct& p) { return p.taps; });
    const Index boxes = most(cut_, [this](const TapProduct& p) { return cut_.first_box(p, cut_.parts); });
    taps_ = carver.take<C>(taps * sums_size_);
    totals_ = carver.take<double>(ceil_div(boxes, cut_.parts) > boxes_of_sum ? taps * sums_size_ : 0);
}

template <class T>
void TileWorker<T>::locate(Index unit) {
    first_channel_ = unit % cut_.channel_pieces() * cut_.unit_channels;
    channels_ = std::min(cut_.unit_channels, order_.channels - first_channel_);
    unit /= cut_.channel_pieces();
    first_filter_ = unit % cut_.filter_pieces() * cut_.unit_filters;
    filters_ = std::min(cut_.unit_filters, order_.filters - first_filter_);
    unit /= cut_.filter_pieces();
    const TileCut::Run& run = cut_.runs[static_cast<std::size_t>(unit) % cut_.runs.size()];
    product_ = &cut_.products[static_cast<std::size_t>(run.product)];
    along_ = &product_->axes.back();
    first_member_ = run.first;
    last_member_ = run.last;
    unit /= static_cast<Index>(cut_.runs.size());
    group_ = unit % order_.g.groups;
    part_ = unit / order_.g.groups;
    first_box_ = cut_.first_box(*product_, part_);
    boxes_ = cut_.first_box(*product_, part_ + 1) - first_box_;

    const Layout &x = work_.x_layout, &dy = work_.dy_layout;
    x_source_ = {work_.x + (group_ * order_.channels + first_channel_) * x.channel,
                 along_->spread,
                 x.axes.back(),
                 x.channel,
                 channels_,
                 along_->pixels(),
                 x_step_};
    dy_source_ = {work_.dy + (group_ * order_.filters + first_filter_) * dy.channel,
                  along_->step(),
                  dy.axes.back(),
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
    const Index numbers = product_->taps * sums_size_;
    const bool many = boxes_ > boxes_of_sum;
    std::fill_n(taps_, numbers, C(0));
    if (many) std::fill_n(totals_, numbers, 0.0);
    const Index steps = product_->outer_points * boxes_;
    if (steps > 0) plan(0);
    for (Index step = 0; step < steps; ++step) {
        transform();
        const Index tiles = tiles_, box = step % boxes_;
        if (step + 1 < steps) plan(step + 1);
        multiply(tiles, box % boxes_of_sum != 0, step + 1 == steps);
        if ((box + 1) % boxes_of_sum != 0 && box + 1 != boxes_) continue;
        add_to_taps(step / boxes_);
        for (Index i = 0; many && i < numbers; ++i) {
            totals_[i] += static_cast<double>(taps_[i]);
            taps_[i] = 0;
        }
    }
    for (Index i = 0; many && i < numbers; ++i) taps_[i] = static_cast<C>(totals_[i]);
    store();
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
    work_.transforms.synthesise[static_cast<std::size_t>(along_->scheme)](sums_, sums_size_, used());
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
            work_.transforms.sum_lines({from, weights, 2, to, used()});
        }
    }
}

/// The sums, as [tap][filter][channel].
template <class T>
void TileWorker<T>::store() const {
    C* const results = work_.results + part_ * order_.numbers() + group_ * order_.channels + first_channel_;
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
                scale *= order_.g.axes[a].kernel;
            }
            C* const to = results + (tap * order_.filters + first_filter_) * order_.g.in_channels;
            const Index column = (m - first_member_) * filters_;
            turn_columns(work_.kernels, taps_ + t * sums_size_, strip_, cut_.width, column, column + filters_,
                         channels_, to, order_.g.in_channels);
        }
}

template class TileWorker<float>;
template class TileWorker<double>;
template class TileWorker<float16>;
template class TileWorker<bfloat16>;

}  // namespace tconv
