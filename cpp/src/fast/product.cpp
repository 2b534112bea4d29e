#include "fast/product.hpp"

#include <algorithm>
#include <type_traits>

#include "checked.hpp"
#include "dead_targets.hpp"
#include "dispatch.hpp"
#include "parallel.hpp"

namespace tconv {
namespace {

constexpr Index least_chunk = 16;  // channels: a line of a cache, which two threads should not write
constexpr Index least_slabs = 2, least_rows = 8, rows_of_thread = 4;  // tiles; so often is a thread's part of them cut
constexpr double least_unit = 1 << 20;                                // products of a unit, or it is not cut again
constexpr Index streamed_bytes = 8 << 20, least_streamed = 4;         // of panels that are transformed together; panels
constexpr Index many_weights = 4;                                     // times the numbers of the tiles that they meet
constexpr double most_waiting = 1.15;  // of the time of a stage: so long that threads wait for the last one

/// Whether so many equal units keep threads waiting for the last ones.
bool uneven(Index units, int threads) {
    return static_cast<double>(ceil_div(units, threads) * threads) > most_waiting * static_cast<double>(units);
}

}  // namespace

// Products and transforms are the same however they are cut, number by number.
SharedCut::SharedCut(const FastGrid& grid, Index box, Index all_panels, int threads)
    : rows(grid.boxes.points_of(box)),
      channels(fast_chunk),
      tiles(grid.block_tiles),
      panels(grid.block_panels),
      tiles_first(grid.columns.panel_weights(grid.window, all_panels) - grid.columns.panel_weights(grid.window, 0) <=
                  many_weights * rows * grid.tile_numbers) {
    const detail::Columns& columns = grid.columns.columns;
    const Index all_tiles = rows;
    if (grid.gathered) {
        const Boxes::Slabs slabs = grid.boxes.slabs_of(box);  // what lies between two parts is gathered twice
        if (slabs.count >= least_slabs * threads) rows = ceil_div(slabs.count, threads) * slabs.points;
    } else if (all_tiles >= least_rows * threads) {
        rows = std::max(least_rows, all_tiles / (rows_of_thread * threads));
        channels = grid.window.source_channels;
    }
    if (rows == all_tiles) {
        while (channels / 2 >= least_chunk && uneven(ceil_div(grid.window.source_channels, channels), threads))
            channels /= 2;
    }
    const double products =
        static_cast<double>(grid.window.products * grid.window.source_channels * columns.panel.width);
    while (uneven(ceil_div(all_tiles, tiles) * ceil_div(all_panels, panels), threads) &&
           static_cast<double>(tiles * panels) * products >= 2 * least_unit) {
        if (panels > 1 && (panels * columns.panel.width >= tiles || tiles <= columns.panel.tile_rows)) {
            panels = ceil_div(panels, 2);
        } else if (tiles > columns.panel.tile_rows) {
            tiles = ceil_div(ceil_div(tiles, 2), columns.panel.tile_rows) * columns.panel.tile_rows;
        } else {
            break;
        }
    }
}

template <class T>
FastProduct<T>::FastProduct(const FastPacked<T>& packed, const std::vector<AxisMap>& maps, Index batch,
                            DataFormat format, int threads, std::pmr::memory_resource* memory)
    : packed_(packed),
      maps_(maps),
      source_(format, packed.columns.source_channels * packed.columns.product_groups,
              extents_of(maps, &AxisMap::source_extent)),
      target_(format, packed.columns.target_channels * packed.columns.product_groups,
              extents_of(maps, &AxisMap::target_extent)),
      staged_(target_.channel != 1 || !std::is_same_v<T, C>),
      threads_(threads),
      memory_(memory),
      batch_(batch),
      dead_targets_(has_dead_targets(packed.columns, maps)) {
    const bool gathered = source_.channel != 1 || !std::is_same_v<T, C>;
    for (const FastWindow& window : packed.windows)
        grids_.emplace_back(packed, window, maps_, source_, target_, batch, gathered, static_cast<Index>(sizeof(C)),
                            threads);
    for (const FastGrid& grid : grids_)
        if (grid.shared && !grid.empty()) shared_numbers_ = std::max(shared_numbers_, grid.transformed());
    Carver counter(nullptr);
    FastWorker<T>(
        FastWork<T>{packed_, fast_kernels_for<C>(packed.kernels.isa), grids_, staged_, nullptr, nullptr, nullptr, {}},
        counter);
    worker_bytes_ = counter.used();
}

/// The bias as the windows' columns see it, in the grids' order.
template <class T>
Buffer<compute_t<T>> FastProduct<T>::spread_bias(const T* bias) const {
    if (bias == nullptr) return {};
    const Index channels = packed_.columns.target_channels;
    Buffer<C> spread(packed_.group_bias * packed_.columns.product_groups);
    for (Index group = 0; group < packed_.columns.product_groups; ++group)
        for (const FastGrid& grid : grids_) {
            const FastWindow& w = grid.window;
            const Index of_half = packed_.panels(w) * packed_.columns.panel.width;
            for (Index number = 0; number < packed_.bias_numbers(w); ++number) {
                const Index n = number % of_half;
                const Index first = group * channels + number / of_half * w.target_channels;
                spread[group * packed_.group_bias + w.bias + number] =
                    n < w.columns ? widen(bias[first + grid.column_at(n) % w.target_channels]) : C(0);
            }
        }
    return spread;
}

template <class T>
void FastProduct<T>::operator()(const T* source, const T* bias, T* target, Finish<C> finish) const {
    const Buffer<C> spread = spread_bias(bias);
    const FastWork<T> work{packed_, fast_kernels_for<C>(packed_.kernels.isa),  grids_, staged_, source,
                           target,  bias == nullptr ? nullptr : spread.data(), finish};
    with_workers(work, [&](std::vector<FastWorker<T>>& workers, C* transformed) {
        if (dead_targets_)
            fill_dead_targets(packed_.columns, packed_.kernels, maps_, batch_, target_.channel == 1, target, bias,
                              finish, threads_);
        run_own(workers);
        for (std::size_t g = 0; g < grids_.size(); ++g)
            if (grids_[g].shared)
                run_shared(g, workers, transformed, packed_.panels(grids_[g].window), [](Index, Index, Index) {});
    });
}

template <class T>
Index FastProduct<T>::streamed_panels() const {
    if (grids_.size() != 1 || !grids_.front().shared || grids_.front().boxes.count() != 1) return 0;
    const FastWindow& w = grids_.front().window;
    const Index panels = packed_.panels(w), bytes = packed_.panel_weights(w, 1) * static_cast<Index>(sizeof(C));
    const Index held = ceil_div(std::max(streamed_bytes / bytes, least_streamed), least_streamed) * least_streamed;
    return held < panels ? held : 0;
}

template <class T>
void FastProduct<T>::stream(const T* source, T* target, FastPacked<T>& packed, const KernelRows<C>& kernel) const {
    const FastWork<T> work{packed_, fast_kernels_for<C>(packed_.kernels.isa), grids_, staged_, source, target, nullptr,
                           {}};
    const FastWindow& window = grids_.front().window;
    PanelFiller<C> filler(packed, window, packed.transforms, threads_);
    with_workers(work, [&](std::vector<FastWorker<T>>& workers, C* transformed) {
        run_shared(0, workers, transformed, streamed_panels(), [&](Index group, Index first, Index last) {
            packed.refill(filler, kernel, group, window, first, last);
        });
    });
}

/// run(workers, memory for transformed tiles that they share).
template <class T>
template <class Run>
void FastProduct<T>::with_workers(const FastWork<T>& work, const Run& run) const {
    Buffer<char> memory(worker_bytes_ * threads_, memory_);
    Buffer<C> transformed(shared_numbers_, memory_);
    std::vector<FastWorker<T>> workers;
    workers.reserve(static_cast<std::size_t>(threads_));
    for (int i = 0; i < threads_; ++i) {
        Carver carver(memory.data() + worker_bytes_ * i);
        workers.emplace_back(work, carver);
    }
    run(workers, transformed.data());
}

/// Boxes that a worker transforms for itself.
template <class T>
void FastProduct<T>::run_own(std::vector<FastWorker<T>>& workers) const {
    std::vector<Index> first{0};
    for (const FastGrid& grid : grids_)
        first.push_back(first.back() + (grid.shared ? 0 : grid.boxes.count() * packed_.columns.product_groups));
    parallel_for(threads_, first.back(), [&](Index unit, int number) {
        const auto next = std::upper_bound(first.begin(), first.end(), unit);
        const auto grid = static_cast<std::size_t>(next - first.begin()) - 1;
        const Index boxes = grids_[grid].boxes.count(), rest = unit - first[grid];
        FastWorker<T>& worker = workers[static_cast<std::size_t>(number)];
        worker.enter(grid, rest / boxes, rest % boxes);
        worker.compute();
    });
}

/// Boxes that all workers transform together, and then multiply, tiles and columns each, after prepare(group, first,
/// last) of so many panels `together`.
template <class T>
template <class Prepare>
void FastProduct<T>::run_shared(std::size_t number, std::vector<FastWorker<T>>& workers, C* transformed, Index together,
                                const Prepare& prepare) const {
    const FastGrid& grid = grids_[number];
    const Index boxes = grid.boxes.count(), channels = grid.window.source_channels;
    const Index panels = packed_.panels(grid.window);
    for (Index group = 0; group < packed_.columns.product_groups; ++group) {
        for (Index box = 0; box < boxes; ++box) {
            const SharedCut cut(grid, box, std::min(together, panels), threads_);
            const Index tiles = grid.boxes.points_of(box), chunks = ceil_div(channels, cut.channels);
            parallel_for(threads_, ceil_div(tiles, cut.rows) * chunks, [&](Index unit, int worker) {
                FastWorker<T>& w = workers[static_cast<std::size_t>(worker)];
                w.enter(number, group, box);
                const Index tile = unit / chunks * cut.rows, channel = unit % chunks * cut.channels;
                w.transform(tile, std::min(tile + cut.rows, tiles), channel, std::min(channel + cut.channels, channels),
                            transformed);
            });
            const Index tile_blocks = ceil_div(tiles, cut.tiles);
            for (Index first = 0; first < panels; first += together) {
                const Index last = std::min(first + together, panels);
                const Index panel_blocks = ceil_div(last - first, cut.panels);
                prepare(group, first, last);
                parallel_for(threads_, tile_blocks * panel_blocks, [&](Index unit, int worker) {
                    FastWorker<T>& w = workers[static_cast<std::size_t>(worker)];
                    w.enter(number, group, box);
                    const SharedCut::Block block = cut.block(unit, tile_blocks, panel_blocks);
                    const Index tile = block.tiles * cut.tiles, panel = first + block.panels * cut.panels;
                    w.multiply(tile, std::min(tile + cut.tiles, tiles), panel, std::min(panel + cut.panels, last),
                               transformed);
                });
            }
        }
    }
}

template <class T>
std::shared_ptr<const FastPacked<T>> FastCache<T>::get(const detail::Packed<T>& packed, const FastChoice& choice) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto same = std::find_if(latest_.begin(), latest_.end(), [&](const auto& p) { return p->choice == choice; });
    if (same != latest_.end()) {
        std::rotate(latest_.begin(), same, same + 1);
    } else {
        if (latest_.size() == most) latest_.pop_back();
        auto transformed = std::make_shared<FastPacked<T>>(packed, choice, nullptr);
        transformed->fill(packed, default_threads());
        latest_.insert(latest_.begin(), std::move(transformed));
    }
    return latest_.front();
}

template class FastCache<float>;
template class FastCache<double>;
template class FastCache<float16>;
template class FastCache<bfloat16>;
template class FastProduct<float>;
template class FastProduct<double>;
template class FastProduct<float16>;
template class FastProduct<bfloat16>;

}  // namespace tconv
