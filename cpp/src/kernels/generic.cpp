// 128-bit vectors in the compiler's own types: SSE2 on x86-64, NEON on 64-bit Arm.
#include "../half.hpp"
#include "convert.hpp"
#include "fast.hpp"
#include "gradient.hpp"
#include "micro.hpp"

namespace tconv {
namespace {

void widen_float16(const std::uint16_t* from, float* to, Index n) {
    for (Index i = 0; i < n; ++i) to[i] = to_float(float16{from[i]});
}
void narrow_float16(const float* from, std::uint16_t* to, Index n) {
    for (Index i = 0; i < n; ++i) to[i] = to_float16(from[i]).bits;
}

}  // namespace

namespace generic {
constinit const Kernels<float> kernels_float = kernels_of<Vec<float, 4>>(Isa::generic);
constinit const Kernels<double> kernels_double = kernels_of<Vec<double, 2>>(Isa::generic);
constinit const GradientKernels<float> gradient_float = gradient_kernels_of<Vec<float, 4>>(Isa::generic);
constinit const GradientKernels<double> gradient_double = gradient_kernels_of<Vec<double, 2>>(Isa::generic);
constinit const FastKernels<float> fast_float = fast_kernels_of<Vec<float, 4>>();
constinit const FastKernels<double> fast_double = fast_kernels_of<Vec<double, 2>>();
constinit const Converters converters = {widen_float16, narrow_float16, widen_bfloat16, narrow_bfloat16};
}  // namespace generic

}  // namespace tconv
