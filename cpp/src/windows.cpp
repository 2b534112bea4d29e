#include "windows.hpp"

#include <algorithm>
#include <numeric>

#include "checked.hpp"

namespace tconv {

Index AxisMap::first(const Phase& phase) const { return ceil_div(-phase.residue - target_offset, target_step); }
Index AxisMap::last(const Phase& phase) const {
    return floor_div(target_extent - 1 - phase.residue - target_offset, target_step) + 1;
}

Range rows_of(const Window& window, std::size_t axis, const AxisMap& map) {
    Range range{};
    bool all = true;
    for (const std::vector<Phase>& member : window.members) {
        const Index begin = map.first(member[axis]), end = map.last(member[axis]);
        if (begin >= end) {  // where it would begin is no row of anybody's
            all = false;
        } else if (range.first == range.last) {
            range = {begin, end, begin, end};
        } else {
            range = {std::min(range.first, begin), std::max(range.last, end), std::max(range.common_first, begin),
                     std::min(range.common_last, end)};
        }
    }
    if (!all) range.common_last = range.common_first;
    return range;
}

std::vector<Phase> forward_phases(const Axis& axis) {
    const Index divisor = std::gcd(axis.stride, axis.dilation);
    const Index tap_step = axis.stride / divisor;
    std::vector<Phase> phases;
    for (Index tap = 0; tap < std::min(axis.kernel, tap_step); ++tap) {
        const Index reach = tap * axis.dilation, residue = reach % axis.stride;
        phases.push_back({residue, tap, tap_step, ceil_div(axis.kernel - tap, tap_step),
                          (residue - reach) / axis.stride, -axis.dilation / divisor});
    }
    std::sort(phases.begin(), phases.end(), [](const Phase& a, const Phase& b) { return a.residue < b.residue; });
    return phases;
}

std::vector<Phase> backward_phases(const Axis& axis) { return {{0, 0, 1, axis.kernel, 0, axis.dilation}}; }

Geometry<dynamic> without_overlap(const Geometry<dynamic>& g) {
    Geometry<dynamic> apart = g;
    for (Axis& axis : apart.axes)
        if (axis.in == 1 && axis.out > 1) axis.stride = std::max(axis.stride, (axis.kernel - 1) * axis.dilation + 1);
    return apart;
}

AxisMap forward_map(const Axis& axis) { return {axis.in, 1, 0, axis.out, axis.stride, -axis.crop}; }
AxisMap backward_map(const Axis& axis) { return {axis.out, axis.stride, -axis.crop, axis.in, 1, 0}; }

bool has_dead_targets(const std::vector<Phase>& phases, const AxisMap& map) {
    Index live = 0;
    for (const Phase& phase : phases) live += std::max<Index>(map.last(phase) - map.first(phase), 0);
    return live < map.target_extent;
}

namespace {

// The phases of an axis in sets that share a window; each alone when they are not to be joined.
std::vector<std::vector<Phase>> sets(const std::vector<Phase>& phases, bool join) {
    std::vector<std::vector<Phase>> result;
    for (const Phase& phase : phases) {
        const auto same = std::find_if(result.begin(), result.end(), [&](const std::vector<Phase>& set) {
            return join && set.front().taps == phase.taps && set.front().shift == phase.shift;
        });
        if (same == result.end()) {
            result.push_back({phase});
        } else {
            same->push_back(phase);
        }
    }
    return result;
}

Index run_of(const std::vector<Phase>& set) {
    for (std::size_t i = 1; i < set.size(); ++i) {
        if (set[i].residue != set[i - 1].residue + 1) return 1;
    }
    return static_cast<Index>(set.size());
}

}  // namespace

std::vector<Window> make_windows(const std::vector<std::vector<Phase>>& phases, Join join) {
    std::vector<Window> windows(1);
    windows.front().members.emplace_back();
    for (std::size_t a = 0; a < phases.size(); ++a) {
        const bool last = a + 1 == phases.size();
        const auto axis_sets = sets(phases[a], join == Join::all_axes || (join == Join::last_axis && last));
        std::vector<Window> longer;
        for (const Window& window : windows) {
            for (const std::vector<Phase>& set : axis_sets) {
                Window next;
                next.taps_along = window.taps_along;
                next.taps_along.push_back(set.front().taps);
                next.taps = window.taps * set.front().taps;
                if (last) next.run = run_of(set);
                for (const std::vector<Phase>& member : window.members) {
                    for (const Phase& phase : set) {
                        next.members.push_back(member);
                        next.members.back().push_back(phase);
                    }
                }
                longer.push_back(std::move(next));
            }
        }
        windows = std::move(longer);
    }
    return windows;
}

}  // namespace tconv
