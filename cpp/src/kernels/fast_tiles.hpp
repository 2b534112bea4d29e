// Tiles of the kernel gradient's fast algorithms, summed and transformed as they are read; and the algebra of points.
#pragma once

#include "fast_table.hpp"
#include "vec.hpp"

namespace tconv {
namespace {

/// G: the taps' numbers to points.
template <Scheme S, class R>
inline TCONV_INLINE void weights_to_points(const R* entry, Index step, R* point, Index point_step) {
    each<static_cast<int>(points_of(S))>([&](auto p) TCONV_INLINE {
        constexpr const signed char* sign = weight_signs[static_cast<int>(S)][decltype(p)::value];
        R sum = sign[0] != 0 ? entry[0] : entry[(taps_of(S) - 1) * step];  // the first sign is never negative
        if constexpr (taps_of(S) > 1)
            if (sign[0] != 0 && sign[1] != 0) sum = sign[1] > 0 ? sum + entry[step] : sum - entry[step];
        if constexpr (taps_of(S) > 2)
            if (sign[0] != 0 && sign[2] != 0) sum = sum + entry[2 * step];
        point[p * point_step] = sum;
    });
}

/// B: the window's neighbours x to points p.
template <Scheme S, class R>
inline __attribute__((always_inline)) void to_points(const R* x, R* p) {
    if constexpr (S == Scheme::one) {
        p[0] = x[0];
    } else if constexpr (S == Scheme::two_by_two) {
        p[0] = x[0] - x[1];
        p[1] = x[1];
        p[2] = x[2] - x[1];
    } else {
        p[0] = x[0] - x[2];
        p[1] = x[1] + x[2];
        p[2] = x[2] - x[1];
        p[3] = x[3] - x[1];
    }
}

/// See FastKernels::sum_lines.
template <class V>
void sum_lines(const LineSum<typename V::value>& s) {
    using R = typename V::reg;
    constexpr Index W = V::width;
    constexpr int NV = 4;
    Index i = 0;
    for (; i + NV * W <= s.n; i += NV * W) {
        R sum[NV];
        for (int v = 0; v < NV; ++v) sum[v] = V::zero();
        for (Index l = 0; l < s.lines; ++l) {
            const R weight = V::set1(s.weights[l]);
            for (int v = 0; v < NV; ++v) sum[v] = V::fma(weight, V::load(s.from[l] + i + v * W), sum[v]);
        }
        for (int v = 0; v < NV; ++v) V::store(s.to + i + v * W, sum[v]);
    }
    for (; i < s.n; i += W) {
        const Index some = s.n - i < W ? s.n - i : W;
        R sum = V::zero();
        for (Index l = 0; l < s.lines; ++l) sum = V::fma(V::set1(s.weights[l]), V::load_some(s.from[l] + i, some), sum);
        V::store_some(s.to + i, sum, some);
    }
}

/// NV vectors of a tile, from number k on; of the last `last` numbers.
template <class V, Scheme S, bool Weights, int NV, bool Whole>
inline TCONV_INLINE void sum_tile(const TileSum<typename V::value>& s, Index at, Index to_at, Index k, Index last) {
    using T = typename V::value;
    using R = typename V::reg;
    constexpr Index W = V::width;
    constexpr int points = static_cast<int>(points_of(S)), entries = Weights ? static_cast<int>(taps_of(S)) : points;
    R sum[NV][entries], point[NV][points];
    for (int v = 0; v < NV; ++v)
        for (int e = 0; e < entries; ++e) sum[v][e] = V::zero();
    for (Index l = 0; l < s.lines; ++l) {
        const R weight = V::set1(s.weights[l]);
        const T* const line = s.from[l] + at + k;
        each<entries>([&](auto e) TCONV_INLINE {
            if (!Whole && (e < s.begin || e >= s.end)) return;
            const T* const from = line + e * s.from_step;
            each<NV>([&](auto v) TCONV_INLINE {
                const R x = NV == 1 && last < W ? V::load_some(from, last) : V::load(from + v * W);
                sum[v][e] = V::fma(weight, x, sum[v][e]);
            });
        });
    }
    T* const to = s.to + to_at + k;
    each<NV>([&](auto v) TCONV_INLINE {
        if constexpr (Weights) {
            weights_to_points<S>(sum[v], 1, point[v], 1);
        } else {
            to_points<S>(sum[v], point[v]);
        }
        each<points>([&](auto p) TCONV_INLINE {
            if (NV == 1 && last < W) {
                V::store_some(to + p * s.to_step, point[v][p], last);
            } else {
                V::store(to + p * s.to_step + v * W, point[v][p]);
            }
        });
    });
}

/// See FastKernels::weigh_tiles and analyse_tiles.
template <class V, Scheme S, bool Weights>
void sum_tiles(const TileSum<typename V::value>& s) {
    constexpr Index W = V::width;
    constexpr Index entries = Weights ? taps_of(S) : points_of(S);
    const bool whole = s.begin == 0 && s.end == entries;
    for (Index tile = 0, at = 0, to = 0; tile < s.run.count; ++tile, at += s.run.from, to += s.run.to) {
        Index k = 0;
        if (whole) {
            for (; k + 2 * W <= s.n; k += 2 * W) sum_tile<V, S, Weights, 2, true>(s, at, to, k, W);
            for (; k < s.n; k += W) sum_tile<V, S, Weights, 1, true>(s, at, to, k, s.n - k < W ? s.n - k : W);
        } else {
            for (; k < s.n; k += W) sum_tile<V, S, Weights, 1, false>(s, at, to, k, s.n - k < W ? s.n - k : W);
        }
    }
}

}  // namespace
}  // namespace tconv
