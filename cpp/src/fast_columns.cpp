#include "fast_columns.hpp"

#include <algorithm>
#include <new>
#include <utility>

#include "checked.hpp"
#include "pages.hpp"
#include "parallel.hpp"

namespace tconv {
namespace {

using detail::Block;
using detail::Step;

constexpr Index step_products = 1024;  // in a chain of sums that stays in registers
constexpr Index chunk = 16;            // channels transformed at once

/// G of a scheme, points from taps, the last tap first: of a chunk of numbers, which lie `step` apart, in place.
void apply_weights(Scheme scheme, double* x, Index step) {
    double *const x1 = x + step, *const x2 = x + 2 * step, *const x3 = x + 3 * step;
    for (Index i = 0; i < chunk; ++i) {
        switch (scheme) {
            case Scheme::one:
                break;
            case Scheme::two_by_two:
                x2[i] = x1[i];
                x1[i] = x[i] + x1[i];
                break;
            case Scheme::three_by_two:
                x3[i] = x1[i];
                x2[i] = 0.5 * (x[i] - x1[i]);
                x1[i] = 0.5 * (x[i] + x1[i]);
                break;
            case Scheme::two_by_three: {
                const double outer = 0.5 * (x[i] + x2[i]), inner = 0.5 * x1[i];
                x3[i] = x2[i];
                x1[i] = outer + inner;
                x2[i] = outer - inner;
                break;
            }
        }
    }
}

/// Points from one to the next along an axis.
Index point_stride(const FastWindow& w, std::size_t axis) {
    Index stride = 1;
    for (std::size_t a = axis + 1; a < w.schemes.size(); ++a) stride *= points_of(w.schemes[a]);
    return stride;
}

/// The kernel of a product group as it was, [tap][target channel][source channel], from the packed one.
template <class T>
Buffer<compute_t<T>> unpack(const detail::Packed<T>& packed, Index group) {
    using C = compute_t<T>;
    Index taps = 1;
    for (const Axis& axis : packed.axes) taps *= axis.kernel;
    const Index channels = packed.source_channels, filters = packed.target_channels;
    Buffer<C> kernel(taps * channels * filters);
    parallel_for(kernel.size() > 1 << 18 ? default_threads() : 1, static_cast<Index>(packed.blocks.size()),
                 [&](Index number, int) {
                     const Block& block = packed.blocks[static_cast<std::size_t>(number)];
                     const C* from = packed.weights.data() + group * packed.group_weights + block.weights;
                     for (const Step& step : packed.steps_of(block)) {
                         const Index depth = packed.depth(step);
                         const bool dots = packed.form == Form::dots;
                         const Index to_column = dots ? depth : 1, to_channel = dots ? 1 : block.panel;
                         for (Index tap = step.first_tap; tap < step.last_tap; ++tap, from += depth * block.panel) {
                             for (Index n = 0; n < block.columns; ++n) {
                                 const Index column = block.first + n;
                                 const auto& member =
                                     packed.window_of(block).members[static_cast<std::size_t>(column / filters)];
                                 Index place = 0, scale = 1, m = tap;
                                 for (std::size_t a = packed.axes.size(); a-- > 0;) {
                                     place += (member[a].first_tap + m % member[a].taps * member[a].tap_step) * scale;
                                     m /= member[a].taps;
                                     scale *= packed.axes[a].kernel;
                                 }
                                 C* to = kernel.data() + (place * filters + column % filters) * channels;
                                 for (Index k = step.first_channel; k < step.last_channel; ++k)
                                     to[k] = from[n * to_column + (k - step.first_channel) * to_channel];
                             }
                         }
                     }
                 });
    return kernel;
}

}  // namespace

bool has_fast(const detail::Columns& columns) {
    if (columns.form == Form::depthwise || columns.direction != Direction::forward) return false;
    bool several = false;
    for (const std::vector<Phase>& phases : columns.phases) {
        if (phases.empty()) return false;
        for (const Phase& phase : phases) several = several || phase.taps > 1;
    }
    for (std::size_t a = 0; a < columns.axes.size(); ++a)  // dead phases are bias only
        if (static_cast<Index>(columns.phases[a].size()) < columns.axes[a].stride) return false;
    return several;
}

FastWindow::FastWindow(Window window_, std::vector<Scheme> schemes_, Index source_channels, Index target_channels)
    : window(std::move(window_)), schemes(std::move(schemes_)) {
    for (std::size_t a = 0; a < schemes.size(); ++a) {
        parts_along.push_back(ceil_div(window.taps_along[a], taps_of(schemes[a])));
        parts *= parts_along.back();
        points *= points_of(schemes[a]);
        outputs *= outputs_of(schemes[a]);
        if (schemes[a] != Scheme::one) axes.push_back(a);
    }
    columns = static_cast<Index>(window.members.size()) * target_channels;
    steps = std::clamp<Index>(ceil_div(source_channels * parts, step_products), 1, source_channels);
}

FastColumns::FastColumns(const detail::Columns& columns_, FastChoice choice_)
    : columns(columns_), choice(std::move(choice_)) {
    const std::vector<Window> all = make_windows(columns.phases, choice.join);
    Checked size = 0;
    for (std::size_t w = 0; w < all.size(); ++w) {
        FastWindow window(all[w], choice.schemes[w], columns.source_channels, columns.target_channels);
        window.weights = size.value();
        window.bias = group_bias;
        const Index last = panels(window) - 1;
        const Checked of_window = Checked(last * columns.full_width + width(window, last)) * window.points *
                                  window.parts * columns.source_channels;
        size = size + of_window;
        group_bias += panels(window) * columns.full_width;
        windows.push_back(std::move(window));
    }
    group_weights = size.value();
    if ((size * columns.product_groups).overflowed()) throw std::bad_alloc();
}

Index FastColumns::width(const FastWindow& w, Index panel) const {
    const Index left = w.columns - panel * columns.full_width;
    return left > columns.full_width / 2 ? columns.full_width : columns.full_width / 2;
}

Index FastColumns::panel_weights(const FastWindow& w, Index panel) const {
    return w.weights + panel * columns.full_width * w.points * w.parts * columns.source_channels;
}

template <class T>
FastPacked<T>::FastPacked(const detail::Packed<T>& packed_, FastChoice choice_)
    : FastColumns(packed_, std::move(choice_)), packed(packed_), weights(group_weights * packed_.product_groups) {
    prefer_large_pages(weights.data(), weights.size() * static_cast<Index>(sizeof(C)));
    for (Index group = 0; group < packed.product_groups; ++group) {
        const Buffer<C> kernel = unpack(packed, group);
        for (const FastWindow& window : windows) {
            parallel_for(kernel.size() > 1 << 16 ? default_threads() : 1, panels(window),
                         [&](Index panel, int) { fill(kernel, group, window, panel); });
        }
    }
}

// [point][step][part][channel][width], some channels and one column after the other: their lines stay in the cache.
template <class T>
void FastPacked<T>::fill(const Buffer<C>& kernel, Index group, const FastWindow& w, Index panel) {
    const Index channels = packed.source_channels, panel_width = width(w, panel), first = panel * packed.full_width;
    const Index point_stride = w.parts * channels * panel_width;
    C* const to = weights.data() + group * group_weights + panel_weights(w, panel);
    std::vector<double> numbers(static_cast<std::size_t>(w.points * chunk));
    for (Index step = 0; step < w.steps; ++step) {
        const Index begin = step_channel(w, step), end = step_channel(w, step + 1);
        for (Index part = 0; part < w.parts; ++part) {
            const std::vector<Index> entries = entries_of(w, part);
            for (Index k = begin; k < end; k += chunk) {
                const Index some = std::min(chunk, end - k);
                C* const here = to + (begin * w.parts + part * (end - begin) + k - begin) * panel_width;
                for (Index n = 0; n < panel_width; ++n) {
                    if (first + n < w.columns) {
                        take(kernel, w, first + n, entries, k, some, numbers.data());
                        to_points(w, numbers.data());
                    } else {
                        std::fill(numbers.begin(), numbers.end(), 0.0);
                    }
                    for (Index point = 0; point < w.points; ++point)
                        for (Index i = 0; i < some; ++i)
                            here[point * point_stride + i * panel_width + n] =
                                static_cast<C>(numbers[static_cast<std::size_t>(point * chunk + i)]);
                }
            }
        }
    }
}

/// The tap along each axis that is entry e of a part, [point][axis]; past the axis' taps for points that are no entry.
template <class T>
std::vector<Index> FastPacked<T>::entries_of(const FastWindow& w, Index part) const {
    const std::size_t rank = w.schemes.size();
    std::vector<Index> part_at(rank), taps;
    for (std::size_t a = rank; a-- > 0;) {
        part_at[a] = part % w.parts_along[a];
        part /= w.parts_along[a];
    }
    for (Index point = 0; point < w.points; ++point) {
        for (std::size_t a = 0; a < rank; ++a) {
            const Index q = taps_of(w.schemes[a]);
            const Index entry = point / point_stride(w, a) % points_of(w.schemes[a]);
            taps.push_back(entry < q ? part_at[a] * q + q - 1 - entry : w.window.taps_along[a]);
        }
    }
    return taps;
}

/// A column's taps for some channels, each where the point lies that is its number.
template <class T>
void FastPacked<T>::take(const Buffer<C>& kernel, const FastWindow& w, Index column, const std::vector<Index>& entries,
                         Index channel, Index some, double* numbers) const {
    const auto& member = w.window.members[static_cast<std::size_t>(column / packed.target_channels)];
    const Index* tap = entries.data();
    for (Index point = 0; point < w.points; ++point) {
        Index place = 0;
        bool inside = true;
        for (std::size_t a = 0; a < member.size(); ++a, ++tap) {
            inside = inside && *tap < member[a].taps;
            place = place * packed.axes[a].kernel + member[a].first_tap + *tap * member[a].tap_step;
        }
        double* const row = numbers + point * chunk;
        if (!inside) {
            std::fill_n(row, chunk, 0.0);
            continue;
        }
        const C* const from =
            kernel.data() +
            (place * packed.target_channels + column % packed.target_channels) * packed.source_channels + channel;
        for (Index i = 0; i < some; ++i) row[i] = static_cast<double>(from[i]);
    }
}

/// G along each axis, in place.
template <class T>
void FastPacked<T>::to_points(const FastWindow& w, double* numbers) const {
    for (const std::size_t a : w.axes) {
        const Scheme scheme = w.schemes[a];
        const Index count = points_of(scheme), stride = point_stride(w, a) * chunk;
        for (Index outer = 0; outer < w.points * chunk; outer += count * stride)
            for (Index at = outer; at < outer + stride; at += chunk) apply_weights(scheme, numbers + at, stride);
    }
}

template class FastPacked<float>;
template class FastPacked<double>;
template class FastPacked<float16>;
template class FastPacked<bfloat16>;

}  // namespace tconv
