// The gradient of the input: an ordinary strided convolution of the output's gradient.
#include <algorithm>
#include <type_traits>
#include <vector>

#include <tconv/conv_transpose.hpp>

#include "checks.hpp"
#include "cpu.hpp"
#include "dispatch.hpp"
#include "fast/choice.hpp"
#include "fast/product.hpp"
#include "finite.hpp"
#include "gather.hpp"
#include "grad_input/lines_worker.hpp"
#include "grad_input/pixels_worker.hpp"
#include "grad_input/planes_worker.hpp"
#include "grad_input/taps_worker.hpp"
#include "layout.hpp"
#include "reference.hpp"
#include "run_units.hpp"

namespace tconv::detail {
namespace {

constexpr double serial_products = 1 << 18;  // fewer are not worth waking a thread
constexpr double least_fast_products = 1 << 18;
constexpr Index most_lane_pairs = 16;  // of a channel and a filter of a group

double products_of(const Geometry<dynamic>& g) {
    double products = static_cast<double>(numbers_of_kernel(g)) * static_cast<double>(g.batch);
    for (const Axis& axis : g.axes) products *= static_cast<double>(axis.in);
    return products;
}

/// A tensor of one channel is channels last, too.
Layout layout_of(DataFormat format, Index channels, const std::vector<Index>& extents) {
    return Layout(channels == 1 ? DataFormat::channels_last : format, channels, extents);
}

/// The workers that suit a problem better than lines do.
template <class T>
struct Suited {
    Layout x_layout, dy_layout;
    Isa planes_isa, taps_isa, channels_isa;
    bool planes, taps, pixels;

    Suited(const Geometry<dynamic>& g, const Options& options)
        : x_layout(layout_of(options.data_format, g.in_channels, extents_of(g, &Axis::in))),
          dy_layout(layout_of(options.data_format, g.filters, extents_of(g, &Axis::out))),
          planes_isa(isa_for<compute_t<T>>(options.isa, g.axes.back().in)),
          taps_isa(isa_for<compute_t<T>>(options.isa, g.groups)),
          channels_isa(isa_for<compute_t<T>>(options.isa, g.in_channels / g.groups)),
          planes(PlanesWork<T>::suits(g, x_layout, dy_layout, planes_isa)),
          pixels(PixelsWork<T>::suits(g, channels_isa)) {
        const Index pairs = g.in_channels / g.groups * (g.filters / g.groups);
        taps = pairs > 0 && pairs <= std::min(most_lane_pairs, 2 * g.groups);
    }
    bool any() const { return planes || taps || pixels; }
};

/// Whether fast algorithms are worth a look.
template <class T>
bool may_be_fast(const Geometry<dynamic>& g, const Suited<T>& suited, const Options& options) {
    if (options.algorithm == Algorithm::direct) return false;
    return options.algorithm == Algorithm::fast || (!suited.any() && products_of(g) >= least_fast_products);
}

/// A problem as fast algorithms see it, and the one that is faster than direct or must be, if there is any.
template <class T>
struct FastView {
    using C = compute_t<T>;

    Columns columns;
    std::vector<AxisMap> maps;
    FastDecision decision;

    FastView(const Geometry<dynamic>& g, const Options& options)
        : columns(columns_for<C>(g, Direction::grad_input, options.isa, options.data_format)) {
        for (const Axis& axis : g.axes) maps.push_back(backward_map(axis));
        decision = decide(columns, maps, g.batch, sizeof(C), options.data_format, options.algorithm, false);
    }
};

/// Computes dx by a fast algorithm, or does nothing.
template <class T>
bool compute_fast(const Geometry<dynamic>& g, const T* dy, const T* kernel, T* dx, const Options& options,
                  int threads) {
    using C = compute_t<T>;
    const FastView<T> view(g, options);
    if (!view.decision.choice) return false;

    const Index count = numbers_of_kernel(g);
    Buffer<C> converted;
    const C* numbers = nullptr;
    if constexpr (std::is_same_v<T, C>) {
        numbers = kernel;
    } else {
        converted = Buffer<C>(count, options.memory);
        widen(converters_for(options.isa), kernel, converted.data(), count);
        numbers = converted.data();
    }
    if (!all_finite(numbers, count, threads)) return false;  // sums of weights would spread what is not
    const KernelRows<C> rows{numbers,
                             0,
                             view.columns.source_channels,
                             g.in_channels / g.groups,
                             g.filters / g.groups * g.in_channels,
                             g.in_channels,
                             view.columns.source_channels / 2 * g.in_channels};
    FastPacked<T> packed(view.columns, *view.decision.choice, options.memory);
    const FastProduct<T> product(packed, view.maps, g.batch, options.data_format, threads, options.memory);
    if (const Index panels = product.streamed_panels(); panels > 0) {
        packed.reserve_panels(packed.windows.front(), panels);
        product.stream(dy, dx, packed, rows);
    } else {
        packed.fill(rows, threads);
        product(dy, nullptr, dx, {});
    }
    return true;
}

template <class T>
void compute(const Geometry<dynamic>& g, const T* dy, const T* kernel, T* dx, const Options& options, int threads) {
    if (numbers_of_input(g) == 0) return;
    if (products_of(g) < serial_products) threads = 1;

    const Suited<T> suited(g, options);
    const Layout &x_layout = suited.x_layout, &dy_layout = suited.dy_layout;
    if (may_be_fast(g, suited, options) && compute_fast(g, dy, kernel, dx, options, threads)) return;

    if (suited.planes) {
        PlanesWork<T> work(g, x_layout, dy_layout, dy, kernel, dx, suited.planes_isa);
        if (work.finite)
            return run_units<PlanesWorker<T>>(work, threads, options.memory, [&work] { return work.shrink(); });
    }
    if (suited.taps) {
        TapsWork<T> work(g, x_layout, dy_layout, dy, kernel, dx, suited.taps_isa);
        run_units<TapsWorker<T>>(work, threads, options.memory, [&work] { return work.shrink(); });
    } else if (suited.pixels) {
        PixelsWork<T> work(g, x_layout, dy_layout, dy, kernel, dx, suited.channels_isa);
        run_units<PixelsWorker<T>>(work, threads, options.memory, [&work] { return work.shrink(); });
    } else {
        const Isa isa = suited.channels_isa;
        const KernelPanels<T> panels(g, kernel, gradient_kernels_for<compute_t<T>>(isa), converters_for(isa), threads,
                                     options.memory);
        LinesWork<T> work(g, x_layout, dy_layout, dy, dx, panels, isa);
        run_units<LinesWorker<T>>(work, threads, options.memory, [&work] { return work.shrink(); });
    }
}

}  // namespace

template <class T>
void conv_transpose_grad_input(const Geometry<dynamic>& g, const T* dy, const T* kernel, T* dx,
                               const Options& options) {
    constexpr const char* operation = "conv_transpose_grad_input";
    check(g, operation);
    const int threads = thread_count(options.threads);
    kernels_for<compute_t<T>>(options.isa);  // refuses what is not there
    demand_pointer(dy, numbers_of_output(g), operation, "dy");
    demand_pointer(kernel, numbers_of_kernel(g), operation, "kernel");
    demand_pointer(dx, numbers_of_input(g), operation, "dx");
    if (options.algorithm == Algorithm::reference) {
        reference::grad_input(g, dy, kernel, dx, options);
        return;
    }
    compute(g, dy, kernel, dx, options, threads);
}

template <class T>
bool grad_input_is_fast(const Geometry<dynamic>& g, const Options& options) {
    check(g, "grad_input_is_fast");
    kernels_for<compute_t<T>>(options.isa);  // refuses what is not there
    if (options.algorithm == Algorithm::reference || numbers_of_input(g) == 0) return false;
    return may_be_fast(g, Suited<T>(g, options), options) && FastView<T>(g, options).decision.choice.has_value();
}

template bool grad_input_is_fast<float>(const Geometry<dynamic>&, const Options&);
template bool grad_input_is_fast<double>(const Geometry<dynamic>&, const Options&);
template bool grad_input_is_fast<float16>(const Geometry<dynamic>&, const Options&);
template bool grad_input_is_fast<bfloat16>(const Geometry<dynamic>&, const Options&);
template void conv_transpose_grad_input(const Geometry<dynamic>&, const float*, const float*, float*, const Options&);
template void conv_transpose_grad_input(const Geometry<dynamic>&, const double*, const double*, double*,
                                        const Options&);
template void conv_transpose_grad_input(const Geometry<dynamic>&, const float16*, const float16*, float16*,
                                        const Options&);
template void conv_transpose_grad_input(const Geometry<dynamic>&, const bfloat16*, const bfloat16*, bfloat16*,
                                        const Options&);

}  // namespace tconv::detail
