// Which taps meet which outputs: the phases of a transposed convolution and the windows they read.
//
// Write o + crop = s*j + r with 0 <= r < s. With g = gcd(s, d), s' = s/g, d' = d/g the outputs of one phase r read
//     i = j + (r - t0*d)/s - m*d'   through the taps   t0 + m*s',   m = 0, 1, ...
// where t0 < s' is the tap with t0*d = r (mod s). A phase without such a tap is bias only. So each phase is a
// convolution of stride 1, and no inserted zero is ever multiplied.
#pragma once

#include <vector>

#include <tconv/geometry.hpp>

namespace tconv {

/// The outputs of one axis that see the same taps: target(j) = j*target_step + residue, source(j, m) = j*source_step +
/// shift + m*tap_shift through the taps first_tap + m*tap_step, 0 <= m < taps; steps and crops are the axis map's.
struct Phase {
    Index residue = 0;
    Index first_tap = 0, tap_step = 1, taps = 1;
    Index shift = 0, tap_shift = 0;
};

/// Where the rows j of a product read and write along one axis, apart from the phase's own residue and shift.
struct AxisMap {
    Index source_extent, source_step, source_offset;
    Index target_extent, target_step, target_offset;

    Index source(const Phase& phase, Index j, Index m) const {
        return j * source_step + phase.shift + m * phase.tap_shift + source_offset;
    }
    Index target(const Phase& phase, Index j) const { return j * target_step + phase.residue + target_offset; }
    /// The rows [first, last) whose targets lie inside.
    Index first(const Phase& phase) const;
    Index last(const Phase& phase) const;
};

/// Phases that are computed together: their windows are the same along every axis.
struct Window {
    std::vector<std::vector<Phase>> members;  // [member][axis]
    std::vector<Index> taps_along;            // [axis]
    Index taps = 1;
    Index run = 1;  // so many members at a time follow each other along the last axis

    const std::vector<Phase>& first() const { return members.front(); }
};

/// The rows [first, last) of a window along one axis, and those that all of its members have.
struct Range {
    Index first, last, common_first, common_last;
};
Range rows_of(const Window& window, std::size_t axis, const AxisMap& map);

/// The live phases of one axis of the forward product, by residue. At most `kernel` of them.
std::vector<Phase> forward_phases(const Axis& axis);
/// The one phase of the input gradient: every tap, row by row.
std::vector<Phase> backward_phases(const Axis& axis);

/// The same result where outputs don't share pixels: along an axis of one pixel any stride gives it, and with one as
/// long as the kernel each output sees its tap alone.
Geometry<dynamic> without_overlap(const Geometry<dynamic>& g);

AxisMap forward_map(const Axis& axis);
AxisMap backward_map(const Axis& axis);

/// How phases are joined into windows: more columns side by side, at the price of rows that only some of them need.
enum class Join { none, last_axis, all_axes };

/// Every combination of phases along the axes, once.
std::vector<Window> make_windows(const std::vector<std::vector<Phase>>& phases, Join join);

/// Whether some outputs within the axis belong to no live phase.
bool has_dead_targets(const std::vector<Phase>& phases, const AxisMap& map);

}  // namespace tconv
