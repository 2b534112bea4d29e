#include "fast/grid.hpp"

#include <algorithm>
#include <new>

#include "checked.hpp"

namespace tconv {
namespace {

constexpr Index most_tiles = 96, least_tiles = 24;      // that meet a panel together
constexpr Index most_sums = 512, few_sums = 256;        // bytes of a point's, of a block of columns
constexpr Index cache_bytes = 440 << 10;                // of a second cache, for what a worker goes through again
constexpr Index sums_bytes = 288 << 10;                 // of a block of columns
constexpr Index streamed_bytes = 2 << 20;               // weights that one worker's few tiles should not stream
constexpr Index per_line = 2;                           // storing a line of a box, in tiles
constexpr Index line_bytes = 64, conflict_bytes = 512;  // rows so far apart meet in few places of a cache

/// Boxes of at most `most` tiles, cut so that few rows of the micro-kernels' strips are empty, and, where tiles are
/// stored line by line, few lines are cut.
Boxes cut_boxes(const std::vector<Index>& extents, Index most, Index strip, bool lines) {
    Boxes best(extents, most);
    const auto cost = [strip, lines](const Boxes& b) {
        const Index points = b.points(), cut = lines ? per_line * points / std::max<Index>(b.size().back(), 1) : 0;
        return b.count() * (round_up(points, strip) + strip / 2 + cut);
    };
    const Index last = extents.back();
    for (Index parts = 1; parts <= std::min<Index>(last, 64); ++parts) {
        const Index length = ceil_div(last, parts);
        if (length > most) continue;
        std::vector<Index> outer(extents.begin(), extents.end() - 1);
        std::vector<Index> size = Boxes(outer, most / length).size();
        size.push_back(length);
        const Boxes candidate(extents, size);
        if (cost(candidate) < cost(best)) best = candidate;
    }
    return best;
}

}  // namespace

FastGrid::FastGrid(const FastColumns& columns_, const FastWindow& window_, const std::vector<AxisMap>& maps_,
                   const Layout& source_, const Layout& target_, Index batch, bool gathered_, Index sum_bytes,
                   int threads)
    : columns(columns_),
      window(window_),
      maps(maps_),
      source(source_),
      target(target_),
      gathered(gathered_),
      plain(window_.points == 1 && !gathered_) {
    const std::size_t rank = maps.size();
    std::vector<Index> extents{batch};
    point_strides.assign(rank, 1);
    for (std::size_t a = 0; a < rank; ++a) {
        ranges.push_back(rows_of(window.window, a, maps[a]));
        const Index spread = window.spreads[a], rows = ranges[a].last - ranges[a].first;
        tiles.push_back(ceil_div(ceil_div(rows, spread), outputs_of(window.schemes[a])));
        extents.push_back(std::min(spread, rows) * tiles[a]);
    }
    for (std::size_t a = rank - 1; a-- > 0;) point_strides[a] = point_strides[a + 1] * points_of(window.schemes[a + 1]);
    for (const std::vector<Phase>& member : window.window.members) {
        std::vector<std::size_t> numbers;
        Index delta = 0;
        for (std::size_t a = 0; a < rank; ++a) {
            const std::vector<Phase>& phases = columns.columns.phases[a];
            numbers.push_back(
                static_cast<std::size_t>(std::find_if(phases.begin(), phases.end(),
                                                      [&](const Phase& p) { return p.residue == member[a].residue; }) -
                                         phases.begin()));
            delta += (member[a].residue - window.window.first()[a].residue) * target.axes[a];
        }
        phase_of.push_back(std::move(numbers));
        deltas.push_back(delta);
    }

    const bool ordered = order_panels();
    const Index tile_rows = columns.columns.panel.tile_rows;
    for (const Index slots : window.slots) {
        Index numbers = round_up(slots * window.source_channels, line_bytes / sum_bytes);
        if (numbers * sum_bytes % conflict_bytes == 0) numbers += line_bytes / sum_bytes;
        row_numbers.push_back(slots == 0 ? 0 : numbers);
        tile_numbers += row_numbers.back();
    }
    const Index panel_bytes = columns.columns.panel.width * sum_bytes * window.points;  // of a tile's sums
    const Index of_tile = tile_numbers * sum_bytes;
    const Index weights = columns.panel_weights(window, columns.panels(window)) * sum_bytes -
                          columns.panel_weights(window, 0) * sum_bytes;
    const Index point_bytes = width() * sum_bytes, panels = std::min(columns.panels(window), most_sums / point_bytes);

    // A worker alone: what it transforms, its sums and, where they are few, the weights stay in its cache.
    const Index room = cache_bytes - (weights <= cache_bytes / 2 ? weights : cache_bytes / 4);
    Index own = std::min(most_tiles, room / (of_tile + std::min(panels, few_sums / point_bytes) * panel_bytes));
    if (plain) own = most_tiles;
    boxes = cut_boxes(extents, std::max<Index>(own, 1), tile_rows, target.channel != 1);
    shared = !plain && (own < least_tiles || weights > streamed_bytes || boxes.count() < 2 * threads);
    block_tiles = boxes.points();
    if (shared) {
        boxes = Boxes(extents, std::max<Index>(shared_bytes / of_tile, tile_rows));
        Index tiles_of_block = tile_rows;  // about as many as columns: each number loaded meets as many others
        while (tiles_of_block + tile_rows <= most_tiles &&
               tiles_of_block / columns.columns.panel.width * tiles_of_block * panel_bytes < sums_bytes)
            tiles_of_block += tile_rows;
        block_tiles = ceil_div(boxes.points(), ceil_div(boxes.points(), tiles_of_block));
        block_tiles = std::min(round_up(block_tiles, tile_rows), boxes.points());
    }
    block_panels = std::clamp<Index>(sums_bytes / (panel_bytes * block_tiles), 1, panels);
    if (!shared)
        block_panels = std::clamp<Index>((room - of_tile * block_tiles) / (panel_bytes * block_tiles), 1, panels);
    if (const Index run = window.window.run; ordered && run <= 2 * block_panels)  // whole runs
        block_panels = std::max(run, block_panels - block_panels % run);
    sum_numbers = window.points * block_panels * columns.columns.panel.width + line_bytes / sum_bytes;
}

// Members side by side along the last axis are interleaved in a line: the same channels of all of them come together.
bool FastGrid::order_panels() {
    const Index all = columns.panels(window), run = window.window.run, channels = window.target_channels;
    const bool ordered = target.channel != 1 && run > 1 && channels % width() == 0;
    const Index of_member = ordered ? channels / width() : 1, together = ordered ? run : 1;
    places.resize(static_cast<std::size_t>(all));
    for (Index n = 0; n < all; ++n) {
        const Index first = n / (of_member * together) * together, rest = n % (of_member * together);
        order.push_back((first + rest % together) * of_member + rest / together);
        places[static_cast<std::size_t>(order.back())] = n;
    }
    return ordered;
}

Index FastGrid::reach(std::size_t axis) const {
    const Index spread = window.spreads[axis], all = ranges[axis].last - ranges[axis].first;
    const Index box = boxes.size()[axis + 1], outputs = outputs_of(window.schemes[axis]);
    Index rows = box > tiles[axis] ? all : spread * outputs * (box - 1) + 1;  // first ones of tiles
    if (box > 1 && std::min(spread, all) > 1) rows = std::max(rows, spread * outputs * tiles[axis]);  // of two sets
    Index low = 0, high = 0;
    for (const FastPart& part : window.along[axis]) {
        low = std::min(low, part.source);
        high = std::max(high, part.source + window.entry_steps[axis] * (entries_of(window.schemes[axis]) - 1));
    }
    return std::min((rows - 1) * maps[axis].source_step + high - low + 1, maps[axis].source_extent);
}

Index FastGrid::panel_numbers() const {
    Checked size = boxes.size()[0];
    for (std::size_t a = 0; a < maps.size(); ++a) size = size * reach(a);
    size = size * std::min(fast_chunk, window.source_channels) * (window.halves ? 2 : 1);
    if (size.overflowed()) throw std::bad_alloc();
    return size.value();
}

}  // namespace tconv
