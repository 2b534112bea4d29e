#include "grad_kernel/outer_cut.hpp"

#include <algorithm>

#include "checked.hpp"

namespace tconv {
namespace {

constexpr Index most_rows = 264, most_columns = 384;  // of x's panel, which stays in the second cache
constexpr Index most_pairs = 256;                     // of a tile
constexpr Index most_met = 96;                        // pairs, by rows that are not worth dealing
constexpr Index least_channels = 48, least_pairs = 48;
constexpr Index unit_sums = 1 << 19, bundle_sums = 1 << 15, bundle_channels = 64;

/// Half cycles of one pixel's products, about: a micro-kernel is bound by its products, its loads or their latency.
Index cycles(Index rows, Index columns, Index tile_rows, Index width) {
    const auto tile = [](Index m, Index vectors) {
        return m == 0 ? Index(0) : std::max({m * vectors, m + vectors, Index(8)});
    };
    const auto strip = [&](Index vectors) {
        return rows / tile_rows * tile(tile_rows, vectors) + tile(rows % tile_rows, vectors);
    };
    const Index rest = columns % width;
    return columns / width * strip(2) + (rest == 0 ? 0 : strip(rest > width / 2 ? 2 : 1));
}

}  // namespace

OuterCut::OuterCut(const KernelSums& sums_, bool gathered_, Index tile_rows_, Index width_)
    : sums(sums_),
      // A few channels of each pixel share neither cache lines nor, often, the sets of a cache.
      gathered(gathered_ || (sums.g.groups > 1 && sums.filters <= bundle_channels)),
      tile_rows(tile_rows_),
      width(width_) {
    const Index all = sums.taps * sums.filters;
    // Dealing dy's numbers to blocks of few costs more than to blocks of many.
    swapped = cycles(all, sums.channels, tile_rows, width) + 2 * all < cycles(sums.channels, all, tile_rows, width);
    in_place = !gathered && !swapped && all <= most_met;
    channels = even_part(sums.channels, swapped ? most_columns : most_rows, swapped ? width : tile_rows);
    cut_pairs(most_pairs);
    if (tiles.count() == 1 && channels == sums.channels) {
        bundle = bundle_sums / (pairs() * channels);
        if (gathered) bundle = std::min(bundle, bundle_channels / std::max(channels, filters()));
        bundle = std::clamp<Index>(bundle, 1, sums.g.groups);
    }
    tiles_of_unit = std::clamp<Index>(unit_sums / (pairs() * channels), 1, tiles.count());
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
    } else if (pairs() >= 2 * least_pairs) {
        cut_pairs(pairs() / 2);
    } else {
        return false;
    }
    return true;
}

}  // namespace tconv
