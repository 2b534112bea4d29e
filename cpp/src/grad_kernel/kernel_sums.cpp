#include "grad_kernel/kernel_sums.hpp"

#include <algorithm>

#include "checked.hpp"

namespace tconv {
namespace {

constexpr Index pixels_of_box = 256;
constexpr Index boxes_of_part = 4;       // at least
constexpr Index wanted_units = 32;       // enough for many threads
constexpr Index parts_bytes = 64 << 20;  // of all parts' sums
// What a unit computes at most, roughly.
constexpr Index unit_channels = 192, unit_columns = 256, unit_sums = 1 << 16;

std::vector<Index> with_batch(const Geometry<dynamic>& g) {
    std::vector<Index> extents = extents_of(g, &Axis::in);
    extents.insert(extents.begin(), g.batch);
    return extents;
}

}  // namespace

Index even_part(Index extent, Index most, Index step) {
    const Index parts = ceil_div(extent, std::max(most, step));
    return parts <= 1 ? std::max<Index>(extent, 1) : std::min(extent, round_up(ceil_div(extent, parts), step));
}

Index parts_of(Index boxes, Index numbers, Index units) {
    const Index most = parts_bytes / static_cast<Index>(sizeof(double)) / numbers;
    return std::clamp<Index>(std::min({ceil_div(wanted_units, units), boxes / boxes_of_part, most}), 1, wanted_units);
}

KernelSums::KernelSums(const Geometry<dynamic>& g_)
    : g(g_),
      channels(g_.in_channels / g_.groups),
      filters(g_.filters / g_.groups),
      boxes(with_batch(g_), pixels_of_box) {
    for (const Axis& axis : g.axes) taps *= axis.kernel;
    if (numbers() == 0) return;
    const Index of_group = taps * filters * channels;
    const Index units = ceil_div(channels, unit_channels) * ceil_div(taps * filters, unit_columns) *
                        ceil_div(g.groups, std::max<Index>(unit_sums / of_group, 1));
    parts = parts_of(boxes.count(), numbers(), units);
}

}  // namespace tconv
