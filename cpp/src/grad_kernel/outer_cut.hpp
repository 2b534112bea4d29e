// How a kernel gradient is cut into sums of outer products: channels of x times pairs of a tap and a filter.
#pragma once

#include "grad_kernel/kernel_sums.hpp"
#include "kernels/gradient_table.hpp"

namespace tconv {

/// A unit of work is a part of the boxes, a bundle of groups, a piece of the channels and some tiles of pairs. The rows
/// of its products are channels and the columns pairs; swapped: the other way round.
struct OuterCut {
    const KernelSums& sums;
    bool gathered;  // tensors are turned or converted box by box
    bool swapped = false;
    bool x_in_place = false;   // rows are read where they lie in x
    bool dy_in_place = false;  // swapped, and rows are read where they lie in dy
    double time = 0;           // of a pixel, half cycles
    Index tile_rows, vector;   // of the micro-kernels
    Index width = 0;           // of a block of columns, some vectors
    Index bundle = 1;          // groups of a unit, one after the other
    Index channels = 1;        // of a unit, at most
    Boxes tiles;               // [filters, taps...] of a group
    Index tiles_of_unit = 1;   // more than one only when the bundle is one group

    /// For micro-kernels of so many rows by at most `vectors` vectors.
    OuterCut(const KernelSums& sums, bool gathered, Index tile_rows, Index vector, Index vectors);

    Index bundles() const;
    Index pieces() const;  // of the channels
    Index runs() const;    // of tiles
    Index units() const { return sums.parts * bundles() * pieces() * runs(); }
    /// The largest tile's.
    Index filters() const { return tiles.size()[0]; }
    std::vector<Index> taps() const { return {tiles.size().begin() + 1, tiles.size().end()}; }
    Index pairs() const { return tiles.points(); }
    Index rows() const { return swapped ? pairs() : channels; }
    Index columns() const { return swapped ? channels : pairs(); }
    /// Of a block of columns, and of one of which so many are left.
    Index vectors() const { return width / vector; }
    Index vectors(Index left) const { return left < width ? (left + vector - 1) / vector : vectors(); }

    /// Parts of a tile's segments of at most `tile_rows` numbers, where those are rows that lie in dy.
    Index slices() const;

    /// Cuts smaller, which changes no bit of the result; false when that would not pay.
    bool shrink();

  private:
    bool side_by_side() const;
    Index segment() const;
    void choose(Index width);
    double panels(Index rows, Index columns, Index width) const;
    double dealing(Index width) const;
    double in_place(Index width) const;
    void cut_pairs(Index most);
};

}  // namespace tconv
