#include "grad_kernel/outer_cut.hpp"

#include <algorithm>

#include "checked.hpp"

namespace tconv {
namespace {

constexpr Index most_rows = 264, most_columns = 384;  // of x's panel, which stays in the second cache
constexpr Index most_pairs = 256;                     // of a tile
constexpr Index most_pairs_in_place = 128;            // the same where they are rows that dy has
constexpr Index most_met = 96;                        // pairs, by rows that are not worth dealing
constexpr Index least_channels = 48, least_pairs = 48;
constexpr Index unit_sums = 1 << 19, bundle_sums = 1 << 15, bundle_channels = 64;

// Half cycles, beyond those of products: a channel of x dealt, a number of dy, and a segment of it put together; a run
// of pixels that meet dy where it lies.
constexpr double per_channel = 0.75, per_number = 0.5, per_segment = 8, per_run = 24;
constexpr double per_load = 0.08;
constexpr double least_gain = 1.01;  // of wider blocks

/// Half cycles of m rows times some vectors of columns, about: they are bound by products, loads or their latency, and
/// loads delay the others.
double tile_cycles(Index m, Index vectors) {
    if (m == 0) return 0;
    return static_cast<double>(std::max({m * vectors, m + vectors, Index(8)})) +
           per_load * static_cast<double>(m + vectors);
}

/// Half cycles of one pixel's products, where `rows_cycles(vectors)` are those of all rows.
template <class Rows>
double cycles_of(Index columns, Index width, Index vector, const Rows& rows_cycles) {
    const Index rest = columns % width;
    return static_cast<double>(columns / width) * rows_cycles(width / vector) +
           (rest == 0 ? 0 : rows_cycles(ceil_div(rest, vector)));
}

}  // namespace

OuterCut::OuterCut(const KernelSums& sums_, bool gathered_, Index tile_rows_, Index vector_, Index vectors)
    : sums(sums_),
      // A few channels of each pixel share neither cache lines nor, often, the sets of a cache.
      gathered(gathered_ || (sums.g.groups > 1 && sums.filters <= bundle_channels)),
      tile_rows(tile_rows_),
      vector(vector_) {
    for (Index n = 2; n <= vectors; ++n) choose(n * vector);
    channels = even_part(sums.channels, swapped ? most_columns : most_rows, swapped ? width : tile_rows);
    cut_pairs(dy_in_place && !gathered ? most_pairs_in_place : most_pairs);
    if (tiles.count() == 1 && channels == sums.channels) {
        bundle = bundle_sums / (pairs() * channels);
        if (gathered) bundle = std::min(bundle, bundle_channels / std::max(channels, filters()));
        bundle = std::clamp<Index>(bundle, 1, sums.g.groups);
    }
    tiles_of_unit = std::clamp<Index>(unit_sums / (pairs() * channels), 1, tiles.count());
}

/// Takes blocks of so many columns, and what is fastest with them, if that is faster than what was chosen before.
void OuterCut::choose(Index of_block) {
    const Index all = sums.taps * sums.filters;
    const bool met = !gathered && all <= most_met;
    const double of_x = static_cast<double>(sums.channels) * per_channel, of_dy = dealing(of_block);
    const double by_channels = panels(sums.channels, all, of_block) + of_dy + (met ? 0 : of_x);
    const double by_pairs = panels(all, sums.channels, of_block) + of_dy + of_x + static_cast<double>(all) / 2;
    const double by_dy = in_place(of_block) + of_x;
    const double least = std::min({by_channels, by_pairs, by_dy});
    if (width > 0 && least * least_gain > time) return;
    time = least;
    width = of_block;
    dy_in_place = by_dy < std::min(by_channels, by_pairs);
    swapped = dy_in_place || by_pairs < by_channels;
    x_in_place = met && !swapped;
}

/// Half cycles of a pixel's products whose rows are dealt to blocks.
double OuterCut::panels(Index rows, Index columns, Index of_block) const {
    return cycles_of(columns, of_block, vector, [&](Index vectors) {
        return static_cast<double>(rows / tile_rows) * tile_cycles(tile_rows, vectors) +
               tile_cycles(rows % tile_rows, vectors);
    });
}

/// Those of dealing what it meets; whole blocks are dealt from where they lie.
double OuterCut::dealing(Index of_block) const {
    const Index all = sums.taps * sums.filters, segments = all / segment();
    const bool apart = segments == 1 || segment() % of_block == 0;
    return static_cast<double>(all) * per_number + (apart ? 0 : static_cast<double>(segments) * per_segment);
}

/// Those of its products whose rows are a segment's numbers, where they lie.
double OuterCut::in_place(Index of_block) const {
    const Index numbers = segment(), segments = sums.taps * sums.filters / numbers;
    const Index pieces = ceil_div(numbers, tile_rows), size = numbers / pieces, larger = numbers % pieces;
    const double products = cycles_of(sums.channels, of_block, vector, [&](Index vectors) {
        return static_cast<double>(segments) * (static_cast<double>(larger) * tile_cycles(size + 1, vectors) +
                                                static_cast<double>(pieces - larger) * tile_cycles(size, vectors));
    });
    const Index length = std::max<Index>(sums.boxes.size().back(), 1);
    const auto runs = static_cast<double>(segments * pieces * ceil_div(sums.channels, of_block));
    return products + runs * per_run / static_cast<double>(length);
}

/// Whether taps of the last axis may lie side by side in dy.
bool OuterCut::side_by_side() const { return sums.g.axes.back().dilation == 1 && sums.g.groups == 1; }

/// Numbers that a pixel meets side by side.
Index OuterCut::segment() const { return side_by_side() ? sums.filters * sums.g.axes.back().kernel : sums.filters; }

Index OuterCut::slices() const {
    const bool whole = side_by_side() && (gathered || filters() == sums.filters);
    const Index numbers = whole ? filters() * tiles.size().back() : filters();
    return pairs() / numbers * ceil_div(numbers, tile_rows);
}

// Filters lie side by side in dy, and so do the taps of the last axis: a tile takes them first. When dy is gathered,
// all taps come before many filters, for they share what is gathered.
void OuterCut::cut_pairs(Index most) {
    const std::size_t rank = sums.g.axes.size();
    std::vector<Index> extents{sums.filters}, size(rank + 1, 1);
    for (const Axis& axis : sums.g.axes) extents.push_back(axis.kernel);
    size[0] = even_part(sums.filters, gathered ? std::max(most / sums.taps, width) : most, width);
    most /= size[0];
    for (std::size_t a = rank; a > 0; most /= size[a--]) size[a] = even_part(extents[a], most, 1);
    tiles = Boxes(extents, size);
    tiles_of_unit = std::min(tiles_of_unit, tiles.count());
}

Index OuterCut::bundles() const { return ceil_div(sums.g.groups, bundle); }
Index OuterCut::pieces() const { return ceil_div(sums.channels, channels); }
Index OuterCut::runs() const { return ceil_div(tiles.count(), tiles_of_unit); }

bool OuterCut::shrink() {
    if (tiles_of_unit > 1) {
        tiles_of_unit = ceil_div(tiles_of_unit, 2);
    } else if (bundle > 1) {
        bundle = ceil_div(bundle, 2);
    } else if (channels >= 2 * least_channels) {
        channels = even_part(sums.channels, channels / 2, swapped ? width : tile_rows);
    } else if (!dy_in_place && pairs() >= 2 * least_pairs) {
        cut_pairs(pairs() / 2);
    } else {
        return false;
    }
    return true;
}

}  // namespace tconv
