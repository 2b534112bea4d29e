// Outer products and lanes, written once over the Vec vocabulary.
#pragma once

#include "gradient_pixels.hpp"
#include "gradient_taps.hpp"

namespace tconv {
namespace {

/// See GradientKernels::outer. The sums over the lines are a chain of their own, whether they are added to c or not.
template <class V, int M, int NV>
void outer(const Outer<typename V::value>& o) {
    using T = typename V::value;
    constexpr int W = V::width;
    const Index next = o.ahead * o.row_step + M - 1;
    typename V::reg sum[M][NV];
    for (int m = 0; m < M; ++m)
        for (int v = 0; v < NV; ++v) sum[m][v] = V::zero();
    for (const LineRun *run = o.runs, *const end = run + o.run_count; run < end; ++run) {
        const T *rows = o.rows + run->row, *columns = o.columns + run->first * o.column_step;
#pragma GCC unroll 4
        for (Index k = run->first; k < run->last; ++k, rows += o.row_step, columns += o.column_step) {
            typename V::reg b[NV];
            for (int v = 0; v < NV; ++v) b[v] = V::keep(V::load(columns + v * W));
            __builtin_prefetch(rows + next);
            for (int m = 0; m < M; ++m) {
                const auto a = V::set1(rows[m]);
                for (int v = 0; v < NV; ++v) sum[m][v] = V::fma(a, b[v], sum[m][v]);
            }
        }
    }
    T* c = o.c;
    if (o.add) {
        for (int m = 0; m < M; ++m, c += o.c_stride)
            for (int v = 0; v < NV; ++v) V::store(c + v * W, V::load(c + v * W) + sum[m][v]);
    } else {
        for (int m = 0; m < M; ++m, c += o.c_stride)
            for (int v = 0; v < NV; ++v) V::store(c + v * W, sum[m][v]);
    }
}

/// See GradientKernels::strip. A sum is one chain over all strips that load what the one before stored.
template <class V, int M, int NV>
void strip(const Strip<typename V::value>& s) {
    using T = typename V::value;
    constexpr int W = V::width, line = 64 / sizeof(T);
    typename V::reg sum[M][NV];
    const auto each_sum = [&](const auto& use) TCONV_INLINE {
        each<M>([&](auto m) TCONV_INLINE { each<NV>([&](auto v) TCONV_INLINE { use(m, v); }); });
    };
    if (s.from != nullptr) {
        each_sum([&](auto m, auto v) TCONV_INLINE { sum[m][v] = V::load(s.from + m * s.from_stride + v * W); });
        each<M>([&](auto m) TCONV_INLINE { ask_for<NV * W, true>(s.from + (M + m) * s.from_stride); });
    } else {
        each_sum([&](auto m, auto v) TCONV_INLINE { sum[m][v] = V::zero(); });
        each<M>([&](auto m) TCONV_INLINE { ask_for<NV * W, true>(s.to[m] + s.column); });
    }
    const T* panel = s.panel;
    const T* const* rows = s.rows;
    const T* ahead = s.ahead;
    for (Index segment = 0; segment < s.segments; ++segment) {
        const T* a[M];
        each<M>([&](auto m) TCONV_INLINE { a[m] = rows[m] + s.offset; });
        rows = segment + 1 < s.segments ? rows + most_gradient_rows : s.next;
        const auto ask = [&](Index k) TCONV_INLINE {
            each<M>([&](auto m) TCONV_INLINE { __builtin_prefetch(rows[m] + s.offset + k); });
            each<(NV + 1) / 2>([&](auto b) TCONV_INLINE { __builtin_prefetch(ahead + b * s.block_step, 0, 2); });
            ahead += line;
        };
        const auto add = [&](Index k) TCONV_INLINE {
            typename V::reg b[NV];
            each<NV>([&](auto v) TCONV_INLINE { b[v] = V::keep(V::load(panel + v / 2 * s.block_step + v % 2 * W)); });
            each<M>([&](auto m) TCONV_INLINE {
                const auto x = V::set1(a[m][k]);
                each<NV>([&](auto v) TCONV_INLINE { sum[m][v] = V::fma(x, b[v], sum[m][v]); });
            });
            panel += 2 * W;
        };
        Index k = 0;
        for (; k + line <= s.numbers; k += line) {
            ask(k);
#pragma GCC unroll 4
            for (int i = 0; i < line; ++i) add(k + i);
        }
        if (k < s.numbers) ask(k);
        for (; k < s.numbers; ++k) add(k);
    }
    const Index last = s.columns - (NV - 1) * W;  // of the last vector
    T* to[M];
    each<M>([&](auto m) TCONV_INLINE { to[m] = s.to[m] + s.column; });
    store_rows<V, M, NV>(sum, to, last);
}

/// See GradientKernels::deal_rows.
template <class V, int Size>
void deal(const typename V::value* const* lines, Index count, Index n, typename V::value* to, Index block_stride) {
    using T = typename V::value;
    constexpr int W = V::width, NV = (Size + W - 1) / W, ahead = 8;
    // A block that is read with whole vectors may be followed by too little.
    const Index whole = n >= NV * W ? (n - NV * W) / Size + 1 : 0;
    for (Index k = 0; k < count; ++k, to += Size) {
        const T *from = lines[k], *next = lines[k + ahead < count ? k + ahead : k];
        T* block = to;
        for (Index b = 0; b < whole; ++b, from += Size, next += Size, block += block_stride) {
            ask_for<Size, false>(next);
            for (int v = 0; v < NV; ++v) V::store(block + v * W, V::load(from + v * W));
        }
        for (Index rest = n - whole * Size; rest > 0; rest -= Size, from += Size, block += block_stride)
            for (int v = 0; v < NV; ++v) {
                const Index some = rest - v * W;
                V::store(block + v * W, some >= W  ? V::load(from + v * W)
                                        : some > 0 ? V::load_some(from + v * W, some)
                                                   : V::zero());
            }
    }
}

/// NV vectors of channels of Lanes, from channel n on, of which the last has `last` real ones; dy has a number for
/// each, or one for all.
template <class V, int Taps, int NV, bool One>
void some_lanes(const Lanes<typename V::value>& l, Index n, Index last) {
    using T = typename V::value;
    constexpr int W = V::width;
    typename V::reg sum[Taps][NV];
    each<Taps>([&](auto t) TCONV_INLINE { each<NV>([&](auto v) TCONV_INLINE { sum[t][v] = V::zero(); }); });
    const T *x = l.x + n, *dy = l.dy + (One ? 0 : n);
    const auto add = [&](const auto& load) TCONV_INLINE {
#pragma GCC unroll 2
        for (Index i = 0; i < l.pixels; ++i, x += l.x_step, dy += l.dy_step) {
            typename V::reg a[NV];
            each<NV>([&](auto v) TCONV_INLINE { a[v] = V::keep(load(x + v * W)); });
            each<Taps>([&](auto t) TCONV_INLINE {
                const T* const from = dy + t * l.tap_step;
                each<NV>([&](auto v) TCONV_INLINE {
                    if constexpr (One) {
                        sum[t][v] = V::fma(a[v], V::set1(*from), sum[t][v]);
                    } else {
                        sum[t][v] = V::fma(a[v], load(from + v * W), sum[t][v]);
                    }
                });
            });
        }
    };
    if (last == W) {
        add([](const T* from) TCONV_INLINE { return V::load(from); });
    } else {
        add([last](const T* from) TCONV_INLINE { return V::load_some(from, last); });
    }
    each<Taps>([&](auto t) TCONV_INLINE {
        T* const c = l.sums + n + t * l.sums_step;
        each<NV>([&](auto v) TCONV_INLINE {
            if (last == W) {
                V::store(c + v * W, V::load(c + v * W) + sum[t][v]);
            } else {
                V::store_some(c, V::load_some(c, last) + sum[t][0], last);
            }
        });
    });
}

/// See GradientKernels::lanes.
template <class V, int Taps, bool One>
void lanes(const Lanes<typename V::value>& l) {
    constexpr Index W = V::width;
    constexpr int NV = One ? 3 : 2;
    Index n = 0;
    for (; l.channels - n >= NV * W; n += NV * W) some_lanes<V, Taps, NV, One>(l, n, W);
    for (; n < l.channels; n += W) some_lanes<V, Taps, 1, One>(l, n, l.channels - n < W ? l.channels - n : W);
}

/// See GradientKernels::add_lines.
template <class V>
void add_lines(const typename V::value* from, Index step, Index lines, Index count, typename V::value* sums) {
    using T = typename V::value;
    constexpr int W = V::width, NV = 8;
    Index n = 0;
    for (; count - n >= NV * W; n += NV * W) {
        typename V::reg sum[NV];
        for (int v = 0; v < NV; ++v) sum[v] = V::load(sums + n + v * W);
        const T* line = from + n;
        for (Index i = 0; i < lines; ++i, line += step)
            for (int v = 0; v < NV; ++v) sum[v] = sum[v] + V::load(line + v * W);
        for (int v = 0; v < NV; ++v) V::store(sums + n + v * W, sum[v]);
    }
    for (; n < count; n += W) {
        const Index some = count - n < W ? count - n : W;
        auto sum = V::load_some(sums + n, some);
        const T* line = from + n;
        for (Index i = 0; i < lines; ++i, line += step)
            sum = sum + (some == W ? V::load(line) : V::load_some(line, some));
        V::store_some(sums + n, sum, some);
    }
}

/// Four vectors of columns times six rows are 29 vectors in registers.
template <class V>
inline constexpr int outer_vectors = V::registers < 29 ? 2 : 4;

template <class V, int M, int NV>
constexpr auto wide_outer() -> void (*)(const Outer<typename V::value>&) {
    if constexpr (outer_vectors<V> >= NV) {
        return outer<V, M, NV>;
    } else {
        return nullptr;
    }
}

/// Six rows times four vectors of columns are 29 vectors in registers.
template <class V>
inline constexpr int strip_vectors = V::registers < 29 ? 2 : 4;

template <class V, int M, int NV>
constexpr auto wide_strip() -> void (*)(const Strip<typename V::value>&) {
    if constexpr (strip_vectors<V> >= NV) {
        return strip<V, M, NV>;
    } else {
        return nullptr;
    }
}

/// Six pixels times three vectors of channels are 22 vectors in registers, times four 29.
template <class V>
inline constexpr int even_pixels = V::registers < 22 ? 4 : 6;
template <class V>
inline constexpr int even_vectors = V::registers < 29 ? 3 : 4;

template <class V>
constexpr auto wide_evenly() -> void (*)(const Evenly<typename V::value>&) {
    if constexpr (even_vectors<V> == 4) {
        return evenly<V, 6, 4, 1>;
    } else {
        return nullptr;
    }
}

/// The table for vectors V with tiles of six rows by two vectors: twelve sums, two columns and one row in registers;
/// wider ones where there are more of those.
template <class V>
constexpr GradientKernels<typename V::value> gradient_kernels_of(Isa isa) {
    return {isa,
            most_gradient_rows,
            2 * V::width,
            outer_vectors<V>,
            {{outer<V, 1, 1>, outer<V, 2, 1>, outer<V, 3, 1>, outer<V, 4, 1>, outer<V, 5, 1>, outer<V, 6, 1>},
             {outer<V, 1, 2>, outer<V, 2, 2>, outer<V, 3, 2>, outer<V, 4, 2>, outer<V, 5, 2>, outer<V, 6, 2>},
             {wide_outer<V, 1, 3>(), wide_outer<V, 2, 3>(), wide_outer<V, 3, 3>(), wide_outer<V, 4, 3>(),
              wide_outer<V, 5, 3>(), wide_outer<V, 6, 3>()},
             {wide_outer<V, 1, 4>(), wide_outer<V, 2, 4>(), wide_outer<V, 3, 4>(), wide_outer<V, 4, 4>(),
              wide_outer<V, 5, 4>(), wide_outer<V, 6, 4>()}},
            strip_vectors<V>,
            {{strip<V, 1, 1>, strip<V, 2, 1>, strip<V, 3, 1>, strip<V, 4, 1>, strip<V, 5, 1>, strip<V, 6, 1>},
             {strip<V, 1, 2>, strip<V, 2, 2>, strip<V, 3, 2>, strip<V, 4, 2>, strip<V, 5, 2>, strip<V, 6, 2>},
             {wide_strip<V, 1, 3>(), wide_strip<V, 2, 3>(), wide_strip<V, 3, 3>(), wide_strip<V, 4, 3>(),
              wide_strip<V, 5, 3>(), wide_strip<V, 6, 3>()},
             {wide_strip<V, 1, 4>(), wide_strip<V, 2, 4>(), wide_strip<V, 3, 4>(), wide_strip<V, 4, 4>(),
              wide_strip<V, 5, 4>(), wide_strip<V, 6, 4>()}},
            even_vectors<V>,
            {evenly<V, 8, 1, 1>, evenly<V, 6, 2, 4>, evenly<V, even_pixels<V>, 3, 1>, wide_evenly<V>()},
            {planes<V, 1, 8>, planes<V, 2, 4>, planes<V, 3, 4>, planes<V, 4, 3>},
            deal<V, most_gradient_rows>,
            {nullptr, deal<V, 2 * V::width>, outer_vectors<V> < 3 ? nullptr : deal<V, 3 * V::width>,
             outer_vectors<V> < 4 ? nullptr : deal<V, 4 * V::width>},
            {lanes<V, 1, false>, lanes<V, 2, false>, lanes<V, 3, false>, lanes<V, 4, false>},
            {lanes<V, 1, true>, lanes<V, 2, true>, lanes<V, 3, true>, lanes<V, 4, true>},
            taps<V>,
            add_lines<V>};
}

}  // namespace
}  // namespace tconv
