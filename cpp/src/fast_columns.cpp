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

/// G of a scheme: points from taps, the last tap first.
constexpr double to_two_by_two[3][2] = {{1, 0}, {1, 1}, {0, 1}};
constexpr double to_three_by_two[4][2] = {{1, 0}, {0.5, 0.5}, {0.5, -0.5}, {0, 1}};
constexpr double to_two_by_three[4][3] = {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};

double weight_of(Scheme s, Index point, Index entry) {
    switch (s) {
        case Scheme::one:
            return 1;
        case Scheme::two_by_two:
            return to_two_by_two[point][entry];
        case Scheme::three_by_two:
            return to_three_by_two[point][entry];
        case Scheme::two_by_three:
            return to_two_by_three[point][entry];
    }
    return 0;
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

template <class T>
void FastPacked<T>::fill(const Buffer<C>& kernel, Index group, const FastWindow& w, Index panel) {
    const Index channels = packed.source_channels, filters = packed.target_channels;
    const Index panel_width = width(w, panel), first = panel * packed.full_width;
    const std::size_t rank = w.schemes.size();
    C* const to = weights.data() + group * group_weights + panel_weights(w, panel);

    std::vector<Index> part_at(rank, 0), entry_at(rank, 0);
    std::vector<double> numbers(static_cast<std::size_t>(w.points * chunk));
    for (Index n = 0; n < panel_width; ++n) {
        const Index column = first + n;
        for (Index step = 0; step < w.steps; ++step) {
            const Index begin = step_channel(w, step), end = step_channel(w, step + 1);
            for (Index part = 0; part < w.parts; ++part) {
                C* const to_part = to + (begin * w.parts + part * (end - begin)) * panel_width + n;
                const Index point_stride = w.parts * channels * panel_width;
                if (column >= w.columns) {
                    for (Index point = 0; point < w.points; ++point)
                        for (Index k = begin; k < end; ++k)
                            to_part[point * point_stride + (k - begin) * panel_width] = 0;
                    continue;
                }
                const auto& member = w.window.members[static_cast<std::size_t>(column / filters)];
                for (std::size_t a = rank, rest = static_cast<std::size_t>(part); a-- > 0;) {
                    part_at[a] = static_cast<Index>(rest) % w.parts_along[a];
                    rest /= static_cast<std::size_t>(w.parts_along[a]);
                }
                for (Index k = begin; k < end; k += chunk) {
                    const Index some = std::min(chunk, end - k);
                    // The taps, as the first entries along each axis; then each axis in place, from entries to points.
                    for (Index point = 0; point < w.points; ++point) {
                        Index place = 0, scale = packed.target_channels;
                        bool inside = true;
                        Index rest = point;
                        for (std::size_t a = rank; a-- > 0;) {
                            const Index q = taps_of(w.schemes[a]), entry = rest % points_of(w.schemes[a]);
                            rest /= points_of(w.schemes[a]);
                            const Index m = part_at[a] * q + q - 1 - entry;
                            inside = inside && entry < q && m < member[a].taps;
                            place += (member[a].first_tap + m * member[a].tap_step) * scale;
                            scale *= packed.axes[a].kernel;
                        }
                        double* row = numbers.data() + point * chunk;
                        if (!inside) {
                            std::fill_n(row, some, 0.0);
                            continue;
                        }
                        const C* from = kernel.data() + (place + column % filters) * channels + k;
                        for (Index i = 0; i < some; ++i) row[i] = static_cast<double>(from[i]);
                    }
                    for (Index stride = 1, a = static_cast<Index>(rank) - 1; a >= 0; --a) {
                        const Scheme scheme = w.schemes[static_cast<std::size_t>(a)];
                        const Index count = points_of(scheme), q = taps_of(scheme);
                        if (scheme != Scheme::one) {
                            for (Index at = 0; at < w.points; ++at) {
                                if (at / stride % count != 0) continue;
                                for (Index i = 0; i < some; ++i) {
                                    double entries[4];
                                    for (Index e = 0; e < q; ++e)
                                        entries[e] = numbers[static_cast<std::size_t>((at + e * stride) * chunk + i)];
                                    for (Index p = 0; p < count; ++p) {
                                        double sum = 0;
                                        for (Index e = 0; e < q; ++e) sum += weight_of(scheme, p, e) * entries[e];
                                        numbers[static_cast<std::size_t>((at + p * stride) * chunk + i)] = sum;
                                    }
                                }
                            }
                        }
                        stride *= count;
                    }
                    for (Index point = 0; point < w.points; ++point)
                        for (Index i = 0; i < some; ++i)
                            to_part[point * point_stride + (k - begin + i) * panel_width] =
                                static_cast<C>(numbers[static_cast<std::size_t>(point * chunk + i)]);
                }
            }
        }
    }
}

template class FastPacked<float>;
template class FastPacked<double>;
template class FastPacked<float16>;
template class FastPacked<bfloat16>;

}  // namespace tconv
