// A fast worker's memory, and the products between the transforms.
#include "fast/worker.hpp"

#include <algorithm>

#include "checked.hpp"

namespace tconv {
namespace {

constexpr Index chain_products = 128;  // the sum of chains of sums is more accurate than one

/// The most that any grid asks for.
template <class Number>
Index most(const std::vector<FastGrid>& grids, const Number& number) {
    Index most = 1;
    for (const FastGrid& grid : grids) most = std::max(most, grid.empty() ? 0 : number(grid));
    return most;
}

}  // namespace

template <class T>
FastWorker<T>::FastWorker(const FastWork<T>& work, Carver& carver)
    : work_(work), shape_(work.packed.columns), rank_(work.packed.columns.axes.size()) {
    const Index axes = static_cast<Index>(rank_), lanes = shape_.panel.width / 2;
    const auto along = [&](const auto& number) {
        return most(work_.grids, [&](const FastGrid& grid) {
            Index sum = 0;
            for (std::size_t a = 0; a < rank_; ++a) sum += grid.boxes.size()[a + 1] * number(grid, a);
            return sum;
        });
    };
    const Index indices = along([](const FastGrid& grid, std::size_t a) {
        return grid.window.parts_along(a) * entries_of(grid.window.schemes[a]) + 1;
    });
    first_ = carver.take<Index>(axes + 1);
    last_ = carver.take<Index>(axes + 1);
    at_ = carver.take<Index>(axes + 1);
    sources_ = carver.take<Index*>(axes);
    targets_ = carver.take<Index*>(axes);
    valid_ = carver.take<unsigned char*>(axes);
    whole_ = carver.take<bool*>(axes);
    needed_ = carver.take<std::uint64_t*>(axes);
    inside_ = carver.take<bool*>(axes);
    pixel_strides_ = carver.take<Index>(axes);
    low_ = carver.take<Index>(axes);
    count_ = carver.take<Index>(axes);
    reach_end_ = carver.take<Index>(axes + 1);
    indices_ = carver.take<Index>(indices);
    const Index phases =
        along([this](const FastGrid&, std::size_t a) { return static_cast<Index>(shape_.phases[a].size()); });
    bits_ = carver.take<unsigned char>(phases);
    masks_ = carver.take<std::uint64_t>(phases);
    kinds_ = carver.take<Index>(most(work_.grids, [](const FastGrid& g) { return g.members(); }));
    Index most_phases = 1;
    for (const std::vector<Phase>& phases : shape_.phases)
        most_phases = std::max(most_phases, static_cast<Index>(phases.size()));
    phase_kinds_ = carver.take<Index>(most_phases);
    const Index along_last = most(work_.grids, [this](const FastGrid& g) { return g.boxes.size()[rank_]; });
    even_sources_ = carver.take<Index>(along_last);
    even_targets_ = carver.take<Index>(along_last);
    flags_ = carver.take<bool>(along([](const FastGrid& g, std::size_t a) { return 1 + g.window.parts_along(a); }));
    const Index points = most(work_.grids, [](const FastGrid& g) { return g.window.points; });
    const Index outputs = most(work_.grids, [](const FastGrid& g) { return g.window.outputs; });
    offsets_ = carver.take<Index>(points);
    slices_ = carver.take<Index>(outputs);
    places_ = carver.take<Index>(outputs);
    digits_ = carver.take<Index>(outputs * axes);
    here_ = carver.take<bool>(outputs);
    const Index columns = most(work_.grids, [&](const FastGrid& g) { return g.block_panels * shape_.panel.width; });
    const Index block_tiles = most(work_.grids, [](const FastGrid& g) { return g.block_tiles; });
    const Index block_panels = most(work_.grids, [](const FastGrid& g) { return g.block_panels; });
    needs_ = carver.take<std::uint64_t>(block_panels * block_tiles);
    needs_of_all_ = carver.take<std::uint64_t>(block_panels);
    alike_ = carver.take<Index>(block_panels);
    for (int i = 0; i < 2; ++i) {
        every_[i] = carver.take<Index>(block_tiles);
        some_[i] = carver.take<Index>(block_tiles);
    }
    pieces_ = carver.take<Piece>(columns);
    runs_ = carver.take<Piece>(columns);
    strips_ = carver.take<const C*>(most(work_.grids, [this](const FastGrid& g) {
        return g.plain ? g.window.parts * round_up(g.block_tiles, shape_.panel.tile_rows) : 0;
    }));
    pixels_ = carver.take<const C*>(points);
    next_ = carver.take<const C*>(points);
    panel_ = carver.take<C>(most(work_.grids, [](const FastGrid& g) { return g.gathered ? g.panel_numbers() : 0; }));
    const Index lines = most(work_.grids, [](const FastGrid& g) {  // each axis before the last two doubles them
        return Index(1) << (std::max<std::size_t>(g.window.axes.size(), 2) - 2);
    });
    lines_ = carver.take<const C* const*>(lines);
    signs_ = carver.take<C>(lines);
    to_ = carver.take<C*>(points);
    made_ = carver.take<C>(most(work_.grids, [&](const FastGrid& g) {
        Index channels = 0;
        for (Index step = 0; step < g.window.steps() && !g.window.lent.empty(); ++step)
            channels = std::max(channels, g.window.step_channel(step + 1) - g.window.step_channel(step));
        return channels * shape_.panel.width;
    }));
    const Index parts = most(work_.grids, [](const FastGrid& g) { return g.window.parts; });
    row_offsets_ = carver.take<Index>(parts);
    part_places_ = carver.take<Index>(parts * axes);
    row_places_ = carver.take<Index>(points);
    slot_places_ = carver.take<Index>(parts * points);
    panel_offsets_ = carver.take<Index>(parts);
    transformed_ = carver.take<C>(most(work_.grids, [](const FastGrid& g) { return g.shared ? 0 : g.transformed(); }));
    sums_ = carver.take<C>(most(work_.grids, [&](const FastGrid& g) { return g.block_tiles * g.sum_numbers; }) + lanes);
    const bool planes = most(work_.grids, [](const FastGrid& g) { return g.target.channel; }) > 1;
    const Index staged = most(work_.grids, [&](const FastGrid& g) {
        return planes ? line_numbers(g) : g.window.outputs * g.block_panels * shape_.panel.width;
    });
    staged_ = carver.take<C>(work_.staged ? staged : 0);
    turned_ = carver.take<C>(planes ? staged : 0);
    segment_ = carver.take<Segment>(planes ? columns : 0);
    from_ = carver.take<const C*>(planes ? columns : 0);
    rows_ = carver.take<Index>(planes ? outputs : 0);
}

/// Turns to a tile; and from there some further, which lie in one line.
template <class T>
void FastWorker<T>::locate(Index tile) {
    for (std::size_t a = rank_ + 1; a-- > 0;) {
        const Index extent = last_[a] - first_[a];
        at_[a] = tile % extent;
        tile /= extent;
    }
}
template <class T>
void FastWorker<T>::advance(Index tiles) {
    at_[rank_] += tiles - 1;
    for (std::size_t a = rank_ + 1; a-- > 0;) {
        if (++at_[a] < last_[a] - first_[a]) return;
        at_[a] = 0;
    }
}

template <class T>
void FastWorker<T>::multiply(Index first, Index last, Index first_panel, Index last_panel, const C* transformed) {
    for (Index panel = first_panel; panel < last_panel; panel += grid_->block_panels) {
        const Index end = std::min(panel + grid_->block_panels, last_panel);
        cut_columns(panel * shape_.panel.width, std::min(end * shape_.panel.width, grid_->window.columns));
        for (Index tile = first; tile < last; tile += grid_->block_tiles) {
            const Index tiles = std::min(grid_->block_tiles, last - tile);
            if (grid_->plain) {
                multiply_plain(tile, tiles, panel, end);
            } else {
                multiply_panels(tile, tiles, panel, end, transformed);
            }
            if (grid_->target.channel != 1) {
                store_lines(tile, tiles);
                continue;
            }
            locate(tile);
            for (Index t = 0, some; t < tiles; t += some, advance(some))
                some = store(sums_ + t * grid_->sum_numbers, tiles - t);
        }
    }
}

/// The points that a block's tiles need for some output that is there, for each of some panels.
template <class T>
void FastWorker<T>::find_needed(Index first, Index count, Index first_panel, Index last_panel) {
    const Index channels = grid_->window.target_channels, width = shape_.panel.width;
    Index known_first = -1, known_last = -1;  // kinds
    for (Index panel = first_panel; panel < last_panel; ++panel) {
        const Index column = grid_->column_at(panel * width), member = column / channels, number = panel - first_panel;
        const Index end = (std::min(column + width, grid_->window.columns) - 1) / channels + 1;
        const bool few = end - member <= 2;
        if (few && kinds_[member] == known_first && kinds_[end - 1] == known_last) {
            alike_[number] = alike_[number - 1];
            continue;
        }
        known_first = few ? kinds_[member] : -1, known_last = kinds_[end - 1];
        alike_[number] = number;
        std::uint64_t* const needs = needs_ + number * grid_->block_tiles;
        std::uint64_t& of_all = needs_of_all_[number];
        of_all = ~std::uint64_t(0);
        locate(first);
        for (Index tile = 0; tile < count; ++tile, advance(1)) {
            needs[tile] = 0;
            for (Index m = member; m < end; ++m) {
                if (m > member && kinds_[m] == kinds_[m - 1]) continue;
                const auto& phase_of = grid_->phase_of[static_cast<std::size_t>(m)];
                std::uint64_t points = ~std::uint64_t(0);
                for (std::size_t a = 0; a < rank_; ++a)
                    points &= needed_[a][at_[a + 1] * static_cast<Index>(shape_.phases[a].size()) +
                                         static_cast<Index>(phase_of[a])];
                needs[tile] |= points;
            }
            of_all &= needs[tile];
        }
    }
}

/// Lists those of a block's tiles that need a point; how many they are.
template <class T>
Index FastWorker<T>::list_needing(const std::uint64_t* needs, Index count, Index point) {
    Index needing = 0;
    for (Index tile = 0; tile < count; ++tile) {
        some_[0][needing] = every_[0][tile];
        some_[1][needing] = every_[1][tile];
        needing += static_cast<Index>(needs[tile] >> point & 1);
    }
    return needing;
}

/// A point's weights in a step of a panel that is lent: a tap's, or both taps' sum or difference.
template <class T>
void FastWorker<T>::borrow(Index point, Index panel, Index step, Rows<C>* t) const {
    const FastWindow& w = grid_->window;
    const std::size_t axis = w.axes.front();
    const FastPart& part = w.along[axis].front();
    const signed char* const sign = weight_signs[static_cast<std::size_t>(w.schemes[axis])][point];
    const C* const taps = work_.packed.lent_panel(group_, w, panel, step);
    const Index of_tap = t->channels * work_.packed.width(w, panel);
    const C *const first = taps + part.first_tap * of_tap, *const second = first + part.tap_step * of_tap;
    panel_offsets_[0] = 0;
    t->panel = sign[0] != 0 ? first : second;
    t->other = sign[0] != 0 && sign[1] != 0 ? second : nullptr;
    t->sign = sign[1];
    t->made = made_;
}

/// sums[tile][point][column] of `count` tiles, from the first one on: of those that an output needs.
template <class T>
void FastWorker<T>::multiply_panels(Index first, Index count, Index first_panel, Index last_panel,
                                    const C* transformed) {
    const FastWindow& w = grid_->window;
    const FastPacked<T>& packed = work_.packed;
    const Index block_width = grid_->block_panels * shape_.panel.width;
    Rows<C> t{};
    t.row_offsets = row_offsets_;
    t.panel_offsets = panel_offsets_;
    // Where the first rows make the panel, which ones those are depends on the cut: one chain for all.
    const bool chains = w.lent.empty() && w.parts * w.source_channels > chain_products;
    const auto& kernels = chains ? work_.transforms.multiply_chains : work_.transforms.multiply;
    t.chain = chain_products;
    for (Index tile = 0; tile < count; ++tile) every_[1][tile] = tile * grid_->sum_numbers;
    if (leaves_out_) find_needed(first, count, first_panel, last_panel);
    for (Index point = 0; point < w.points; ++point) {
        const Index *const sets = w.set_of.data() + point * w.parts, *const slots = w.slot_of.data() + point * w.parts;
        const Index row = grid_->row_numbers[static_cast<std::size_t>(point)];
        for (Index tile = 0; tile < count; ++tile) every_[0][tile] = tile * row;
        Index listed = -1, needing = 0;
        for (Index panel = first_panel; panel < last_panel; ++panel) {
            t.row_places = every_[0];
            t.c_places = every_[1];
            t.count = count;
            const Index alike = leaves_out_ ? alike_[panel - first_panel] : 0;
            if (leaves_out_ && (needs_of_all_[alike] >> point & 1) == 0) {
                if (listed != alike) {
                    listed = alike;
                    needing = list_needing(needs_ + alike * grid_->block_tiles, count, point);
                }
                if (needing == 0) continue;
                t.row_places = some_[0];
                t.c_places = some_[1];
                t.count = needing;
            }
            const Index number = grid_->order[static_cast<std::size_t>(panel)], width = packed.width(w, number);
            const auto kernel = kernels[width == shape_.panel.width ? 1 : 0];
            t.c = sums_ + point * block_width + (panel - first_panel) * shape_.panel.width;
            t.far = panel == first_panel;
            for (Index step = 0; step < w.steps(); ++step) {
                const Index channel = w.step_channel(step);
                t.channels = w.step_channel(step + 1) - channel;
                t.taps = 0;
                for (Index part = 0; part < w.parts; ++part) {
                    if (sets[part] < 0) continue;
                    row_offsets_[t.taps] = slots[part] * w.source_channels;
                    panel_offsets_[t.taps++] = sets[part] * t.channels * width;
                }
                t.rows = transformed + row_places_[point] + first * row + channel;
                if (w.lent.empty()) {
                    t.panel = packed.panel(group_, w, number) + channel * static_cast<Index>(w.sets.size()) * width;
                } else {
                    borrow(point, number, step, &t);
                }
                t.load = step > 0;
                kernel(t);
            }
        }
    }
}

/// The same of a window without transforms: the pixels are where they are.
template <class T>
void FastWorker<T>::multiply_plain(Index first, Index count, Index first_panel, Index last_panel) {
    const FastWindow& w = grid_->window;
    const FastPacked<T>& packed = work_.packed;
    const Index strip_rows = shape_.panel.tile_rows;
    const C* pixel[1];
    locate(first);
    for (Index tile = 0; tile < count; ++tile, advance(1)) {
        const C** to = strips_ + tile / strip_rows * w.parts * strip_rows + tile % strip_rows;
        for (Index part = 0; part < w.parts; ++part) {
            find_pixels(part, 0, pixel);
            to[part * strip_rows] = pixel[0];
        }
    }
    Tile<C> t{};
    t.taps = w.parts;
    t.c_stride = grid_->sum_numbers;
    for (Index panel = first_panel; panel < last_panel; ++panel) {
        const Index width = packed.width(w, panel);
        const auto& kernels = packed.kernels.multiply[width == shape_.panel.width ? 1 : 0];
        const C* const weights = packed.panel(group_, w, panel);
        C* const sums = sums_ + (panel - first_panel) * shape_.panel.width;
        for (Index step = 0; step < w.steps(); ++step) {
            t.offset = w.step_channel(step);
            t.channels = w.step_channel(step + 1) - t.offset;
            t.panel = weights + t.offset * w.parts * width;
            t.load = step > 0;
            for (Index tile = 0; tile < count; tile += strip_rows) {
                t.rows = strips_ + tile * w.parts;
                t.c = sums + tile * grid_->sum_numbers;
                kernels[std::min(strip_rows, count - tile) - 1](t);
            }
        }
    }
}

template <class T>
void FastWorker<T>::compute() {
    if (!grid_->plain) transform(0, tiles_, 0, grid_->window.source_channels, transformed_);
    multiply(0, tiles_, 0, work_.packed.panels(grid_->window), transformed_);
}

template class FastWorker<float>;
template class FastWorker<double>;
template class FastWorker<float16>;
template class FastWorker<bfloat16>;

}  // namespace tconv
