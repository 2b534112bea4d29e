#include "direct/tiling.hpp"

#include <algorithm>
#include <array>
#include <new>
#include <utility>

#include "checked.hpp"

namespace tconv {
namespace {

constexpr Index most_rows = 96;               // of a tile, of few products eight times as many
constexpr Index tile_products = 1 << 17;      // from which finding a tile is little work
constexpr Index most_pointers = 3072;         // of a tile: rows times taps of a step
constexpr Index panel_bytes = 1 << 20;        // of a gathered tile
constexpr Index all_panels_bytes = 12 << 20;  // of all threads'
constexpr Index slice_bytes = 1 << 20;        // of the packed columns of a slice
constexpr Index slice_columns = 256;          // whose sums wait between steps
constexpr Index few_reads = 3;                // of a number that is converted each time
constexpr Index short_line = 128;             // of pixels
constexpr Index pixels_of_zero = 4;           // at least, which the ends of an axis are multiplied by
constexpr Index many_reads = 8;               // of a number that is copied first, and lies at the start of a line then

Index product_of(const std::vector<Index>& numbers) {
    Index product = 1;
    for (const Index n : numbers) product *= n;
    return product;
}

/// Whether several windows look for the same pixels, side by side in lines whose ends count: zeros around them pay.
bool meets_again(const std::vector<AxisMap>& maps, const detail::Columns& columns) {
    bool all = columns.form == Form::dots && columns.windows.size() > 1 && maps.back().source_extent <= short_line;
    for (const AxisMap& map : maps) all = all && map.source_step == 1;
    for (const Axis& axis : columns.axes) all = all && axis.dilation == 1;
    for (const Window& window : columns.windows)
        for (std::size_t a = 0; a < maps.size(); ++a)
            all = all && maps[a].source_extent >= pixels_of_zero * (window.taps_along[a] - 1);
    return all;
}

/// How often lines of few columns read each number, at most.
Index reads_of_number(const detail::Columns& columns) {
    Index reads = 0;
    for (const detail::Block& block : columns.blocks)
        reads += columns.window_of(block).taps * ceil_div(block.columns, dots_at_once);
    return reads;
}

/// Whether numbers are converted as they are read.
bool converts(const detail::Columns& columns) {
    return columns.form == Form::dots && columns.source_channels % (columns.panel.width / 2) == 0 &&
           reads_of_number(columns) <= few_reads;
}

}  // namespace

Tiling::Tiling(const detail::Columns& columns_, const std::vector<AxisMap>& maps_, Index batch_, DataFormat format,
               bool converted, Index sum_bytes_, bool finite, int threads)
    : columns(columns_),
      maps(maps_),
      rank(maps_.size()),
      batch(batch_),
      source(format, columns_.source_channels * columns_.product_groups, extents_of(maps_, &AxisMap::source_extent)),
      target(format, columns_.target_channels * columns_.product_groups, extents_of(maps_, &AxisMap::target_extent)),
      gathered(source.channel != 1 || (converted && !converts(columns_))),
      bordered(finite && meets_again(maps_, columns_)),
      sum_bytes(sum_bytes_),
      lines(target.channel != 1) {
    gathered = gathered || (bordered && reads_of_number(columns) >= many_reads);
    bordered = bordered && gathered;
    find_ranges();
    find_places();
    order_blocks();
    cut_slices();
    place_turned();
    choose_tiles(products() < serial_products ? 1 : threads);
}

void Tiling::find_ranges() {
    ranges.resize(columns.windows.size() * rank);
    first.assign(rank, 0);
    last.assign(rank, 0);
    for (std::size_t w = 0; w < columns.windows.size(); ++w) {
        const Window& window = columns.windows[w];
        for (std::size_t a = 0; a < rank; ++a) {
            Range& range = ranges[w * rank + a];
            range = rows_of(window, a, maps[a]);
            if (range.first == range.last) continue;
            const bool begun = first[a] < last[a];
            first[a] = begun ? std::min(first[a], range.first) : range.first;
            last[a] = begun ? std::max(last[a], range.last) : range.last;
        }
        std::vector<Index> distances;
        for (const std::vector<Phase>& member : window.members) {
            Index distance = 0;
            for (std::size_t a = 0; a < rank; ++a)
                distance += (member[a].residue - window.first()[a].residue) * target.axes[a];
            distances.push_back(distance);
        }
        deltas.push_back(std::move(distances));
    }
}

void Tiling::find_places() {
    for (const detail::Block& block : columns.blocks) {
        const std::vector<Index>& distances = deltas[static_cast<std::size_t>(block.window)];
        const auto distance = [&](Index column) {
            return distances[static_cast<std::size_t>(column / columns.target_channels)] +
                   column % columns.target_channels * target.channel;
        };
        const Index place = distance(block.first);
        bool together = target.channel == 1;
        for (Index n = 1; together && n < block.columns; ++n) together = distance(block.first + n) == place + n;
        places.push_back(together ? place : scattered);
        if (columns.form == Form::panels || target.channel != 1) continue;
        std::vector<ColumnRun> side_by_side;
        for (Index n = 0; n < block.columns; ++n) {
            const Index here = distance(block.first + n);
            if (n == 0 || side_by_side.back().place + side_by_side.back().count != here)
                side_by_side.push_back({n, 0, here});
            ++side_by_side.back().count;
        }
        runs.push_back(std::move(side_by_side));
    }
}

// Members side by side along the last axis are interleaved in a line: the same channels of all of them come together.
void Tiling::order_blocks() {
    for (std::size_t b = 0; b < columns.blocks.size(); ++b) order.push_back(b);
    if (!lines || columns.target_channels % columns.block_columns != 0) return;
    const auto key = [this](std::size_t b) {
        const detail::Block& block = columns.blocks[b];
        const Index member = block.first / columns.target_channels, run = columns.window_of(block).run;
        return std::array<Index, 3>{block.window, member / run, block.first % columns.target_channels};
    };
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return key(a) < key(b); });
}

void Tiling::cut_slices() {
    Index bytes = 0, width = 0;
    bool narrow = false;
    slice_of.resize(order.size());
    for (std::size_t position = 0; position < order.size(); ++position) {
        const detail::Block& block = columns.blocks[order[position]];
        const Index products = columns.products(block);
        const Index size = products * block.panel * sum_bytes;
        const bool stepped = columns.steps_of(block).size() > 1;
        narrow = narrow || stepped || (lines && columns.window_of(block).run > 1);
        if (slices.empty() || bytes + size > slice_bytes || (narrow && width + block.width > slice_columns)) {
            slices.push_back({position, position});
            bytes = width = 0;
        }
        slices.back().last_block = position + 1;
        slice_of[order[position]] = slices.size() - 1;
        bytes += size;
        width += block.width;
        widest_block = std::max(widest_block, block.width);
        sum_columns = std::max(sum_columns, stepped ? width : block.width);
    }
}

void Tiling::place_turned() {
    turned.assign(order.size(), 0);
    if (!lines) return;
    for (const Slice& slice : slices) {
        Index column = 0, window = -1;
        for (std::size_t position = slice.first_block; position < slice.last_block; ++position) {
            const detail::Block& block = columns.blocks[order[position]];
            if (block.window != window || columns.window_of(block).run == 1) column = 0;
            window = block.window;
            turned[order[position]] = column;
            column += block.width;
            turned_columns = std::max(turned_columns, column);
        }
    }
}

// A tile spans the last axis first, then the ones before it, the batch last; its parts are even.
void Tiling::cut_tiles(Index rows) {
    tile.assign(rank + 1, 1);
    tiles.assign(rank + 1, 0);
    for (std::size_t i = rank + 1; i-- > 0;) {
        const Index extent = i == 0 ? batch : last[i - 1] - first[i - 1];
        if (extent <= 0) continue;
        const Index parts = ceil_div(extent, std::max<Index>(rows, 1));
        tile[i] = ceil_div(extent, parts);
        if (i == rank && parts > 1) tile[i] = ceil_div(tile[i], columns.panel.tile_rows) * columns.panel.tile_rows;
        tiles[i] = ceil_div(extent, tile[i]);
        rows /= tile[i];
    }
}

void Tiling::choose_tiles(int threads) {
    const Index light = tile_products / std::max<Index>(columns.group_weights, 1);
    // Pixels that tiles share are gathered for each of them.
    const Index least = gathered ? (columns.form == Form::panels ? 2 : 8) * most_rows : most_rows;
    Index rows = std::clamp(light, least, 8 * most_rows);
    for (const auto& steps : columns.steps)
        for (const detail::Step& step : steps)
            rows = std::min(rows, std::max(most_pointers / (step.last_tap - step.first_tap), columns.panel.tile_rows));
    Index all = batch;
    for (std::size_t a = 0; a < rank && all < rows; ++a) all *= last[a] - first[a];
    rows = std::clamp<Index>(all, 1, rows);
    cut_tiles(rows);
    const Index most_bytes = std::min(panel_bytes, all_panels_bytes / threads);
    const auto large = [this, most_bytes] { return gathered && panel_numbers() * sum_bytes > most_bytes; };
    const auto few = [this, threads] { return threads > 1 && units() < 4 * threads; };
    while ((rows > columns.panel.tile_rows && large()) || (rows >= 4 * columns.panel.tile_rows && few())) {
        rows /= 2;
        cut_tiles(rows);
    }
}

Index Tiling::rows_of_tile() const { return product_of(tile); }

Index Tiling::units() const { return product_of(tiles) * static_cast<Index>(slices.size()) * columns.product_groups; }

double Tiling::products() const {
    double rows = static_cast<double>(batch);
    for (std::size_t a = 0; a < rank; ++a) rows *= static_cast<double>(last[a] - first[a]);
    return rows * static_cast<double>(columns.group_weights) * static_cast<double>(columns.product_groups);
}

Index Tiling::listed(std::size_t axis) const {
    Index taps = 0;
    for (const Phase& phase : columns.phases[axis]) taps += phase.taps;
    return tile[axis + 1] * taps;
}

Index Tiling::picked(std::size_t axis) const {
    Index low = 0, high = -1;
    for (const Phase& phase : columns.phases[axis]) {
        for (const Index m : {Index(0), phase.taps - 1}) {
            const Index begin = maps[axis].source(phase, 0, m), end = maps[axis].source(phase, tile[axis + 1] - 1, m);
            const bool begun = low <= high;
            low = begun ? std::min(low, begin) : begin;
            high = begun ? std::max(high, end) : end;
        }
    }
    return bordered ? high - low + 1 : std::min({high - low + 1, 2 * listed(axis), maps[axis].source_extent});
}

Index Tiling::panel_numbers() const {
    Checked size = tile[0];
    for (std::size_t a = 0; a < rank; ++a) size = size * picked(a);
    size = size * columns.source_channels;
    if (size.overflowed()) throw std::bad_alloc();
    return size.value();
}

}  // namespace tconv
