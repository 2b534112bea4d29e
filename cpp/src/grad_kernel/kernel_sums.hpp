// How the sums of the kernel gradient are ordered. The bits of the result follow from the geometry alone: a box of
// pixels is one chain, boxes are added one by one, parts of the boxes last and in double precision.
#pragma once

#include <vector>

#include "boxes.hpp"
#include "half.hpp"
#include "layout.hpp"

namespace tconv {

/// Boxes whose sums are added in the sums' own type before they go into a total in double.
inline constexpr Index boxes_of_total = 64;

/// Parts of so many boxes, of a kernel of so many numbers that is cut to so many units: none of them 0. Where there
/// are few units, threads are to have parts.
Index parts_of(Index boxes, Index numbers, Index units);

struct KernelSums {
    const Geometry<dynamic>& g;
    Index taps = 1, channels, filters;  // channels and filters of a group
    Boxes boxes;                        // of x's pixels, [batch, axes...]
    Index parts = 1;                    // of the boxes, each summed into numbers of its own

    explicit KernelSums(const Geometry<dynamic>& g);

    /// Numbers of the kernel.
    Index numbers() const { return taps * filters * g.in_channels; }
    /// The first box of a part.
    Index first_box(Index part) const { return boxes.count() * part / parts; }
};

/// What the workers of a kernel gradient share.
template <class T>
struct KernelWork {
    const KernelSums& sums;
    const Layout &x_layout, &dy_layout;
    const T *x, *dy;
    compute_t<T>* results;  // [part][tap][filter of a group][channel]
};

}  // namespace tconv
