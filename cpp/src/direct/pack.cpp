#include "direct/pack.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <type_traits>

#include <tconv/error.hpp>

#include "checked.hpp"
#include "dispatch.hpp"
#include "finite.hpp"
#include "layout.hpp"
#include "parallel.hpp"

namespace tconv::detail {
namespace {

// Products in a step, and taps in one: a panel of a step fits the second cache beside the rows it meets.
constexpr Index step_products = 1024, step_taps = 32;
// What the choice of windows weighs, in products: finding a row, a row's pixel under a tap, a column stored alone.
constexpr double per_row = 160, per_tap = 64, per_scattered = 16;
// A product in dots beside one in panels, the sum over a vector's lanes, and the rows that a join wastes at the ends.
constexpr double slower_dots = 1.1, per_lane = 6, wasted_rows = 1.1;
// Of narrower vectors, or the best ones it is: fast algorithms and sums of many rows fill those.
constexpr double least_gain = 1.05;
// Of thin products: turning a number, a product in planes beside one in panels, and what the whole has to gain.
constexpr double per_turned = 16, slower_planes = 1.15, least_thin_gain = 1.1;
// A product of one group whose vectors are as full as that is not thin.
constexpr double full_vectors = 1.2;
// Columns of a depthwise block.
constexpr Index depthwise_columns = 64;

}  // namespace

Columns::Columns(const Geometry<dynamic>& g, Direction direction_, const PanelShape& panel_)
    : direction(direction_),
      groups(g.groups),
      in_channels(g.in_channels),
      filters(g.filters),
      axes(g.axes),
      form(g.groups > 1 && g.in_channels == g.groups && g.filters == g.groups ? Form::depthwise : Form::panels),
      product_groups(form == Form::depthwise ? 1 : g.groups),
      panel(panel_) {
    const bool forward = direction == Direction::forward;
    source_channels = (forward ? in_channels : filters) / product_groups;
    target_channels = (forward ? filters : in_channels) / product_groups;
    // Without channels there are no sums, and an empty kernel may have any number of taps: no phase is live.
    const bool sums = source_channels > 0 && target_channels > 0;
    for (const Axis& axis : axes) {
        phases.push_back(!sums ? std::vector<Phase>() : forward ? forward_phases(axis) : backward_phases(axis));
    }
    choose_windows();
    make_steps();
    make_blocks();
}

Columns Columns::by_channel() const {
    Columns one = *this;
    one.product_groups = target_channels;
    one.source_channels = one.target_channels = 1;
    one.group_weights = one.group_bias = 0;
    one.blocks.clear();
    for (std::size_t w = 0; w < windows.size(); ++w) {
        one.blocks.push_back({static_cast<Index>(w), 0, 1, 1, 1, one.group_weights, one.group_bias++});
        one.group_weights += one.products(one.blocks.back());
    }
    return one;
}

Index Columns::depth(const Step& step) const {
    const Index channels = step.last_channel - step.first_channel;
    return form == Form::dots ? round_up(channels, panel.width / 2) : channels;
}

/// The time of a row in all windows, in products: those computed, padding included, and what else takes as long.
double Columns::cost(const std::vector<Window>& candidate, Form how) const {
    const auto number = [](Index n) { return static_cast<double>(n); };
    const Index lanes = panel.width / 2;
    double sum = 0;
    bool waste = false;
    for (const Window& window : candidate) {
        const Index columns = static_cast<Index>(window.members.size()) * target_channels;
        const Index run = product_groups == 1 ? window.run * target_channels : target_channels;
        sum += per_row + per_tap * number(window.taps);
        waste = waste || (window.members.size() > 1 && window.taps > 1);
        if (how == Form::dots) {
            sum += number(columns) *
                   (number(window.taps * round_up(source_channels, lanes)) * slower_dots + per_lane * number(lanes));
            continue;
        }
        for (Index first = 0; first < columns; first += panel.width) {
            const Index real = std::min(panel.width, columns - first);
            const double width = number(panel.width) * (real > lanes ? 1.0 : panel.half_panel);
            sum += number(window.taps) * number(source_channels) * width;
            if (first / run != (first + real - 1) / run) sum += per_scattered * number(real);
        }
    }
    return waste ? sum * wasted_rows : sum;
}

// Joining phases fills panels better when there are few target channels, and a row is looked at once for all of them.
void Columns::choose_windows() {
    if (form == Form::depthwise) {
        windows = make_windows(phases, Join::none);
        return;
    }
    for (const Join join : {Join::none, Join::last_axis, Join::all_axes}) {
        std::vector<Window> candidate = make_windows(phases, join);
        for (const Form how : {Form::panels, Form::dots}) {
            const double its_time = cost(candidate, how);
            if (!windows.empty() && its_time >= time) continue;
            time = its_time;
            windows = candidate;
            form = how;
        }
    }
    thin = direction == Direction::forward && source_channels <= panel.width / 2 &&
           target_channels * product_groups > 1 && thin_in(1, 1);
}

bool Columns::thin_in(double lanes, double pixels) const {
    const Index vector = panel.width / 2;
    double products = 0, spread = 0, turned = static_cast<double>(source_channels) * pixels;
    for (const Window& window : windows) {
        const Index columns = static_cast<Index>(window.members.size()) * target_channels;
        products += static_cast<double>(window.taps * source_channels * columns);
        spread += static_cast<double>(window.taps * (form == Form::dots ? round_up(source_channels, vector) * columns
                                                                        : source_channels * round_up(columns, vector)));
        turned += static_cast<double>(columns);
    }
    if (product_groups == 1 && spread < products * full_vectors) return false;
    return (products * lanes * slower_planes + turned * per_turned) * least_thin_gain < time;
}

void Columns::make_steps() {
    for (const Window& window : windows) {
        std::vector<Step> list;
        const Index channels = form == Form::depthwise ? 1 : source_channels;
        const Index taps = std::min(window.taps, window.taps * channels <= step_products ? window.taps : step_taps);
        const Index most = std::max<Index>(step_products / taps, 1);
        const Index parts = std::max<Index>(ceil_div(channels, most), 1);
        for (Index tap = 0; tap < window.taps; tap += taps)
            for (Index part = 0; part < parts; ++part)
                list.push_back(
                    {tap, std::min(tap + taps, window.taps), channels * part / parts, channels * (part + 1) / parts});
        steps.push_back(std::move(list));
    }
}

void Columns::make_blocks() {
    block_columns = form == Form::depthwise ? depthwise_columns : panel.width;
    Checked size = 0;
    for (std::size_t w = 0; w < windows.size(); ++w) {
        const Index columns = static_cast<Index>(windows[w].members.size()) * target_channels;
        Checked depth_of_window = 0;
        for (const Step& step : steps[w]) depth_of_window = depth_of_window + products(step);
        for (Index first = 0; first < columns; first += block_columns) {
            const Index real = std::min(block_columns, columns - first), width = round_up(real, panel.width / 2);
            const Index stored = form == Form::dots ? real : width;
            blocks.push_back({static_cast<Index>(w), first, real, width, stored, size.value(), group_bias});
            size = size + depth_of_window * stored;
            group_bias += width;
        }
    }
    group_weights = size.value();
    if ((size * product_groups).overflowed()) throw std::bad_alloc();
}

template <class C>
Columns columns_for(const Geometry<dynamic>& g, Direction direction, Isa isa, DataFormat format) {
    const PanelShape& panel = kernels_for<C>(isa);
    const Isa other = isa == Isa::best ? narrower(panel.isa) : panel.isa;
    Columns columns(g, direction, panel);
    if (other == panel.isa) return columns;
    Columns narrow(g, direction, kernels_for<C>(other));
    const bool planes = format_of(format, g.in_channels, g.filters) == DataFormat::channels_first;
    if (columns.thin || (planes && narrow.form == Form::dots)) return columns;
    return narrow.time * least_gain < columns.time ? narrow : columns;
}
template Columns columns_for<float>(const Geometry<dynamic>&, Direction, Isa, DataFormat);
template Columns columns_for<double>(const Geometry<dynamic>&, Direction, Isa, DataFormat);

template <class T>
Packed<T>::Packed(const Geometry<dynamic>& g, const T* kernel, Isa isa_, DataFormat format)
    : Columns(columns_for<C>(g, Direction::forward, isa_, format)),
      wanted(isa_),
      kernels(&kernels_for<C>(panel.isa)),
      converters(&converters_for(panel.isa)),
      weights(group_weights * product_groups),
      zeros(blocks.empty() ? 1 : source_channels) {
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
    finite = all_finite(weights.data(), weights.size(), threads);
}

// kernel[tap][filter][in_channel].
template <class T>
void Packed<T>::fill_block(const T* kernel, Index group, const Block& block) {
    const Index tap_stride = filters / groups * in_channels;
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

    for (const Step& step : steps_of(block)) {
        const Index channels = step.last_channel - step.first_channel, padded = depth(step);
        const Index to_column = form == Form::dots ? padded : 1, to_channel = form == Form::dots ? 1 : block.panel;
        for (Index tap = step.first_tap; tap < step.last_tap; ++tap, to += padded * block.panel) {
            for (Index n = 0; n < block.panel; ++n) {
                C* column_to = to + n * to_column;
                if constexpr (std::is_same_v<T, C>) {
                    if (form == Form::panels && n < block.columns) {  // neighbours of one member at once
                        const Index column = block.first + n, channel = column % target_channels;
                        const Index run = std::min(target_channels - channel, block.columns - n);
                        const auto& member = window.members[static_cast<std::size_t>(column / target_channels)];
                        kernels->turn(base + tap_offset(member, tap) + channel * in_channels + step.first_channel,
                                      in_channels, column_to, block.panel, run, channels);
                        n += run - 1;
                        continue;
                    }
                }
                if (n >= block.columns) {
                    for (Index k = 0; k < padded; ++k) column_to[k * to_channel] = C(0);
                    continue;
                }
                const Index column = block.first + n, channel = column % target_channels;
                const T* from =
                    base + tap_offset(window.members[static_cast<std::size_t>(column / target_channels)], tap);
                if (form == Form::depthwise) {
                    *column_to = widen(from[channel]);
                    continue;
                }
                from += channel * in_channels + step.first_channel;
                for (Index k = 0; k < channels; ++k) column_to[k * to_channel] = widen(from[k]);
                for (Index k = channels; k < padded; ++k) column_to[k * to_channel] = C(0);
            }
        }
    }
}

template <class T>
Index Packed<T>::unpacked_channel() const {
    Index numbers = target_channels * product_groups;
    for (const Axis& axis : axes) numbers *= axis.kernel;
    return numbers;
}

template <class T>
void Packed<T>::unpack(Index first, Index last, int threads, C* kernel) const {
    const Index channels = last - first, filters_of_group = target_channels;
    const auto count = static_cast<Index>(blocks.size());
    const Index of_group = channels * unpacked_channel() / product_groups;
    parallel_for(threads, count * product_groups, [&](Index unit, int) {
        const Block& block = blocks[static_cast<std::size_t>(unit % count)];
        const Index group = unit / count;
        const C* from = weights.data() + group * group_weights + block.weights;
        const auto& members = window_of(block).members;
        for (const Step& step : steps_of(block)) {
            const Index rows = depth(step);
            const bool dots = form == Form::dots;
            const Index from_column = dots ? rows : 1, from_channel = dots ? 1 : block.panel;
            for (Index tap = step.first_tap; tap < step.last_tap; ++tap, from += rows * block.panel) {
                for (Index n = 0; n < block.columns;) {
                    const Index column = block.first + n, channel = column % filters_of_group;
                    const Index run = std::min(filters_of_group - channel, block.columns - n);
                    const auto& member = members[static_cast<std::size_t>(column / filters_of_group)];
                    Index place = 0, scale = 1, m = tap;
                    for (std::size_t a = axes.size(); a-- > 0;) {
                        place += (member[a].first_tap + m % member[a].taps * member[a].tap_step) * scale;
                        m /= member[a].taps;
                        scale *= axes[a].kernel;
                    }
                    C* const to = kernel + group * of_group + place * channels * filters_of_group + channel;
                    for (Index k = std::max(first, step.first_channel); k < std::min(last, step.last_channel); ++k) {
                        const C* const row = from + n * from_column + (k - step.first_channel) * from_channel;
                        C* const to_row = to + (k - first) * filters_of_group;
                        if (from_column == 1) {
                            std::copy_n(row, run, to_row);
                        } else {
                            for (Index i = 0; i < run; ++i) to_row[i] = row[i * from_column];
                        }
                    }
                    n += run;
                }
            }
        }
    });
}

template <class T>
Packed<T>::Packed(const Geometry<dynamic>& g, const Packed& other)
    : Columns(g, Direction::forward, other.panel),
      wanted(other.wanted),
      kernels(other.kernels),
      converters(other.converters),
      weights(group_weights * product_groups),
      zeros(blocks.empty() ? 1 : source_channels) {
    std::fill_n(zeros.data(), zeros.size(), C(0));
    Buffer<C> rows(source_channels * other.unpacked_channel());
    other.unpack(0, source_channels, default_threads(), rows.data());
    Buffer<T> kernel(rows.size());
    const C* from = rows.data();
    const Index of_tap = target_channels * in_channels, taps = rows.size() / (of_tap == 0 ? 1 : of_tap);
    for (Index group = 0; group < product_groups; ++group)
        for (Index tap = 0; tap < taps; ++tap)
            for (Index k = 0; k < source_channels; ++k)
                for (Index n = 0; n < target_channels; ++n)
                    kernel[tap * of_tap + n * in_channels + group * source_channels + k] = narrow<T>(*from++);
    fill(kernel.data());
}

bool Columns::fits(const Geometry<dynamic>& g) const {
    bool fits =
        g.groups == groups && g.in_channels == in_channels && g.filters == filters && g.axes.size() == axes.size();
    for (std::size_t a = 0; fits && a < axes.size(); ++a) {
        fits = g.axes[a].kernel == axes[a].kernel && g.axes[a].stride == axes[a].stride &&
               g.axes[a].dilation == axes[a].dilation;
    }
    return fits;
}

void Columns::demand_fit(const Geometry<dynamic>& g) const {
    if (!fits(g)) {
        throw ShapeError(
            "conv_transpose: the plan was packed for another kernel shape, strides, dilations, channels or groups; "
            "make a new plan.");
    }
}

template <class T>
void Packed<T>::demand_fit(const Geometry<dynamic>& g, const Options& options) const {
    Columns::demand_fit(g);
    if (wanted != options.isa && kernels != &kernels_for<C>(options.isa)) {
        throw ShapeError(std::string("conv_transpose: the plan was packed for isa=\"") + name(panel.isa) +
                         "\" but is run with isa=\"" + name(options.isa) + "\"; make a new plan.");
    }
}

template class Packed<float>;
template class Packed<double>;
template class Packed<float16>;
template class Packed<bfloat16>;

}  // namespace tconv::detail
