// Activations over the Vec vocabulary.
#pragma once

#include "table.hpp"
#include "vec.hpp"

namespace tconv {
namespace {

/// exp(x) - 1 = 2^n (exp(r) - 1) + (2^n - 1) with x = n ln 2 + r, and exp(r) - 1 by its Taylor series (|r| <= ln2/2).
template <class V>
struct Exp {
    using T = typename V::value;
    using R = typename V::reg;
    R minus1_of_r, n;

    explicit Exp(R x) {
        // Comparisons with NaN are false: NaN passes through.
        x = x < Float<T>::exp_min ? V::set1(Float<T>::exp_min) : x;
        x = x > Float<T>::exp_max ? V::set1(Float<T>::exp_max) : x;
        n = V::round(x * V::set1(T(1.44269504088896340736)));
        R r = V::fma(n, V::set1(-Float<T>::ln2_high), x);
        r = V::fma(n, V::set1(-Float<T>::ln2_low), r);
        T factorial = 1;
        for (int k = 2; k <= Float<T>::exp_terms; ++k) factorial *= T(k);
        R series = V::set1(1 / factorial);
        for (int k = Float<T>::exp_terms; k > 1; --k) {
            factorial /= T(k);
            series = V::fma(series, r, V::set1(1 / factorial));
        }
        minus1_of_r = series * r;
    }
    R exp() const {  // in two halves: 2^n alone may not be a normal number
        const R half = V::round(n * T(0.5));
        return (minus1_of_r + T(1)) * V::pow2(half) * V::pow2(n - half);
    }
    R minus1() const {  // for arguments <= 0
        const R scale = V::pow2(V::max(n, V::set1(-T(Float<T>::mantissa) - 3)));
        return V::fma(minus1_of_r, scale, scale - T(1));
    }
};

template <class V>
typename V::reg sigmoid(typename V::reg x) {
    return V::set1(1) / (Exp<V>(-x).exp() + V::set1(1));
}

/// finish.kind applied to x.
template <class V>
typename V::reg activate(typename V::reg x, Finish<typename V::value> how) {
    using T = typename V::value;
    using R = typename V::reg;
    using Kind = Activation::Kind;
    const R zero = V::zero();
    const auto clamp = [](R a, T low, T high) { return V::min(V::set1(high), V::max(V::set1(low), a)); };
    switch (how.kind) {
        case Kind::linear:
            return x;
        case Kind::relu:
            return V::max(zero, x);
        case Kind::relu6:
            return clamp(x, 0, 6);
        case Kind::leaky_relu:
            return x < zero ? x * how.alpha : x;
        case Kind::elu:
            return x < zero ? Exp<V>(V::min(zero, x)).minus1() * how.alpha : x;
        case Kind::selu: {
            const T scale = T(1.05070098735548049342), alpha = T(1.67326324235437728482);
            return (x < zero ? Exp<V>(V::min(zero, x)).minus1() * alpha : x) * scale;
        }
        case Kind::sigmoid:
            return sigmoid<V>(x);
        case Kind::hard_sigmoid:
            return clamp(V::fma(x, V::set1(T(1) / 6), V::set1(T(0.5))), 0, 1);
        case Kind::tanh: {
            const R size = x < zero ? -x : x;
            const R e = Exp<V>(size * T(-2)).minus1();
            const R y = -e / (e + T(2));
            return x < zero ? -y : y;
        }
        case Kind::silu:
            return x * sigmoid<V>(x);
        case Kind::hard_silu:
            return x * clamp(V::fma(x, V::set1(T(1) / 6), V::set1(T(0.5))), 0, 1);
        case Kind::exponential:
            return Exp<V>(x).exp();
    }
    return x;
}

/// Adds the bias, unless it is nullptr, to sums of M rows times NV vectors, and applies relu or leaky_relu. Any other
/// activation is left to `activate`.
template <class V, int M, int NV>
inline TCONV_INLINE void finish_sums(typename V::reg (&sum)[M][NV], const typename V::value* bias,
                                     Finish<typename V::value> how) {
    using Kind = Activation::Kind;
    const auto each_sum = [&](const auto& use) TCONV_INLINE {
        each<M>([&](auto m) TCONV_INLINE { each<NV>([&](auto v) TCONV_INLINE { use(m, v); }); });
    };
    if (bias != nullptr) {
        each<NV>([&](auto v) TCONV_INLINE {
            const auto b = V::load(bias + v * V::width);
            each<M>([&](auto m) TCONV_INLINE { sum[m][v] = sum[m][v] + b; });
        });
    }
    if (how.kind == Kind::relu) {
        each_sum([&](auto m, auto v) TCONV_INLINE { sum[m][v] = V::max(V::zero(), sum[m][v]); });
    } else if (how.kind == Kind::leaky_relu) {
        each_sum([&](auto m, auto v)
                     TCONV_INLINE { sum[m][v] = sum[m][v] < V::zero() ? sum[m][v] * how.alpha : sum[m][v]; });
    }
}

}  // namespace
}  // namespace tconv
