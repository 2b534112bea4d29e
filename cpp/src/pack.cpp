#include "pack.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include <tconv/error.hpp>

#include "checked.hpp"
#include "dispatch.hpp"
#include "parallel.hpp"

namespace tconv::detail {
namespace {

// Products in a step, and taps in one: a panel of a step fits the second cache beside the rows it meets.
constexpr Index step_products = 1024, step_taps = 32;
// What the choice of windows weighs, in products: finding a row, a row's pixel under a tap, a column stored alone;
// and the time of a half panel, whose few sums wait for each other, as a part of a full one's.
constexpr double per_row = 160, per_tap = 64, per_scattered = 16, half_panel = 0.75;
// Columns of a depthwise block.
constexpr Index depthwise_columns = 64;

Index round_up(Index n, Index multiple) { return ceil_div(n, multiple) * multiple; }

}  // namespace

Columns::Columns(const Geometry<dynamic>& g, Direction direction_, Index tile_rows_, Index full_width_)
    : direction(direction_),
      groups(g.groups),
      in_channels(g.in_channels),
      filters(g.filters),
      axes(g.axes),
      depthwise(g.groups > 1 && g.in_channels == g.groups && g.filters == g.groups),
      product_groups(depthwise ? 1 : g.groups),
      tile_rows(tile_rows_),
      full_width(full_width_) {
    const bool forward = direction == Direction::forward;
    source_channels = (forward ? in_channels : filters) / product_groups;
    target_channels = (forward ? filters : in_channels) / product_groups;
    for (const Axis& axis : axes) phases.push_back(forward ? forward_phases(axis) : backward_phases(axis));
    choose_windows();
    make_steps();
    make_blocks();
}

// Joining phases fills panels better when there are few target channels, and a row is looked at once for all of them.
// The cost of a choice is in products per row: those computed, padding included, and what else takes as long. Rows
// that a join wastes at the ends of each axis count for a tenth.
void Columns::choose_windows() {
    if (depthwise) {
        windows = make_windows(phases, Join::none);
        return;
    }
    double best = 0;
    for (const Join join : {Join::none, Join::last_axis, Join::all_axes}) {
        std::vector<Window> candidate = make_windows(phases, join);
        double cost = 0;
        bool waste = false;
        for (const Window& window : candidate) {
            const Index columns = static_cast<Index>(window.members.size()) * target_channels;
            const Index run = product_groups == 1 ? window.run * target_channels : target_channels;
            cost += per_row + per_tap * static_cast<double>(window.taps);
            waste = waste || (window.members.size() > 1 && window.taps > 1);
            for (Index first = 0; first < columns; first += full_width) {
                const Index real = std::min(full_width, columns - first);
                const double width = static_cast<double>(full_width) * (real > full_width / 2 ? 1.0 : half_panel);
                cost += static_cast<double>(window.taps) * static_cast<double>(source_channels) * width;
                if (first / run != (first + real - 1) / run) cost += per_scattered * static_cast<double>(real);
            }
        }
        if (waste) cost *= 1.1;
        if (windows.empty() || cost < best) {
            best = cost;
            windows = std::move(candidate);
        }
    }
}

void Columns::make_steps() {
    for (const Window& window : windows) {
        std::vector<Step> list;
        const Index channels = depthwise ? 1 : source_channels;
        const Index taps = std::min(window.taps, window.taps * channels <= step_products ? window.taps : step_taps);
        const Index depth = std::max<Index>(step_products / taps, 1);
        const Index parts = std::max<Index>(ceil_div(channels, depth), 1);
        for (Index tap = 0; tap < window.taps; tap += taps)
            for (Index part = 0; part < parts; ++part)
                list.push_back(
                    {tap, std::min(tap + taps, window.taps), channels * part / parts, channels * (part + 1) / parts});
        steps.push_back(std::move(list));
    }
}

void Columns::make_blocks() {
    const Index full = depthwise ? depthwise_columns : full_width, half = full_width / 2;
    Checked size = 0;
    for (std::size_t w = 0; w < windows.size(); ++w) {
        const Index columns = static_cast<Index>(windows[w].members.size()) * target_channels;
        const Checked products = Checked(windows[w].taps) * (depthwise ? 1 : source_channels);
        for (Index first = 0; first < columns; first += full) {
            const Index real = std::min(full, columns - first), width = round_up(real, half);
            blocks.push_back({static_cast<Index>(w), first, real, width, size.value(), group_bias});
            size = size + products * width;
            group_bias += width;
        }
    }
    group_weights = size.value();
    if ((size * product_groups).overflowed()) throw std::bad_alloc();
}

template <class T>
Packed<T>::Packed(const Geometry<dynamic>& g, const T* kernel, Isa isa, Direction direction_)
    : Columns(g, direction_, kernels_for<C>(isa).tile_rows, kernels_for<C>(isa).width),
      kernels(&kernels_for<C>(isa)),
      converters(&converters_for(isa)),
      weights(group_weights * product_groups),
      zeros(std::max<Index>(source_channels, 1)) {
    std::fill_n(zeros.data(), zeros.size(), C(0));
    fill(kernel);
}

template <class T>
void Packed<T>::fill(const T* kernel) {
    const Index count = static_cast<Index>(blocks.size());
    const int threads = group_weights * product_groups > 1 << 16 ? default_threads() : 1;
    parallel_for(threads, count * product_groups, [&](Index unit, int) {
        fill_block(kernel, unit / count, blocks[static_cast<std::size_t>(unit % count)]);
    });
    C sum = 0;  // a NaN or infinity times zero is a NaN, and stays one
    for (Index i = 0; i < weights.size(); ++i) sum += weights[i] * C(0);
    finite = sum == C(0);
}

// kernel[tap][filter][in_channel], of which one of the two channels is the source and one the target.
template <class T>
void Packed<T>::fill_block(const T* kernel, Index group, const Block& block) {
    const bool forward = direction == Direction::forward;
    const Index filters_of_group = filters / groups;
    const Index tap_stride = filters_of_group * in_channels;
    const Index source_stride = forward ? 1 : in_channels;
    const Window& window = windows[static_cast<std::size_t>(block.window)];
    const T* base = kernel + group * (in_channels / product_groups);
    C* to = weights.data() + group * group_weights + block.weights;

    // The kernel's offset of tap m of a member: its taps along the axes, row by row.
    const auto tap_offset = [&](const std::vector<Phase>& member, Index m) {
        Index offset = 0, scale = 1;
        for (std::size_t a = axes.size(); a-- > 0;) {
            const Phase& phase = member[a];
            offset += (phase.first_tap + m % phase.taps * phase.tap_step) * scale;
            m /= phase.taps;
            scale *= axes[a].kernel;
        }
        return offset * tap_stride;
    };

    for (const Step& step : steps[static_cast<std::size_t>(block.window)]) {
        const Index depth = step.last_channel - step.first_channel;
        for (Index tap = step.first_tap; tap < step.last_tap; ++tap, to += depth * block.width) {
            for (Index n = 0; n < block.width; ++n) {
                if (n >= block.columns) {
                    for (Index k = 0; k < depth; ++k) to[k * block.width + n] = C(0);
                    continue;
                }
                const Index column = block.first + n, channel = column % target_channels;
                const T* from =
                    base + tap_offset(window.members[static_cast<std::size_t>(column / target_channels)], tap);
                if (depthwise) {
                    to[n] = widen(from[channel]);
                    continue;
                }
                from += channel * (forward ? in_channels : 1) + step.first_channel * source_stride;
                for (Index k = 0; k < depth; ++k) to[k * block.width + n] = widen(from[k * source_stride]);
            }
        }
    }
}

void Columns::demand_fit(const Geometry<dynamic>& g) const {
    bool fits =
        g.groups == groups && g.in_channels == in_channels && g.filters == filters && g.axes.size() == axes.size();
    for (std::size_t a = 0; fits && a < axes.size(); ++a) {
        fits = g.axes[a].kernel == axes[a].kernel && g.axes[a].stride == axes[a].stride &&
               g.axes[a].dilation == axes[a].dilation;
    }
    if (!fits) {
        throw ShapeError(
            "conv_transpose: the plan was packed for another kernel shape, strides, dilations, channels or groups; "
            "make a new plan.");
    }
}

template <class T>
void Packed<T>::demand_fit(const Geometry<dynamic>& g, const Options& options) const {
    Columns::demand_fit(g);
    if (kernels != &kernels_for<C>(options.isa)) {
        throw ShapeError(std::string("conv_transpose: the plan was packed for isa=\"") + name(kernels->isa) +
                         "\" but is run with isa=\"" + name(options.isa) + "\"; make a new plan.");
    }
}

template class Packed<float>;
template class Packed<double>;
template class Packed<float16>;
template class Packed<bfloat16>;

}  // namespace tconv::detail
