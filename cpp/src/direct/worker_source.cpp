// A worker's source: the pixels that a tile reads, gathered where they are not in place.
#include <algorithm>
#include <cstddef>
#include <limits>

#include "direct/worker.hpp"
#include "gather.hpp"

namespace tconv {

/// The source indices that the tile needs along each axis: a run where that is dense, else a list.
template <class T>
void Worker<T>::pick() {
    Index* list = lists_;
    for (std::size_t a = 0; a < rank_; ++a) {
        const AxisMap& map = tiling_.maps[a];
        constexpr Index none = std::numeric_limits<Index>::max();
        Index low = none, high = -none, listed = 0;
        const auto each_phase = [&](const auto& use) {
            for (const Phase& phase : shape_.phases[a]) {
                const Index begin = std::max(tile_first_[a], map.first(phase));
                const Index end = std::min(tile_last_[a], map.last(phase));
                if (begin < end) use(phase, begin, end);
            }
        };
        each_phase([&](const Phase& phase, Index begin, Index end) {
            listed += (end - begin) * phase.taps;
            for (const Index j : {begin, end - 1})
                for (const Index m : {Index(0), phase.taps - 1}) {
                    const Index index = map.source(phase, j, m);
                    low = std::min(low, index);
                    high = std::max(high, index);
                }
        });
        if (listed == 0) low = 0, high = -1;
        if (!tiling_.bordered) {
            low = std::max<Index>(low, 0);
            high = std::min(high, map.source_extent - 1);
        }
        picked_[a] = {low, std::max<Index>(high - low + 1, 0), nullptr};
        if (tiling_.bordered || picked_[a].count <= 2 * listed) continue;
        Index count = 0;
        each_phase([&](const Phase& phase, Index begin, Index end) {
            for (Index j = begin; j < end; ++j)
                for (Index m = 0; m < phase.taps; ++m) {
                    const Index index = map.source(phase, j, m);
                    if (index >= 0 && index < map.source_extent) list[count++] = index;
                }
        });
        std::sort(list, list + count);
        count = std::unique(list, list + count) - list;
        picked_[a] = {0, count, list};
        list += count;
    }
}

/// The picked pixels, as rows of channels in the type of the sums.
template <class T>
void Worker<T>::gather() {
    const Layout& source = tiling_.source;
    Index stride = shape_.source_channels;
    for (std::size_t a = rank_; a-- > 0;) {
        pixel_strides_[a] = stride;
        stride *= picked_[a].count;
    }
    batch_stride_ = stride;
    origin_ = panel_;
    if (stride == 0) return;

    const Picked& line = picked_[rank_ - 1];
    const Index extent = tiling_.maps[rank_ - 1].source_extent;
    const Index group_offset = group_ * shape_.source_channels * source.channel;
    std::fill_n(at_, rank_, 0);
    C* to = panel_;
    for (Index n = batch_first_; n < batch_last_; ++n) {
        for (bool more = true; more;) {
            Index offset = n * source.batch + group_offset;
            bool inside = true;
            for (std::size_t a = 0; a + 1 < rank_; ++a) {
                const Index index = picked_[a].at(at_[a]);
                inside = inside && index >= 0 && index < tiling_.maps[a].source_extent;
                offset += index * source.axes[a];
            }
            const auto add_zeros = [&](Index pixels) {
                std::fill_n(to, pixels * shape_.source_channels, C(0));
                to += pixels * shape_.source_channels;
            };
            const Index begin = !inside                ? line.count
                                : line.list != nullptr ? 0
                                                       : std::clamp<Index>(-line.from, 0, line.count);
            const Index end = line.list != nullptr ? line.count : std::clamp(extent - line.from, begin, line.count);
            add_zeros(begin);
            for (Index p = begin; p < end;) {
                Index run = line.list == nullptr ? end - begin : 1;
                while (line.list != nullptr && p + run < line.count && line.at(p + run) == line.at(p) + run) ++run;
                gather_run(*work_.packed.kernels, *work_.packed.converters,
                           work_.source + offset + line.at(p) * source.axes[rank_ - 1], source.axes[rank_ - 1],
                           source.channel, run, shape_.source_channels, to);
                to += run * shape_.source_channels;
                p += run;
            }
            add_zeros(line.count - end);
            more = false;
            for (std::size_t a = rank_ - 1; a-- > 0;) {
                if (++at_[a] < picked_[a].count) {
                    more = true;
                    break;
                }
                at_[a] = 0;
            }
        }
    }
}

/// The pixel under each tap of a step, for every row; for the first one only of those that are computed along a line.
template <class T>
void Worker<T>::find_pixels(const Step& step) {
    const Index tile_rows = shape_.panel.tile_rows, taps = step.last_tap - step.first_tap;
    const std::vector<Index>& along = shape_.windows[window_].taps_along;
    const std::size_t inner = rank_ - 1;
    const Index inner_taps = along[inner];
    const Index first_outer = step.first_tap / inner_taps, last_outer = (step.last_tap - 1) / inner_taps;
    const bool whole_taps = step.first_tap % inner_taps == 0 && step.last_tap % inner_taps == 0;  // of the last axis
    const C* outside = shape_.form == Form::depthwise ? nullptr : work_.packed.zeros.data();
    std::fill_n(clipped_, strips(), false);
    clipped_any_ = false;
    std::copy_n(first_, rank_, at_);
    const C** strip = pixels_;  // of the row; it is number `place` there
    Index row = 0, place = 0;
    const bool by_lines = shape_.form != Form::panels, dense = !tiling_.gathered || picked_[inner].list == nullptr;
    const bool stored = stores_lines();
    const auto at = [origin = static_cast<const std::byte*>(origin_)](Index bytes) {
        return reinterpret_cast<const C*>(origin + bytes);
    };
    Range* line = lines_;
    const C** line_pixels = line_pixels_;
    const auto next = [&] {
        const C** here = strip + place;
        if (++place == tile_rows) {
            place = 0;
            strip += taps * tile_rows;
        }
        return here;
    };
    // Of a row of the last axis: what its taps' pixels are away from.
    struct Offsets {
        const Index* of_taps;
        Index shift;
    };
    const auto offsets_of = [&](Index j) {
        const bool even = even_ && j >= inside_first_ && j < inside_last_;
        return Offsets{axis_offsets_[inner] + ((even ? inside_first_ : j) - first_[inner]) * inner_taps,
                       even ? (j - inside_first_) * row_step_ : 0};
    };
    for (Index n = 0; n < batches(); ++n) {
        for (bool more = true; more;) {
            // The outer taps of this line of rows: sums of the axes' offsets, or -1.
            Index count = 1;
            outer_[0] = n * batch_stride_;
            for (std::size_t a = 0; a < inner; ++a) {
                const Index* offsets = axis_offsets_[a] + (at_[a] - first_[a]) * along[a];
                for (Index i = count; i-- > 0;) {  // backwards: in place
                    const Index before = outer_[i];
                    for (Index m = along[a]; m-- > 0;)
                        outer_[i * along[a] + m] = before < 0 || offsets[m] < 0 ? -1 : before + offsets[m];
                }
                count *= along[a];
            }
            bool line_inside = by_lines ? dense : whole_taps;
            if (!by_lines)
                for (Index o = first_outer; o <= last_outer; ++o) line_inside = line_inside && outer_[o] >= 0;
            Index inside_first = line_inside ? inside_first_ : last_[inner];
            Index inside_last = line_inside ? inside_last_ : last_[inner];
            if (by_lines && stored) {  // those that all members have that have the line
                inside_first = std::max(inside_first, first_[inner] + common_first_);
                inside_last = std::max(inside_first, std::min(inside_last, first_[inner] + common_last_));
            }
            const auto some_inside = [&](Index begin, Index end) {
                for (Index j = begin; j < end; ++j, ++row) {
                    const C** to = next();
                    const auto [offsets, shift] = offsets_of(j);
                    bool inside = true;
                    for (Index o = first_outer; o <= last_outer; ++o) {
                        const Index low = std::max(step.first_tap - o * inner_taps, Index(0));
                        const Index high = std::min(step.last_tap - o * inner_taps, inner_taps);
                        const Index before = outer_[o];
                        for (Index m = low; m < high; ++m, to += tile_rows) {
                            const bool here = before >= 0 && offsets[m] >= 0;
                            *to = here ? at(before + offsets[m] + shift) : outside;
                            inside = inside && here;
                        }
                    }
                    if (!inside) clipped_any_ = clipped_[row / tile_rows] = true;
                }
            };
            some_inside(first_[inner], inside_first);
            auto [offsets, shift] = offsets_of(std::min(inside_first, last_[inner] - 1));
            const Index next_offsets = even_ ? 0 : inner_taps, next_shift = even_ ? row_step_ : 0;
            if (by_lines) {
                const Index some = inside_last - inside_first, after = row + some;
                *line++ = {row - (inside_first - first_[inner]), row + (last_[inner] - inside_first), row, after};
                for (Index i = 0, tap = step.first_tap; some > 0 && i < taps; ++i, ++tap) {
                    const Index before = outer_[tap / inner_taps];
                    line_pixels[i] = before < 0 ? nullptr : at(before + offsets[tap % inner_taps] + shift);
                }
                line_pixels += taps;
                place = after % tile_rows;
                strip = pixels_ + (after - place) * taps;
            } else if (taps == 1) {
                const Index before = outer_[first_outer];
                for (Index j = inside_first; j < inside_last; ++j, offsets += next_offsets, shift += next_shift)
                    *next() = at(before + *offsets + shift);
            } else {
                for (Index j = inside_first; j < inside_last; ++j, offsets += next_offsets, shift += next_shift) {
                    const C** to = next();
                    for (Index o = first_outer; o <= last_outer; ++o) {
                        const Index before = outer_[o] + shift;
                        for (Index m = 0; m < inner_taps; ++m, to += tile_rows) *to = at(before + offsets[m]);
                    }
                }
            }
            row += inside_last - inside_first;
            some_inside(inside_last, last_[inner]);
            more = false;
            for (std::size_t a = inner; a-- > 0;) {
                if (++at_[a] < last_[a]) {
                    more = true;
                    break;
                }
                at_[a] = first_[a];
            }
        }
    }
}

template class Worker<float>;
template class Worker<double>;
template class Worker<float16>;
template class Worker<bfloat16>;

}  // namespace tconv
