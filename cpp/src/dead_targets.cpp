#include "dead_targets.hpp"

#include <algorithm>

#include "half.hpp"
#include "parallel.hpp"

namespace tconv {

bool has_dead_targets(const detail::Columns& columns, const std::vector<AxisMap>& maps) {
    bool some = false;
    for (std::size_t a = 0; a < maps.size(); ++a) some = some || has_dead_targets(columns.phases[a], maps[a]);
    return some;
}

template <class T>
void fill_dead_targets(const detail::Columns& columns, const Kernels<compute_t<T>>& kernels,
                       const std::vector<AxisMap>& maps, Index batch, bool channels_last, T* target, const T* bias,
                       Finish<compute_t<T>> finish, int threads) {
    using C = compute_t<T>;
    const Index channels = columns.target_channels * columns.product_groups;
    Buffer<C> value((channels + kernels.width - 1) / kernels.width * kernels.width);
    Buffer<T> stored(channels);
    for (Index c = 0; c < value.size(); ++c) value[c] = bias != nullptr && c < channels ? widen(bias[c]) : C(0);
    kernels.finish(value.data(), value.size(), 1, value.size(), nullptr, finish);
    for (Index c = 0; c < channels; ++c) stored[c] = narrow<T>(value[c]);

    Index pixels = 1;
    for (const AxisMap& map : maps) pixels *= map.target_extent;
    const Index lines = channels_last ? batch * pixels : batch * channels;
    const Index length = channels_last ? channels : pixels;
    const Index some = std::max<Index>((1 << 16) / std::max<Index>(length, 1), 1);
    parallel_for(threads, (lines + some - 1) / some, [&](Index unit, int) {
        for (Index line = unit * some; line < std::min(lines, (unit + 1) * some); ++line) {
            T* to = target + line * length;
            if (channels_last) {
                std::copy_n(stored.data(), length, to);
            } else {
                std::fill_n(to, length, stored[line % channels]);
            }
        }
    });
}

template void fill_dead_targets(const detail::Columns&, const Kernels<float>&, const std::vector<AxisMap>&, Index, bool,
                                float*, const float*, Finish<float>, int);
template void fill_dead_targets(const detail::Columns&, const Kernels<double>&, const std::vector<AxisMap>&, Index,
                                bool, double*, const double*, Finish<double>, int);
template void fill_dead_targets(const detail::Columns&, const Kernels<float>&, const std::vector<AxisMap>&, Index, bool,
                                float16*, const float16*, Finish<float>, int);
template void fill_dead_targets(const detail::Columns&, const Kernels<float>&, const std::vector<AxisMap>&, Index, bool,
                                bfloat16*, const bfloat16*, Finish<float>, int);

}  // namespace tconv
