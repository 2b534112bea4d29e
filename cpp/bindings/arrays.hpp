// Python's words for numbers, arrays and geometries, turned into the library's.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <array>
#include <string>
#include <vector>

#include <tconv/tconv.hpp>

#include "pool.hpp"

namespace tconv::bindings {

namespace py = pybind11;

void register_dlpack(py::module_& module);
void register_geometry(py::module_& module);
void register_info(py::module_& module);
void register_ops(py::module_& module);
void register_plan(py::module_& module);

/// input, output, kernel, stride, dilation, crop.
using AxisTuple = std::array<Index, 6>;

inline Geometry<dynamic> make_geometry(Index batch, Index in_channels, Index filters, Index groups,
                                       const std::vector<AxisTuple>& axes) {
    Geometry<dynamic> g;
    g.batch = batch;
    g.in_channels = in_channels;
    g.filters = filters;
    g.groups = groups;
    for (const auto& [in, out, kernel, stride, dilation, crop] : axes)
        g.axes.push_back({in, out, kernel, stride, dilation, crop});
    return g;
}

template <class T>
struct Type {
    using type = T;
};

/// Calls f(Type<T>) with the storage type of that name.
template <class F>
auto visit_dtype(const std::string& name, F&& f) {
    if (name == "float32") return f(Type<float>{});
    if (name == "float64") return f(Type<double>{});
    if (name == "float16") return f(Type<float16>{});
    if (name == "bfloat16") return f(Type<bfloat16>{});
    throw py::type_error("dtype=\"" + name + "\" is not one of float32, float64, float16, bfloat16.");
}

/// The numbers of an array; throws when it isn't a dense array of T with `shape`.
template <class T>
const T* numbers(const py::array& array, const std::vector<Index>& shape, const char* argument) {
    bool fits = array.ndim() == static_cast<py::ssize_t>(shape.size()) &&
                array.itemsize() == static_cast<py::ssize_t>(sizeof(T)) &&
                (array.flags() & py::array::c_style) == py::array::c_style;
    for (std::size_t i = 0; fits && i < shape.size(); ++i) fits = array.shape(static_cast<py::ssize_t>(i)) == shape[i];
    if (!fits) {
        std::string expected;
        for (const Index n : shape) expected += (expected.empty() ? "" : ", ") + std::to_string(n);
        throw ShapeError(std::string(argument) + " is not a C-contiguous array of shape (" + expected +
                         ") and itemsize " + std::to_string(sizeof(T)) + ".");
    }
    return static_cast<const T*>(array.data());
}
template <class T>
T* writable_numbers(py::array& array, const std::vector<Index>& shape, const char* argument) {
    numbers<T>(array, shape, argument);
    return static_cast<T*>(array.mutable_data());  // throws when it is read-only
}

/// (batch, extents..., channels) in the order of the data format.
inline std::vector<Index> tensor_shape(Index batch, const std::vector<Index>& extents, Index channels,
                                       DataFormat format) {
    std::vector<Index> shape{batch};
    if (format == DataFormat::channels_first) shape.push_back(channels);
    shape.insert(shape.end(), extents.begin(), extents.end());
    if (format == DataFormat::channels_last) shape.push_back(channels);
    return shape;
}

inline std::vector<Index> extents(const Geometry<dynamic>& g, Index Axis::* which) {
    std::vector<Index> list;
    for (const Axis& axis : g.axes) list.push_back(axis.*which);
    return list;
}
inline std::vector<Index> input_shape(const Geometry<dynamic>& g, DataFormat format) {
    return tensor_shape(g.batch, extents(g, &Axis::in), g.in_channels, format);
}
inline std::vector<Index> output_shape_in(const Geometry<dynamic>& g, DataFormat format) {
    return tensor_shape(g.batch, extents(g, &Axis::out), g.filters, format);
}
inline std::vector<Index> kernel_shape(const Geometry<dynamic>& g) {
    std::vector<Index> shape = extents(g, &Axis::kernel);
    shape.push_back(g.filters / g.groups);
    shape.push_back(g.in_channels);
    return shape;
}

/// An extent of an array, which must have it.
inline Index extent(const py::array& array, py::ssize_t axis, const char* argument) {
    const py::ssize_t wanted = axis < 0 ? array.ndim() + axis : axis;
    if (wanted < 0 || wanted >= array.ndim()) {
        throw ShapeError(std::string(argument) + " has only " + std::to_string(array.ndim()) + " axes.");
    }
    return array.shape(wanted);
}

inline Options make_options(int threads, const std::string& isa, bool channels_first, const std::string& algorithm) {
    Options options;
    options.memory = pool::resource();
    options.threads = threads;
    options.isa = isa_from_name(isa);
    options.data_format = channels_first ? DataFormat::channels_first : DataFormat::channels_last;
    if (algorithm == "direct") {
        options.algorithm = Algorithm::direct;
    } else if (algorithm == "fast") {
        options.algorithm = Algorithm::fast;
    } else if (algorithm == "reference") {
        options.algorithm = Algorithm::reference;
    } else if (algorithm != "automatic") {
        throw ShapeError("algorithm=\"" + algorithm + "\" is not one of automatic, direct, fast, reference.");
    }
    return options;
}

}  // namespace tconv::bindings
