// What this build is and what it runs on.
#include "arrays.hpp"
#include "pool.hpp"

namespace tconv::bindings {
namespace {

std::vector<std::string> names(const std::vector<Isa>& isas) {
    std::vector<std::string> list;
    for (const Isa isa : isas) list.emplace_back(name(isa));
    return list;
}

const char* compiler() {
#if defined(__clang__)
    return "clang " __clang_version__;
#elif defined(__GNUC__)
    return "gcc " __VERSION__;
#else
    return "unknown";
#endif
}

}  // namespace

void register_info(py::module_& module) {
    module.def("build_info", [] {
        py::dict info;
        info["version"] = TCONV_VERSION;
        info["isas_compiled"] = names(compiled_isas());
        info["isas_available"] = names(available_isas());
        info["isa"] = name(best_isa());
        info["openmp"] = has_openmp();
        info["default_threads"] = default_threads();
        info["compiler"] = compiler();
        info["output_pool_limit"] = pool::limit();
        info["output_pool_bytes"] = pool::kept();
        return info;
    });
    module.def("set_output_pool_limit", &pool::set_limit, py::arg("bytes"));
    module.def(
        "empty",
        [](const std::vector<py::ssize_t>& shape, const py::dtype& dtype) {
            return pool::empty(dtype, shape.data(), static_cast<int>(shape.size()));
        },
        py::arg("shape"), py::arg("dtype"));
}

}  // namespace tconv::bindings
