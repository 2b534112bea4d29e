// The gradient of the kernel: for every tap a product of the input with the output's gradient, summed over pixels.
#include <tconv/conv_transpose.hpp>

#include <algorithm>
#include <optional>
#include <type_traits>

#include "checked.hpp"
#include "checks.hpp"
#include "cpu.hpp"
#include "dispatch.hpp"
#include "grad_kernel/lanes_worker.hpp"
#include "grad_kernel/outer_worker.hpp"
#include "grad_kernel/tile_worker.hpp"
#include "parallel.hpp"
#include "reference.hpp"
#include "run_units.hpp"

namespace tconv::detail {
namespace {

constexpr double serial_products = 1 << 18;      // fewer are not worth waking a thread
constexpr double least_fast_products = 1 << 24;  // of direct: fewer are not worth planning another way
constexpr Index most_lane_pairs = 16;            // of a channel and a filter of a group
constexpr Index most_shared_pairs = 8;           // of a filter and a tap

/// The sum of all parts, as it is stored.
template <class T>
void add_parts(Index parts, Index numbers, const compute_t<T>* results, const Converters& converters, T* dkernel,
               int threads) {
    constexpr Index some = 1024;
    parallel_for(threads, ceil_div(numbers, some), [&](Index unit, int) {
        double totals[some] = {};
        compute_t<T> rounded[some];
        const Index first = unit * some, count = std::min(some, numbers - first);
        for (Index part = 0; part < parts; ++part) {
            const compute_t<T>* from = results + part * numbers + first;
            for (Index i = 0; i < count; ++i) totals[i] += static_cast<double>(from[i]);
        }
        for (Index i = 0; i < count; ++i) rounded[i] = static_cast<compute_t<T>>(totals[i]);
        narrow(converters, rounded, dkernel + first, count);
    });
}

/// How a fast algorithm is cut, where one is faster or asked for.
template <class C>
std::optional<TileCut> fast_cut(const OuterCut& direct, bool by_lanes, double products, const Options& options) {
    const bool asked = options.algorithm == Algorithm::fast;
    if (!asked && (options.algorithm == Algorithm::direct || by_lanes || products < least_fast_products)) return {};
    const GradientKernels<C>& gradient = gradient_kernels_for<C>(options.isa);
    TileCut cut(direct.sums, options.data_format, gradient.tile_rows, gradient.width);
    if (!cut.fast() || (!asked && !cut.faster(direct))) return {};
    return cut;
}

template <class T>
void compute(const Geometry<dynamic>& g, const T* x, const T* dy, T* dkernel, const Options& options, int threads) {
    using C = compute_t<T>;
    const KernelSums sums(g);
    if (sums.numbers() == 0) return;
    double products = static_cast<double>(sums.numbers()) * static_cast<double>(g.batch);
    for (const Axis& axis : g.axes) products *= static_cast<double>(axis.in);
    if (products < serial_products) threads = 1;

    const Layout x_layout(options.data_format, g.in_channels, extents_of(g, &Axis::in));
    const Layout dy_layout(options.data_format, g.filters, extents_of(g, &Axis::out));
    const Converters& converters = converters_for(options.isa);
    const bool gathered = !std::is_same_v<T, C> || x_layout.channel != 1 || dy_layout.channel != 1;
    const bool few = g.groups == 1 && !gathered && sums.filters * sums.taps <= most_shared_pairs;
    const bool by_lanes = few || sums.channels * sums.filters <= std::min(most_lane_pairs, 2 * g.groups);
    // Vectors lie along whichever of channels and pairs fills them better.
    Isa isa = isa_for<C>(options.isa, sums.channels);
    if (isa != options.isa) isa = isa_for<C>(options.isa, sums.taps * sums.filters);
    const GradientKernels<C>& gradient = gradient_kernels_for<C>(isa);
    OuterCut cut(sums, gathered, gradient.tile_rows, gradient.width / 2, gradient.outer_vectors);
    std::optional<TileCut> tiles = fast_cut<C>(cut, by_lanes, products, options);
    const Index parts = tiles ? tiles->parts : sums.parts;
    // One part in the type of the sums needs no room of its own.
    const bool in_place = parts == 1 && std::is_same_v<T, C>;
    Buffer<C> apart(in_place ? 0 : parts * sums.numbers(), options.memory);
    C* results = apart.data();
    if constexpr (std::is_same_v<T, C>) {
        if (in_place) results = dkernel;
    }
    const KernelWork<T> shared{sums, x_layout, dy_layout, x, dy, results};
    if (tiles) {
        const TileWork<T> work{shared,
                               *tiles,
                               gathered,
                               kernels_for<C>(options.isa),
                               gradient_kernels_for<C>(options.isa),
                               fast_kernels_for<C>(options.isa),
                               converters};
        run_units<TileWorker<T>>(work, threads, options.memory, [&tiles] { return tiles->shrink(); });
    } else if (by_lanes) {
        const Index lanes = few ? g.in_channels : g.groups;
        const Isa lanes_isa = isa_for<C>(options.isa, lanes);
        LanesWork<T> work{shared,
                          lanes,
                          few ? 1 : sums.channels,
                          lanes,
                          !few && (gathered || sums.channels * sums.filters > 1),
                          few,
                          kernels_for<C>(lanes_isa),
                          gradient_kernels_for<C>(lanes_isa),
                          converters};
        run_units<LanesWorker<T>>(work, threads, options.memory, [&work] { return work.shrink(); });
    } else {
        const OuterWork<T> work{shared, cut, kernels_for<C>(isa), gradient, converters};
        run_units<OuterWorker<T>>(work, threads, options.memory, [&cut] { return cut.shrink(); });
    }
    if (!in_place) add_parts(parts, sums.numbers(), results, converters, dkernel, threads);
}

}  // namespace

template <class T>
void conv_transpose_grad_kernel(const Geometry<dynamic>& g, const T* x, const T* dy, T* dkernel,
                                const Options& options) {
    constexpr const char* operation = "conv_transpose_grad_kernel";
    check(g, operation);
    const int threads = thread_count(options.threads);
    kernels_for<compute_t<T>>(options.isa);  // refuses what is not there
    demand_pointer(x, numbers_of_input(g), operation, "x");
    demand_pointer(dy, numbers_of_output(g), operation, "dy");
    demand_pointer(dkernel, numbers_of_kernel(g), operation, "dkernel");
    if (options.algorithm == Algorithm::reference) {
        reference::grad_kernel(g, x, dy, dkernel, options);
        return;
    }
    compute(g, x, dy, dkernel, options, threads);
}

template void conv_transpose_grad_kernel(const Geometry<dynamic>&, const float*, const float*, float*, const Options&);
template void conv_transpose_grad_kernel(const Geometry<dynamic>&, const double*, const double*, double*,
                                         const Options&);
template void conv_transpose_grad_kernel(const Geometry<dynamic>&, const float16*, const float16*, float16*,
                                         const Options&);
template void conv_transpose_grad_kernel(const Geometry<dynamic>&, const bfloat16*, const bfloat16*, bfloat16*,
                                         const Options&);

}  // namespace tconv::detail
