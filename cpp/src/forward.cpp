// The forward product: packing, running, describing.
#include <string>
#include <type_traits>

#include <tconv/conv_transpose.hpp>
#include <tconv/plan.hpp>

#include "checks.hpp"
#include "cpu.hpp"
#include "product.hpp"
#include "reference.hpp"
#include "tiling.hpp"

namespace tconv::detail {
namespace {

constexpr const char* operation = "conv_transpose";

std::vector<AxisMap> forward_maps(const Geometry<dynamic>& g) {
    std::vector<AxisMap> maps;
    for (const Axis& axis : g.axes) maps.push_back(forward_map(axis));
    return maps;
}

template <class T>
Finish<compute_t<T>> finish_of(const Activation& activation) {
    return {activation.kind, static_cast<compute_t<T>>(activation.alpha)};
}

}  // namespace

template <class T>
std::shared_ptr<const Packed<T>> pack(const Geometry<dynamic>& g, const T* kernel, const Options& options) {
    check(g, operation);
    demand_pointer(kernel, numbers_of_kernel(g), operation, "kernel");
    auto packed = std::make_shared<Packed<T>>(g, kernel, options.isa, Direction::forward);
    if (options.algorithm == Algorithm::reference) {
        packed->plain = Buffer<T>(numbers_of_kernel(g));
        std::copy_n(kernel, packed->plain.size(), packed->plain.data());
    }
    return packed;
}

template <class T>
void run(const Packed<T>& packed, const Geometry<dynamic>& g, const T* x, const T* bias, T* y, const Options& options) {
    check(g, operation);
    packed.demand_fit(g, options);
    const int threads = thread_count(options.threads);
    demand_pointer(x, numbers_of_input(g), operation, "x");
    demand_pointer(y, numbers_of_output(g), operation, "y");
    if (packed.plain.size() > 0) {
        reference::forward(g, x, packed.plain.data(), bias, y, options);
        return;
    }
    multiply(packed, forward_maps(g), g.batch, options.data_format, x, bias, y, finish_of<T>(options.activation),
             threads);
}

template <class T>
std::size_t packed_bytes(const Packed<T>& packed) {
    return static_cast<std::size_t>(packed.weights.size() + packed.zeros.size()) * sizeof(compute_t<T>) +
           static_cast<std::size_t>(packed.plain.size()) * sizeof(T);
}

template <class T>
std::string describe(const Packed<T>& packed, const Geometry<dynamic>& g, const Options& options) {
    check(g, operation);
    packed.demand_fit(g, options);
    if (packed.plain.size() > 0) return "reference: naive loops, one thread";
    using C = compute_t<T>;
    const int threads = thread_count(options.threads);
    const Tiling tiling(packed, forward_maps(g), g.batch, options.data_format, !std::is_same_v<T, C>, sizeof(C),
                        threads);
    const auto number = [](auto n) { return std::to_string(n); };
    std::string windows;
    for (const Window& window : packed.windows) {
        if (windows.size() > 40) {
            windows += ", ...";
            break;
        }
        windows += (windows.empty() ? "" : ", ") + number(window.members.size()) + "x" + number(window.taps);
    }
    return std::string(packed.depthwise ? "depthwise" : "direct") + " with " + name(packed.kernels->isa) + ": " +
           number(packed.windows.size()) + " windows (phases x taps: " + windows + "), " +
           number(packed.blocks.size()) + " blocks of up to " + number(tiling.widest_block) + " columns, " +
           number(tiling.units()) + " units of up to " + number(tiling.rows_of_tile()) + " rows for " +
           number(threads) + (threads == 1 ? " thread" : " threads") + ", " + number(packed_bytes(packed)) +
           " bytes packed" + (tiling.gathered ? ", source gathered tile by tile" : "");
}

template <class T>
void conv_transpose(const Geometry<dynamic>& g, const T* x, const T* kernel, const T* bias, T* y,
                    const Options& options) {
    run(*pack(g, kernel, options), g, x, bias, y, options);
}

#define TCONV_INSTANTIATE(T)                                                                               \
    template std::shared_ptr<const Packed<T>> pack(const Geometry<dynamic>&, const T*, const Options&);    \
    template void run(const Packed<T>&, const Geometry<dynamic>&, const T*, const T*, T*, const Options&); \
    template std::size_t packed_bytes(const Packed<T>&);                                                   \
    template std::string describe(const Packed<T>&, const Geometry<dynamic>&, const Options&);             \
    template void conv_transpose(const Geometry<dynamic>&, const T*, const T*, const T*, T*, const Options&);
TCONV_INSTANTIATE(float)
TCONV_INSTANTIATE(double)
TCONV_INSTANTIATE(float16)
TCONV_INSTANTIATE(bfloat16)

}  // namespace tconv::detail
