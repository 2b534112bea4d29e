// bfloat16 arrays of other libraries. NumPy takes DLPack's other types by itself.
#include <cstdint>

#include "arrays.hpp"

namespace tconv::bindings {
namespace {

// DLPack's stable layout: dmlc.github.io/dlpack, "C API", before versions were added.
struct Tensor {
    void* data;
    std::int32_t device_type, device_id;
    std::int32_t ndim;
    std::uint8_t type_code, type_bits;
    std::uint16_t type_lanes;
    std::int64_t* shape;
    std::int64_t* strides;  // in elements; null for C order
    std::uint64_t byte_offset;
};
struct ManagedTensor {
    Tensor tensor;
    void* context;
    void (*deleter)(ManagedTensor*);
};
constexpr std::int32_t cpu = 1;
constexpr std::uint8_t bfloat = 4;

/// The words of a bfloat16 tensor, shared and read-only; None for any other tensor, whose capsule stays as it is.
py::object bfloat16_words(py::capsule capsule) {
    if (capsule.name() == nullptr || std::string(capsule.name()) != "dltensor") return py::none();
    auto* managed = capsule.get_pointer<ManagedTensor>();
    const Tensor& tensor = managed->tensor;
    if (tensor.type_code != bfloat || tensor.type_bits != 16 || tensor.type_lanes != 1 || tensor.device_type != cpu ||
        tensor.ndim < 0 || tensor.ndim > 64) {
        return py::none();
    }
    std::vector<py::ssize_t> shape(tensor.shape, tensor.shape + tensor.ndim), strides(shape.size(), 2);
    for (std::size_t axis = shape.size(); axis-- > 0;) {
        if (tensor.strides != nullptr) {
            strides[axis] = 2 * tensor.strides[axis];
        } else if (axis + 1 < shape.size()) {
            strides[axis] = strides[axis + 1] * shape[axis + 1];
        }
    }
    capsule.set_name("used_dltensor");  // the protocol's word for: the deleter is ours to call
    const py::capsule owner(managed, [](void* pointer) {
        auto* mine = static_cast<ManagedTensor*>(pointer);
        if (mine->deleter != nullptr) mine->deleter(mine);
    });
    auto* first = static_cast<char*>(tensor.data) + tensor.byte_offset;
    py::array words(py::dtype::of<std::uint16_t>(), shape, strides, first, owner);
    words.attr("flags").attr("writeable") = false;
    return words;
}

}  // namespace

void register_dlpack(py::module_& module) { module.def("bfloat16_words", &bfloat16_words, py::arg("capsule")); }

}  // namespace tconv::bindings
