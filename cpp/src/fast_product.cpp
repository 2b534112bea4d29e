#include "fast_product.hpp"

#include <algorithm>
#include <type_traits>

#include "dispatch.hpp"
#include "pages.hpp"
#include "parallel.hpp"

namespace tconv {
namespace {

std::vector<Index> extents_of(const std::vector<AxisMap>& maps, Index AxisMap::* extent) {
    std::vector<Index> extents;
    for (const AxisMap& map : maps) extents.push_back(map.*extent);
    return extents;
}

}  // namespace

template <class T>
FastProduct<T>::FastProduct(const FastPacked<T>& packed, const std::vector<AxisMap>& maps, Index batch,
                            DataFormat format, int threads)
    : packed_(packed),
      maps_(maps),
      source_(format, packed.columns.source_channels * packed.columns.product_groups,
              extents_of(maps, &AxisMap::source_extent)),
      target_(format, packed.columns.target_channels * packed.columns.product_groups,
              extents_of(maps, &AxisMap::target_extent)),
      gathered_(source_.channel != 1 || !std::is_same_v<T, C>),
      staged_(target_.channel != 1 || !std::is_same_v<T, C>),
      threads_(threads) {
    for (const FastWindow& window : packed.windows)
        grids_.emplace_back(packed, window, maps_, source_, target_, batch, gathered_, static_cast<Index>(sizeof(C)),
                            threads);
    for (const FastGrid& grid : grids_)
        if (grid.shared && !grid.empty()) shared_numbers_ = std::max(shared_numbers_, grid.transformed());
    Carver counter(nullptr);
    FastWorker<T>(FastWork<T>{packed_,
                              fast_kernels_for<C>(packed.kernels.isa),
                              grids_,
                              gathered_,
                              staged_,
                              nullptr,
                              nullptr,
                              nullptr,
                              {}},
                  counter);
    worker_bytes_ = counter.used();
}

/// The bias as the windows' columns see it.
template <class T>
Buffer<compute_t<T>> FastProduct<T>::spread_bias(const T* bias) const {
    if (bias == nullptr) return {};
    const Index channels = packed_.columns.target_channels;
    Buffer<C> spread(packed_.group_bias * packed_.columns.product_groups);
    for (Index group = 0; group < packed_.columns.product_groups; ++group)
        for (const FastWindow& w : packed_.windows)
            for (Index n = 0; n < packed_.panels(w) * packed_.columns.full_width; ++n)
                spread[group * packed_.group_bias + w.bias + n] =
                    n < w.columns ? widen(bias[group * channels + n % channels]) : C(0);
    return spread;
}

template <class T>
void FastProduct<T>::operator()(const T* source, const T* bias, T* target, Finish<C> finish) const {
    const Buffer<C> spread = spread_bias(bias);
    const FastWork<T> work{packed_, fast_kernels_for<C>(packed_.kernels.isa),  grids_, gathered_, staged_, source,
                           target,  bias == nullptr ? nullptr : spread.data(), finish};
    Buffer<char> memory(worker_bytes_ * threads_);
    Buffer<C> transformed(shared_numbers_);
    prefer_large_pages(transformed.data(), shared_numbers_ * static_cast<Index>(sizeof(C)));
    std::vector<FastWorker<T>> workers;
    workers.reserve(static_cast<std::size_t>(threads_));
    for (int i = 0; i < threads_; ++i) {
        Carver carver(memory.data() + worker_bytes_ * i);
        workers.emplace_back(work, carver);
    }
    run_own(workers);
    for (std::size_t g = 0; g < grids_.size(); ++g)
        if (grids_[g].shared) run_shared(g, workers, transformed.data());
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

/// Boxes that all workers transform together, chunks of channels each, and then multiply, tiles and columns each.
template <class T>
void FastProduct<T>::run_shared(std::size_t number, std::vector<FastWorker<T>>& workers, C* transformed) const {
    const FastGrid& grid = grids_[number];
    const Index boxes = grid.boxes.count(), channels = packed_.columns.source_channels;
    const Index panels = packed_.panels(grid.window);
    const Index chunks = (channels + fast_chunk - 1) / fast_chunk;
    const Index column_blocks = (panels + grid.block_panels - 1) / grid.block_panels;
    for (Index group = 0; group < packed_.columns.product_groups; ++group) {
        for (Index box = 0; box < boxes; ++box) {
            parallel_for(threads_, chunks, [&](Index chunk, int worker) {
                FastWorker<T>& w = workers[static_cast<std::size_t>(worker)];
                w.enter(number, group, box);
                w.transform(chunk * fast_chunk, std::min((chunk + 1) * fast_chunk, channels), transformed);
            });
            const Index tiles = grid.boxes.points_of(box);
            const Index tile_blocks = (tiles + grid.block_tiles - 1) / grid.block_tiles;
            parallel_for(threads_, column_blocks * tile_blocks, [&](Index unit, int worker) {
                FastWorker<T>& w = workers[static_cast<std::size_t>(worker)];
                w.enter(number, group, box);
                const Index tile = unit % tile_blocks * grid.block_tiles;
                const Index panel = unit / tile_blocks * grid.block_panels;
                w.multiply(tile, std::min(tile + grid.block_tiles, tiles), panel,
                           std::min(panel + grid.block_panels, panels), transformed);
            });
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
        const Buffer<compute_t<T>> kernel = unpack(packed);
        const Index of_group = kernel.size() / packed.product_groups;
        const KernelRows<compute_t<T>> rows{kernel.data(), of_group, packed.source_channels * packed.target_channels,
                                            packed.target_channels};
        latest_.insert(latest_.begin(), std::make_shared<const FastPacked<T>>(packed, choice, rows, packed.kernels->isa,
                                                                              default_threads()));
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
