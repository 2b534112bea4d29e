// The gradients.
#include "arrays.hpp"

namespace tconv::bindings {

void register_ops(py::module_& module) {
    module.def(
        "grad_input",
        [](const py::array& dy, const py::array& kernel, py::array& dx, const std::vector<AxisTuple>& axes,
           Index groups, const std::string& dtype, bool channels_first, int threads, const std::string& isa,
           const std::string& algorithm) {
            const Options options = make_options(threads, isa, channels_first, algorithm);
            const Index filters = extent(dy, channels_first ? 1 : -1, "dy");
            const Geometry<dynamic> g =
                make_geometry(extent(dy, 0, "dy"), extent(kernel, -1, "kernel"), filters, groups, axes);
            check(g, "conv_transpose_grad_input");
            visit_dtype(dtype, [&](auto type) {
                using T = typename decltype(type)::type;
                const T* dy_numbers = numbers<T>(dy, output_shape_in(g, options.data_format), "dy");
                const T* kernel_numbers = numbers<T>(kernel, kernel_shape(g), "kernel");
                T* dx_numbers = writable_numbers<T>(dx, input_shape(g, options.data_format), "dx");
                const py::gil_scoped_release release;
                conv_transpose_grad_input<T>(g, dy_numbers, kernel_numbers, dx_numbers, options);
            });
        },
        py::arg("dy"), py::arg("kernel"), py::arg("dx"), py::kw_only(), py::arg("axes"), py::arg("groups"),
        py::arg("dtype"), py::arg("channels_first"), py::arg("threads"), py::arg("isa"), py::arg("algorithm"));

    module.def(
        "grad_input_is_fast",
        [](Index batch, Index in_channels, Index filters, Index groups, const std::vector<AxisTuple>& axes,
           const std::string& dtype, bool channels_first, const std::string& isa, const std::string& algorithm) {
            const Options options = make_options(1, isa, channels_first, algorithm);
            const Geometry<dynamic> g = make_geometry(batch, in_channels, filters, groups, axes);
            return visit_dtype(
                dtype, [&](auto type) { return grad_input_is_fast<typename decltype(type)::type>(g, options); });
        },
        py::kw_only(), py::arg("batch"), py::arg("in_channels"), py::arg("filters"), py::arg("groups"), py::arg("axes"),
        py::arg("dtype"), py::arg("channels_first"), py::arg("isa"), py::arg("algorithm"));

    module.def(
        "grad_kernel",
        [](const py::array& x, const py::array& dy, py::array& dkernel, const std::vector<AxisTuple>& axes,
           Index groups, const std::string& dtype, bool channels_first, int threads, const std::string& isa,
           const std::string& algorithm) {
            const Options options = make_options(threads, isa, channels_first, algorithm);
            const Index filters = extent(dy, channels_first ? 1 : -1, "dy");
            const Geometry<dynamic> g =
                make_geometry(extent(dy, 0, "dy"), extent(dkernel, -1, "dkernel"), filters, groups, axes);
            check(g, "conv_transpose_grad_kernel");
            visit_dtype(dtype, [&](auto type) {
                using T = typename decltype(type)::type;
                const T* x_numbers = numbers<T>(x, input_shape(g, options.data_format), "x");
                const T* dy_numbers = numbers<T>(dy, output_shape_in(g, options.data_format), "dy");
                T* dkernel_numbers = writable_numbers<T>(dkernel, kernel_shape(g), "dkernel");
                const py::gil_scoped_release release;
                conv_transpose_grad_kernel<T>(g, x_numbers, dy_numbers, dkernel_numbers, options);
            });
        },
        py::arg("x"), py::arg("dy"), py::arg("dkernel"), py::kw_only(), py::arg("axes"), py::arg("groups"),
        py::arg("dtype"), py::arg("channels_first"), py::arg("threads"), py::arg("isa"), py::arg("algorithm"));

    // dy as (outer, filters, inner): channels are first or, with an inner extent of 1, last.
    module.def(
        "grad_bias",
        [](const py::array& dy, py::array& dbias, const std::string& dtype, int threads, const std::string& isa,
           const std::string& algorithm) {
            const Index inner = extent(dy, 2, "dy");
            const Options options = make_options(threads, isa, inner != 1, algorithm);
            const Geometry<dynamic> g =
                make_geometry(extent(dy, 0, "dy"), 1, extent(dy, 1, "dy"), 1, {{1, inner, 1, 1, 1, 0}});
            check(g, "conv_transpose_grad_bias");
            visit_dtype(dtype, [&](auto type) {
                using T = typename decltype(type)::type;
                const T* dy_numbers = numbers<T>(dy, {g.batch, g.filters, inner}, "dy");
                T* dbias_numbers = writable_numbers<T>(dbias, {g.filters}, "dbias");
                const py::gil_scoped_release release;
                conv_transpose_grad_bias<T>(g, dy_numbers, dbias_numbers, options);
            });
        },
        py::arg("dy"), py::arg("dbias"), py::kw_only(), py::arg("dtype"), py::arg("threads"), py::arg("isa"),
        py::arg("algorithm"));
}

}  // namespace tconv::bindings
