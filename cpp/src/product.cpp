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
    bool dead = false;
    for (std::size_t a = 0; a < tiling.rank; ++a)
        dead = dead || has_dead_targets(work.packed.phases[a], tiling.maps[a]);
    if (!dead) return;

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
void multiply(const detail::Packed<T>& packed, const std::vector<AxisMap>& maps, Index batch, DataFormat format,
              const T* source, const T* bias, T* target, Finish<compute_t<T>> finish, int threads) {
    using C = compute_t<T>;
    const Tiling tiling(packed, maps, batch, format, !std::is_same_v<T, C>, sizeof(C), threads);
    if (packed.blocks.empty()) return;
    if (tiling.products() < serial_products) threads = 1;
    threads = static_cast<int>(std::clamp<Index>(threads, 1, std::max<Index>(tiling.units(), 1)));

    const Buffer<C> spread = spread_bias(packed, bias);
    const Work<T> work{packed, tiling, source, target, bias == nullptr ? nullptr : spread.data(), finish};
    Carver counter(nullptr);
    Worker<T>(work, counter);
    Buffer<char> memory(counter.used() * threads);

    std::vector<Worker<T>> workers;
    for (int i = 0; i < threads; ++i) {
        Carver carver(memory.data() + counter.used() * i);
        workers.emplace_back(work, carver);
    }
    fill_dead_targets(work, bias, threads);
    parallel_for(threads, tiling.units(),
                 [&](Index unit, int worker) { workers[static_cast<std::size_t>(worker)].compute(unit); });
}

template void multiply(const detail::Packed<float>&, const std::vector<AxisMap>&, Index, DataFormat, const float*,
                       const float*, float*, Finish<float>, int);
template void multiply(const detail::Packed<double>&, const std::vector<AxisMap>&, Index, DataFormat, const double*,
                       const double*, double*, Finish<double>, int);
template void multiply(const detail::Packed<float16>&, const std::vector<AxisMap>&, Index, DataFormat, const float16*,
                       const float16*, float16*, Finish<float>, int);
template void multiply(const detail::Packed<bfloat16>&, const std::vector<AxisMap>&, Index, DataFormat, const bfloat16*,
                       const bfloat16*, bfloat16*, Finish<float>, int);

}  // namespace tconv
