// Products of pixels with small kernels, written once over the Vec vocabulary: vectors lie along channels, or along
// pixels.
#pragma once

#include "gradient_table.hpp"
#include "vec.hpp"

namespace tconv {
namespace {

constexpr Index few_ahead = 8;  // pixels of few numbers that are asked for ahead

/// Sums to their rows; of the last vector `last` numbers are real.
template <class V, int M, int NV>
inline TCONV_INLINE void store_rows(const typename V::reg (&sum)[M][NV], typename V::value* const (&to)[M],
                                    Index last) {
    constexpr int W = V::width;
    each<M>([&](auto m)
                TCONV_INLINE { each<NV - 1>([&](auto v) TCONV_INLINE { V::store(to[m] + v * W, sum[m][v]); }); });
    if (last == W) {
        each<M>([&](auto m) TCONV_INLINE { V::store(to[m] + (NV - 1) * W, sum[m][NV - 1]); });
    } else {
        each<M>([&](auto m) TCONV_INLINE { V::store_some(to[m] + (NV - 1) * W, sum[m][NV - 1], last); });
    }
}

/// M pixels and NB blocks of Evenly, from pixel i and block `block` on.
template <class V, int M, int NV, int NB>
inline TCONV_INLINE void some_evenly(const Evenly<typename V::value>& e, Index i, Index block) {
    using T = typename V::value;
    constexpr int W = V::width, line = 64 / sizeof(T);
    typename V::reg sum[NB][M][NV];
    const T *a[M], *panels[NB];
    each<M>([&](auto m) TCONV_INLINE {
        a[m] = e.from + (i + m) * e.from_step;
        ask_for<NV * W, true>(e.to + (i + m) * e.to_step + block * (NV * W));
    });
    const auto last_of = [&](int n) TCONV_INLINE {  // the last vector of a block
        const Index rest = e.columns - (block + n) * (NV * W);
        return rest < NV * W ? rest - (NV - 1) * W : W;
    };
    each<NB>([&](auto n) TCONV_INLINE {
        each<M>([&](auto m) TCONV_INLINE {
            if (!e.load) {
                each<NV>([&](auto v) TCONV_INLINE { sum[n][m][v] = V::zero(); });
                return;
            }
            const T* from = e.to + (i + m) * e.to_step + (block + n) * (NV * W);
            each<NV - 1>([&](auto v) TCONV_INLINE { sum[n][m][v] = V::load(from + v * W); });
            const T* rest = from + (NV - 1) * W;
            sum[n][m][NV - 1] = last_of(n) == W ? V::load(rest) : V::load_some(rest, last_of(n));
        });
    });
    each<NB>([&](auto n) TCONV_INLINE { panels[n] = e.panel + (block + n) * e.block_step; });
    const Index ahead = M * e.from_step;
    for (const Met *met = e.met, *last = met + e.numbers; met < last;) {
        if constexpr (M > 1) {  // what the next pixels meet: numbers that lie side by side, for the most part
            each<M>([&](auto m) TCONV_INLINE { __builtin_prefetch(a[m] + ahead + met->at); });
        }
        for (const Met* const end = last - met < line ? last : met + line; met < end; ++met) {
            const Index at = met->at, row = met->row * (NV * W);
            if constexpr (M > 1) {
                static_assert(NB == 1);
                typename V::reg b[NV];
                each<NV>([&](auto v) TCONV_INLINE { b[v] = V::keep(V::load(panels[0] + row + v * W)); });
                each<M>([&](auto m) TCONV_INLINE {
                    const auto x = V::set1(a[m][at]);
                    each<NV>([&](auto v) TCONV_INLINE { sum[0][m][v] = V::fma(x, b[v], sum[0][m][v]); });
                });
            } else {
                const auto x = V::set1(a[0][at]);
                each<NB>([&](auto n) TCONV_INLINE {
                    each<NV>([&](auto v) TCONV_INLINE {
                        sum[n][0][v] = V::fma(x, V::load(panels[n] + row + v * W), sum[n][0][v]);
                    });
                });
            }
        }
    }
    each<NB>([&](auto n) TCONV_INLINE {
        T* to[M];
        each<M>([&](auto m) TCONV_INLINE { to[m] = e.to + (i + m) * e.to_step + (block + n) * (NV * W); });
        store_rows<V, M, NV>(sum[n], to, last_of(n));
    });
}

/// One to M pixels of one block.
template <class V, int M, int NV>
inline TCONV_INLINE void pixels_evenly(const Evenly<typename V::value>& e, Index i, Index pixels, Index block) {
    if (pixels == M) {
        some_evenly<V, M, NV, 1>(e, i, block);
    } else if constexpr (M > 1) {
        pixels_evenly<V, M - 1, NV>(e, i, pixels, block);
    }
}

/// The pixels of one block of Evenly, which meet K numbers: weights stay in registers.
template <class V, int K, int NV>
inline TCONV_INLINE void few_evenly(const Evenly<typename V::value>& e, Index block) {
    using T = typename V::value;
    constexpr int W = V::width;
    const T* const panel = e.panel + block * e.block_step;
    const Index rest = e.columns - block * (NV * W), last = rest < NV * W ? rest - (NV - 1) * W : W;
    typename V::reg w[K][NV];
    const T* from[K];
    each<K>([&](auto k) TCONV_INLINE {
        from[k] = e.from + e.met[k].at;
        each<NV>([&](auto v) TCONV_INLINE { w[k][v] = V::keep(V::load(panel + e.met[k].row * (NV * W) + v * W)); });
    });
    T* to[1] = {e.to + block * (NV * W)};
    for (Index i = 0; i < e.pixels; ++i, to[0] += e.to_step) {
        ask_for<NV * W, true>(to[0] + few_ahead * e.to_step);
        typename V::reg sum[1][NV];
        each<NV>([&](auto v) TCONV_INLINE { sum[0][v] = V::zero(); });
        each<K>([&](auto k) TCONV_INLINE {
            const auto x = V::set1(*from[k]);
            from[k] += e.from_step;
            each<NV>([&](auto v) TCONV_INLINE { sum[0][v] = V::fma(x, w[k][v], sum[0][v]); });
        });
        store_rows<V, 1, NV>(sum, to, last);
    }
}

/// All blocks of Evenly where K to Most numbers are met.
template <class V, int K, int Most, int NV>
inline TCONV_INLINE void few_evenly(const Evenly<typename V::value>& e) {
    if (e.numbers == K) {
        for (Index block = 0; block < e.blocks; ++block) few_evenly<V, K, NV>(e, block);
    } else if constexpr (K < Most) {
        few_evenly<V, K + 1, Most, NV>(e);
    }
}

/// See GradientKernels::evenly. Tiles of at most M pixels and one block, or of one pixel and NB blocks.
template <class V, int M, int NV, int NB>
void evenly(const Evenly<typename V::value>& e) {
    if (e.pixels == 1) {
        Index block = 0;
        for (; block + NB <= e.blocks; block += NB) some_evenly<V, 1, NV, NB>(e, 0, block);
        for (; block < e.blocks; ++block) some_evenly<V, 1, NV, 1>(e, 0, block);
        return;
    }
    constexpr int few = 12 / NV < 4 ? 12 / NV : 4;
    if (e.numbers > 0 && e.numbers <= few && !e.load) {
        few_evenly<V, 1, few, NV>(e);
        return;
    }
    const Index tiles = (e.pixels + M - 1) / M, pixels = e.pixels / tiles, longer = e.pixels % tiles;
    for (Index block = 0; block < e.blocks; ++block)
        for (Index tile = 0, i = 0; tile < tiles; ++tile) {
            const Index some = tile < longer ? pixels + 1 : pixels;
            pixels_evenly<V, M, NV>(e, i, some, block);
            i += some;
        }
}

/// M channels and NV vectors of pixels of Planes, from channel c and pixel i on; of a single vector `last` are stored.
template <class V, int M, int NV>
inline TCONV_INLINE void some_planes(const Planes<typename V::value>& p, Index c, Index i, Index last) {
    using T = typename V::value;
    constexpr int W = V::width;
    typename V::reg sum[M][NV];
    const auto each_sum = [&](const auto& use) TCONV_INLINE {
        each<M>([&](auto m) TCONV_INLINE { each<NV>([&](auto v) TCONV_INLINE { use(m, v); }); });
    };
    each_sum([&](auto m, auto v) TCONV_INLINE { sum[m][v] = V::zero(); });
    const T *from = p.from + i, *weights = p.weights + c;
#pragma GCC unroll 4
    for (const Met *met = p.met, *end = met + p.numbers; met < end; ++met) {
        const T *x = from + met->at, *w = weights + met->row * p.channels;
        if constexpr (M < NV) {  // the fewer stay in registers
            typename V::reg b[M];
            each<M>([&](auto m) TCONV_INLINE { b[m] = V::keep(V::set1(w[m])); });
            each<NV>([&](auto v) TCONV_INLINE {
                const auto a = V::keep(V::load(x + v * W));
                each<M>([&](auto m) TCONV_INLINE { sum[m][v] = V::fma(a, b[m], sum[m][v]); });
            });
        } else {
            typename V::reg a[NV];
            each<NV>([&](auto v) TCONV_INLINE { a[v] = V::keep(V::load(x + v * W)); });
            each<M>([&](auto m) TCONV_INLINE {
                const auto b = V::set1(w[m]);
                each<NV>([&](auto v) TCONV_INLINE { sum[m][v] = V::fma(a[v], b, sum[m][v]); });
            });
        }
    }
    T* to = p.to + c * p.to_step + i;
    if (NV > 1 || last == W) {
        each_sum([&](auto m, auto v) TCONV_INLINE { V::store(to + m * p.to_step + v * W, sum[m][v]); });
    } else {
        each<M>([&](auto m) TCONV_INLINE { V::store_some(to + m * p.to_step, sum[m][0], last); });
    }
}

/// M channels and one to NV vectors of pixels.
template <class V, int M, int NV>
inline TCONV_INLINE void vectors_of_planes(const Planes<typename V::value>& p, Index c, Index i, Index vectors) {
    if (vectors == NV) {
        some_planes<V, M, NV>(p, c, i, V::width);
    } else if constexpr (NV > 1) {
        vectors_of_planes<V, M, NV - 1>(p, c, i, vectors);
    }
}

/// See GradientKernels::planes. The last vectors overlap those before rather than leave a rest.
template <class V, int M, int NV>
void planes(const Planes<typename V::value>& p, Index c) {
    constexpr Index W = V::width;
    if (p.pixels < W) return some_planes<V, M, 1>(p, c, 0, p.pixels);
    const Index whole = p.pixels / W, tiles = (whole + NV - 1) / NV, vectors = whole / tiles, longer = whole % tiles;
    for (Index tile = 0, i = 0; tile < tiles; ++tile) {
        const Index some = tile < longer ? vectors + 1 : vectors;
        vectors_of_planes<V, M, NV>(p, c, i, some);
        i += some * W;
    }
    if (whole * W < p.pixels) some_planes<V, M, 1>(p, c, p.pixels - W, W);
}

}  // namespace
}  // namespace tconv
