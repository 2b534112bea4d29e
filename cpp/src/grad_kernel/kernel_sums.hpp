// How the sums of the kernel gradient are ordered. No bit of the result depends on the threads: a box of pixels is one
// chain, or a few that follow from its place, boxes are added one by one, parts of the boxes last and in double.
#pragma once

#include <algorithm>
#include <vector>

#include "boxes.hpp"
#include "half.hpp"
#include "kernels/table.hpp"
#include "layout.hpp"

namespace tconv {

/// Boxes whose sums are added in the sums' own type before they go into a total in double.
inline constexpr Index boxes_of_total = 64;

/// The size of even parts of at most `most`, multiples of `step` where they are parts.
Index even_part(Index extent, Index most, Index step);

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

/// Columns [first, last) of sums, [block of columns][channel][column], to lines of channels that lie `to_step` apart.
template <class C>
void turn_columns(const Kernels<C>& kernels, const C* sums, Index strip, Index width, Index first, Index last,
                  Index channels, C* to, Index to_step) {
    for (Index column = first; column < last;) {
        const Index some = std::min(last - column, width - column % width);
        kernels.turn(sums + column / width * strip + column % width, width, to, to_step, channels, some);
        column += some;
        to += some * to_step;
    }
}

/// What the workers of a kernel gradient share.
template <class T>
struct KernelWork {
    const KernelSums& sums;
    const Layout &x_layout, &dy_layout;
    const T *x, *dy;
    compute_t<T>* results;  // [part][tap][filter of a group][channel]
};

}  // namespace tconv
