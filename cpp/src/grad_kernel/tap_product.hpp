// Fast kernel gradients: taps of a phase that are computed together, tile of pixels by tile of pixels.
//
// Through the taps of one phase, t + m*tap_step with m = 0, 1, ..., pixel i meets the phase's outputs i + m*spread: the
// gradient of those taps is a correlation of x with these outputs. F(m, q) makes m taps of q pixels by m + q - 1
// products, whose sums over all tiles are transformed once: docs/fast-algorithms.md.
#pragma once

#include <tconv/geometry.hpp>

#include <vector>

#include "kernels/fast_table.hpp"

namespace tconv {

/// Taps along one axis that are computed alike.
struct TapAxis {
    /// Neighbouring taps of a phase: tap + m*tap_step meets output `at` + stride*(i + m*spread) at pixel i.
    struct Member {
        Index tap, tap_step, at;
    };

    Scheme scheme = Scheme::one;  // its outputs are the taps, and its taps the pixels of a tile
    Index in, out, stride;
    Index spread = 1;               // from a tile's pixel to its next one
    Index lattices = 1, tiles = 0;  // lattices of pixels `spread` apart; tiles of each
    std::vector<Member> members;    // by `at`

    TapAxis(const Axis& axis, Index taps, Index spread);

    Index taps() const { return outputs_of(scheme); }
    Index pixels() const { return taps_of(scheme); }
    Index points() const { return points_of(scheme); }
    /// From a tile's pixel to its next one's output.
    Index step() const { return stride * spread; }
    /// All tiles, and the first pixel of one.
    Index all_tiles() const { return lattices * tiles; }
    Index first_pixel(Index tile) const { return tile / tiles + spread * pixels() * (tile % tiles); }
};

/// Tiles whose numbers are transformed together.
inline constexpr Index tiles_of_box = 64;

/// Taps along every axis that are computed alike: a member is a member of each axis.
struct TapProduct {
    std::vector<TapAxis> axes;
    Index members = 1, taps = 1;         // taps of a member
    Index rows = 1, tiles = 1;           // of tiles along the last axis, and all of them
    Index outer_points = 1, points = 1;  // along all axes but the last, and all
    Index chain = 0;                     // tiles whose products are one chain of sums

    TapProduct(std::vector<TapAxis> axes, Index batch);
};

/// Channels first: whether all pixels of a line are turned, of which each of so many members needs one in `step`; and
/// the members' `at` are at most so many steps apart.
constexpr bool turns_all(Index step, Index members) { return step <= 3 * members; }
inline constexpr Index turned_steps = 8;

/// All taps of a kernel, each in one product.
std::vector<TapProduct> tap_products(const Geometry<dynamic>& g);

}  // namespace tconv
