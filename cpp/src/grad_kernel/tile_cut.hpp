// How a fast kernel gradient is cut: channels of x times columns, which are pairs of a member and a filter.
#pragma once

#include <tconv/options.hpp>

#include "grad_kernel/outer_cut.hpp"
#include "grad_kernel/tap_product.hpp"

namespace tconv {

/// Boxes whose sums are added before they are transformed back.
inline constexpr Index boxes_of_sum = 64;

/// A unit of work is a part of the boxes, a group, a piece of its channels, a piece of its filters and a run of members
/// of a product.
struct TileCut {
    struct Run {
        Index product, first, last;  // members
    };

    const KernelSums& sums;
    bool turned;  // channels come first
    std::vector<TapProduct> products;
    Index tile_rows, width;                                       // of the micro-kernels
    Index unit_channels = 1, unit_filters = 1, unit_members = 1;  // at most
    Index parts = 1;                                              // of the boxes, each summed into numbers of its own
    std::vector<Run> runs;

    TileCut(const KernelSums& sums, DataFormat format, Index tile_rows, Index width);

    Index channel_pieces() const;
    Index filter_pieces() const;
    Index units() const;
    Index columns() const { return unit_filters * unit_members; }
    /// The box that a part of a product begins with.
    Index first_box(const TapProduct& product, Index part) const;

    /// Whether some axis has a scheme, and no place in a tensor is too far to be counted.
    bool fast() const;
    /// Whether it is faster than direct, by a model of their times: by shapes, types, data format and instruction set
    /// alone.
    bool faster(const OuterCut& direct) const;

    /// Cuts smaller, which changes no bit of the result; false when that would not pay.
    bool shrink();

  private:
    void find_runs();
    // In products of a full panel.
    double time() const;
    double direct_time(const OuterCut& direct) const;
};

}  // namespace tconv
