// The forward product: packing, running, describing.
#include <optional>
#include <string>
#include <utility>

#include <tconv/conv_transpose.hpp>
#include <tconv/plan.hpp>

#include "checks.hpp"
#include "cpu.hpp"
#include "product.hpp"
#include "reference.hpp"

namespace tconv::detail {
namespace {

constexpr const char* operation = "conv_transpose";

std::vector<AxisMap> forward_maps(const Geometry<dynamic>& g) {
    std::vector<AxisMap> maps;
    for (const Axis& axis : g.axes) maps.push_back(forward_map(axis));
    return maps;
}

}  // namespace

template <class T>
class Prepared {
  public:
    Prepared(std::shared_ptr<const Packed<T>> packed_, const Geometry<dynamic>& g, const Options& options_)
        : packed(std::move(packed_)), geometry(g), options(options_), threads(thread_count(options.threads)) {
        check(g, operation);
        packed->demand_fit(g, options);
        input = numbers_of_input(g);
        output = numbers_of_output(g);
        finish = {options.activation.kind, static_cast<compute_t<T>>(options.activation.alpha)};
        if (packed->plain.size() == 0) product.emplace(*packed, forward_maps(g), g.batch, options.data_format, threads);
    }

    std::shared_ptr<const Packed<T>> packed;
    Geometry<dynamic> geometry;
    Options options;
    int threads;
    Index input = 0, output = 0;  // numbers
    Finish<compute_t<T>> finish;
    std::optional<Product<T>> product;  // none for Algorithm::reference
};

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
std::shared_ptr<const Prepared<T>> prepare(std::shared_ptr<const Packed<T>> packed, const Geometry<dynamic>& g,
                                           const Options& options) {
    return std::make_shared<const Prepared<T>>(std::move(packed), g, options);
}

template <class T>
std::shared_ptr<const Prepared<T>> prepare(const Prepared<T>& other, const Geometry<dynamic>& g,
                                           const Options& options) {
    return prepare(other.packed, g, options);
}

template <class T>
void run(const Prepared<T>& prepared, const T* x, const T* bias, T* y) {
    demand_pointer(x, prepared.input, operation, "x");
    demand_pointer(y, prepared.output, operation, "y");
    if (prepared.product) {
        (*prepared.product)(x, bias, y, prepared.finish);
    } else {
        reference::forward(prepared.geometry, x, prepared.packed->plain.data(), bias, y, prepared.options);
    }
}

template <class T>
std::size_t packed_bytes(const Prepared<T>& prepared) {
    const Packed<T>& packed = *prepared.packed;
    return static_cast<std::size_t>(packed.weights.size() + packed.zeros.size()) * sizeof(compute_t<T>) +
           static_cast<std::size_t>(packed.plain.size()) * sizeof(T);
}

template <class T>
std::string describe(const Prepared<T>& prepared) {
    if (!prepared.product) return "reference: naive loops, one thread";
    const Packed<T>& packed = *prepared.packed;
    if (!prepared.product->tiling()) return "nothing to compute";
    const Tiling& tiling = *prepared.product->tiling();
    const char* form = packed.form == Form::depthwise ? "depthwise" : packed.form == Form::dots ? "dots" : "direct";
    const auto number = [](auto n) { return std::to_string(n); };
    std::string windows;
    for (const Window& window : packed.windows) {
        if (windows.size() > 40) {
            windows += ", ...";
            break;
        }
        windows += (windows.empty() ? "" : ", ") + number(window.members.size()) + "x" + number(window.taps);
    }
    return std::string(form) + " with " + name(packed.kernels->isa) + ": " + number(packed.windows.size()) +
           " windows (phases x taps: " + windows + "), " + number(packed.blocks.size()) + " blocks of up to " +
           number(tiling.widest_block) + " columns, " + number(tiling.units()) + " units of up to " +
           number(tiling.rows_of_tile()) + " rows for " + number(prepared.threads) +
           (prepared.threads == 1 ? " thread" : " threads") + ", " + number(packed_bytes(prepared)) + " bytes packed" +
           (tiling.gathered ? ", source gathered tile by tile" : "");
}

template <class T>
void conv_transpose(const Geometry<dynamic>& g, const T* x, const T* kernel, const T* bias, T* y,
                    const Options& options) {
    run(*prepare(pack(g, kernel, options), g, options), x, bias, y);
}

#define TCONV_INSTANTIATE(T)                                                                                           \
    template std::shared_ptr<const Packed<T>> pack(const Geometry<dynamic>&, const T*, const Options&);                \
    template std::shared_ptr<const Prepared<T>> prepare(std::shared_ptr<const Packed<T>>, const Geometry<dynamic>&,    \
                                                        const Options&);                                               \
    template std::shared_ptr<const Prepared<T>> prepare(const Prepared<T>&, const Geometry<dynamic>&, const Options&); \
    template void run(const Prepared<T>&, const T*, const T*, T*);                                                     \
    template std::size_t packed_bytes(const Prepared<T>&);                                                             \
    template std::string describe(const Prepared<T>&);                                                                 \
    template void conv_transpose(const Geometry<dynamic>&, const T*, const T*, const T*, T*, const Options&);
TCONV_INSTANTIATE(float)
TCONV_INSTANTIATE(double)
TCONV_INSTANTIATE(float16)
TCONV_INSTANTIATE(bfloat16)

}  // namespace tconv::detail
