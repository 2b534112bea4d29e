// AVX-512 F, VL, DQ and BW: Skylake-X, Zen 4 and later. Half as many instructions for a product as with AVX2,
// and masks that cost nothing.
#include <immintrin.h>

#include "fast.hpp"
#include "gradient.hpp"
#include "lane_sums.hpp"
#include "micro.hpp"
#include "storage.hpp"

namespace tconv {
namespace {

/// What is the same for V, of either type.
template <class V, class T, int W>
struct Avx512 : Vec<T, W> {
    using typename Vec<T, W>::reg;
    static constexpr int registers = 32;
    static constexpr bool cheap_parts = true;

    static reg keep(reg a) {  // or GCC loads it again for each fma
        asm("" : "+v"(a));
        return a;
    }
    static void turn(const T* from, Index from_stride, T* to, Index to_stride) {
        reg r[W];
        each<W>([&](auto i) TCONV_INLINE { r[i] = V::load(from + i * from_stride); });
        V::transpose(r);
        each<W>([&](auto i) TCONV_INLINE { V::store(to + i * to_stride, r[i]); });
    }
    /// The same of `rows` by `columns` numbers, W by W at most.
    static void turn_some(const T* from, Index from_stride, T* to, Index to_stride, Index rows, Index columns) {
        reg r[W];
        each<W>([&](auto i)
                    TCONV_INLINE { r[i] = i < rows ? V::load_some(from + i * from_stride, columns) : V::zero(); });
        V::transpose(r);
        each<W>([&](auto i) TCONV_INLINE {
            if (i < columns) V::store_some(to + i * to_stride, r[i], rows);
        });
    }
};

struct Avx512Float : Avx512<Avx512Float, float, 16> {
    static __mmask16 first(Index n) { return static_cast<__mmask16>((1u << n) - 1); }
    static reg load_some(const float* p, Index n) { return _mm512_maskz_loadu_ps(first(n), p); }
    static void store_some(float* p, reg r, Index n) { _mm512_mask_storeu_ps(p, first(n), r); }
    using Vec<float, 16>::load_halves;
    using Vec<float, 16>::store_halves;
    using Vec<float, 16>::widen;
    using Vec<float, 16>::narrow;
    static halves load_halves(const std::uint16_t* p, Index n) {
        return reinterpret_cast<halves>(_mm256_maskz_loadu_epi16(first(n), p));
    }
    static void store_halves(std::uint16_t* p, halves h, Index n) {
        _mm256_mask_storeu_epi16(p, first(n), reinterpret_cast<__m256i>(h));
    }
    static reg widen(halves h, float16) { return _mm512_cvtph_ps(reinterpret_cast<__m256i>(h)); }
    static halves narrow(reg r, float16) {
        return reinterpret_cast<halves>(_mm512_cvtps_ph(r, _MM_FROUND_TO_NEAREST_INT));
    }
    static __m256 folded(reg a) { return _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1)); }
    static void sums(reg a, reg b, reg c, reg d, float* to) {
        lane_sums(folded(a), folded(b), folded(c), folded(d), to);
    }
    static reg fma(reg a, reg b, reg c) { return _mm512_fmadd_ps(a, b, c); }
    static reg set1(float x) { return _mm512_set1_ps(x); }
    static reg max(reg a, reg b) { return _mm512_max_ps(a, b); }
    static reg min(reg a, reg b) { return _mm512_min_ps(a, b); }
    static void interleave(reg a, reg b, reg& low, reg& high) {
        const __m512i first = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
        low = _mm512_permutex2var_ps(a, first, b);
        high = _mm512_permutex2var_ps(a, _mm512_add_epi32(first, _mm512_set1_epi32(8)), b);
    }
    static void transpose(reg (&r)[16]) {
        reg s[16];
        each<8>([&](auto i) TCONV_INLINE {
            s[2 * i] = _mm512_unpacklo_ps(r[2 * i], r[2 * i + 1]);
            s[2 * i + 1] = _mm512_unpackhi_ps(r[2 * i], r[2 * i + 1]);
        });
        each<4>([&](auto i) TCONV_INLINE {  // column 4q + j of four rows: quarter q of r[4i + j]
            r[4 * i] = _mm512_shuffle_ps(s[4 * i], s[4 * i + 2], 0x44);
            r[4 * i + 1] = _mm512_shuffle_ps(s[4 * i], s[4 * i + 2], 0xee);
            r[4 * i + 2] = _mm512_shuffle_ps(s[4 * i + 1], s[4 * i + 3], 0x44);
            r[4 * i + 3] = _mm512_shuffle_ps(s[4 * i + 1], s[4 * i + 3], 0xee);
        });
        each<4>([&](auto j) TCONV_INLINE {
            const reg low02 = _mm512_shuffle_f32x4(r[j], r[4 + j], 0x88),
                      low13 = _mm512_shuffle_f32x4(r[j], r[4 + j], 0xdd),
                      high02 = _mm512_shuffle_f32x4(r[8 + j], r[12 + j], 0x88),
                      high13 = _mm512_shuffle_f32x4(r[8 + j], r[12 + j], 0xdd);
            r[j] = _mm512_shuffle_f32x4(low02, high02, 0x88);
            r[4 + j] = _mm512_shuffle_f32x4(low13, high13, 0x88);
            r[8 + j] = _mm512_shuffle_f32x4(low02, high02, 0xdd);
            r[12 + j] = _mm512_shuffle_f32x4(low13, high13, 0xdd);
        });
    }
};
struct Avx512Double : Avx512<Avx512Double, double, 8> {
    static __mmask8 first(Index n) { return static_cast<__mmask8>((1u << n) - 1); }
    static reg load_some(const double* p, Index n) { return _mm512_maskz_loadu_pd(first(n), p); }
    static void store_some(double* p, reg r, Index n) { _mm512_mask_storeu_pd(p, first(n), r); }
    static __m256d folded(reg a) { return _mm256_add_pd(_mm512_castpd512_pd256(a), _mm512_extractf64x4_pd(a, 1)); }
    static void sums(reg a, reg b, reg c, reg d, double* to) {
        lane_sums(folded(a), folded(b), folded(c), folded(d), to);
    }
    static reg fma(reg a, reg b, reg c) { return _mm512_fmadd_pd(a, b, c); }
    static reg set1(double x) { return _mm512_set1_pd(x); }
    static reg max(reg a, reg b) { return _mm512_max_pd(a, b); }
    static reg min(reg a, reg b) { return _mm512_min_pd(a, b); }
    static void interleave(reg a, reg b, reg& low, reg& high) {
        const __m512i first = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
        low = _mm512_permutex2var_pd(a, first, b);
        high = _mm512_permutex2var_pd(a, _mm512_add_epi64(first, _mm512_set1_epi64(4)), b);
    }
    static void transpose(reg (&r)[8]) {
        reg s[8];
        each<4>([&](auto i) TCONV_INLINE {  // column 2q + j of two rows: quarter q of s[2i + j]
            s[2 * i] = _mm512_unpacklo_pd(r[2 * i], r[2 * i + 1]);
            s[2 * i + 1] = _mm512_unpackhi_pd(r[2 * i], r[2 * i + 1]);
        });
        each<2>([&](auto j) TCONV_INLINE {
            const reg low02 = _mm512_shuffle_f64x2(s[j], s[2 + j], 0x88),
                      low13 = _mm512_shuffle_f64x2(s[j], s[2 + j], 0xdd),
                      high02 = _mm512_shuffle_f64x2(s[4 + j], s[6 + j], 0x88),
                      high13 = _mm512_shuffle_f64x2(s[4 + j], s[6 + j], 0xdd);
            r[j] = _mm512_shuffle_f64x2(low02, high02, 0x88);
            r[2 + j] = _mm512_shuffle_f64x2(low13, high13, 0x88);
            r[4 + j] = _mm512_shuffle_f64x2(low02, high02, 0xdd);
            r[6 + j] = _mm512_shuffle_f64x2(low13, high13, 0xdd);
        });
    }
};

}  // namespace

namespace avx512 {
constinit const Kernels<float> kernels_float = kernels_of<Avx512Float>(Isa::avx512, 0.55);
constinit const Kernels<double> kernels_double = kernels_of<Avx512Double>(Isa::avx512, 0.55);
constinit const GradientKernels<float> gradient_float = gradient_kernels_of<Avx512Float>(Isa::avx512);
constinit const GradientKernels<double> gradient_double = gradient_kernels_of<Avx512Double>(Isa::avx512);
constinit const FastKernels<float> fast_float = fast_kernels_of<Avx512Float>();
constinit const FastKernels<double> fast_double = fast_kernels_of<Avx512Double>();
constinit const Converters converters = converters_of<Avx512Float>();
}  // namespace avx512

}  // namespace tconv
