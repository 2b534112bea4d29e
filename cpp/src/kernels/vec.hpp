// The vocabulary of the kernels: W numbers at once, in the compiler's vector types. Internal to each kernel file, so
// that no copy compiled for one instruction set can end up in another's.
#pragma once

#include <tconv/types.hpp>

namespace tconv {
namespace {

#define TCONV_INLINE __attribute__((always_inline))

template <int I>
struct Constant {
    static constexpr int value = I;
    constexpr operator int() const { return I; }
};
/// f(0), f(1), ... f(N - 1) with constants. A loop would be unrolled too, but so late that GCC keeps the arrays that it
/// indexes in memory. f has to be TCONV_INLINE for the same reason.
template <int N, int I = 0, class F>
inline TCONV_INLINE void each(const F& f) {
    if constexpr (I < N) {
        f(Constant<I>());
        each<N, I + 1>(f);
    }
}

/// Asks for the lines of the cache that N numbers begin in.
template <int N, bool Write, class T>
inline TCONV_INLINE void ask_for(const T* p) {
    constexpr int line = 64 / static_cast<int>(sizeof(T));
    each<(N + line - 1) / line>([&](auto i) TCONV_INLINE { __builtin_prefetch(p + i * line, Write); });
}

template <class T>
struct Float;
template <>
struct Float<float> {
    using Bits = std::int32_t;
    using Word = std::uint32_t;
    using Half = std::uint16_t;
    static constexpr int mantissa = 23, bias = 127, exp_terms = 7;
    static constexpr float ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
    static constexpr float exp_min = -104.0f, exp_max = 89.0f;  // where exp is 0 and infinite
};
template <>
struct Float<double> {
    using Bits = std::int64_t;
    using Word = std::uint64_t;
    using Half = std::uint32_t;
    static constexpr int mantissa = 52, bias = 1023, exp_terms = 13;
    static constexpr double ln2_high = 6.93145751953125e-1, ln2_low = 1.42860682030941723212e-6;
    static constexpr double exp_min = -746.0, exp_max = 710.0;
};

template <class T, int W>
struct Vec {
    using value = T;
    using Bits = typename Float<T>::Bits;
    using Word = typename Float<T>::Word;
    using Half = typename Float<T>::Half;
    static constexpr int width = W;
    static constexpr int registers = 16;
    static constexpr bool cheap_parts = false;  // load_some and store_some take no longer than load and store
    typedef T reg __attribute__((vector_size(W * sizeof(T))));
    typedef Bits bits __attribute__((vector_size(W * sizeof(T))));
    typedef Word words __attribute__((vector_size(W * sizeof(T))));
    typedef Half halves __attribute__((vector_size(W * sizeof(T) / 2)));  // numbers of half as many bits

    static reg zero() { return reg{}; }
    static reg set1(T x) { return reg{} + x; }
    static reg load(const T* p) {
        reg r;
        __builtin_memcpy(&r, p, sizeof r);
        return r;
    }
    static void store(T* p, reg r) { __builtin_memcpy(p, &r, sizeof r); }
    static reg load_some(const T* p, Index n) {
        T lanes[W] = {};
        for (Index i = 0; i < n; ++i) lanes[i] = p[i];
        return load(lanes);
    }
    static void store_some(T* p, reg r, Index n) {
        T lanes[W];
        store(lanes, r);
        for (Index i = 0; i < n; ++i) p[i] = lanes[i];
    }
    static halves load_halves(const Half* p) {
        halves h;
        __builtin_memcpy(&h, p, sizeof h);
        return h;
    }
    static halves load_halves(const Half* p, Index n) {  // n of them, and zeros
        Half lanes[W] = {};
        for (Index i = 0; i < n; ++i) lanes[i] = p[i];
        return load_halves(lanes);
    }
    static void store_halves(Half* p, halves h) { __builtin_memcpy(p, &h, sizeof h); }
    static void store_halves(Half* p, halves h, Index n) {
        Half lanes[W];
        store_halves(lanes, h);
        for (Index i = 0; i < n; ++i) p[i] = lanes[i];
    }
    static reg widen(halves h, bfloat16) { return reinterpret(__builtin_convertvector(h, bits) << 16); }
    static halves narrow(reg r, bfloat16) { return __builtin_convertvector(bfloat16_bits(r), halves); }
    static words bfloat16_bits(reg r) {  // to nearest even; a NaN stays one, made quiet
        words w;
        __builtin_memcpy(&w, &r, sizeof w);
        return (r == r ? w + 0x7fffu + ((w >> 16) & 1u) : w | 0x400000u) >> 16;
    }
    /// to[i] = the sum of the lanes of the i-th of four vectors.
    static void sums(reg a, reg b, reg c, reg d, T* to) {
        const reg all[4] = {a, b, c, d};
        for (int i = 0; i < 4; ++i) {
            T sum = all[i][0];
            for (int lane = 1; lane < W; ++lane) sum += all[i][lane];
            to[i] = sum;
        }
    }
    /// a0 b0 a1 b1 ...
    static void interleave(reg a, reg b, reg& low, reg& high) {
        T lanes[2 * W];
        for (int i = 0; i < W; ++i) {
            lanes[2 * i] = a[i];
            lanes[2 * i + 1] = b[i];
        }
        low = load(lanes);
        high = load(lanes + W);
    }
    static reg fma(reg a, reg b, reg c) { return a * b + c; }
    static reg keep(reg a) { return a; }                    // a value that stays in a register
    static reg max(reg a, reg b) { return a > b ? a : b; }  // b when either is NaN
    static reg min(reg a, reg b) { return a < b ? a : b; }  // b when either is NaN
    static reg round(reg a) {                               // to the nearest integer, |a| < 2^(mantissa-1)
        const reg magic = set1(T(3) * T(Bits(1) << (Float<T>::mantissa - 1)));
        return (a + magic) - magic;
    }
    static reg pow2(reg n) {  // 2^n for integers within the normal exponents
        const bits e = __builtin_convertvector(n, bits) + Float<T>::bias;
        return reinterpret(e << Float<T>::mantissa);
    }
    static void turn(const T* from, Index from_stride, T* to, Index to_stride) {  // W by W numbers
        for (int i = 0; i < W; ++i)
            for (int j = 0; j < W; ++j) to[j * to_stride + i] = from[i * from_stride + j];
    }
    static reg reinterpret(bits b) {
        reg r;
        __builtin_memcpy(&r, &b, sizeof r);
        return r;
    }
};

}  // namespace
}  // namespace tconv
