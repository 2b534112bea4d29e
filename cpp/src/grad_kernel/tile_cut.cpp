#include "grad_kernel/tile_cut.hpp"

#include <algorithm>

#include "checked.hpp"

namespace tconv {
namespace {

constexpr Index most_channels = 132, most_columns = 256;  // of a unit: a point's sums, in the second cache
constexpr Index least_channels = 24, least_columns = 32;

// Measured with float32 and AVX-512, in products: what a full panel computes in the time of the thing named. Their
// ratios are much the same for other types and with AVX2.
constexpr double slower = 1.07, per_sum = 16;           // a product; a sum transformed back and stored
constexpr double per_read = 4.6, per_transformed = 15;  // a number of a line, and of the lines' sum
// Channels first, beyond that: a number turned with its line, a line of a channel, a number turned by itself.
constexpr double per_turned = 4, per_turned_line = 220, per_far_turned = 53;
// Of direct: a product, what a pixel meets through a tap, a number of that, a sum stored.
constexpr double slower_direct = 1.02, per_met = 16, per_met_number = 12, per_stored = 20;
constexpr Index direct_channels = 264;                         // whose rows meet a number together
constexpr double least_gain = 1.04, least_gain_turned = 1.15;  // or direct it is

double number(Index n) { return static_cast<double>(n); }

Index boxes(const TapProduct& product) { return ceil_div(product.tiles, tiles_of_box); }

/// Lines that are read for all points along all axes but the last, of x or of dy.
template <class Signs>
double lines_read(const TapProduct& product, const Signs& signs) {
    double lines = 1;
    for (std::size_t a = 0; a + 1 < product.axes.size(); ++a) {
        const auto scheme = static_cast<std::size_t>(product.axes[a].scheme);
        Index of_axis = 0;
        for (const auto& point : signs[scheme])
            for (const signed char sign : point) of_axis += sign != 0 ? 1 : 0;
        lines *= number(of_axis);
    }
    return lines;
}

/// Places that lie far outside are computed, too.
bool places_fit(const Geometry<dynamic>& g) {
    for (std::size_t a = 0; a < g.axes.size(); ++a) {
        const Axis& axis = g.axes[a];
        // The last tile's pixels are below 2*in, its taps reach less than 4*kernel*dilation beyond.
        Checked far = Checked(axis.in) * 2 * axis.stride + Checked(axis.kernel) * 4 * axis.dilation +
                      (axis.crop < 0 ? Checked(0) - axis.crop : Checked(axis.crop));
        far = far * std::max<Index>(g.filters, 1) * static_cast<Index>(sizeof(double) * (g.axes.size() + 1));
        for (std::size_t b = 0; b < g.axes.size(); ++b)
            if (b != a) far = far * std::max<Index>(g.axes[b].out, 1);
        if (far.overflowed()) return false;
    }
    return true;
}

}  // namespace

TileCut::TileCut(const KernelSums& sums_, DataFormat format, Index tile_rows_, Index width_)
    : sums(sums_),
      turned(format == DataFormat::channels_first),
      products(tap_products(sums.g)),
      tile_rows(tile_rows_),
      width(width_) {
    unit_channels = even_part(sums.channels, most_channels, tile_rows);
    Index most_members = 1, most_boxes = 1;
    for (const TapProduct& product : products) {
        most_members = std::max(most_members, product.members);
        most_boxes = std::max(most_boxes, boxes(product));
    }
    // Filters lie side by side in dy; if they don't, members along the last axis share what is turned.
    Index sharing = 1;
    if (turned)
        for (const TapProduct& product : products)
            sharing = std::max(sharing, static_cast<Index>(product.axes.back().members.size()));
    unit_filters = even_part(sums.filters, std::max(most_columns / sharing, width), width);
    unit_members = std::clamp<Index>(most_columns / unit_filters, 1, most_members);
    find_runs();
    parts = parts_of(most_boxes, sums.numbers(), units());
}

void TileCut::find_runs() {
    runs.clear();
    for (std::size_t p = 0; p < products.size(); ++p)
        for (Index first = 0; first < products[p].members; first += unit_members)
            runs.push_back({static_cast<Index>(p), first, std::min(first + unit_members, products[p].members)});
}

Index TileCut::channel_pieces() const { return ceil_div(sums.channels, unit_channels); }
Index TileCut::filter_pieces() const { return ceil_div(sums.filters, unit_filters); }
Index TileCut::units() const {
    return parts * sums.g.groups * channel_pieces() * filter_pieces() * static_cast<Index>(runs.size());
}
Index TileCut::first_box(const TapProduct& product, Index part) const { return boxes(product) * part / parts; }

bool TileCut::fast() const {
    return places_fit(sums.g) &&
           std::any_of(products.begin(), products.end(), [](const TapProduct& p) { return p.points > 1; });
}

double TileCut::time() const {
    const Index lanes = width / 2;
    double time = 0;
    for (const Run& run : runs) {
        const TapProduct& product = products[static_cast<std::size_t>(run.product)];
        const TapAxis& along = product.axes.back();
        const double members = number(run.last - run.first), outer = number(product.outer_points);
        const double rows = number(channel_pieces() * round_up(unit_channels, tile_rows));
        const double columns = number(filter_pieces() * round_up((run.last - run.first) * unit_filters, lanes));
        const double pairs = number(product.points) * rows * columns;
        time += pairs * (number(product.tiles) * slower + number(parts) * per_sum);
        // Few numbers of a pixel take as long as a vector of them.
        const auto transform = [&](double numbers, double lines, Index entries, Index step, Index sharing) {
            const double tiles = number(product.tiles), pixels = tiles * number(along.pixels());
            time += numbers * tiles * (lines * number(entries) * per_read + outer * per_transformed);
            if (!turned) return;
            time += numbers * lines *
                    (turns_all(step, sharing) ? (pixels * per_turned + number(product.rows) * per_turned_line) *
                                                    number(step) / number(sharing)
                                              : pixels * per_far_turned);
        };
        transform(number(filter_pieces() * channel_pieces() * round_up(unit_channels, lanes)),
                  lines_read(product, weight_signs), along.pixels(), along.spread, 1);
        transform(number(channel_pieces() * filter_pieces() * round_up(unit_filters, lanes)) * members,
                  lines_read(product, pixel_signs), along.points(), along.step(),
                  std::min(run.last - run.first, static_cast<Index>(along.members.size())));
    }
    return time * number(sums.g.groups);
}

bool TileCut::faster(const OuterCut& direct) const {
    return fast() && time() * (turned ? least_gain_turned : least_gain) < direct_time(direct);
}

double TileCut::direct_time(const OuterCut& direct) const {
    double met = number(sums.g.batch);
    for (const Axis& axis : sums.g.axes) {
        Index along = 0;
        for (Index tap = 0; tap < axis.kernel; ++tap) {  // pixels i with 0 <= stride*i + tap*dilation - crop < out
            const Index at = tap * axis.dilation - axis.crop;
            const Index first = std::clamp<Index>(ceil_div(-at, axis.stride), 0, axis.in);
            along += std::max<Index>(std::clamp<Index>(ceil_div(axis.out - at, axis.stride), 0, axis.in) - first, 0);
        }
        met *= number(along);
    }
    const double pairs = number(sums.filters * sums.channels);
    const double of_number = number(ceil_div(sums.channels, direct_channels)) * per_met_number;
    const double of_tap = direct.dy_in_place ? direct.time * number(direct.vector) / number(sums.taps)
                                             : pairs * slower_direct + number(sums.filters) * of_number + per_met;
    return number(sums.g.groups) * (met * of_tap + number(sums.taps) * pairs * per_stored);
}

bool TileCut::shrink() {
    if (unit_channels >= 2 * least_channels) {
        unit_channels = even_part(sums.channels, unit_channels / 2, tile_rows);
    } else if (unit_members > 1 && columns() >= 2 * least_columns) {
        unit_members = ceil_div(unit_members, 2);
    } else if (unit_filters >= 2 * least_columns) {
        unit_filters = even_part(sums.filters, unit_filters / 2, width);
    } else {
        return false;
    }
    find_runs();
    return true;
}

}  // namespace tconv
