#include "direct/product.hpp"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "dead_targets.hpp"
#include "direct/plane_worker.hpp"
#include "direct/worker.hpp"
#include "parallel.hpp"

namespace tconv {
namespace {

/// The bias as the blocks' columns see it.
template <class T>
Buffer<compute_t<T>> spread_bias(const detail::Columns& packed, const T* bias) {
    using C = compute_t<T>;
    if (bias == nullptr) return {};
    Buffer<C> spread(packed.group_bias * packed.product_groups);
    for (Index group = 0; group < packed.product_groups; ++group) {
        const T* of_group = bias + group * packed.target_channels;
        for (const detail::Block& block : packed.blocks) {
            C* to = spread.data() + group * packed.group_bias + block.bias;
            for (Index n = 0; n < block.width; ++n)
                to[n] = n < block.columns ? widen(of_group[(block.first + n) % packed.target_channels]) : C(0);
        }
    }
    return spread;
}

/// The weights as planes' columns see them, where the grid has a place for them.
template <class T>
Buffer<compute_t<T>> turn_weights(const detail::Packed<T>& packed, const PlaneGrid& grid, int threads,
                                  std::pmr::memory_resource* memory) {
    using C = compute_t<T>;
    if (grid.turned.empty()) return {};
    const auto blocks = static_cast<Index>(packed.blocks.size());
    Buffer<C> turned(grid.turned_numbers * grid.columns.product_groups, memory);
    if (packed.form == Form::depthwise) {
        for (const detail::Block& block : packed.blocks)
            for (Index n = 0; n < block.columns; ++n) {
                C* const to = turned.data() + (block.first + n) * grid.turned_numbers +
                              grid.turned[static_cast<std::size_t>(block.window)];
                const C* const from = packed.weights.data() + block.weights + n;
                for (Index tap = 0; tap < packed.products(block); ++tap) to[tap] = from[tap * block.panel];
            }
        return turned;
    }
    parallel_for(threads, blocks * packed.product_groups, [&](Index unit, int) {
        const auto number = static_cast<std::size_t>(unit % blocks);
        const Index group = unit / blocks;
        const detail::Block& block = packed.blocks[number];
        packed.kernels->turn(packed.weights.data() + group * packed.group_weights + block.weights, block.panel,
                             turned.data() + group * grid.turned_numbers + grid.turned[number], grid.turned_step(block),
                             packed.products(block), block.panel);
    });
    return turned;
}

}  // namespace

template <class T>
Product<T>::Product(const detail::Packed<T>& packed, const std::vector<AxisMap>& maps, Index batch, DataFormat format,
                    int threads, std::pmr::memory_resource* memory)
    : packed_(packed), memory_(memory) {
    bool empty = batch == 0 || packed.target_channels == 0;  // or the walk over nothing may be long
    for (const AxisMap& map : maps) empty = empty || map.target_extent == 0;
    if (empty) return;
    format = format_of(format, packed.in_channels, packed.filters);
    using C = compute_t<T>;
    const Index bytes = static_cast<Index>(sizeof(C));
    Carver counter(nullptr);
    double products = 0;
    Index units = 0;
    if (packed.form == Form::depthwise && format == DataFormat::channels_first) channels_ = packed.by_channel();
    const detail::Columns& columns = channels_ ? std::as_const(*channels_) : packed;
    if (packed.finite && PlaneGrid::suits(columns, maps, format)) {
        planes_.emplace(columns, maps, batch, format, !std::is_same_v<T, C>, bytes, threads);
        products = planes_->products();
        units = planes_->units();
        PlaneWorker<T>(PlaneWork<T>{packed, *planes_, nullptr, nullptr, nullptr, {}, nullptr}, counter);
    } else {
        tiling_.emplace(packed, maps, batch, format, !std::is_same_v<T, C>, bytes, packed.finite, threads);
        products = tiling_->products();
        units = tiling_->units();
        Worker<T>(Work<T>{packed, *tiling_, nullptr, nullptr, nullptr, {}}, counter);
    }
    if (products >= serial_products)
        threads_ = static_cast<int>(std::clamp<Index>(threads, 1, std::max<Index>(units, 1)));
    dead_targets_ = has_dead_targets(packed, maps);
    worker_bytes_ = counter.used();
}

template <class T>
template <class Worker, class Work, class Cut>
void Product<T>::run(const Work& work, const Cut& cut, const T* bias) const {
    Buffer<char> memory(worker_bytes_ * threads_, memory_);
    std::vector<Worker> workers;
    workers.reserve(static_cast<std::size_t>(threads_));
    for (int i = 0; i < threads_; ++i) {
        Carver carver(memory.data() + worker_bytes_ * i);
        workers.emplace_back(work, carver);
    }
    if (dead_targets_)
        fill_dead_targets(packed_, *packed_.kernels, cut.maps, cut.batch, cut.target.channel == 1, work.target, bias,
                          work.finish, threads_);
    parallel_for(threads_, cut.units(),
                 [&](Index unit, int worker) { workers[static_cast<std::size_t>(worker)].compute(unit); });
}

template <class T>
void Product<T>::operator()(const T* source, const T* bias, T* target, Finish<compute_t<T>> finish) const {
    if (!tiling_ && !planes_) return;
    const auto spread = spread_bias(planes_ ? planes_->columns : packed_, bias);
    const auto* const columns_bias = bias == nullptr ? nullptr : spread.data();
    if (planes_) {
        const auto turned = turn_weights(packed_, *planes_, threads_, memory_);
        run<PlaneWorker<T>>(PlaneWork<T>{packed_, *planes_, source, target, columns_bias, finish, turned.data()},
                            *planes_, bias);
    } else {
        run<Worker<T>>(Work<T>{packed_, *tiling_, source, target, columns_bias, finish}, *tiling_, bias);
    }
}

template class Product<float>;
template class Product<double>;
template class Product<float16>;
template class Product<bfloat16>;

}  // namespace tconv
