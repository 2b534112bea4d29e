// 128-bit vectors in the compiler's own types: SSE2 on x86-64, NEON on 64-bit Arm.
#include "../half.hpp"
#include "fast.hpp"
#include "gradient.hpp"
#include "micro.hpp"
#include "storage.hpp"

namespace tconv {
namespace {

struct GenericFloat : Vec<float, 4> {
    using Vec::narrow;
    using Vec::widen;
    static reg widen(halves h, float16) {
        return reg{to_float(float16{h[0]}), to_float(float16{h[1]}), to_float(float16{h[2]}), to_float(float16{h[3]})};
    }
    static halves narrow(reg r, float16) {
        return halves{to_float16(r[0]).bits, to_float16(r[1]).bits, to_float16(r[2]).bits, to_float16(r[3]).bits};
    }
};

}  // namespace

namespace generic {
constinit const Kernels<float> kernels_float = kernels_of<GenericFloat>(Isa::generic);
constinit const Kernels<double> kernels_double = kernels_of<Vec<double, 2>>(Isa::generic);
constinit const GradientKernels<float> gradient_float = gradient_kernels_of<GenericFloat>(Isa::generic);
constinit const GradientKernels<double> gradient_double = gradient_kernels_of<Vec<double, 2>>(Isa::generic);
constinit const FastKernels<float> fast_float = fast_kernels_of<GenericFloat>();
constinit const FastKernels<double> fast_double = fast_kernels_of<Vec<double, 2>>();
constinit const Converters converters = converters_of<GenericFloat>();
}  // namespace generic

}  // namespace tconv
