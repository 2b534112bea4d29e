#include "grad_kernel/tap_product.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "checked.hpp"
#include "windows.hpp"

namespace tconv {
namespace {

constexpr std::size_t most_axes = 3;  // that are transformed: the last ones
constexpr Index many_points = 64;     // whose sums cancel so much that their chains are to be shorter

/// How the taps of a phase are cut: threes only where twos leave one.
std::vector<Index> pieces_of(Index taps) {
    std::vector<Index> pieces;
    if (taps % 2 == 1) pieces.push_back(std::min<Index>(taps, 3));
    for (Index rest = taps - (pieces.empty() ? 0 : pieces.front()); rest > 0; rest -= 2) pieces.push_back(2);
    return pieces;
}

std::vector<TapAxis> tap_axes(const Axis& axis, bool plain) {
    const Index spread = axis.dilation / std::gcd(axis.stride, axis.dilation);
    std::vector<TapAxis> sets{{axis, 1, spread}, {axis, 2, spread}, {axis, 3, spread}};
    for (const Phase& phase : forward_phases(axis)) {
        Index tap = 0;
        for (Index taps : pieces_of(phase.taps)) {
            // Few pixels may have no gain: then each tap is by itself.
            const bool alone = plain || sets[static_cast<std::size_t>(taps) - 1].scheme == Scheme::one;
            TapAxis& set = sets[alone ? 0 : static_cast<std::size_t>(taps) - 1];
            for (Index end = tap + taps; tap < end; tap += set.taps())
                set.members.push_back({phase.first_tap + tap * phase.tap_step, phase.tap_step,
                                       phase.residue - axis.crop + axis.stride * (tap * spread - phase.shift)});
        }
    }
    for (TapAxis& set : sets)
        std::sort(set.members.begin(), set.members.end(), [](const auto& a, const auto& b) { return a.at < b.at; });
    std::erase_if(sets, [](const TapAxis& set) { return set.members.empty(); });
    return sets;
}

}  // namespace

TapAxis::TapAxis(const Axis& axis, Index taps, Index spread_)
    : in(axis.in), out(axis.out), stride(axis.stride), tiles(axis.in) {
    Index least = in * taps;  // products of a tap by itself
    for (Scheme s : {Scheme::two_by_two, Scheme::two_by_three, Scheme::three_by_two}) {
        if (outputs_of(s) != taps) continue;
        const Index of_spread = std::min(spread_, in), of_lattice = ceil_div(ceil_div(in, spread_), taps_of(s));
        if (of_spread * of_lattice * points_of(s) >= least) continue;
        least = of_spread * of_lattice * points_of(s);
        scheme = s;
        spread = spread_;
        lattices = of_spread;
        tiles = of_lattice;
    }
}

TapProduct::TapProduct(std::vector<TapAxis> axes_, Index batch) : axes(std::move(axes_)), rows(batch) {
    for (const TapAxis& axis : axes) {
        members *= static_cast<Index>(axis.members.size());
        taps *= axis.taps();
        points *= axis.points();
        rows *= axis.all_tiles();
    }
    tiles = rows;
    if (axes.back().tiles > 0) rows /= axes.back().tiles;
    outer_points = points / axes.back().points();
    chain = points < many_points ? tiles_of_box : tiles_of_box / 2;
}

std::vector<TapProduct> tap_products(const Geometry<dynamic>& g) {
    std::vector<std::vector<TapAxis>> all(1);
    for (std::size_t a = 0; a < g.axes.size(); ++a) {
        std::vector<std::vector<TapAxis>> longer;
        const std::vector<TapAxis> sets = tap_axes(g.axes[a], g.axes.size() - a > most_axes);
        for (const std::vector<TapAxis>& before : all)
            for (const TapAxis& set : sets) {
                longer.push_back(before);
                longer.back().push_back(set);
            }
        all = std::move(longer);
    }
    std::vector<TapProduct> products;
    for (std::vector<TapAxis>& axes : all) products.emplace_back(std::move(axes), g.batch);
    return products;
}

}  // namespace tconv
