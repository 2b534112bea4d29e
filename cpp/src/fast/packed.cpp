#include "fast/packed.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "checked.hpp"
#include "dispatch.hpp"
#include "parallel.hpp"

namespace tconv {
namespace {

constexpr Index serial_numbers = 1 << 16;    // fewer are not worth waking a thread
constexpr Index unpacked_numbers = 1 << 20;  // of a packed kernel at once

}  // namespace

template <class T>
FastPacked<T>::FastPacked(const detail::Columns& columns_, FastChoice choice_, std::pmr::memory_resource* memory)
    : FastColumns(columns_, std::move(choice_)),
      kernels(kernels_for<C>(columns_.panel.isa)),
      transforms(fast_kernels_for<C>(columns_.panel.isa)),
      converters(converters_for(columns_.panel.isa)),
      zeros(columns_.source_channels),
      memory_(memory) {
    std::fill_n(zeros.data(), zeros.size(), C(0));
}

template <class T>
void FastPacked<T>::reserve_panels(const FastWindow& w, Index count) {
    weights_ = Buffer<C>(panel_weights(w, count) - panel_weights(w, 0), memory_);
}

template <class T>
void FastPacked<T>::refill(PanelFiller<C>& filler, const KernelRows<C>& kernel, Index group, const FastWindow& w,
                           Index first, Index last) {
    first_ = group * group_weights + panel_weights(w, first);
    const Index steps = w.steps();
    parallel_for(filler.workers(), ceil_div(last - first, panels_at_once) * steps, [&](Index unit, int worker) {
        const Index panel = first + unit / steps * panels_at_once;
        filler.fill(kernel, group, panel, std::min(panel + panels_at_once, last), unit % steps,
                    weights_.data() + place_of(group, w, panel), worker);
    });
}

template <class T>
void FastPacked<T>::fill(const KernelRows<C>& kernel, int threads) {
    weights_ = Buffer<C>(numbers(), memory_);
    fill_all(kernel, threads);
}

template <class T>
void FastPacked<T>::fill_all(const KernelRows<C>& kernel, int threads) {
    if (numbers() < serial_numbers) threads = 1;
    std::vector<Index> first{0};  // of each window's units, which are a bundle of panels and a step
    std::vector<PanelFiller<C>> fillers;
    for (const FastWindow& w : windows) {
        first.push_back(first.back() + (w.lent.empty() ? ceil_div(panels(w), panels_at_once) * w.steps() : 0));
        fillers.emplace_back(*this, w, transforms, threads);
    }
    parallel_for(threads, first.back() * columns.product_groups, [&](Index number, int worker) {
        const Index unit = number % first.back(), group = number / first.back();
        const auto next = std::upper_bound(first.begin(), first.end(), unit);
        const auto window = static_cast<std::size_t>(next - first.begin()) - 1;
        const FastWindow& w = windows[window];
        const Index rest = unit - *(next - 1), steps = w.steps(), panel = rest / steps * panels_at_once;
        fillers[window].fill(kernel, group, panel, std::min(panel + panels_at_once, panels(w)), rest % steps,
                             weights_.data() + place_of(group, w, panel), worker);
    });
}

template <class T>
void FastPacked<T>::fill(const detail::Packed<T>& packed, int threads) {
    lender_ = packed.weights.data();
    if (this->numbers() == 0) return;
    const Index of_channel = packed.unpacked_channel(),
                taps = of_channel / packed.target_channels / packed.product_groups;
    const Index channels = windows.front().source_channels, halves = packed.source_channels / channels;
    const Index some = std::min(std::max<Index>(unpacked_numbers / of_channel / halves, 1), channels);
    Buffer<C> numbers(halves * some * of_channel);
    weights_ = Buffer<C>(this->numbers(), memory_);
    if (this->numbers() < serial_numbers) threads = 1;
    for (Index first = 0; first < channels; first += some) {
        const Index last = std::min(first + some, channels), of_half = (last - first) * of_channel;
        for (Index half = 0; half < halves; ++half)
            packed.unpack(half * channels + first, half * channels + last, threads, numbers.data() + half * of_half);
        const Index of_tap = (last - first) * packed.target_channels;
        fill_all({numbers.data(), first, last, taps * of_tap, of_tap, packed.target_channels, of_half}, threads);
    }
}

template class FastPacked<float>;
template class FastPacked<double>;
template class FastPacked<float16>;
template class FastPacked<bfloat16>;

}  // namespace tconv
