#include "fast/panel_filler.hpp"

#include <algorithm>
#include <utility>

#include "checked.hpp"

namespace tconv {
namespace {

constexpr Index numbers_at_once = 3072;  // doubles of some channels, all points and lanes: in the first cache
constexpr Index most_entries = 9, most_points = 16;  // along two axes

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

}  // namespace

template <class C>
PanelFiller<C>::PanelFiller(const FastColumns& columns, const FastWindow& window, const FastKernels<C>& transforms,
                            int workers)
    : columns_(columns), window_(window), transforms_(transforms) {
    const Index width = columns.columns.panel.width;
    some_ = std::clamp<Index>(numbers_at_once / (window.points * width), 1, 8);
    row_ = ceil_div(some_ * width, 8) * 8;
    find_lines();
    const std::size_t axes = window.axes.size();
    for (std::size_t i = axes > 2 ? axes - 2 : 0; i < axes; ++i) {
        const Scheme scheme = window.schemes[window.axes[i]];
        schemes_[i + 2 - axes] = static_cast<std::size_t>(scheme);  // not asked for if it is halves
        slice_ *= points_of(scheme);
    }
    std::size_t entries = 0;
    for (Index part = 0; part < window.parts; ++part) {
        find_entries(part);
        const std::vector<Entry>& all = parts_.back();
        entries = std::max(entries, all.size());
        const bool full = std::none_of(all.begin(), all.end(), [](const Entry& entry) { return entry.zero; });
        in_place_.push_back(full && lines_.empty() ? 1 : 0);
    }
    const auto runs = static_cast<std::size_t>(std::min(width, ceil_div(width, window.target_channels) + 1));
    scratch_.resize(static_cast<std::size_t>(workers));
    for (Scratch& scratch : scratch_) {
        scratch.panels.resize(static_cast<std::size_t>(panels_at_once));
        for (Panel& panel : scratch.panels) {
            panel.runs.reserve(runs);
            panel.places.reserve(runs * entries);
        }
        scratch.numbers.resize(static_cast<std::size_t>(window.points * row_));
        scratch.targets.resize(static_cast<std::size_t>(window.points));
    }
}

/// Along every axis but the last two, in turn: of what are entries along the axes to come, in place.
template <class C>
void PanelFiller<C>::find_lines() {
    for (std::size_t i = 0; i + 2 < window_.axes.size(); ++i) {
        const std::size_t axis = window_.axes[i];
        const Index stride = point_stride(window_, axis), count = points_of(window_.schemes[axis]);
        for (Index outer = 0; outer < window_.points; outer += count * stride)
            for (Index point = outer; point < outer + stride; ++point)
                if (is_entry(window_, point, axis + 1)) lines_.push_back({window_.schemes[axis], point, stride});
    }
}

template <class C>
void PanelFiller<C>::find_entries(Index part) {
    const std::size_t rank = window_.schemes.size();
    std::vector<const FastPart*> parts(rank);
    for (std::size_t a = rank; a-- > 0;) {
        parts[a] = &window_.along[a][static_cast<std::size_t>(part % window_.parts_along(a))];
        part /= window_.parts_along(a);
    }
    std::vector<Entry> entries;
    for (Index point = 0; point < window_.points; ++point) {
        if (!is_entry(window_, point, 0)) continue;
        Entry entry{point, {}, false};
        for (std::size_t a = 0; a < rank; ++a) {
            const Index at = point / point_stride(window_, a) % points_of(window_.schemes[a]);
            entry.taps.push_back(parts[a]->first_tap + at * parts[a]->tap_step);
            entry.zero = entry.zero || entry.taps[a] < 0 || entry.taps[a] >= window_.window.taps_along[a];
        }
        entries.push_back(std::move(entry));
    }
    parts_.push_back(std::move(entries));
}

template <class C>
void PanelFiller<C>::enter(Panel* panel, Index number, C* to) const {
    const Index filters = window_.target_channels, column = number * columns_.columns.panel.width;
    panel->lanes = columns_.width(window_, number);
    panel->real = std::min(panel->lanes, window_.columns - column);
    panel->to = to;
    panel->whole = panel->real == panel->lanes;
    panel->runs.clear();
    for (Index n = 0; n < panel->real; n += panel->runs.back().count) {
        const Index channel = (column + n) % filters;
        panel->runs.push_back({n, std::min(filters - channel, panel->real - n), channel,
                               &window_.window.members[static_cast<std::size_t>((column + n) / filters)]});
        panel->whole = panel->whole && panel->runs.back().count % (columns_.columns.panel.width / 2) == 0;
    }
}

/// Where each entry's runs of columns are in a group's kernel.
template <class C>
void PanelFiller<C>::find_places(const KernelRows<C>& kernel, const C* of_group, const std::vector<Entry>& entries,
                                 Panel* panel) const {
    panel->places.clear();
    for (const Entry& entry : entries) {
        for (const Run& run : panel->runs) {
            Index place = 0;
            for (std::size_t a = 0; a < entry.taps.size(); ++a) {
                const Phase& phase = (*run.member)[a];
                place = place * columns_.columns.axes[a].kernel + phase.first_tap + entry.taps[a] * phase.tap_step;
            }
            panel->places.push_back(entry.zero ? nullptr : of_group + place * kernel.of_tap + run.channel);
        }
    }
}

/// The entries' numbers of `count` channels from k on, a row from one entry's point to the next. Those of as many
/// channels more are asked for.
template <class C>
void PanelFiller<C>::take(const KernelRows<C>& kernel, const std::vector<Entry>& entries, const Panel& panel, Index k,
                          Index count, bool more, double* numbers) const {
    const C* const* place = panel.places.data();
    for (const Entry& entry : entries) {
        double* const to = numbers + entry.point * row_;
        if (entry.zero || panel.real < panel.lanes) std::fill_n(to, row_, 0.0);
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

/// `count` channels of a panel from k on, read where the kernel has them.
template <class C>
void PanelFiller<C>::weigh_kernel(const KernelRows<C>& kernel, const Panel& panel, Index k, Index count, bool more,
                                  C* const* targets) const {
    const auto weigh = transforms_.weigh_kernel.by[schemes_[0]][schemes_[1]];
    const std::size_t runs = panel.runs.size(), entries = panel.places.size() / runs;
    const C* from[most_entries];
    C* to[most_points];
    for (std::size_t r = 0; r < runs; ++r) {
        const Run& run = panel.runs[r];
        for (std::size_t e = 0; e < entries; ++e) from[e] = panel.places[e * runs + r] + k * kernel.of_channel;
        for (Index point = 0; point < slice_; ++point)
            to[point] = targets[point] == nullptr ? nullptr : targets[point] + run.at;
        weigh({from, to, count, kernel.of_channel, panel.lanes, run.count, more ? count * kernel.of_channel : 0});
    }
}

/// The same where channels and filters are cut into halves: they are whole vectors.
template <class C>
void PanelFiller<C>::weigh_halves(const KernelRows<C>& kernel, const Panel& panel, Index k, Index count, bool more,
                                  C* const* targets) const {
    for (std::size_t r = 0; r < panel.runs.size(); ++r) {
        const C* const first = panel.places[r] + k * kernel.of_channel;
        const C* from[halves_numbers];
        for (Index i = 0; i < halves_numbers; ++i)
            from[i] = first + i / 2 * kernel.of_half + i % 2 * window_.target_channels;
        C* to[halves_points];
        for (Index p = 0; p < halves_points; ++p) to[p] = targets[p] + panel.runs[r].at;
        transforms_.weigh_halves({from, to, count, kernel.of_channel, panel.lanes, panel.runs[r].count,
                                  more ? count * kernel.of_channel : 0});
    }
}

/// The last two axes of numbers that were transformed along all others, `count` at a point.
template <class C>
void PanelFiller<C>::weigh_slices(double* numbers, Index count, C* const* targets) const {
    for (const Line& line : lines_)
        transforms_.weigh[static_cast<std::size_t>(line.scheme)](numbers + line.first * row_, line.stride * row_, row_);
    const auto weigh = transforms_.weigh_plane.by[schemes_[0]][schemes_[1]];
    const Index taps0 = taps_of(static_cast<Scheme>(schemes_[0])), taps1 = taps_of(static_cast<Scheme>(schemes_[1]));
    const Index along = points_of(static_cast<Scheme>(schemes_[1]));
    for (Index first = 0; first < window_.points; first += slice_) {
        const double* from[most_entries];
        for (Index e = 0; e < taps0; ++e)
            for (Index f = 0; f < taps1; ++f) from[e * taps1 + f] = numbers + (first + e * along + f) * row_;
        weigh({from, targets + first, 1, 0, 0, count, 0});
    }
}

template <class C>
void PanelFiller<C>::fill(const KernelRows<C>& kernel, Index group, Index first_panel, Index last_panel, Index step,
                          C* to, int worker) {
    const FastWindow& w = window_;
    const Index begin = w.step_channel(step), end = w.step_channel(step + 1);
    const Index first = std::max(begin, kernel.first), last = std::min(end, kernel.last);
    if (first >= last) return;
    const auto all_sets = static_cast<Index>(w.sets.size());
    Scratch& scratch = scratch_[static_cast<std::size_t>(worker)];
    Panel* const panels = scratch.panels.data();
    Panel* const panels_end = panels + (last_panel - first_panel);
    double* const numbers = scratch.numbers.data();
    C** const targets = scratch.targets.data();
    for (Panel* panel = panels; panel < panels_end; ++panel) {
        const Index number = first_panel + (panel - panels);
        C* const here = to + columns_.panel_weights(w, number) - columns_.panel_weights(w, first_panel);
        enter(panel, number, here + begin * all_sets * columns_.width(w, number));
    }
    for (Index part = 0; part < w.parts; ++part) {
        const std::vector<Entry>& entries = parts_[static_cast<std::size_t>(part)];
        const bool in_place = in_place_[static_cast<std::size_t>(part)] != 0;
        for (Panel* panel = panels; panel < panels_end; ++panel)
            find_places(kernel, kernel.numbers + group * kernel.of_group, entries, panel);
        for (Index k = first; k < last; k += some_) {
            const Index count = std::min(some_, last - k);
            const bool more = k + 2 * some_ <= last;
            for (const Panel* panel = panels; panel < panels_end; ++panel) {
                for (Index point = 0; point < w.points; ++point) {
                    const Index set = w.set_of[static_cast<std::size_t>(point * w.parts + part)];
                    const bool here = set >= 0 && w.sets[static_cast<std::size_t>(set)].point == point;
                    targets[point] = here ? panel->to + (set * (end - begin) + k - begin) * panel->lanes : nullptr;
                }
                if (w.halves) {
                    weigh_halves(kernel, *panel, k - kernel.first, count, more, targets);
                } else if (in_place && panel->whole) {
                    weigh_kernel(kernel, *panel, k - kernel.first, count, more, targets);
                } else {
                    take(kernel, entries, *panel, k - kernel.first, count, more, numbers);
                    weigh_slices(numbers, count * panel->lanes, targets);
                }
            }
        }
    }
}

template class PanelFiller<float>;
template class PanelFiller<double>;

}  // namespace tconv
