// The micro-kernels, written once over the Vec vocabulary.
#pragma once

#include "activate.hpp"
#include "depthwise.hpp"
#include "dots.hpp"
#include "planes.hpp"
#include "storage.hpp"
#include "table.hpp"
#include "turn.hpp"
#include "vec.hpp"

namespace tconv {
namespace {

/// Sums of rows from `row` on go to c until the next step, or, finished, to their targets.
template <class V, int M, int NV>
inline TCONV_INLINE void finish_tile(const Tile<typename V::value>& t, typename V::reg (&sum)[M][NV],
                                     typename V::value* c, Index row) {
    constexpr int W = V::width;
    const auto each_sum = [&](const auto& use) TCONV_INLINE {
        each<M>([&](auto m) TCONV_INLINE { each<NV>([&](auto v) TCONV_INLINE { use(m, v); }); });
    };
    if (t.out == nullptr) {
        each_sum([&](auto m, auto v) TCONV_INLINE { V::store(c + m * t.c_stride + v * W, sum[m][v]); });
        return;
    }
    finish_sums<V>(sum, t.bias, t.finish);
    with_storage<typename V::value>(t.storage, t.out, [&](auto* to) TCONV_INLINE {
        decltype(to) out[M];
        each<M>([&](auto m) TCONV_INLINE { out[m] = to + t.targets[row + m]; });
        if (t.columns == NV * W) {
            each_sum([&](auto m, auto v) TCONV_INLINE { store_as<V>(out[m] + v * W, sum[m][v]); });
        } else {  // never past the last column: what follows belongs to another pixel
            each_sum([&](auto m, auto v) TCONV_INLINE {
                const Index rest = t.columns - v * W;
                if (rest > 0) store_some_as<V>(out[m] + v * W, sum[m][v], rest < W ? rest : W);
            });
        }
    });
}

constexpr Index long_sum = 64;  // products, that take as long as it takes to fetch their targets

/// See Kernels::multiply. The sums of one element form one chain, in the order of taps and channels.
template <class V, int M, int NV, int TileRows>
void multiply(const Tile<typename V::value>& t) {
    using T = typename V::value;
    constexpr int W = V::width;
    const T* const* rows = t.rows;
    const Index channels = t.channels;
    const bool asks = t.out != nullptr && t.taps * channels >= long_sum;
    T* c = t.c;
    for (Index strip = 0; strip < t.strips; ++strip, c += M * t.c_stride) {
        typename V::reg sum[M][NV];
        const auto each_sum = [&](const auto& use) TCONV_INLINE {
            each<M>([&](auto m) TCONV_INLINE { each<NV>([&](auto v) TCONV_INLINE { use(m, v); }); });
        };
        if (t.load) {
            each_sum([&](auto m, auto v) TCONV_INLINE { sum[m][v] = V::load(c + m * t.c_stride + v * W); });
        } else {
            each_sum([&](auto m, auto v) TCONV_INLINE { sum[m][v] = V::zero(); });
        }
        if (asks) {  // the processor doesn't foresee targets that other phases lie between
            with_storage<T>(t.storage, t.out, [&](auto* to) TCONV_INLINE {
                each<M>([&](auto m) TCONV_INLINE { ask_for<NV * W, true>(to + t.targets[strip * M + m]); });
            });
        }
        const T* panel = t.panel;
        for (Index tap = 0; tap < t.taps; ++tap, rows += TileRows) {
            const T* a[M];
            each<M>([&](auto m) TCONV_INLINE { a[m] = rows[m] + t.offset; });
#pragma GCC unroll 4
            for (Index k = 0; k < channels; ++k, panel += NV * W) {
                typename V::reg b[NV];
                each<NV>([&](auto v) TCONV_INLINE { b[v] = V::keep(V::load(panel + v * W)); });
                each<M>([&](auto m) TCONV_INLINE {
                    const auto x = V::set1(a[m][k]);
                    each<NV>([&](auto v) TCONV_INLINE { sum[m][v] = V::fma(x, b[v], sum[m][v]); });
                });
            }
        }
        finish_tile<V, M, NV>(t, sum, c, strip * M);
    }
}

/// See Kernels::finish.
template <class V>
void finish(typename V::value* c, Index c_stride, Index m, Index width, const typename V::value* bias,
            Finish<typename V::value> how) {
    for (Index row = 0; row < m; ++row)
        for (Index n = 0; n < width; n += V::width) {
            auto x = V::load(c + row * c_stride + n);
            if (bias != nullptr) x = x + V::load(bias + n);
            V::store(c + row * c_stride + n, activate<V>(x, how));
        }
}

/// The table for vectors V with tiles of six rows by two vectors: twelve sums, two columns and one row in registers.
template <class V>
constexpr Kernels<typename V::value> kernels_of(Isa isa, double half_panel = 0.75) {
    return {{isa, 6, 2 * V::width, half_panel},
            {{multiply<V, 1, 1, 6>, multiply<V, 2, 1, 6>, multiply<V, 3, 1, 6>, multiply<V, 4, 1, 6>,
              multiply<V, 5, 1, 6>, multiply<V, 6, 1, 6>},
             {multiply<V, 1, 2, 6>, multiply<V, 2, 2, 6>, multiply<V, 3, 2, 6>, multiply<V, 4, 2, 6>,
              multiply<V, 5, 2, 6>, multiply<V, 6, 2, 6>}},
            depthwise<V, 6>,
            dots<V, 6>,
            line_dots<V>,
            line_depthwise<V>,
            planes<V>,
            turn<V>,
            pad<V>,
            interleave<V>,
            finish<V>};
}

}  // namespace
}  // namespace tconv
