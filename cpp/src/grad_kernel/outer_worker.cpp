// A worker's sums: some tiles of the kernel, box by box.
#include "grad_kernel/outer_worker.hpp"

#include <algorithm>

#include "checked.hpp"
#include "finite.hpp"

namespace tconv {
namespace {

constexpr Index pixels_of_clipped = 8;  // one of so many is led out of dy by some tap, or more

}  // namespace

template <class T>
OuterWorker<T>::OuterWorker(const OuterWork<T>& work, Carver& carver)
    : work_(work),
      cut_(work.cut),
      order_(work.sums),
      rank_(work.sums.g.axes.size()),
      strip_(round_up(cut_.rows(), cut_.tile_rows) * cut_.width),
      tile_sums_(ceil_div(cut_.columns(), cut_.width) * strip_),
      // A line more than needed: a block is written a vector too far, and blocks don't share the sets of a cache.
      row_block_(order_.boxes.points() * cut_.tile_rows + 16),
      column_block_(order_.boxes.points() * cut_.width + 16),
      row_step_(cut_.x_in_place ? work.x_layout.axes.back() : cut_.tile_rows),
      segments_(order_.g, work.dy_layout, cut_.gathered, order_.boxes.size(), cut_.taps(), cut_.bundle * cut_.filters(),
                carver) {
    const auto axes = static_cast<Index>(rank_);
    const Index pixels = order_.boxes.points(), length = order_.boxes.size().back(), lines = pixels / length;
    first_ = carver.take<Index>(axes + 1);
    last_ = carver.take<Index>(axes + 1);
    at_ = carver.take<Index>(axes + 1);
    tile_first_ = carver.take<Index>(axes + 1);
    tile_last_ = carver.take<Index>(axes + 1);
    x_lines_ = carver.take<Index>(lines);
    x_pixels_ = carver.take<const C*>(pixels);
    const bool dealt = !cut_.dy_in_place;
    pixels_of_dy_ = carver.take<const C*>(dealt ? scratch_pixels : 0);
    x_ = carver.take<C>(cut_.gathered ? pixels * cut_.bundle * cut_.channels : 0);
    scratch_ = carver.take<C>(dealt ? scratch_pixels * cut_.pairs() : 0);
    row_panel_ = carver.take<C>(dealt ? ceil_div(cut_.rows(), cut_.tile_rows) * row_block_ : 0);
    column_panel_ = carver.take<C>(ceil_div(cut_.columns(), cut_.width) * column_block_);
    const Index sums = cut_.bundle * cut_.tiles_of_unit * tile_sums_;
    sums_ = carver.take<C>(sums);
    masked_ = carver.take<C>(!dealt ? 0 : cut_.swapped ? column_block_ : row_block_);
    product_ = carver.take<C>(dealt ? cut_.tile_rows * cut_.width : 0);
    const Index slices = dealt ? 1 : cut_.slices(), rows = cut_.tile_rows;
    runs_ = carver.take<LineRun>(slices * pixels);
    spans_ = carver.take<Span>(dealt ? 0 : length);
    pieces_ = carver.take<Piece>(dealt ? 0 : slices * std::min(length, rows * (rows + 1) / 2));
    totals_ = carver.take<double>(ceil_div(order_.boxes.count(), order_.parts) > boxes_of_total ? sums : 0);
}

template <class T>
void OuterWorker<T>::locate(Index unit) {
    first_tile_ = unit % cut_.runs() * cut_.tiles_of_unit;
    last_tile_ = std::min(first_tile_ + cut_.tiles_of_unit, cut_.tiles.count());
    unit /= cut_.runs();
    first_channel_ = unit % cut_.pieces() * cut_.channels;
    channels_ = std::min(cut_.channels, order_.channels - first_channel_);
    unit /= cut_.pieces();
    first_group_ = unit % cut_.bundles() * cut_.bundle;
    last_group_ = std::min(first_group_ + cut_.bundle, order_.g.groups);
    part_ = unit / cut_.bundles();
}

// Zero times infinity is not zero. Where a pixel of x met zeros around dy, an infinity shows in the sums: they are made
// again then, pixel by pixel. Where sums are many, pixels are looked at before they are met.
template <class T>
void OuterWorker<T>::compute(Index unit) {
    locate(unit);
    const Index tiles = last_tile_ - first_tile_, boxes = order_.first_box(part_ + 1) - order_.first_box(part_);
    const bool few = (last_group_ - first_group_) * tiles * tile_sums_ <
                     boxes * order_.boxes.points() * channels_ * tiles / pixels_of_clipped;
    add_boxes(!few);
    if (few && clipped_ && !finite_sums()) add_boxes(true);
    each_tile([this](Index group, const C* sums) {
        store(group, sums);
        return true;
    });
}

/// The sums of all boxes of the unit, with or without a look at pixels that meet nothing.
template <class T>
void OuterWorker<T>::add_boxes(bool looking) {
    const Index first_box = order_.first_box(part_), last_box = order_.first_box(part_ + 1);
    const Index all = (last_group_ - first_group_) * (last_tile_ - first_tile_) * tile_sums_;
    if (cut_.dy_in_place) std::fill_n(sums_, all, C(0));
    looking_ = looking;
    clipped_ = false;
    bool add = false, totals = false;
    for (Index box = first_box; box < last_box; ++box) {
        if (box != first_box && (box - first_box) % boxes_of_total == 0) {
            for (Index i = 0; i < all; ++i) totals_[i] = (totals ? totals_[i] : 0.0) + static_cast<double>(sums_[i]);
            totals = true;
            add = false;
            if (cut_.dy_in_place) std::fill_n(sums_, all, C(0));
        }
        add_box(box, add, box + 1 < last_box);
        add = true;
    }
    if (totals) {
        for (Index i = 0; i < all; ++i) sums_[i] = static_cast<C>(totals_[i] + static_cast<double>(sums_[i]));
    } else if (!add) {
        std::fill_n(sums_, all, C(0));
    }
}

/// Turns to each group's tiles and their sums, while use(group, sums) says so.
template <class T>
template <class Use>
bool OuterWorker<T>::each_tile(const Use& use) {
    const C* sums = sums_;
    for (Index group = first_group_; group < last_group_; ++group)
        for (Index tile = first_tile_; tile < last_tile_; ++tile, sums += tile_sums_) {
            cut_.tiles.locate(tile, tile_first_, tile_last_);
            if (!use(group, sums)) return false;
        }
    return true;
}

template <class T>
void OuterWorker<T>::add_box(Index box, bool add, bool more_boxes) {
    enter_box(box);
    take_x();
    C* sums = sums_;
    for (Index group = first_group_; group < last_group_; ++group) {
        pack_x(group);
        for (Index tile = first_tile_; tile < last_tile_; ++tile, sums += tile_sums_) {
            if (group == first_group_) enter_tile(tile);
            if (cut_.dy_in_place) {
                multiply_in_place(group, tile == first_tile_ && more_boxes, sums);
                continue;
            }
            pack_dy(group);
            clipped_ = clipped_ || segments_.clipped();
            if (looking_ && segments_.clipped() && !finite()) {
                multiply_exactly(sums, add);
            } else {
                multiply(sums, add);
            }
        }
    }
}

template <class T>
void OuterWorker<T>::multiply(C* sums, bool add) {
    const Index rows = this->rows(), columns = this->columns();
    const Index next_rows = cut_.x_in_place ? cut_.tile_rows : row_block_;
    Outer<C> o{};
    o.row_step = row_step_;
    o.column_step = cut_.width;
    o.runs = runs_;
    o.run_count = run_count_;
    o.c_stride = cut_.width;
    o.add = add;
    o.columns = column_panel_;
    for (Index j = 0; j < columns; j += cut_.width, o.columns += column_block_, sums += strip_) {
        const auto* const outer = work_.gradient.outer[cut_.vectors(columns - j) - 1];
        // The next box's pixels, which mostly follow, come from memory.
        if (cut_.x_in_place) o.ahead = j == 0 ? order_.boxes.points() : Outer<C>().ahead;
        o.rows = cut_.x_in_place ? x_pixels_[0] : row_panel_;
        o.c = sums;
        for (Index i = 0; i < rows; i += cut_.tile_rows, o.rows += next_rows, o.c += cut_.tile_rows * cut_.width)
            outer[std::min(cut_.tile_rows, rows - i) - 1](o);
    }
}

/// Whether all numbers are finite of the pixels of x that some tap leads out of dy.
template <class T>
bool OuterWorker<T>::finite() const {
    for (Index line = 0, p = 0; p < pixels_; ++line) {
        const bool all = segments_.line_clipped(line);
        for (Index i = 0; i < length_; ++i, ++p)
            if ((all || segments_.pixel_clipped(i)) && !all_finite(x_pixels_[p], channels_)) return false;
    }
    return true;
}

/// The same of the sums.
template <class T>
bool OuterWorker<T>::finite_sums() {
    return each_tile([this](Index, const C* sums) {
        Index pairs = 1;
        for (std::size_t a = 0; a <= rank_; ++a) pairs *= tile_last_[a] - tile_first_[a];
        const Index rows = cut_.swapped ? pairs : channels_, columns = cut_.swapped ? channels_ : pairs;
        for (Index j = 0; j < columns; j += cut_.width, sums += strip_)
            for (Index i = 0; i < rows; ++i)
                if (!all_finite(sums + i * cut_.width, std::min(cut_.width, columns - j))) return false;
        return true;
    });
}

/// Tap by tap, with zeros for the pixels of x that meet nothing.
template <class T>
void OuterWorker<T>::multiply_exactly(C* sums, bool add) {
    const Index size = cut_.swapped ? cut_.width : cut_.tile_rows;   // of x's blocks
    const Index other = cut_.swapped ? cut_.tile_rows : cut_.width;  // of dy's
    const LineRun all{0, pixels_, 0};
    if (cut_.x_in_place) work_.gradient.deal_rows(x_pixels_, pixels_, channels_, row_panel_, row_block_);
    Outer<C> o{};
    o.row_step = cut_.tile_rows;
    o.column_step = cut_.width;
    o.runs = &all;
    o.run_count = 1;
    o.c = product_;
    o.c_stride = cut_.width;
    for (Index tap = 0; tap < segments_.taps(); ++tap) {
        const Index first_pair = tap * filters(), last_pair = first_pair + filters();
        for (Index b = 0; b * size < channels_; ++b) {
            const C* from = cut_.swapped ? column_panel_ + b * column_block_ : row_panel_ + b * row_block_;
            for (Index p = 0; p < pixels_; ++p) {
                const bool met = segments_.inside(p / length_, p % length_, tap);
                for (Index n = 0; n < size; ++n) masked_[p * size + n] = met ? from[p * size + n] : C(0);
            }
            for (Index block = first_pair / other; block * other < last_pair; ++block) {
                o.rows = cut_.swapped ? row_panel_ + block * row_block_ : masked_;
                o.columns = cut_.swapped ? masked_ : column_panel_ + block * column_block_;
                work_.gradient.outer[cut_.vectors() - 1][cut_.tile_rows - 1](o);
                C* c = sums + (cut_.swapped ? b : block) * strip_ +
                       (cut_.swapped ? block : b) * cut_.tile_rows * cut_.width;
                for (Index m = 0; m < cut_.tile_rows; ++m)
                    for (Index n = 0; n < cut_.width; ++n) {
                        const Index pair = block * other + (cut_.swapped ? m : n), k = m * cut_.width + n;
                        if (pair >= first_pair && pair < last_pair) c[k] = (add ? c[k] : C(0)) + product_[k];
                    }
            }
        }
    }
}

/// The sums of a tile, as [tap][filter][channel].
template <class T>
void OuterWorker<T>::store(Index group, const C* sums) const {
    C* const results = work_.results + part_ * order_.numbers() + group * order_.channels + first_channel_;
    const Index filters = this->filters(), width = cut_.width;
    Index taps = 1;
    for (std::size_t a = 0; a < rank_; ++a) taps *= tile_last_[a + 1] - tile_first_[a + 1];
    for (Index tap = 0; tap < taps; ++tap) {
        Index rest = tap, number = 0, scale = 1;
        for (std::size_t a = rank_; a-- > 0;) {
            const Index along = tile_last_[a + 1] - tile_first_[a + 1];
            number += (tile_first_[a + 1] + rest % along) * scale;
            rest /= along;
            scale *= order_.g.axes[a].kernel;
        }
        C* to = results + (number * order_.filters + tile_first_[0]) * order_.g.in_channels;
        const Index first = tap * filters, last = first + filters;
        if (!cut_.swapped) {
            turn_columns(work_.kernels, sums, strip_, width, first, last, channels_, to, order_.g.in_channels);
            continue;
        }
        for (Index pair = first; pair < last; ++pair, to += order_.g.in_channels)
            for (Index c = 0; c < channels_; c += width)
                std::copy_n(sums + c / width * strip_ + pair * width, std::min(width, channels_ - c), to + c);
    }
}

template class OuterWorker<float>;
template class OuterWorker<double>;
template class OuterWorker<float16>;
template class OuterWorker<bfloat16>;

}  // namespace tconv
