#include "fast/packed.hpp"

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
constexpr Index panels_at_once = 4;
constexpr Index unpacked_numbers = 1 << 20;  // of a packed kernel at once
constexpr Index numbers_at_once = 3072;      // doubles of some channels, all points and lanes: in the first cache

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

/// What an entry of a part meets: a tap along each axis, or nothing.
struct Entry {
    Index point;  // where it lies
    std::vector<Index> taps;
    bool zero;
};

/// Columns that are transformed together.
template <class C>
struct Panel {
    Index lanes, real;  // computed, and there
    C* to;
    std::vector<Run> runs;
    std::vector<const C*> places;  // [entry][run] in the kernel
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

/// The entries of a part.
std::vector<Entry> entries_of(const FastWindow& w, Index part) {
    const std::size_t rank = w.schemes.size();
    std::vector<const FastPart*> parts(rank);
    for (std::size_t a = rank; a-- > 0;) {
        parts[a] = &w.along[a][static_cast<std::size_t>(part % w.parts_along(a))];
        part /= w.parts_along(a);
    }
    std::vector<Entry> entries;
    for (Index point = 0; point < w.points; ++point) {
        if (!is_entry(w, point, 0)) continue;
        Entry entry{point, {}, false};
        for (std::size_t a = 0; a < rank; ++a) {
            const Index at = point / point_stride(w, a) % points_of(w.schemes[a]);
            entry.taps.push_back(parts[a]->first_tap + at * parts[a]->tap_step);
            entry.zero = entry.zero || entry.taps[a] < 0 || entry.taps[a] >= w.window.taps_along[a];
        }
        entries.push_back(std::move(entry));
    }
    return entries;
}

/// Where each entry's runs of columns are in a group's kernel.
template <class C>
void find_places(const KernelRows<C>& kernel, const C* of_group, const detail::Columns& columns,
                 const std::vector<Entry>& entries, Panel<C>* panel) {
    panel->places.clear();
    for (const Entry& entry : entries) {
        for (const Run& run : panel->runs) {
            Index place = 0;
            for (std::size_t a = 0; a < entry.taps.size(); ++a) {
                const Phase& phase = (*run.member)[a];
                place = place * columns.axes[a].kernel + phase.first_tap + entry.taps[a] * phase.tap_step;
            }
            panel->places.push_back(entry.zero ? nullptr : of_group + place * kernel.of_tap + run.channel);
        }
    }
}

/// The entries' numbers of `count` channels from k on, `row` from one entry's point to the next. Those of as many
/// channels more are asked for.
template <class C>
void take(const KernelRows<C>& kernel, const std::vector<Entry>& entries, const Panel<C>& panel, Index k, Index count,
          bool more, double* numbers, Index row) {
    const C* const* place = panel.places.data();
    for (const Entry& entry : entries) {
        double* const to = numbers + entry.point * row;
        if (entry.zero || panel.real < panel.lanes) std::fill_n(to, row, 0.0);
        for (const Run& run : panel.runs) {
            const C* from = *place++;
            if (entry.zero) continue;
            from += k * kernel.of_channel;
            for (Index c = 0; c < count; ++c, from += kernel.of_channel) {
                if (more) __builtin_prefetch(from + count * kernel.of_channel);
                double* const here = to + c * panel.lanes + run.at;
                for (Index i = 0; i < run.count; ++i) here[i] = static_cast<double>(from[i]);
            }
        }
    }
}

}  // namespace

template <class T>
FastPacked<T>::FastPacked(const detail::Columns& columns_, FastChoice choice_, Isa isa)
    : FastColumns(columns_, std::move(choice_)),
      kernels(kernels_for<C>(isa)),
      transforms(fast_kernels_for<C>(isa)),
      converters(converters_for(isa)),
      zeros(columns_.source_channels) {
    std::fill_n(zeros.data(), zeros.size(), C(0));
}

template <class T>
void FastPacked<T>::reserve(Index numbers) {
    weights_ = Buffer<C>(numbers);
    prefer_large_pages(weights_.data(), numbers * static_cast<Index>(sizeof(C)));
}

template <class T>
void FastPacked<T>::reserve_panels(const FastWindow& w, Index count) {
    reserve(panel_weights(w, count) - panel_weights(w, 0));
}

template <class T>
void FastPacked<T>::refill(const KernelRows<C>& kernel, Index group, const FastWindow& w, Index first, Index last,
                           int threads) {
    first_ = group * group_weights + panel_weights(w, first);
    const Index steps = w.steps();
    parallel_for(threads, ceil_div(last - first, panels_at_once) * steps, [&](Index unit, int) {
        const Index panel = first + unit / steps * panels_at_once;
        fill_panels(kernel, group, w, panel, std::min(panel + panels_at_once, last), unit % steps);
    });
}

template <class T>
void FastPacked<T>::fill(const KernelRows<C>& kernel, int threads) {
    reserve(numbers());
    fill_all(kernel, threads);
}

template <class T>
void FastPacked<T>::fill_all(const KernelRows<C>& kernel, int threads) {
    if (numbers() < serial_numbers) threads = 1;
    std::vector<Index> first{0};  // of each window's units, which are a bundle of panels and a step
    for (const FastWindow& w : windows) first.push_back(first.back() + ceil_div(panels(w), panels_at_once) * w.steps());
    parallel_for(threads, first.back() * columns.product_groups, [&](Index number, int) {
        const Index unit = number % first.back();
        const auto next = std::upper_bound(first.begin(), first.end(), unit);
        const FastWindow& w = windows[static_cast<std::size_t>(next - first.begin()) - 1];
        const Index rest = unit - *(next - 1), steps = w.steps(), panel = rest / steps * panels_at_once;
        fill_panels(kernel, number / first.back(), w, panel, std::min(panel + panels_at_once, panels(w)), rest % steps);
    });
}

template <class T>
void FastPacked<T>::fill(const detail::Packed<T>& packed, int threads) {
    const Index of_channel = packed.unpacked_channel(),
                taps = of_channel / packed.target_channels / packed.product_groups;
    const Index some = std::min(std::max<Index>(unpacked_numbers / of_channel, 1), packed.source_channels);
    Buffer<C> numbers(some * of_channel);
    reserve(this->numbers());
    if (this->numbers() < serial_numbers) threads = 1;
    for (Index first = 0; first < packed.source_channels; first += some) {
        const Index last = std::min(first + some, packed.source_channels);
        packed.unpack(first, last, threads, numbers.data());
        const Index of_tap = (last - first) * packed.target_channels;
        fill_all({numbers.data(), first, last, taps * of_tap, of_tap, packed.target_channels}, threads);
    }
}

// Panels that are neighbours are filled in turn, some channels of each: they lie side by side in the kernel.
template <class T>
void FastPacked<T>::fill_panels(const KernelRows<C>& kernel, Index group, const FastWindow& w, Index first_panel,
                                Index last_panel, Index step) {
    const Index filters = columns.target_channels, begin = w.step_channel(step), end = w.step_channel(step + 1);
    const Index first = std::max(begin, kernel.first), last = std::min(end, kernel.last);
    if (first >= last) return;
    const auto all_sets = static_cast<Index>(w.sets.size());
    std::vector<Panel<C>> some_panels;
    for (Index p = first_panel; p < last_panel; ++p) {
        const Index lanes = width(w, p), column = p * columns.full_width;
        Panel<C> panel{lanes,
                       std::min(lanes, w.columns - column),
                       weights_.data() + place_of(group, w, p) + begin * all_sets * lanes,
                       {},
                       {}};
        for (Index n = 0; n < panel.real; n += panel.runs.back().count) {
            const Index channel = (column + n) % filters;
            panel.runs.push_back({n, std::min(filters - channel, panel.real - n), channel,
                                  &w.window.members[static_cast<std::size_t>((column + n) / filters)]});
        }
        some_panels.push_back(std::move(panel));
    }
    const std::size_t axes = w.axes.size();
    const auto scheme = [&](std::size_t i) { return static_cast<std::size_t>(w.schemes[w.axes[i]]); };
    const auto plane = transforms.weigh_plane[axes > 1 ? scheme(axes - 2) : 0][axes > 0 ? scheme(axes - 1) : 0];
    const std::vector<Line> lines = lines_of(w);
    Index slice = 1;  // points of the last two axes
    for (std::size_t i = axes > 2 ? axes - 2 : 0; i < axes; ++i) slice *= points_of(w.schemes[w.axes[i]]);
    const Index some = std::clamp<Index>(numbers_at_once / (w.points * columns.full_width), 1, 8);  // channels at once
    const Index row = ceil_div(some * columns.full_width, 8) * 8;
    std::vector<double> numbers(static_cast<std::size_t>(w.points * row));
    std::vector<C*> targets(static_cast<std::size_t>(w.points));
    for (Index part = 0; part < w.parts; ++part) {
        const std::vector<Entry> entries = entries_of(w, part);
        for (Panel<C>& panel : some_panels)
            find_places(kernel, kernel.numbers + group * kernel.of_group, columns, entries, &panel);
        for (Index k = first; k < last; k += some) {
            const Index count = std::min(some, last - k);
            for (const Panel<C>& panel : some_panels) {
                take(kernel, entries, panel, k - kernel.first, count, k + 2 * some <= last, numbers.data(), row);
                for (const Line& line : lines)
                    transforms.weigh[static_cast<std::size_t>(line.scheme)](numbers.data() + line.first * row,
                                                                            line.stride * row, row);
                for (Index point = 0; point < w.points; ++point) {
                    const Index set = w.set_of[static_cast<std::size_t>(point * w.parts + part)];
                    const bool here = set >= 0 && w.sets[static_cast<std::size_t>(set)].point == point;
                    targets[static_cast<std::size_t>(point)] =
                        here ? panel.to + (set * (end - begin) + k - begin) * panel.lanes : nullptr;
                }
                for (Index point = 0; point < w.points; point += slice)
                    plane(numbers.data() + point * row, row, targets.data() + point, count * panel.lanes);
            }
        }
    }
}

template class FastPacked<float>;
template class FastPacked<double>;
template class FastPacked<float16>;
template class FastPacked<bfloat16>;

}  // namespace tconv
