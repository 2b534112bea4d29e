#include "schedule.hpp"

#include <algorithm>

#include "checked.hpp"

namespace tconv {
namespace {

// Times in products of numbers, of the things around them: see fast/choice.cpp.
constexpr double per_row = 250;                          // direct: finding a row and storing it
constexpr double per_sum = 8;                            // planes: storing one
constexpr double per_analysed = 8, per_synthesised = 5;  // fast: a number transformed; a sum transformed back

double number(Index n) { return static_cast<double>(n); }

/// The rows that a window has in a tile, whose parts along batch and axes are numbered.
Index rows_in(const Tiling& t, std::size_t window, const std::vector<Index>& part) {
    Index rows = std::min((part[0] + 1) * t.tile[0], t.batch) - part[0] * t.tile[0];
    for (std::size_t a = 0; a < t.rank; ++a) {
        const Range& range = t.ranges[window * t.rank + a];
        const Index first = t.first[a] + part[a + 1] * t.tile[a + 1];
        const Index last = std::min(first + t.tile[a + 1], t.last[a]);
        rows *= std::max<Index>(std::min(last, range.last) - std::max(first, range.first), 0);
    }
    return rows;
}

void next(std::vector<Index>& part, const std::vector<Index>& parts) {
    for (std::size_t i = part.size(); i-- > 0;) {
        if (++part[i] < parts[i]) return;
        part[i] = 0;
    }
}

/// All units of a slice, tile by tile.
void add_tiles(const Tiling& t, const Slice& slice, Index number_bytes, Stage& stage) {
    const detail::Columns& columns = t.columns;
    std::vector<double> of_row(columns.windows.size());
    double weights = 0, channels = number(columns.source_channels);
    if (columns.form == Form::depthwise) channels = 0;
    for (std::size_t position = slice.first_block; position < slice.last_block; ++position) {
        const detail::Block& block = columns.blocks[t.order[position]];
        double& time = of_row[static_cast<std::size_t>(block.window)];
        if (time == 0) time = per_row;
        for (const detail::Step& step : columns.steps_of(block)) {
            time += number(columns.products(step) * block.width);
            weights += number(columns.products(step) * block.panel);
        }
        if (columns.form == Form::depthwise) channels += number(block.columns);
    }
    Index tiles = 1;
    for (const Index n : t.tiles) tiles *= n;
    double pixels = number(t.tile[0]);
    for (std::size_t a = 0; a < t.rank; ++a) pixels *= number(t.picked(a));
    std::vector<Index> part(t.tiles.size(), 0);
    for (Index tile = 0; tile < tiles; ++tile, next(part, t.tiles)) {
        double time = 0;
        for (std::size_t w = 0; w < of_row.size(); ++w)
            if (of_row[w] > 0) time += number(rows_in(t, w, part)) * of_row[w];
        stage.costs.push_back(time);
        stage.bytes.push_back(time == 0 ? 0 : pixels * channels * number(number_bytes) + weights * number(t.sum_bytes));
    }
}

/// The rows that a window has in a box.
double rows_in(const PlaneGrid& grid, std::size_t window, const std::vector<Index>& first,
               const std::vector<Index>& last) {
    double rows = number(last[0] - first[0]);
    for (std::size_t a = 0; a < grid.rank; ++a) {
        const auto [begin, end] = grid.ranges[window * grid.rank + a];
        const Index low = std::max(first[a + 1] + grid.first[a], begin);
        rows *= number(std::max<Index>(std::min(last[a + 1] + grid.first[a], end) - low, 0));
    }
    return rows;
}

/// All boxes of a slice's columns, of so many groups together.
void add_boxes(const PlaneGrid& grid, std::size_t slice, double groups, Index number_bytes, Index sum_bytes,
               Stage& stage) {
    const detail::Columns& columns = grid.columns;
    std::vector<double> of_row(columns.windows.size());
    double weights = 0;
    for (std::size_t g = grid.slices[slice]; g < grid.slices[slice + 1]; ++g)
        for (std::size_t p = grid.groups[g].first_piece; p < grid.groups[g].last_piece; ++p) {
            const PlanePiece& piece = grid.pieces[p];
            const double count = number(static_cast<Index>(piece.last - piece.first));
            double products = 0;
            for (const detail::Step& step : columns.steps[piece.window]) products += number(columns.products(step));
            of_row[piece.window] += count * (products + per_sum);
            weights += count * products;
        }
    std::vector<Index> first(grid.rank + 1), last(grid.rank + 1);
    for (Index box = 0; box < grid.boxes.count(); ++box) {
        grid.boxes.locate(box, first.data(), last.data());
        double time = 0, pixels = number(last[0] - first[0]);
        for (std::size_t a = 0; a < grid.rank; ++a) pixels *= number(last[a + 1] - first[a + 1] + grid.spread[a]);
        for (std::size_t w = 0; w < of_row.size(); ++w) time += rows_in(grid, w, first, last) * of_row[w];
        const double read = pixels * number(columns.source_channels * number_bytes) + weights * number(sum_bytes);
        stage.costs.push_back(groups * time);
        stage.bytes.push_back(time == 0 ? 0 : groups * read);
    }
}

/// Numbers of a fast window's transformed weights.
double weights_of(const FastGrid& grid) {
    const FastColumns& columns = grid.columns;
    return number(columns.panel_weights(grid.window, columns.panels(grid.window)) -
                  columns.panel_weights(grid.window, 0));
}

/// What a box costs: transforming a channel of it, and its products with a panel of columns.
struct BoxCosts {
    double analysed, panel, pixels;  // pixels of a channel that are read

    BoxCosts(const FastGrid& grid, Index box) {
        const FastWindow& w = grid.window;
        const double tiles = number(grid.boxes.points_of(box)), width = number(grid.columns.columns.panel.width);
        analysed = grid.plain ? 0 : tiles * number(w.products) * per_analysed;
        panel = tiles * width *
                (number(w.products * w.source_channels) + (grid.plain ? 0 : number(w.points) * per_synthesised));
        pixels = number(grid.boxes.size()[0]);
        for (std::size_t a = 0; a < grid.maps.size(); ++a) pixels *= number(grid.reach(a));
    }
};

void add_own(const FastGrid& grid, Index number_bytes, Index sum_bytes, Stage& stage) {
    const double channels = number(grid.window.source_channels);
    for (Index group = 0; group < grid.columns.columns.product_groups; ++group)
        for (Index box = 0; box < grid.boxes.count(); ++box) {
            const BoxCosts costs(grid, box);
            stage.costs.push_back(channels * costs.analysed + number(grid.columns.panels(grid.window)) * costs.panel);
            stage.bytes.push_back(channels * costs.pixels * number(number_bytes) +
                                  weights_of(grid) * number(sum_bytes));
        }
}

/// Of a box that all workers share: chunks of its tiles and channels, and then blocks of columns times blocks of tiles.
void add_shared(const FastGrid& grid, Index box, int threads, Index number_bytes, Index sum_bytes,
                std::vector<Stage>& stages) {
    const FastWindow& w = grid.window;
    const Index channels = w.source_channels, panels = grid.columns.panels(w);
    const Index tiles = grid.boxes.points_of(box);
    const BoxCosts costs(grid, box);
    const SharedCut cut(grid, box, panels, threads);
    Stage transform, multiply;
    for (Index row = 0; row < tiles; row += cut.rows)
        for (Index first = 0; first < channels; first += cut.channels) {
            const double chunk = number(std::min(cut.channels, channels - first)) *
                                 number(std::min(cut.rows, tiles - row)) / number(tiles);
            transform.costs.push_back(chunk * costs.analysed);
            transform.bytes.push_back(chunk * costs.pixels * number(number_bytes));
        }
    const Index tile_blocks = ceil_div(tiles, cut.tiles), panel_blocks = ceil_div(panels, cut.panels);
    for (Index unit = 0; unit < tile_blocks * panel_blocks; ++unit) {
        const SharedCut::Block block = cut.block(unit, tile_blocks, panel_blocks);
        const double some = number(std::min(cut.panels, panels - block.panels * cut.panels));
        const double here = number(std::min(cut.tiles, tiles - block.tiles * cut.tiles));
        multiply.costs.push_back(some * costs.panel * here / number(tiles));
        multiply.bytes.push_back((here * number(grid.tile_numbers) + weights_of(grid) * some / number(panels)) *
                                 number(sum_bytes));
    }
    stages.push_back(std::move(transform));
    stages.push_back(std::move(multiply));
}

}  // namespace

template <class T>
Schedule schedule_of(const Product<T>& product) {
    Schedule schedule;
    schedule.threads = product.threads();
    schedule.workspace_bytes = static_cast<std::size_t>(product.workspace());
    Stage stage;
    constexpr auto stored = static_cast<Index>(sizeof(T)), summed = static_cast<Index>(sizeof(compute_t<T>));
    if (product.planes() && product.planes()->units() > 0) {
        const PlaneGrid& grid = *product.planes();
        for (Index group = 0; group < grid.columns.product_groups; group += grid.together)
            for (std::size_t slice = 0; slice + 1 < grid.slices.size(); ++slice)
                add_boxes(grid, slice, number(std::min(grid.together, grid.columns.product_groups - group)), stored,
                          summed, stage);
        schedule.stages.push_back(std::move(stage));
        return schedule;
    }
    if (!product.tiling() || product.tiling()->units() == 0) return schedule;
    for (Index group = 0; group < product.tiling()->columns.product_groups; ++group)
        for (const Slice& slice : product.tiling()->slices) add_tiles(*product.tiling(), slice, stored, stage);
    schedule.stages.push_back(std::move(stage));
    return schedule;
}

template <class T>
Schedule schedule_of(const FastProduct<T>& product) {
    constexpr auto stored = static_cast<Index>(sizeof(T)), summed = static_cast<Index>(sizeof(compute_t<T>));
    Schedule schedule;
    schedule.threads = product.threads();
    schedule.workspace_bytes = static_cast<std::size_t>(product.workspace());
    Stage own;
    for (const FastGrid& grid : product.grids())
        if (!grid.shared) add_own(grid, stored, summed, own);
    if (!own.costs.empty()) schedule.stages.push_back(std::move(own));
    for (const FastGrid& grid : product.grids())
        for (Index group = 0; grid.shared && group < grid.columns.columns.product_groups; ++group)
            for (Index box = 0; box < grid.boxes.count(); ++box)
                add_shared(grid, box, product.threads(), stored, summed, schedule.stages);
    return schedule;
}

#define TCONV_INSTANTIATE(T)                          \
    template Schedule schedule_of(const Product<T>&); \
    template Schedule schedule_of(const FastProduct<T>&);
TCONV_INSTANTIATE(float)
TCONV_INSTANTIATE(double)
TCONV_INSTANTIATE(float16)
TCONV_INSTANTIATE(bfloat16)

}  // namespace tconv
