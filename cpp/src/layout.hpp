// Where the numbers of a tensor lie.
#pragma once

#include <vector>

#include <tconv/geometry.hpp>
#include <tconv/options.hpp>

namespace tconv {

/// Where the numbers of a (batch, channels, spatial) tensor lie: distances from one to the next.
struct Layout {
    Index batch, channel;
    std::vector<Index> axes;

    Layout(DataFormat format, Index channels, const std::vector<Index>& extents);
};

/// The same where there is one channel on both sides, which lies in planes either way.
inline DataFormat format_of(DataFormat format, Index in_channels, Index filters) {
    return in_channels == 1 && filters == 1 ? DataFormat::channels_first : format;
}

/// One number of each axis.
template <class Along>
std::vector<Index> extents_of(const std::vector<Along>& axes, Index Along::* extent) {
    std::vector<Index> extents;
    for (const Along& axis : axes) extents.push_back(axis.*extent);
    return extents;
}
inline std::vector<Index> extents_of(const Geometry<dynamic>& g, Index Axis::* extent) {
    return extents_of(g.axes, extent);
}

}  // namespace tconv
