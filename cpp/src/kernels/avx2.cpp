// AVX2 + FMA + F16C: Haswell, Zen and later.
#include <immintrin.h>

#include "convert.hpp"
#include "micro.hpp"

namespace tconv {
namespace {

struct Avx2Float : Vec<float, 8> {
    static reg fma(reg a, reg b, reg c) { return _mm256_fmadd_ps(a, b, c); }
    static reg set1(float x) { return _mm256_set1_ps(x); }
    static reg max(reg a, reg b) { return _mm256_max_ps(a, b); }
    static reg min(reg a, reg b) { return _mm256_min_ps(a, b); }
    static reg keep(reg a) {  // or GCC loads it again for each fma
        asm("" : "+x"(a));
        return a;
    }
};
struct Avx2Double : Vec<double, 4> {
    static reg fma(reg a, reg b, reg c) { return _mm256_fmadd_pd(a, b, c); }
    static reg set1(double x) { return _mm256_set1_pd(x); }
    static reg max(reg a, reg b) { return _mm256_max_pd(a, b); }
    static reg min(reg a, reg b) { return _mm256_min_pd(a, b); }
    static reg keep(reg a) {
        asm("" : "+x"(a));
        return a;
    }
};

void widen_float16(const std::uint16_t* from, float* to, Index n) {
    Index i = 0;
    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(to + i, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i))));
    for (; i < n; ++i) to[i] = _cvtsh_ss(from[i]);
}
void narrow_float16(const float* from, std::uint16_t* to, Index n) {
    Index i = 0;
    for (; i + 8 <= n; i += 8)
        _mm_storeu_si128(reinterpret_cast<__m128i*>(to + i),
                         _mm256_cvtps_ph(_mm256_loadu_ps(from + i), _MM_FROUND_TO_NEAREST_INT));
    for (; i < n; ++i) to[i] = static_cast<std::uint16_t>(_cvtss_sh(from[i], _MM_FROUND_TO_NEAREST_INT));
}

}  // namespace

namespace avx2 {
constinit const Kernels<float> kernels_float = kernels_of<Avx2Float>(Isa::avx2);
constinit const Kernels<double> kernels_double = kernels_of<Avx2Double>(Isa::avx2);
constinit const Converters converters = {widen_float16, narrow_float16, widen_bfloat16, narrow_bfloat16};
}  // namespace avx2

}  // namespace tconv
