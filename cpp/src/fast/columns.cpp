#include "fast/columns.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "checked.hpp"

namespace tconv {
namespace {

constexpr Index step_products = 1024;  // with a column of a panel, which stays in a cache
constexpr Index lent_products = 512;   // of the packed kernel's panels

/// Taps along an axis from one to the next that sees the same phase of the source.
Index tap_step_of(const detail::Columns& columns, std::size_t axis) {
    const Axis& a = columns.axes[axis];
    return columns.direction == Direction::forward ? 1 : a.stride / std::gcd(a.stride, a.dilation);
}

/// The point among those before along an axis that has the same weights, or -1 where all are zero; of the entries, as
/// bits, that meet taps.
Index same_weights(Scheme scheme, Index point, unsigned entries) {
    if (scheme == Scheme::halves) return point;
    const auto row = [&](Index p, Index entry) {
        return (entries >> entry & 1u) != 0 ? weight_signs[static_cast<std::size_t>(scheme)][p][entry] : 0;
    };
    const auto same = [&](Index p) {
        for (Index entry = 0; entry < taps_of(scheme); ++entry)
            if (row(p, entry) != row(point, entry)) return false;
        return true;
    };
    bool zero = true;
    for (Index entry = 0; entry < taps_of(scheme); ++entry) zero = zero && row(point, entry) == 0;
    if (zero) return -1;
    Index p = 0;
    while (!same(p)) ++p;
    return p;
}

}  // namespace

bool has_fast(const detail::Columns& columns) {
    if (columns.form == Form::depthwise) return false;
    bool several = false;
    for (std::size_t a = 0; a < columns.axes.size(); ++a) {
        const std::vector<Phase>& phases = columns.phases[a];
        if (phases.empty()) return false;
        for (const Phase& phase : phases) several = several || phase.taps > tap_step_of(columns, a);
    }
    return several;
}

bool has_halves(const detail::Columns& columns) {
    if (columns.form == Form::depthwise) return false;
    for (const std::vector<Phase>& phases : columns.phases)
        if (phases.empty()) return false;
    return columns.source_channels > 0 && columns.source_channels % 2 == 0 &&
           columns.target_channels % columns.panel.width == 0;
}

Index taps_together(const detail::Columns& columns, const Window& window, std::size_t axis) {
    return ceil_div(window.taps_along[axis], tap_step_of(columns, axis));
}

FastWindow::FastWindow(Window window_, std::vector<Scheme> schemes_, const detail::Columns& shape)
    : window(std::move(window_)),
      schemes(std::move(schemes_)),
      halves(schemes.back() == Scheme::halves),
      source_channels(halves ? shape.source_channels / 2 : shape.source_channels),
      target_channels(halves ? shape.target_channels / 2 : shape.target_channels),
      outputs(halves ? 2 : 1) {
    for (std::size_t a = 0; a < schemes.size(); ++a) {
        cut_taps(a, shape);
        parts *= parts_along(a);
        points *= points_of(schemes[a]);
        outputs *= outputs_of(schemes[a]);
        if (schemes[a] != Scheme::one) axes.push_back(a);
    }
    find_sets();
    columns = static_cast<Index>(window.members.size()) * target_channels;
    cut_channels(lent_products);
    find_lent(shape);
    if (lent.empty()) cut_channels(step_products);
}

void FastWindow::cut_channels(Index products) {
    const Index steps = std::clamp<Index>(ceil_div(source_channels * parts, products), 1, source_channels);
    step_channels.clear();
    for (Index step = 0; step <= steps; ++step) step_channels.push_back(source_channels * step / steps);
}

// Taps `tap_step` apart see neighbours, of whom the first is the last one's where the source shrinks with them.
void FastWindow::cut_taps(std::size_t axis, const detail::Columns& shape) {
    const Axis& a = shape.axes[axis];
    const Index q = taps_of(schemes[axis]), taps = window.taps_along[axis], divisor = std::gcd(a.stride, a.dilation);
    const Index tap_step = tap_step_of(shape, axis), tap_shift = window.first()[axis].tap_shift;
    const Index shift = tap_step * tap_shift;
    spreads.push_back(a.dilation / divisor);
    entry_steps.push_back(shift < 0 ? -shift : shift);
    along.emplace_back();
    for (Index set = 0; set < std::min(tap_step, taps); ++set) {
        for (Index tap = set; tap < taps; tap += q * tap_step) {
            const Index last = tap + (q - 1) * tap_step;
            const FastPart up{tap * tap_shift, tap, tap_step}, down{last * tap_shift, last, -tap_step};
            along.back().push_back(shift < 0 ? down : up);
        }
    }
}

void FastWindow::find_sets() {
    std::vector<Index> number(static_cast<std::size_t>(points * parts), -1);
    slots.assign(static_cast<std::size_t>(points), 0);
    for (Index point = 0; point < points; ++point) {
        for (Index part = 0; part < parts; ++part) {
            Index same = 0, scale = 1, rest = point, rest_of_parts = part;
            for (std::size_t a = schemes.size(); a-- > 0 && same >= 0;) {
                const Index count = points_of(schemes[a]);
                const FastPart& p = along[a][static_cast<std::size_t>(rest_of_parts % parts_along(a))];
                unsigned entries = 0;
                for (Index entry = 0; entry < taps_of(schemes[a]); ++entry) {
                    const Index tap = p.first_tap + entry * p.tap_step;
                    if (tap >= 0 && tap < window.taps_along[a]) entries |= 1u << entry;
                }
                const Index first = same_weights(schemes[a], rest % count, entries);
                same = first < 0 ? -1 : same + first * scale;
                scale *= count;
                rest /= count;
                rest_of_parts /= parts_along(a);
            }
            Index set = -1;
            if (same >= 0) {
                Index& known = number[static_cast<std::size_t>(same * parts + part)];
                if (known < 0) {
                    known = static_cast<Index>(sets.size());
                    sets.push_back({part, point});
                }
                set = known;
            }
            set_of.push_back(set);
            slot_of.push_back(set < 0 ? -1 : slots[static_cast<std::size_t>(point)]++);
        }
        products += slots[static_cast<std::size_t>(point)];
    }
}

// Blocks of the packed kernel are such panels where every one lies within one member.
void FastWindow::find_lent(const detail::Columns& shape) {
    if (shape.direction != Direction::forward || shape.form != Form::panels || axes.size() != 1 || parts > 1 ||
        taps_of(schemes[axes.front()]) != lent_taps || shape.target_channels % shape.panel.width != 0)
        return;
    std::vector<Index> blocks;
    for (const std::vector<Phase>& member : window.members) {
        const auto same = [&member](const std::vector<Phase>& other) {
            return std::equal(member.begin(), member.end(), other.begin(),
                              [](const Phase& a, const Phase& b) { return a.residue == b.residue; });
        };
        for (std::size_t number = 0; number < shape.blocks.size(); ++number) {
            const detail::Block& block = shape.blocks[number];
            const std::vector<detail::Step>& steps = shape.steps_of(block);
            if (!same(shape.window_of(block).members[static_cast<std::size_t>(block.first / shape.target_channels)]))
                continue;
            if (steps.size() + 1 != step_channels.size()) return;
            for (std::size_t i = 0; i < steps.size(); ++i)
                if (steps[i].last_tap != lent_taps || steps[i].first_channel != step_channels[i]) return;
            blocks.push_back(static_cast<Index>(number));
        }
    }
    lent = std::move(blocks);
}

FastColumns::FastColumns(const detail::Columns& columns_, FastChoice choice_)
    : columns(columns_), choice(std::move(choice_)) {
    const std::vector<Window> all = make_windows(columns.phases, choice.join);
    Checked size = 0;
    for (std::size_t w = 0; w < all.size(); ++w) {
        FastWindow window(all[w], choice.schemes[w], columns);
        window.weights = size.value();
        window.bias = group_bias;
        const Index last = panels(window) - 1;
        const Checked of_window = Checked(last * columns.panel.width + width(window, last)) *
                                  static_cast<Index>(window.sets.size()) * window.source_channels;
        if (window.lent.empty()) size = size + of_window;
        group_bias += bias_numbers(window);
        windows.push_back(std::move(window));
    }
    group_weights = size.value();
    if ((size * columns.product_groups).overflowed()) throw std::bad_alloc();
}

Index FastColumns::width(const FastWindow& w, Index panel) const {
    const Index left = w.columns - panel * columns.panel.width;
    return left > columns.panel.width / 2 ? columns.panel.width : columns.panel.width / 2;
}

Index FastColumns::panel_weights(const FastWindow& w, Index panel) const {
    return w.weights + panel * columns.panel.width * static_cast<Index>(w.sets.size()) * w.source_channels;
}

}  // namespace tconv
