#include "direct/plane_grid.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <utility>

#include "checked.hpp"

namespace tconv {
namespace {

using detail::Columns;

constexpr Index least_rows = 192, most_rows = 400;        // of a box: that suit planes, and at most
constexpr Index most_rows_of_few = 1024;                  // columns, whose sums fill as much of the cache
constexpr Index panel_bytes = 1 << 20;                    // of a box
constexpr Index all_panels_bytes = 12 << 20;              // of all threads'
constexpr Index deep_columns = 128, deep_products = 512;  // whose sums wait for each other, where they are long
constexpr Index sums_bytes = 48 << 10;                    // of columns that wait for each other, where they are short
constexpr Index finished_products = 128;                  // of a sum that is stored as it is finished
constexpr Index apart_products = 24;                      // the same where columns' pixels are not the same
constexpr Index finished_rows = 64;                       // of a line that is so stored, at least
constexpr Index cache_ways = 8, cache_page = 4096;        // of a first cache
constexpr Index strip_vectors = 4;                        // that planes meet at once, at least
constexpr Index few_columns = 8;                          // that read pixels where they are
constexpr Index most_run = 256;                           // of them that are interleaved
constexpr Index vectors_together = 16;                    // lanes: a multiple of any vector's
constexpr Index line_bytes = 64;
constexpr double most_waste = 1.25;       // lanes for a row
constexpr double per_gathered = 40;       // a number put into a panel, beyond one for a row, in products
constexpr double per_weight = 8;          // a weight that a box reads, in products
constexpr double per_unit = 1 << 15;      // finding a box, in products
constexpr double least_of_channel = 768;  // sums, where each channel is a product
constexpr double per_row = 160;           // that panels and dots take to find and store a row, in products

/// How much more than it is a window's row is called, so that it is the row of its phases' targets in steps.
Index renaming(const Window& window, std::size_t axis, const AxisMap& map) {
    return floor_div(map.target(window.first()[axis], 0), map.target_step);
}

/// The rows of all windows along an axis, and the sources of a row, [row + low, row + low + spread].
struct Span {
    Index first, rows, low, spread;
    bool renamed;
};

Span span_of(const std::vector<Window>& windows, std::size_t axis, const AxisMap& map, bool renamed) {
    Span span{0, 0, 0, 0, renamed};
    Index last = 0, high = 0;
    for (const Window& window : windows) {
        const Range range = rows_of(window, axis, map);
        if (range.first >= range.last) continue;
        const Phase& phase = window.first()[axis];
        const Index by = renamed ? renaming(window, axis, map) : 0;
        const auto [from, to] = std::minmax({map.source(phase, -by, 0), map.source(phase, -by, phase.taps - 1)});
        const bool begun = span.first < last;
        span.first = begun ? std::min(span.first, range.first + by) : range.first + by;
        span.low = begun ? std::min(span.low, from) : from;
        last = begun ? std::max(last, range.last + by) : range.last + by;
        high = begun ? std::max(high, to) : to;
    }
    span.rows = last - span.first;
    span.spread = high - span.low;
    return span;
}

/// The same, renamed where windows have fewer rows and pixels between them then: with k3 s2 and a crop of 1, the odd
/// targets' rows are [1, n], the even ones' [0, n).
Span span_of(const std::vector<Window>& windows, std::size_t axis, const AxisMap& map) {
    const Span as_is = span_of(windows, axis, map, false), renamed = span_of(windows, axis, map, true);
    return renamed.rows + renamed.spread < as_is.rows + as_is.spread ? renamed : as_is;
}

}  // namespace

bool PlaneGrid::suits(const Columns& columns, const std::vector<AxisMap>& maps, DataFormat format) {
    if (columns.blocks.empty() || (columns.form == Form::depthwise && columns.product_groups == 1)) return false;
    if (format == DataFormat::channels_last && !columns.thin) return false;
    double rows = 1, all_rows = 1, own_rows = 1, lanes = 0, numbers = 1, taps = 0, members = 0;
    bool whole = true;
    for (const AxisMap& map : maps)
        if (map.source_step != 1) return false;
    for (std::size_t a = maps.size(); a-- > 0;) {  // one box of one example
        const Span span = span_of(columns.windows, a, maps[a]);
        const Index most = std::max<Index>(least_rows / static_cast<Index>(rows), 1);
        const Index size = std::min(span.rows, most);
        if (size <= 0) return false;
        all_rows *= static_cast<double>(span.rows);
        Index own = 0;  // rows of a phase, the number of phases times
        for (const Phase& phase : columns.phases[a])
            own += std::max<Index>(maps[a].last(phase) - maps[a].first(phase), 0);
        own_rows *= static_cast<double>(size) * static_cast<double>(own) /
                    (static_cast<double>(span.rows) * static_cast<double>(columns.phases[a].size()));
        lanes += static_cast<double>(size - 1) * numbers;
        numbers *= static_cast<double>(size + span.spread);
        rows *= static_cast<double>(size);
        whole = whole && size == span.rows;
    }
    lanes = static_cast<double>(round_up(static_cast<Index>(lanes) + 1, columns.panel.width / 2));
    if (whole) lanes = numbers;  // as of one example between others
    for (const Window& window : columns.windows) {
        taps += static_cast<double>(window.taps) * static_cast<double>(window.members.size());
        members += static_cast<double>(window.members.size());
    }
    if (columns.form == Form::depthwise && all_rows * members < least_of_channel) return false;
    if (format == DataFormat::channels_last) return columns.thin_in(lanes / own_rows, numbers / own_rows);
    return lanes <= most_waste * own_rows &&
           (numbers - rows) * per_gathered <=
               own_rows * (taps * static_cast<double>(columns.target_channels) + per_row);
}

PlaneGrid::PlaneGrid(const Columns& columns_, const std::vector<AxisMap>& maps_, Index batch_, DataFormat format,
                     bool converted, Index sum_bytes, int threads)
    : columns(columns_),
      maps(maps_),
      rank(maps_.size()),
      batch(batch_),
      channels_last(format == DataFormat::channels_last),
      source(format, columns_.source_channels * columns_.product_groups, extents_of(maps_, &AxisMap::source_extent)),
      target(format, columns_.target_channels * columns_.product_groups, extents_of(maps_, &AxisMap::target_extent)) {
    find_rows();
    if (products() < serial_products) threads = 1;
    if (channels_last) {
        const auto [least, most] = std::minmax(columns.source_channels, columns.target_channels);
        const Index line = line_bytes / sum_bytes;
        together = std::min({columns.product_groups, ceil_div(line, least), ceil_div(4 * line, most)});
    }
    Index all = 0;
    for (const Window& window : columns.windows)
        all += static_cast<Index>(window.members.size()) * columns.target_channels;
    bool lie = !converted && !channels_last;  // all pixels where planes would have them
    for (std::size_t a = 0; a < rank; ++a)
        lie = lie && spread[a] == 0 && first[a] + low[a] >= 0 && first[a] + rows[a] + low[a] <= maps[a].source_extent;
    in_place = lie && all <= few_columns;
    cut_boxes(sum_bytes, threads, lie && !in_place && is_panel(sum_bytes));
    const Index apart = source.channel * sum_bytes;  // planes that meet in a cache push each other out
    inside = !in_place && !converted && !channels_last && all <= few_columns && rank == 1 && boxes.size()[0] == 1 &&
             columns.source_channels <= cache_ways * (cache_page / std::gcd(apart, cache_page));
    find_phases();
    make_groups(sum_bytes);
    cut_slices(threads);
    place_turned(sum_bytes);
}

void PlaneGrid::find_rows() {
    std::vector<Span> spans;
    for (std::size_t a = 0; a < rank; ++a) {
        const Span span = span_of(columns.windows, a, maps[a]);
        spans.push_back(span);
        first.push_back(span.first);
        rows.push_back(span.rows);
        low.push_back(span.low);
        spread.push_back(span.spread);
    }
    for (const Window& window : columns.windows) {
        for (std::size_t a = 0; a < rank; ++a) {
            const Index by = spans[a].renamed ? renaming(window, a, maps[a]) : 0;
            const Range range = rows_of(window, a, maps[a]);
            renamed.push_back(by);
            ranges.push_back({range.first + by, range.last + by});
        }
        const std::size_t by = renamed.size() - rank;
        std::vector<Index> shifts(static_cast<std::size_t>(window.taps) * rank);
        for (Index tap = 0; tap < window.taps; ++tap) {
            Index rest = tap;
            for (std::size_t a = rank; a-- > 0;) {
                const Phase& phase = window.first()[a];
                shifts[static_cast<std::size_t>(tap) * rank + a] =
                    maps[a].source(phase, -renamed[by + a], rest % phase.taps) - low[a];
                rest /= phase.taps;
            }
        }
        tap_shifts.push_back(std::move(shifts));
    }
}

// Where a crop is no multiple of the stride, phases that lie side by side have rows of different numbers. Only whole
// lines are looked at that way: the parts of others would have ends of their own.
void PlaneGrid::find_phases() {
    const bool whole = boxes.size()[rank] == rows.back();
    for (std::size_t w = 0; w < columns.windows.size(); ++w) {
        first_phases.push_back(phases.size());
        for (const std::vector<Phase>& member : columns.windows[w].members)
            for (std::size_t a = 0; a < rank; ++a) {
                const AxisMap& map = maps[a];
                const Index by = renamed[w * rank + a];
                const Index begin = map.first(member[a]) + by, end = std::max(begin, map.last(member[a]) + by);
                const Index target_of_0 = map.target(member[a], -by);
                const Index shift = whole && a + 1 == rank ? floor_div(target_of_0, map.target_step) : 0;
                phases.push_back({begin + shift, end + shift, ranges[w * rank + a].first + shift,
                                  (target_of_0 - shift * map.target_step) * target.axes[a], shift});
            }
    }
}

// All phases that share a line of the target are in one group, as far as that goes.
void PlaneGrid::make_groups(Index sum_bytes) {
    std::map<std::vector<Index>, std::map<Index, PlaneColumn>>
        lines;  // by residues along the other axes, and by places
    for (std::size_t w = 0; w < columns.windows.size(); ++w) {
        const std::vector<std::vector<Phase>>& members = columns.windows[w].members;
        for (std::size_t m = 0; m < members.size(); ++m) {
            std::vector<Index> key;
            for (std::size_t a = 0; a + (channels_last ? 0 : 1) < rank; ++a) key.push_back(members[m][a].residue);
            const PlanePhase& phase = phases[first_phases[w] + m * rank + rank - 1];
            lines[std::move(key)][phase.place / target.axes[rank - 1]] = {0, w, m,
                                                                          first_phases[w] + m * rank + rank - 1, 0};
        }
    }
    std::vector<Runs> outer;
    Index of_line = 1;
    for (const auto& [key, of_places] : lines) {
        Runs of_key;
        Index before = 0;
        for (const auto& [place, column] : of_places) {
            if (of_key.empty() || place != before + 1 || static_cast<Index>(of_key.back().size()) == most_run)
                of_key.emplace_back();
            of_key.back().push_back(column);
            before = place;
        }
        of_line = std::max(of_line, static_cast<Index>(of_places.size()));
        outer.push_back(std::move(of_key));
    }
    const Index channels = columns.target_channels;
    for (const Window& window : columns.windows)
        column_products = std::max(column_products, window.taps * columns.source_channels);
    const Index most_columns = column_products > deep_products
                                   ? deep_columns
                                   : std::clamp<Index>(sums_bytes / (lanes * together * sum_bytes), 8, deep_columns);
    const auto some = static_cast<std::size_t>(std::max<Index>(most_columns / (of_line * channels), 1));
    Index most = std::max<Index>(most_columns / of_line, 1);
    for (const Index whole : {columns.panel.width, Index(4)})
        if (most > whole) {
            most -= most % whole;
            break;
        }
    const Index parts = some > 1 || channels_last ? 1 : ceil_div(channels, most);
    for (Index part = 0; part < parts; ++part) {
        // Whole blocks, where there are any.
        const auto cut_at = [&](Index p) { return std::min(channels, parts == 1 ? p * channels : p * most); };
        for (std::size_t o = 0; o < outer.size(); o += some)
            add_group({outer.begin() + static_cast<std::ptrdiff_t>(o),
                       outer.begin() + static_cast<std::ptrdiff_t>(std::min(o + some, outer.size()))},
                      cut_at(part), cut_at(part + 1));
    }
}

void PlaneGrid::add_group(const std::vector<Runs>& outer, Index first_channel, Index last_channel) {
    const Index channels = columns.target_channels;
    std::vector<std::size_t> first_blocks;  // [window]
    for (std::size_t b = columns.blocks.size(); b-- > 0;) {
        first_blocks.resize(columns.windows.size());
        first_blocks[static_cast<std::size_t>(columns.blocks[b].window)] = b;
    }
    std::map<std::pair<std::size_t, Index>, Index> slots;  // of (window, column)
    for (const Runs& of_key : outer)
        for (const auto& run : of_key)
            for (const PlaneColumn& column : run)
                for (Index c = first_channel; c < last_channel; ++c)
                    slots[{column.window, static_cast<Index>(column.member) * channels + c}] = 0;
    PlaneGroup group{pieces.size(), 0, runs.size(), 0, static_cast<Index>(slots.size()), true};
    const std::size_t first_weights = weights.size();
    Index slot = 0;
    for (auto& [key, number] : slots) {
        const auto [window, column] = key;
        const std::size_t block = first_blocks[window] + static_cast<std::size_t>(column / columns.block_columns);
        const Index place = column % columns.block_columns;
        const Index panel = columns.blocks[block].panel;
        if (pieces.size() == group.first_piece || pieces.back().window != window || pieces.back().panel != panel ||
            (channels_last && column % channels == first_channel))
            pieces.push_back({window, panel, weights.size(), weights.size(), slot});
        weights.push_back({block, place});
        ++pieces.back().last;
        number = slot++;
    }
    for (const Runs& of_key : outer)
        for (const auto& run : of_key) {
            runs.push_back({first_channel, last_channel, run_columns.size(), run_columns.size() + run.size(),
                            run.front().phase + 1 - rank});
            for (PlaneColumn column : run) {
                column.slot = slots[{column.window, static_cast<Index>(column.member) * channels + first_channel}];
                column.weights = first_weights + static_cast<std::size_t>(column.slot);
                run_columns.push_back(column);
            }
        }
    group.last_piece = pieces.size();
    group.last_run = runs.size();
    for (std::size_t r = group.first_run; r < group.last_run; ++r) group.finished = group.finished && finishes(runs[r]);
    groups.push_back(group);
    group_columns = std::max(group_columns, group.columns);
}

/// Whether the sums of a run's columns can be stored as they are finished: they are short, and make whole lines.
bool PlaneGrid::finishes(const PlaneRun& run) const {
    const auto count = static_cast<Index>(run.last - run.first);
    const PlaneColumn& one = run_columns[run.first];
    if (channels_last || columns.form == Form::depthwise) return false;
    if (rows.back() < finished_rows || column_products > finished_products || count != maps.back().target_step ||
        (count != 1 && count != 2 && count != 4))
        return false;
    const auto piece_of = [this](Index slot) {
        std::size_t p = pieces.size();
        while (pieces[--p].slot > slot) {
        }
        return p;
    };
    for (std::size_t q = run.first; q < run.last; ++q) {
        if (tap_shifts[run_columns[q].window] != tap_shifts[one.window] ||
            (phases[run_columns[q].phase].shift != phases[one.phase].shift &&
             (count != 2 || column_products > apart_products)))
            return false;  // other pixels
        for (Index c = 0; c < run.last_channel - run.first_channel; ++c)
            if (pieces[piece_of(run_columns[q].slot + c)].panel != pieces[piece_of(one.slot)].panel) return false;
    }
    return columns.steps[one.window].size() == 1;
}

/// Whether a whole image is a panel as it lies: small, and a strip of it no few sets of a cache.
bool PlaneGrid::is_panel(Index sum_bytes) const {
    Index image = 1;
    for (const Index n : rows) image *= n;
    const Index strip = std::min(image, strip_vectors * (columns.panel.width / 2)) * sum_bytes;
    return image == source.channel && image <= most_rows && std::gcd(image * sum_bytes, cache_page) <= strip;
}

// Boxes whose vectors are full, and which leave no thread without work, are worth more than large ones.
void PlaneGrid::cut_boxes(Index sum_bytes, int threads, bool images_are_panels) {
    std::vector<Index> extents{batch};
    extents.insert(extents.end(), rows.begin(), rows.end());
    const auto cut = [&](Index most) {
        std::vector<Index> size = Boxes(extents, most).size();
        if (in_place) size[0] = 1;
        if (size.back() < rows.back()) size.back() = std::min(round_up(size.back(), vectors_together), rows.back());
        boxes = Boxes(extents, size);
        steps.assign(rank + 1, 1);
        if (in_place) {
            steps = source.axes;
            steps.insert(steps.begin(), source.batch);
            plane = source.channel;
        } else {
            for (std::size_t a = rank; a-- > 0;) steps[a] = steps[a + 1] * (size[a + 1] + spread[a]);
            plane = round_up(steps[0] * size[0] + vectors_together, line_bytes / sum_bytes);
            if (plane * sum_bytes / line_bytes % 2 == 0) plane += line_bytes / sum_bytes;  // or rows meet in a cache
        }
        lanes = 1;
        for (std::size_t a = 0; a <= rank; ++a) lanes += (size[a] - 1) * steps[a];
    };
    const Index most_bytes = std::min(panel_bytes, all_panels_bytes / threads), line = rows.back();
    Index best = vectors_together;
    double least = 0;
    const auto look = [&](Index most) {
        cut(most);
        if (!in_place && most > vectors_together && plane * together * columns.source_channels * sum_bytes > most_bytes)
            return;
        const double time = time_of_boxes(threads);
        if (least > 0 && time >= least) return;
        best = most;
        least = time;
    };
    Index all = batch;
    for (const Index n : rows) all *= n;
    Index of_row = 0;  // bytes of sums
    for (const detail::Block& block : columns.blocks) of_row += block.columns * together * sum_bytes;
    const Index largest = std::min(std::clamp(sums_bytes / std::max<Index>(of_row, 1), most_rows, most_rows_of_few),
                                   round_up(all, vectors_together));
    if (threads == 1 && all <= largest) look(all);  // one box, unless it is too large
    if (least == 0) {
        for (Index most = vectors_together; most <= largest; most += vectors_together) look(most);
        for (Index most = line; line > vectors_together && most <= largest; most += line) look(most);  // whole lines
    }
    if (images_are_panels) {
        in_place = true;
        cut(source.channel);
        in_place = time_of_boxes(threads) < least;
        if (in_place) best = source.channel;
    }
    cut(best);
    lanes = round_up(lanes, vectors_together);
    if (lanes * sum_bytes / line_bytes % 2 == 0) lanes += line_bytes / sum_bytes;
}

/// How long the threads take with these boxes, in products.
double PlaneGrid::time_of_boxes(int threads) const {
    const auto width = static_cast<double>(columns.panel.width / 2);
    double all = static_cast<double>(batch), numbers = static_cast<double>(boxes.size()[0]);
    for (std::size_t a = 0; a < rank; ++a) {
        all *= static_cast<double>(rows[a]);
        numbers *= static_cast<double>(boxes.size()[a + 1] + spread[a]);
    }
    const double count = static_cast<double>(boxes.count()), points = static_cast<double>(boxes.points());
    const Index slices = slices_for(threads);
    const double gathers = static_cast<double>(boxes.count() == 1 ? std::min<Index>(slices, threads) : slices);
    const double gather = in_place ? 0 : numbers * static_cast<double>(columns.source_channels) * per_gathered;
    const bool whole = boxes.size()[rank] % (columns.panel.width / 2) == 0;  // of lines that are whole vectors
    const double together = whole ? points : std::ceil(static_cast<double>(lanes) / width) * width;
    const double sums = (together + per_weight) * static_cast<double>(columns.group_weights);
    const double box = sums + gathers * gather + static_cast<double>(slices) * per_unit;
    const double units = count * static_cast<double>(bundles() * slices);
    const bool even = count * points == all && std::fmod(units, threads) == 0;
    return box * all / points * static_cast<double>(columns.product_groups) / threads +
           (even || threads == 1 ? 0 : box / static_cast<double>(slices) / 2);
}

/// Parts of the columns, so that there is enough to do for the threads.
Index PlaneGrid::slices_for(int threads) const {
    const Index units = std::max<Index>(boxes.count() * bundles(), 1);
    return threads > 1 ? ceil_div(4 * threads, units) : 1;
}

// All columns meet a box together, unless there are too few boxes for the threads.
void PlaneGrid::cut_slices(int threads) {
    const auto all = static_cast<Index>(groups.size());
    const Index parts = std::clamp<Index>(slices_for(threads), 1, std::max<Index>(all, 1));
    for (Index part = 0; part <= parts; ++part) slices.push_back(static_cast<std::size_t>(all * part / parts));
}

Index PlaneGrid::panel_lines() const {
    Index lines = boxes.size()[0];
    for (std::size_t a = 0; a + 1 < rank; ++a) lines *= boxes.size()[a + 1] + spread[a];
    return lines;
}

double PlaneGrid::products() const {
    double all = static_cast<double>(batch);
    for (const Index n : rows) all *= static_cast<double>(n);
    return all * static_cast<double>(columns.group_weights) * static_cast<double>(columns.product_groups);
}

}  // namespace tconv
