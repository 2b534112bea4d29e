// Extents and their errors.
#include "arrays.hpp"

namespace tconv::bindings {
namespace {

Padding make_padding(const std::string& mode, Index begin, Index end, std::optional<Index> output_padding,
                     std::optional<Index> output) {
    Padding padding;
    if (mode == "same") {
        padding = Padding::same();
    } else if (mode == "same_lower") {
        padding = Padding::same_lower();
    } else if (mode == "crop") {
        padding = Padding::crop(begin, end);
    } else if (mode != "valid") {
        throw ShapeError("padding mode \"" + mode + "\" is not one of valid, same, same_lower, crop.");
    }
    padding.output_padding = output_padding;
    padding.output = output;
    return padding;
}

}  // namespace

void register_geometry(py::module_& module) {
    auto error = py::register_exception<ShapeError>(module, "ShapeError", PyExc_ValueError);
    error.attr("__module__") = "tconv";
    error.attr("__doc__") = "A shape, an extent or a geometry that is not legal; the message says what would be.";

    module.def(
        "resolve",
        [](const std::string& operation, int axis, Index input, Index kernel, Index stride, Index dilation,
           const std::string& mode, Index begin, Index end, std::optional<Index> output_padding,
           std::optional<Index> output) {
            const Axis resolved =
                resolve({input, kernel, stride, dilation}, make_padding(mode, begin, end, output_padding, output), axis,
                        operation.c_str());
            return py::make_tuple(resolved.out, resolved.crop);
        },
        py::arg("operation"), py::arg("axis"), py::arg("input"), py::arg("kernel"), py::arg("stride"),
        py::arg("dilation"), py::arg("mode"), py::arg("begin"), py::arg("end"), py::arg("output_padding").none(true),
        py::arg("output").none(true));

    module.def(
        "check",
        [](const std::string& operation, Index batch, Index in_channels, Index filters, Index groups,
           const std::vector<AxisTuple>& axes) {
            check(make_geometry(batch, in_channels, filters, groups, axes), operation.c_str());
        },
        py::arg("operation"), py::arg("batch"), py::arg("in_channels"), py::arg("filters"), py::arg("groups"),
        py::arg("axes"));
}

}  // namespace tconv::bindings
