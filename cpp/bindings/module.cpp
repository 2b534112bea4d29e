// tconv._core: the library as the Python package sees it. A thin, typed layer without defaults.
#include "arrays.hpp"

PYBIND11_MODULE(_core, module, pybind11::mod_gil_not_used()) {
    module.doc() = "The C++ core of tconv. Use the functions of the package instead: they check and explain.";
    tconv::bindings::register_dlpack(module);
    tconv::bindings::register_geometry(module);
    tconv::bindings::register_info(module);
    tconv::bindings::register_ops(module);
    tconv::bindings::register_plan(module);
}
