// AVX2 + FMA + F16C: Haswell, Zen and later.
#include <immintrin.h>

#include "fast.hpp"
#include "gradient.hpp"
#include "lane_sums.hpp"
#include "micro.hpp"
#include "storage.hpp"

namespace tconv {
namespace {

// Ones before zeros: what a masked load or store of the first n of W lanes begins with, W - n from the start.
constexpr std::int32_t masks32[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
constexpr std::int64_t masks64[8] = {-1, -1, -1, -1, 0, 0, 0, 0};

struct Avx2Float : Vec<float, 8> {
    static __m256i first(Index n) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(masks32 + 8 - n)); }
    static reg load_some(const float* p, Index n) { return _mm256_maskload_ps(p, first(n)); }
    static void store_some(float* p, reg r, Index n) { _mm256_maskstore_ps(p, first(n), r); }
    using Vec::widen;
    static reg widen(halves h, float16) { return _mm256_cvtph_ps(reinterpret_cast<__m128i>(h)); }
    static halves narrow(reg r, float16) {
        return reinterpret_cast<halves>(_mm256_cvtps_ph(r, _MM_FROUND_TO_NEAREST_INT));
    }
    static halves narrow(reg r, bfloat16) {  // of 16 bits each: the compiler would cut them off first
        const auto w = reinterpret_cast<__m256i>(bfloat16_bits(r));
        return reinterpret_cast<halves>(_mm_packus_epi32(_mm256_castsi256_si128(w), _mm256_extracti128_si256(w, 1)));
    }
    static void sums(reg a, reg b, reg c, reg d, float* to) { lane_sums(a, b, c, d, to); }
    static reg fma(reg a, reg b, reg c) { return _mm256_fmadd_ps(a, b, c); }
    static reg set1(float x) { return _mm256_set1_ps(x); }
    static reg max(reg a, reg b) { return _mm256_max_ps(a, b); }
    static reg min(reg a, reg b) { return _mm256_min_ps(a, b); }
    static reg keep(reg a) {  // or GCC loads it again for each fma
        asm("" : "+x"(a));
        return a;
    }
    static void interleave(reg a, reg b, reg& low, reg& high) {
        const __m256 even = _mm256_unpacklo_ps(a, b), odd = _mm256_unpackhi_ps(a, b);
        low = _mm256_permute2f128_ps(even, odd, 0x20);
        high = _mm256_permute2f128_ps(even, odd, 0x31);
    }
    static void turn(const float* from, Index from_stride, float* to, Index to_stride) {
        reg r[8], s[8];
        for (int i = 0; i < 8; ++i) r[i] = load(from + i * from_stride);
        for (int i = 0; i < 8; i += 2) {
            s[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
            s[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
        }
        for (int i = 0; i < 8; i += 4) {
            r[i] = _mm256_shuffle_ps(s[i], s[i + 2], 0x44);
            r[i + 1] = _mm256_shuffle_ps(s[i], s[i + 2], 0xee);
            r[i + 2] = _mm256_shuffle_ps(s[i + 1], s[i + 3], 0x44);
            r[i + 3] = _mm256_shuffle_ps(s[i + 1], s[i + 3], 0xee);
        }
        for (int i = 0; i < 4; ++i) {
            store(to + i * to_stride, _mm256_permute2f128_ps(r[i], r[i + 4], 0x20));
            store(to + (i + 4) * to_stride, _mm256_permute2f128_ps(r[i], r[i + 4], 0x31));
        }
    }
};
struct Avx2Double : Vec<double, 4> {
    static __m256i first(Index n) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(masks64 + 4 - n)); }
    static reg load_some(const double* p, Index n) { return _mm256_maskload_pd(p, first(n)); }
    static void store_some(double* p, reg r, Index n) { _mm256_maskstore_pd(p, first(n), r); }
    static void sums(reg a, reg b, reg c, reg d, double* to) { lane_sums(a, b, c, d, to); }
    static reg fma(reg a, reg b, reg c) { return _mm256_fmadd_pd(a, b, c); }
    static reg set1(double x) { return _mm256_set1_pd(x); }
    static reg max(reg a, reg b) { return _mm256_max_pd(a, b); }
    static reg min(reg a, reg b) { return _mm256_min_pd(a, b); }
    static reg keep(reg a) {
        asm("" : "+x"(a));
        return a;
    }
    static void interleave(reg a, reg b, reg& low, reg& high) {
        const __m256d even = _mm256_unpacklo_pd(a, b), odd = _mm256_unpackhi_pd(a, b);
        low = _mm256_permute2f128_pd(even, odd, 0x20);
        high = _mm256_permute2f128_pd(even, odd, 0x31);
    }
    static void turn(const double* from, Index from_stride, double* to, Index to_stride) {
        const reg r0 = load(from), r1 = load(from + from_stride), r2 = load(from + 2 * from_stride),
                  r3 = load(from + 3 * from_stride);
        const reg a = _mm256_unpacklo_pd(r0, r1), b = _mm256_unpackhi_pd(r0, r1), c = _mm256_unpacklo_pd(r2, r3),
                  d = _mm256_unpackhi_pd(r2, r3);
        store(to, _mm256_permute2f128_pd(a, c, 0x20));
        store(to + to_stride, _mm256_permute2f128_pd(b, d, 0x20));
        store(to + 2 * to_stride, _mm256_permute2f128_pd(a, c, 0x31));
        store(to + 3 * to_stride, _mm256_permute2f128_pd(b, d, 0x31));
    }
};

}  // namespace

namespace avx2 {
constinit const Kernels<float> kernels_float = kernels_of<Avx2Float>(Isa::avx2);
constinit const Kernels<double> kernels_double = kernels_of<Avx2Double>(Isa::avx2);
constinit const GradientKernels<float> gradient_float = gradient_kernels_of<Avx2Float>(Isa::avx2);
constinit const GradientKernels<double> gradient_double = gradient_kernels_of<Avx2Double>(Isa::avx2);
constinit const FastKernels<float> fast_float = fast_kernels_of<Avx2Float>();
constinit const FastKernels<double> fast_double = fast_kernels_of<Avx2Double>();
constinit const Converters converters = converters_of<Avx2Float>();
}  // namespace avx2

}  // namespace tconv
