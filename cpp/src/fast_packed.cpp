#include "fast_packed.hpp"

#include <algorithm>
#include <new>
#include <utility>

#include "checked.hpp"
#include "dispatch.hpp"
#include "pages.hpp"
#include "parallel.hpp"

namespace tconv {
namespace {

using detail::Block;
using detail::Step;

constexpr Index serial_numbers = 1 << 16;  // fewer are not worth waking a thread
constexpr Index numbers_at_once = 3072;    // doubles of some channels, all points and lanes: in the first cache

/// Points from one to the next along an axis.
Index point_stride(const FastWindow& w, std::size_t axis) {
    Index stride = 1;
    for (std::size_t a = axis + 1; a < w.schemes.size(); ++a) stride *= points_of(w.schemes[a]);
    return stride;
}

/// Whether a point is an entry of the taps along the axes from `axis` on.
bool is_entry(const FastWindow& w, Index point, std::size_t axis) {
    for (std::size_t a = axis; a < w.schemes.size(); ++a)
        if (point / point_stride(w, a) % points_of(w.schemes[a]) >= taps_of(w.schemes[a])) return false;
    return true;
}

/// Columns of a panel that are neighbours in the kernel.
struct Run {
    Index at, count;  // in the panel
    Index channel;    // the first one's target channel
    const std::vector<Phase>* member;
};

/// What an entry of a part meets: a tap, or nothing.
struct Entry {
    Index point;        // where it lies
    std::size_t first;  // of its runs' places in the kernel
    bool zero;
};

/// G along one axis, from a point on.
struct Line {
    Scheme scheme;
    Index first, stride;
};

/// G along every axis but the last two, in turn: of what are entries along the axes to come, in place.
std::vector<Line> lines_of(const FastWindow& w) {
    std::vector<Line> lines;
    for (std::size_t i = 0; i + 2 < w.axes.size(); ++i) {
        const std::size_t axis = w.axes[i];
        const Index stride = point_stride(w, axis), count = points_of(w.schemes[axis]);
        for (Index outer = 0; outer < w.points; outer += count * stride)
            for (Index point = outer; point < outer + stride; ++point)
                if (is_entry(w, point, axis + 1)) lines.push_back({w.schemes[axis], point, stride});
    }
    return lines;
}

/// The entries of a part, and where each one's runs of columns are in the kernel.
template <class C>
void find_entries(const KernelRows<C>& kernel, Index group, const FastWindow& w, const detail::Columns& columns,
                  Index part, const std::vector<Run>& runs, std::vector<Entry>* entries,
                  std::vector<const C*>* places) {
    const std::size_t rank = w.schemes.size();
    std::vector<const FastPart*> parts(rank);
    for (std::size_t a = rank; a-- > 0;) {
        parts[a] = &w.along[a][static_cast<std::size_t>(part % w.parts_along(a))];
        part /= w.parts_along(a);
    }
    entries->clear();
    places->clear();
    for (Index point = 0; point < w.points; ++point) {
        if (!is_entry(w, point, 0)) continue;
        Entry entry{point, places->size(), false};
        std::vector<Index> taps(rank);
        for (std::size_t a = 0; a < rank; ++a) {
            const Index at = point / point_stride(w, a) % points_of(w.schemes[a]);
            taps[a] = parts[a]->first_tap + at * parts[a]->tap_step;
            entry.zero = entry.zero || taps[a] < 0 || taps[a] >= w.window.taps_along[a];
        }
        for (const Run& run : runs) {
            Index place = 0;
            for (std::size_t a = 0; a < rank; ++a) {
                const Phase& phase = (*run.member)[a];
                place = place * columns.axes[a].kernel + phase.first_tap + taps[a] * phase.tap_step;
            }
            places->push_back(
                entry.zero ? nullptr : kernel.numbers + group * kernel.of_group + place * kernel.of_tap + run.channel);
        }
        entries->push_back(entry);
    }
}

}  // namespace

template <class T>
FastPacked<T>::FastPacked(const detail::Columns& columns_, FastChoice choice_, const KernelRows<C>& kernel, Isa isa,
                          int threads)
    : FastColumns(columns_, std::move(choice_)),
      kernels(kernels_for<C>(isa)),
      transforms(fast_kernels_for<C>(isa)),
      converters(converters_for(isa)),
      weights(group_weights * columns_.product_groups),
      zeros(columns_.source_channels) {
    std::fill_n(zeros.data(), zeros.size(), C(0));
    prefer_large_pages(weights.data(), weights.size() * static_cast<Index>(sizeof(C)));
    fill(kernel, threads);
}

template <class T>
void FastPacked<T>::fill(const KernelRows<C>& kernel, int threads) {
    if (weights.size() < serial_numbers) threads = 1;
    for (Index group = 0; group < columns.product_groups; ++group)
        for (const FastWindow& w : windows)
            parallel_for(threads, panels(w) * w.steps,
                         [&](Index unit, int) { fill_panel(kernel, group, w, unit / w.steps, unit % w.steps); });
}

template <class T>
Buffer<compute_t<T>> unpack(const detail::Packed<T>& packed) {
    using C = compute_t<T>;
    const Index channels = packed.source_channels, filters = packed.target_channels;
    const auto blocks = static_cast<Index>(packed.blocks.size());
    Index of_group = channels * filters;
    for (const Axis& axis : packed.axes) of_group *= axis.kernel;
    Buffer<C> kernel(of_group * packed.product_groups);
    const int threads = kernel.size() > serial_numbers ? default_threads() : 1;
    parallel_for(threads, blocks * packed.product_groups, [&](Index unit, int) {
        const Block& block = packed.blocks[static_cast<std::size_t>(unit % blocks)];
        const Index group = unit / blocks;
        const C* from = packed.weights.data() + group * packed.group_weights + block.weights;
        const auto& members = packed.window_of(block).members;
        for (const Step& step : packed.steps_of(block)) {
            const Index depth = packed.depth(step);
            const bool dots = packed.form == Form::dots;
            const Index from_column = dots ? depth : 1, from_channel = dots ? 1 : block.panel;
            for (Index tap = step.first_tap; tap < step.last_tap; ++tap, from += depth * block.panel) {
                for (Index n = 0; n < block.columns;) {
                    const Index column = block.first + n, channel = column % filters;
                    const Index run = std::min(filters - channel, block.columns - n);
                    const auto& member = members[static_cast<std::size_t>(column / filters)];
                    Index place = 0, scale = 1, m = tap;
                    for (std::size_t a = packed.axes.size(); a-- > 0;) {
                        place += (member[a].first_tap + m % member[a].taps * member[a].tap_step) * scale;
                        m /= member[a].taps;
                        scale *= packed.axes[a].kernel;
                    }
                    C* const to = kernel.data() + group * of_group + place * channels * filters + channel;
                    for (Index k = step.first_channel; k < step.last_channel; ++k) {
                        const C* const row = from + n * from_column + (k - step.first_channel) * from_channel;
                        for (Index i = 0; i < run; ++i) to[k * filters + i] = row[i * from_column];
                    }
                    n += run;
                }
            }
        }
    });
    return kernel;
}

// [step][set][channel][width]: a channel's entries are looked up once for all of its points.
template <class T>
void FastPacked<T>::fill_panel(const KernelRows<C>& kernel, Index group, const FastWindow& w, Index panel, Index step) {
    const Index lanes = width(w, panel), first = panel * columns.full_width, filters = columns.target_channels;
    const Index real = std::min(lanes, w.columns - first), begin = w.step_channel(step), end = w.step_channel(step + 1);
    C* const to = weights.data() + group * group_weights + panel_weights(w, panel) +
                  begin * static_cast<Index>(w.sets.size()) * lanes;
    std::vector<Run> runs;
    for (Index n = 0; n < real; n += runs.back().count) {
        const Index channel = (first + n) % filters;
        runs.push_back({n, std::min(filters - channel, real - n), channel,
                        &w.window.members[static_cast<std::size_t>((first + n) / filters)]});
    }
    const Index some = std::clamp<Index>(numbers_at_once / (w.points * lanes), 1, 8);  // channels at once
    const Index row = ceil_div(some * lanes, 8) * 8;
    std::vector<double> numbers(static_cast<std::size_t>(w.points * row));
    const std::vector<Line> lines = lines_of(w);
    std::vector<Entry> entries;
    std::vector<const C*> places;
    const std::size_t axes = w.axes.size();
    const auto scheme = [&](std::size_t i) { return static_cast<std::size_t>(w.schemes[w.axes[i]]); };
    const auto plane = transforms.weigh_plane[axes > 1 ? scheme(axes - 2) : 0][axes > 0 ? scheme(axes - 1) : 0];
    Index slice = 1;  // points of the last two axes
    for (std::size_t i = axes > 2 ? axes - 2 : 0; i < axes; ++i) slice *= points_of(w.schemes[w.axes[i]]);
    std::vector<Index> sets(static_cast<std::size_t>(w.points));  // of the part, by point
    std::vector<C*> targets(static_cast<std::size_t>(w.points));
    for (Index part = 0; part < w.parts; ++part) {
        find_entries(kernel, group, w, columns, part, runs, &entries, &places);
        std::fill(sets.begin(), sets.end(), -1);
        for (std::size_t set = 0; set < w.sets.size(); ++set)
            if (w.sets[set].part == part) sets[static_cast<std::size_t>(w.sets[set].point)] = static_cast<Index>(set);
        for (Index k = begin; k < end; k += some) {
            const Index count = std::min(some, end - k);
            for (const Entry& entry : entries) {
                double* const to_entry = numbers.data() + entry.point * row;
                if (entry.zero || real < lanes) std::fill_n(to_entry, row, 0.0);
                if (entry.zero) continue;
                for (std::size_t r = 0; r < runs.size(); ++r)
                    for (Index c = 0; c < count; ++c) {
                        const C* const from = places[entry.first + r] + (k + c) * kernel.of_channel;
                        if (k + c + some < end) __builtin_prefetch(from + some * kernel.of_channel);
                        double* const here = to_entry + c * lanes + runs[r].at;
                        for (Index i = 0; i < runs[r].count; ++i) here[i] = static_cast<double>(from[i]);
                    }
            }
            for (const Line& line : lines)
                transforms.weigh[static_cast<std::size_t>(line.scheme)](numbers.data() + line.first * row,
                                                                        line.stride * row, row);
            for (std::size_t point = 0; point < sets.size(); ++point)
                targets[point] = sets[point] < 0 ? nullptr : to + (sets[point] * (end - begin) + k - begin) * lanes;
            for (Index point = 0; point < w.points; point += slice)
                plane(numbers.data() + point * row, row, targets.data() + point, count * lanes);
        }
    }
}

template Buffer<float> unpack(const detail::Packed<float>&);
template Buffer<double> unpack(const detail::Packed<double>&);
template Buffer<float> unpack(const detail::Packed<float16>&);
template Buffer<float> unpack(const detail::Packed<bfloat16>&);
template class FastPacked<float>;
template class FastPacked<double>;
template class FastPacked<float16>;
template class FastPacked<bfloat16>;

}  // namespace tconv
