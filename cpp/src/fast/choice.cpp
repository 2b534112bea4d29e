#include "fast/choice.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <limits>

#include "checked.hpp"
#include "direct/plane_grid.hpp"

namespace tconv {
namespace {

using detail::Block;
using detail::Columns;
using detail::Step;

// Measured with float32, AVX2 and AVX-512, in products: what a full panel computes in the time of the thing named.
constexpr double per_row = 250, per_tap = 64;  // of direct: finding and storing a row, its pixel under a tap
constexpr double slower_gradient = 1.08, slower_wide_gradient = 1.03;  // of direct: the input gradient's products,
constexpr double per_turned = 45;                                      // its weights
constexpr double slower_dots = 1.1, per_lane = 6, per_column = 4;
constexpr double slower_tiles = 1.06;                  // products of tiles go through more memory
constexpr double per_strip = 650;                      // a strip of tiles, whose sums are stored
constexpr double per_transform = 400, per_line = 100;  // calling for the transform of a line or a plane; of one axis
constexpr double per_tile = 800, per_tile_of_line = 500, per_part = 2500, per_part_pixel = 700, per_block = 300;
constexpr double slower_analysis = 1.3;                      // of parts: their pixels are other ones each time
constexpr double per_analysed[] = {0, 5, 8, 9};              // a number read, added and written, by the number of axes
constexpr double per_synthesised[] = {0, 4, 5, 5};           // the same of a sum
constexpr double per_output = 6, slower_uneven = 2.5;        // a number stored; where rows of them are no whole vectors
constexpr double per_plane_output = 10;                      // beyond direct's: a number stored far from its neighbours
constexpr double per_plane_pixel = 18;                       // a number gathered, by direct once, by each window
constexpr double per_shared_write = 6, per_shared_read = 3;  // a transformed number that goes through the third cache
constexpr double per_streamed_byte = 2.5;                    // of weights that a block of tiles meets
constexpr double per_packed = 45, per_packed_half = 40;      // a number transformed, and written; of halves
constexpr double per_segment = 400;  // channels first, of halves: a line of a channel that is stored
// Of direct's time that of fast may be, in the forward pass and for the input gradient; halves save little, and of that
// the model is less sure.
constexpr double least_gain = 1.08, least_gradient_gain = 1.04;
constexpr double least_halves_gain = 1.015, least_halves_gain_of_planes = 0.98, least_halves_gradient_gain = 1.025;
constexpr double least_products = 1 << 20;  // of direct, for a look at what is fast
constexpr Index least_channels = 8;         // of the source
constexpr std::size_t most_windows = 16;
constexpr Index most_tiles = 96;  // that meet a panel together
constexpr double least_tiles = 24, cache_bytes = 400e3, streamed_bytes = 2e6, shared_sums = 72e3;  // as FastGrid cuts

double number(Index n) { return static_cast<double>(n); }

Index count_of(const Range& range) { return range.last - range.first; }

/// The points that the outputs [begin, end) along an axis need, of tiles that cover `rows` of them.
Index needed_points(Scheme scheme, Index begin, Index end, Index rows) {
    if (begin >= end) return 0;
    const Index outputs = outputs_of(scheme), first = begin / outputs, last = (end - 1) / outputs;
    const auto needed = [scheme](Index from, Index to) {
        unsigned points = 0;
        for (Index i = from; i < to; ++i) points |= points_of_output[static_cast<std::size_t>(scheme)][i];
        return static_cast<Index>(std::popcount(points));
    };
    const bool back = scheme == Scheme::three_by_two && end == rows && rows % outputs == 1;  // see FastGrid::row
    if (first == last) return back ? needed(1, 2) : needed(begin % outputs, (end - 1) % outputs + 1);
    return needed(begin % outputs, outputs) + (last - first - 1) * points_of(scheme) +
           (back ? needed(1, 2) : needed(0, (end - 1) % outputs + 1));
}

/// Pairs of a tile and a point that a window's columns need, on average.
double pairs_of(const FastWindow& w, const std::vector<AxisMap>& maps) {
    double pairs = 0;
    for (const std::vector<Phase>& member : w.window.members) {
        double of_member = 1;
        for (std::size_t a = 0; a < maps.size(); ++a) {
            const Range range = rows_of(w.window, a, maps[a]);
            const Index spread = w.spreads[a], rows = count_of(range);
            const Index begin = maps[a].first(member[a]) - range.first, end = maps[a].last(member[a]) - range.first;
            Index along = 0;
            for (Index lattice = 0; lattice < std::min(spread, rows); ++lattice)
                along += needed_points(w.schemes[a], std::max<Index>(ceil_div(begin - lattice, spread), 0),
                                       std::max<Index>(ceil_div(end - lattice, spread), 0),
                                       ceil_div(rows - lattice, spread));
            of_member *= number(along);
        }
        pairs += of_member;
    }
    return pairs / number(static_cast<Index>(w.window.members.size()));
}

/// Of the input gradient: rows of all columns in turn meet every tap.
double gradient_time(const Columns& columns, const std::vector<AxisMap>& maps, Index batch) {
    double rows = number(batch), taps = 1;
    for (std::size_t a = 0; a < maps.size(); ++a) {
        rows *= number(maps[a].target_extent);
        taps *= number(columns.axes[a].kernel);
    }
    const Index lanes = columns.panel.width / 2;
    const double width = number(ceil_div(columns.target_channels, lanes) * lanes);
    const bool wide = columns.panel.isa == Isa::avx512 && columns.target_channels > columns.panel.width;
    const double of_product = wide ? slower_wide_gradient : slower_gradient;
    const double of_row = of_product * taps * number(columns.source_channels) * width + per_row + per_tap * taps;
    const double packed = per_turned * taps * number(columns.source_channels) * width;
    return (rows * of_row + packed) * number(columns.product_groups);
}

/// Putting planes' pixels where products find them.
double gathering_time(const Columns& columns, const std::vector<AxisMap>& maps, Index batch) {
    double pixels = number(batch);
    for (const AxisMap& map : maps) pixels *= number(map.source_extent);
    return pixels * number(columns.source_channels) * per_plane_pixel;
}

double direct_time(const Columns& columns, const std::vector<AxisMap>& maps, Index batch, Index sum_bytes) {
    if (columns.direction == Direction::grad_input) return gradient_time(columns, maps, batch);
    double time = 0;
    for (std::size_t w = 0; w < columns.windows.size(); ++w) {
        const Window& window = columns.windows[w];
        double rows = number(batch);
        for (std::size_t a = 0; a < maps.size(); ++a) rows *= number(count_of(rows_of(window, a, maps[a])));
        double of_row = per_row + per_tap * number(window.taps), weights = 0;
        for (const Block& block : columns.blocks) {
            if (static_cast<std::size_t>(block.window) != w) continue;
            for (const Step& step : columns.steps[w]) {
                const double products = number(columns.products(step));
                weights += products * number(block.panel);
                if (columns.form == Form::dots) {
                    of_row += products * number(block.columns) * slower_dots;
                } else {
                    of_row += products * number(columns.panel.width) *
                              (block.width == columns.panel.width ? 1 : columns.panel.half_panel);
                }
            }
            of_row += columns.form == Form::dots ? per_lane * number(columns.panel.width / 2) * number(block.columns)
                                                 : per_column * number(block.width);
        }
        const double streamed = weights * number(sum_bytes) * per_streamed_byte;
        const double passes = std::max(1.0, rows / number(most_tiles));
        time += std::max(rows * of_row, streamed * std::min(passes, 1.0));
    }
    return time * number(columns.product_groups);
}

/// The time of one window with schemes, and the numbers that its weights take.
double fast_time(const Columns& columns, const FastWindow& w, const std::vector<AxisMap>& maps, Index batch,
                 Index sum_bytes, bool planes, double* weights) {
    double tiles = number(batch);
    for (std::size_t a = 0; a < maps.size(); ++a) {
        const Index rows = count_of(rows_of(w.window, a, maps[a])), spread = w.spreads[a];
        tiles *= number(std::min(spread, rows) * ceil_div(ceil_div(rows, spread), outputs_of(w.schemes[a])));
    }
    const Index whole = w.columns / columns.panel.width, rest = w.columns % columns.panel.width;
    const double panels = number(whole) + (rest == 0                        ? 0
                                           : rest > columns.panel.width / 2 ? 1
                                                                            : columns.panel.half_panel);
    const double points = number(w.points), channels = number(w.source_channels);
    const double strips = std::max(number(batch) * pairs_of(w, maps) / (points * number(columns.panel.tile_rows)), 1.0);
    const Index lanes = columns.panel.width / 2;
    const double products = number(w.products) * channels;
    // Points without weights are left out, but count: what has most of them, F(3,2) where parts have one tap, rounds
    // more.
    const double pixels = number(w.parts) * points * number(ceil_div(w.source_channels, lanes) * lanes);
    // Fewer tiles than a strip has rows cost as much as those.
    const double gemm = slower_tiles * strips * panels *
                        (number(columns.panel.tile_rows) * products * number(columns.panel.width) +
                         per_strip * points * number(w.steps()));
    const std::size_t axes = w.axes.size(), known = std::min<std::size_t>(axes, 3);
    double slices = points;
    for (std::size_t i = axes > 2 ? axes - 2 : 0; i < axes; ++i) slices /= number(points_of(w.schemes[w.axes[i]]));
    *weights = number(static_cast<Index>(w.sets.size())) * channels * panels * number(columns.panel.width);
    const bool line = maps.size() == 1;  // tiles follow each other evenly but for its ends
    const double of_tile = line ? per_tile_of_line : per_tile, transform = line ? per_line : per_transform;
    double before = 0;
    if (axes > 0) {
        const double analysis = per_analysed[known] * (w.parts > 1 ? slower_analysis : 1);
        const double finding = w.parts == 1 ? 0 : per_part + (line ? 0 : per_part_pixel * points);
        before = tiles * (number(static_cast<Index>(axes)) * pixels * analysis + of_tile +
                          number(w.parts) * (slices * transform + finding));
        const double widest = std::clamp(std::sqrt(shared_sums / points), 16.0, 128.0);
        if (least_tiles * pixels * number(sum_bytes) > cache_bytes || *weights * number(sum_bytes) > streamed_bytes)
            before += tiles * pixels * (per_shared_write + per_shared_read * std::ceil(number(w.columns) / widest));
    }
    const Index beside = planes ? 1 : w.window.run;  // members whose numbers are one row
    const bool uneven = beside * w.target_channels % (columns.panel.width / 2) != 0;
    const double after =
        tiles * (number(w.columns) * (number(static_cast<Index>(axes)) * points * per_synthesised[known] +
                                      number(w.outputs) * (per_output * (uneven ? slower_uneven : 1) +
                                                           (planes ? per_plane_output : 0))) +
                 number(ceil_div(w.columns, 64)) * (per_block + slices * transform));
    double segments = 0;
    if (planes && w.halves) {
        segments = number(batch * w.columns * 2);
        for (std::size_t a = 0; a + 1 < maps.size(); ++a) segments *= number(count_of(rows_of(w.window, a, maps[a])));
    }
    const double streamed =
        *weights * number(sum_bytes) * per_streamed_byte * std::max(1.0, tiles / number(most_tiles));
    return std::max(gemm, streamed) + before + after + segments * per_segment +
           (planes ? gathering_time(columns, maps, batch) : 0);
}

/// What transforming a number of weights has to do with which schemes are best. The same for a plan, which keeps them:
/// it gives the same bits.
double packing(const Columns& columns, double of_number) {
    return columns.direction == Direction::grad_input ? of_number : 0;
}

/// The best schemes of one window: every axis tried with every scheme that may do, and halves if they may. Their time,
/// and the weights that they have transformed.
std::vector<Scheme> best_schemes(const Columns& columns, const Window& window, const std::vector<AxisMap>& maps,
                                 Index batch, Index sum_bytes, bool planes, bool must, bool halves, double* time,
                                 double* weights) {
    const std::size_t rank = maps.size();
    std::vector<std::vector<Scheme>> candidates;
    for (std::size_t a = 0; a < rank; ++a) {
        const Index taps = taps_together(columns, window, a);
        std::vector<Scheme> of_axis{Scheme::one};
        if (taps == 2 || taps > 3) {
            of_axis.push_back(Scheme::three_by_two);
            of_axis.push_back(Scheme::two_by_two);
        }
        if (taps >= 3) of_axis.push_back(Scheme::two_by_three);
        candidates.push_back(std::move(of_axis));
    }
    Index count = 1;
    for (const auto& of_axis : candidates) count *= static_cast<Index>(of_axis.size());
    std::vector<Scheme> best;
    double least = std::numeric_limits<double>::infinity();
    bool best_fast = false;
    for (Index c = 0; c < count + (halves ? 1 : 0); ++c) {
        std::vector<Scheme> schemes;
        Index rest = c;
        bool fast = false;
        for (std::size_t a = 0; a < rank; ++a) {
            const auto options = static_cast<Index>(candidates[a].size());
            schemes.push_back(candidates[a][static_cast<std::size_t>(rest % options)]);
            rest /= options;
            fast = fast || schemes.back() != Scheme::one;
        }
        if (c == count) {
            schemes.assign(rank, Scheme::one);
            schemes.back() = Scheme::halves;
            fast = true;
        }
        const FastWindow w(window, schemes, columns);
        double numbers = 0;
        const double t = fast_time(columns, w, maps, batch, sum_bytes, planes, &numbers) +
                         packing(columns, w.halves ? per_packed_half : per_packed) * numbers;
        if (t < least || (must && fast && !best_fast)) {
            least = t;
            best = schemes;
            best_fast = fast;
            *weights = w.lent.empty() ? numbers : 0;
        }
    }
    *time = least;
    return best;
}

}  // namespace

FastDecision decide(const Columns& columns, const std::vector<AxisMap>& maps, Index batch, Index sum_bytes,
                    DataFormat format, Algorithm algorithm, bool kept) {
    const bool planes = format == DataFormat::channels_first;
    FastDecision decision;
    const bool must = algorithm == Algorithm::fast;
    if (algorithm == Algorithm::direct || algorithm == Algorithm::reference) {
        decision.why = "direct asked for";
        return decision;
    }
    const bool halves = has_halves(columns);
    if (!halves && !has_fast(columns)) {
        decision.why = "nothing to save";
        return decision;
    }
    if (!must && (columns.source_channels < least_channels || (!planes && PlaneGrid::suits(columns, maps, format)))) {
        decision.why = "too few channels";
        return decision;
    }
    if (!must && columns.direction == Direction::forward && columns.form == Form::dots) {
        decision.why = "few columns, whose sums are short";  // a lane's: more accurate than any fast algorithm
        return decision;
    }
    FastTimes& times = decision.times;
    times.direct = direct_time(columns, maps, batch, sum_bytes);
    if (planes) times.direct += gathering_time(columns, maps, batch) * number(columns.product_groups);
    if (!must && times.direct < least_products) {
        decision.why = "too little to compute";
        return decision;
    }
    times.fast = std::numeric_limits<double>::infinity();
    double numbers = 0;
    for (const Join join : {Join::all_axes, Join::none}) {
        const std::vector<Window> windows = make_windows(columns.phases, join);
        if (windows.size() > most_windows && !(must && join == Join::all_axes)) continue;
        FastChoice choice;
        choice.join = join;
        bool fast = false;
        double sum = 0, packed = 0;
        for (const Window& window : windows) {
            double time = 0, weights = 0;
            choice.schemes.push_back(best_schemes(columns, window, maps, batch, sum_bytes, planes, must,
                                                  halves && windows.size() == 1, &time, &weights));
            for (const Scheme scheme : choice.schemes.back()) fast = fast || scheme != Scheme::one;
            sum += time;
            packed += weights;
        }
        sum *= number(columns.product_groups);
        packed *= number(columns.product_groups);
        if (!fast || sum >= times.fast) continue;
        times.fast = sum;
        numbers = packed;
        decision.choice = std::move(choice);
    }
    if (!decision.choice) {
        decision.why = "nothing to save";
        return decision;
    }
    const bool halved = decision.choice->schemes.front().back() == Scheme::halves;
    const double of_number = halved ? per_packed_half : per_packed;
    times.fast += ((kept ? 0 : of_number) - packing(columns, of_number)) * numbers;
    char text[80];
    std::snprintf(text, sizeof text, "%.2f times as fast as direct by the model", times.direct / times.fast);
    decision.why = text;
    const bool gradient = columns.direction == Direction::grad_input;
    double gain = gradient ? least_gradient_gain : least_gain;
    if (halved) gain = gradient ? least_halves_gradient_gain : planes ? least_halves_gain_of_planes : least_halves_gain;
    if (!must && times.fast * gain > times.direct) decision.choice.reset();
    return decision;
}

}  // namespace tconv
