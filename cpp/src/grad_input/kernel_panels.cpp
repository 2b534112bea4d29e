#include "grad_input/kernel_panels.hpp"

#include <algorithm>
#include <type_traits>
#include <vector>

#include "checked.hpp"
#include "finite.hpp"
#include "gather.hpp"
#include "parallel.hpp"

namespace tconv {
namespace {

constexpr Index most_lines = 64, numbers_at_once = 1 << 12;  // in the first cache

Index product_of_taps(const Geometry<dynamic>& g) {
    Index taps = 1;
    for (const Axis& axis : g.axes) taps *= axis.kernel;
    return taps;
}

}  // namespace

template <class T>
KernelPanels<T>::KernelPanels(const Geometry<dynamic>& g, const T* kernel, const GradientKernels<C>& gradient,
                              const Converters& converters, int threads, std::pmr::memory_resource* memory)
    : pairs_(product_of_taps(g) * (g.filters / g.groups)),
      width_(gradient.width),
      blocks_(ceil_div(g.in_channels / g.groups, gradient.width)),
      numbers_(g.groups * blocks_ * pairs_ * width_, memory) {
    const Index channels = g.in_channels / g.groups;
    const Index lines_at_once = std::clamp<Index>(numbers_at_once / std::max<Index>(channels, 1), 8, most_lines);
    const Index pieces = ceil_div(pairs_, lines_at_once);
    constexpr bool converted = !std::is_same_v<T, C>;
    Buffer<C> widened(converted ? lines_at_once * channels * threads : 0, memory);
    std::vector<char> finite(static_cast<std::size_t>(g.groups * pieces), 1);
    parallel_for(threads, g.groups * pieces, [&](Index unit, int worker) {
        const Index group = unit / pieces, first = unit % pieces * lines_at_once;
        const Index count = std::min(lines_at_once, pairs_ - first);
        const C* lines[most_lines];
        bool good = true;
        for (Index k = 0; k < count; ++k) {
            const T* from = kernel + (first + k) * g.in_channels + group * channels;
            if constexpr (converted) {
                C* to = widened.data() + (worker * lines_at_once + k) * channels;
                widen(converters, from, to, channels);
                lines[k] = to;
            } else {
                lines[k] = from;
            }
            good = good && all_finite(lines[k], channels);
        }
        finite[static_cast<std::size_t>(unit)] = good ? 1 : 0;
        C* to = numbers_.data() + group * blocks_ * pairs_ * width_ + first * width_;
        gradient.deal_columns[1](lines, count, channels, to, pairs_ * width_);
    });
    finite_ = std::all_of(finite.begin(), finite.end(), [](char good) { return good != 0; });
}

template class KernelPanels<float>;
template class KernelPanels<double>;
template class KernelPanels<float16>;
template class KernelPanels<bfloat16>;

}  // namespace tconv
