// The additions of Strassen's algorithm, Scheme::halves: of weights, of pixels, and of the sums that become outputs.
#pragma once

#include "activate.hpp"
#include "fast_table.hpp"
#include "vec.hpp"

namespace tconv {
namespace {

/// See FastKernels::weigh_halves.
template <class V>
void weigh_halves(const WeightRows<typename V::value, typename V::value>& t) {
    using T = typename V::value;
    using R = typename V::reg;
    constexpr Index line = 64 / static_cast<Index>(sizeof(T));
    const T* x[halves_numbers];
    T* y[halves_points];
    for (int i = 0; i < halves_numbers; ++i) x[i] = t.from[i];
    for (int p = 0; p < halves_points; ++p) y[p] = t.to[p];
    for (Index row = 0, from = 0, to = 0; row < t.rows; ++row, from += t.from_step, to += t.to_step) {
        for (Index i = 0; i < t.count; i += V::width) {
            R g[halves_numbers];
            for (int e = 0; e < halves_numbers; ++e) g[e] = V::load(x[e] + from + i);
            if (t.ahead != 0 && i % line == 0)
                for (int e = 0; e < halves_numbers; ++e) __builtin_prefetch(x[e] + from + i + t.ahead);
            V::store(y[0] + to + i, g[0] + g[3]);
            V::store(y[1] + to + i, g[0]);
            V::store(y[2] + to + i, g[1] - g[3]);
            V::store(y[3] + to + i, g[2] - g[0]);
            V::store(y[4] + to + i, g[3]);
            V::store(y[5] + to + i, g[0] + g[1]);
            V::store(y[6] + to + i, g[2] + g[3]);
        }
    }
}

/// See FastKernels::analyse_halves.
template <class V>
void analyse_halves(const PlaneSum<typename V::value>& t) {
    using T = typename V::value;
    using R = typename V::reg;
    constexpr Index W = V::width, line = 64 / static_cast<Index>(sizeof(T));
    const T* x[halves_numbers];
    T* y[halves_points];
    for (int i = 0; i < halves_numbers; ++i) x[i] = t.from[0][i];
    for (int p = 0; p < halves_points; ++p) y[p] = t.to[p];
    const auto transform = [&](Index from, Index k, const auto& load, const auto& store) TCONV_INLINE {
        R a[halves_numbers];
        for (int i = 0; i < halves_numbers; ++i) a[i] = load(x[i] + from);
        store(y[0] + k, a[0] + a[3]);
        store(y[1] + k, a[1] + a[3]);
        store(y[2] + k, a[0]);
        store(y[3] + k, a[3]);
        store(y[4] + k, a[0] + a[2]);
        store(y[5] + k, a[1] - a[0]);
        store(y[6] + k, a[2] - a[3]);
    };
    for (Index tile = 0, from = 0; tile < t.tiles; ++tile, from += t.from_step) {
        const Index next = from + t.from_step;
        if (tile + 1 < t.tiles)
            for (int i = 0; i < halves_numbers; ++i)
                for (Index k = 0; k < t.n; k += line) __builtin_prefetch(x[i] + next + k);
        Index k = 0;
        for (; k + W <= t.n; k += W)
            transform(
                from + k, k, [](const T* p) TCONV_INLINE { return V::load(p); },
                [](T* p, R r) TCONV_INLINE { V::store(p, r); });
        if (const Index some = t.n - k; some > 0)
            transform(
                from + k, k, [some](const T* p) TCONV_INLINE { return V::load_some(p, some); },
                [some](T* p, R r) TCONV_INLINE { V::store_some(p, r, some); });
        for (int p = 0; p < halves_points; ++p) y[p] += t.to_steps[p];
    }
}

/// See FastKernels::finish_halves.
template <class V>
void finish_halves(const typename V::value* from, Index step, typename V::value* const* to, Index n,
                   const typename V::value* const* bias, Finish<typename V::value> how, TileRun run, Index ahead) {
    using T = typename V::value;
    using R = typename V::reg;
    constexpr Index W = V::width, line = 64 / static_cast<Index>(sizeof(T));
    T* y[halves_numbers];
    for (int i = 0; i < halves_numbers; ++i) y[i] = to[i];
    const bool linear = how.kind == Activation::Kind::linear;
    for (Index left = run.count;; from += run.from) {
        for (Index k = 0; k < n; k += W) {
            const Index some = n - k < W ? n - k : W;
            R p[halves_points];
            for (int i = 0; i < halves_points; ++i) p[i] = V::load(from + i * step + k);
            R output[halves_numbers] = {(p[0] + p[3]) + (p[6] - p[4]), p[1] + p[3], p[2] + p[4],
                                        (p[0] + p[2]) + (p[5] - p[1])};
            if (bias != nullptr) {
                for (int f = 0; f < 2; ++f) {
                    const R offset = some == W ? V::load(bias[f] + k) : V::load_some(bias[f] + k, some);
                    for (int e = 0; e < 2; ++e) output[f * 2 + e] = output[f * 2 + e] + offset;
                }
            }
            if (!linear) {
#pragma GCC unroll 1
                for (int i = 0; i < halves_numbers; ++i) output[i] = activate<V>(output[i], how);
            }
            for (int i = 0; i < halves_numbers; ++i) {
                if (y[i] == nullptr) continue;
                if (some == W) {
                    V::store(y[i] + k, output[i]);
                    if (ahead != 0 && k % line == 0) __builtin_prefetch(y[i] + k + ahead, 1);
                } else {
                    V::store_some(y[i] + k, output[i], some);
                }
            }
        }
        if (--left == 0) return;
        for (int i = 0; i < halves_numbers; ++i)
            if (y[i] != nullptr) y[i] += run.to;
    }
}

}  // namespace
}  // namespace tconv
