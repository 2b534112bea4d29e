// The gradient of the input: an ordinary strided convolution, which is a product with one window.
#include <tconv/conv_transpose.hpp>

#include "checks.hpp"
#include "cpu.hpp"
#include "dispatch.hpp"
#include "product.hpp"
#include "reference.hpp"

namespace tconv::detail {

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
    std::vector<AxisMap> maps;
    for (const Axis& axis : g.axes) maps.push_back(backward_map(axis));
    const Packed<T> packed(g, kernel, options.isa, Direction::grad_input);
    Product<T>(packed, maps, g.batch, options.data_format, threads)(dy, nullptr, dx, {});
}

template void conv_transpose_grad_input(const Geometry<dynamic>&, const float*, const float*, float*, const Options&);
template void conv_transpose_grad_input(const Geometry<dynamic>&, const double*, const double*, double*,
                                        const Options&);
template void conv_transpose_grad_input(const Geometry<dynamic>&, const float16*, const float16*, float16*,
                                        const Options&);
template void conv_transpose_grad_input(const Geometry<dynamic>&, const bfloat16*, const bfloat16*, bfloat16*,
                                        const Options&);

}  // namespace tconv::detail
