#include "product.hpp"

#include <algorithm>
#include <type_traits>

#include "parallel.hpp"
#include "worker.hpp"

namespace tconv {
namespace {

constexpr double serial_products = 1 << 19;  // fewer are not worth waking a thread

/// The bias as the blocks' columns see it.
template <class T>
Buffer<compute_t<T>> spread_bias(const detail::Packed<T>& packed, const T* bias) {
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

/// Targets that no tap reaches hold the finished bias: with dead phases the whole target is filled first.
template <class T>
void fill_dead_targets(const Work<T>& work, const T* bias, int threads) {
    using C = compute_t<T>;
    const Tiling& tiling = work.tiling;
    const Kernels<C>& kernels = *work.packed.kernels;
    const Index channels = work.packed.target_channels * work.packed.product_groups;
    Buffer<C> value((channels + kernels.width - 1) / kernels.width * kernels.width);
    Buffer<T> stored(channels);
    for (Index c = 0; c < value.size(); ++c) value[c] = bias != nullptr && c < channels ? widen(bias[c]) : C(0);
    kernels.finish(value.data(), value.size(), 1, value.size(), nullptr, work.finish);
    for (Index c = 0; c < channels; ++c) stored[c] = narrow<T>(value[c]);

    Index pixels = 1;
    for (const AxisMap& map : tiling.maps) pixels *= map.target_extent;
    const bool channels_last = tiling.target.channel == 1;
    const Index lines = channels_last ? tiling.batch * pixels : tiling.batch * channels;
    const Index length = channels_last ? channels : pixels;
    const Index some = std::max<Index>((1 << 16) / std::max<Index>(length, 1), 1);
    parallel_for(threads, (lines + some - 1) / some, [&](Index unit, int) {
        for (Index line = unit * some; line < std::min(lines, (unit + 1) * some); ++line) {
            T* to = work.target + line * length;
            if (channels_last) {
                std::copy_n(stored.data(), length, to);
            } else {
                std::fill_n(to, length, stored[line % channels]);
            }
        }
    });
}

}  // namespace

template <class T>
Product<T>::Product(const detail::Packed<T>& packed, const std::vector<AxisMap>& maps, Index batch, DataFormat format,
                    int threads)
    : packed_(packed) {
    bool empty = batch == 0 || packed.target_channels == 0;  // or the walk over nothing may be long
    for (const AxisMap& map : maps) empty = empty || map.target_extent == 0;
    if (empty) return;
    using C = compute_t<T>;
    tiling_.emplace(packed, maps, batch, format, !std::is_same_v<T, C>, sizeof(C), threads);
    if (tiling_->products() >= serial_products)
        threads_ = static_cast<int>(std::clamp<Index>(threads, 1, std::max<Index>(tiling_->units(), 1)));
    for (std::size_t a = 0; a < tiling_->rank; ++a)
        dead_targets_ = dead_targets_ || has_dead_targets(packed.phases[a], tiling_->maps[a]);
    Carver counter(nullptr);
    Worker<T>(Work<T>{packed, *tiling_, nullptr, nullptr, nullptr, {}}, counter);
    worker_bytes_ = counter.used();
}

template <class T>
void Product<T>::operator()(const T* source, const T* bias, T* target, Finish<compute_t<T>> finish) const {
    if (!tiling_) return;
    const auto spread = spread_bias(packed_, bias);
    const Work<T> work{packed_, *tiling_, source, target, bias == nullptr ? nullptr : spread.data(), finish};
    Buffer<char> memory(worker_bytes_ * threads_);
    std::vector<Worker<T>> workers;
    workers.reserve(static_cast<std::size_t>(threads_));
    for (int i = 0; i < threads_; ++i) {
        Carver carver(memory.data() + worker_bytes_ * i);
        workers.emplace_back(work, carver);
    }
    if (dead_targets_) fill_dead_targets(work, bias, threads_);
    parallel_for(threads_, tiling_->units(),
                 [&](Index unit, int worker) { workers[static_cast<std::size_t>(worker)].compute(unit); });
}

template class Product<float>;
template class Product<double>;
template class Product<float16>;
template class Product<bfloat16>;

}  // namespace tconv
