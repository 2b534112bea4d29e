// The micro-kernels, written once over the Vec vocabulary.
#pragma once

#include "activate.hpp"
#include "table.hpp"
#include "vec.hpp"

namespace tconv {
namespace {

/// The sums of a tile go to their finished rows, or to c until the next step.
template <class V, int M, int NV>
void store_tile(const Tile<typename V::value>& t, typename V::reg (&sum)[M][NV]) {
    using T = typename V::value;
    using Kind = Activation::Kind;
    constexpr int W = V::width;
    if (t.out == nullptr) {
        for (int m = 0; m < M; ++m)
            for (int v = 0; v < NV; ++v) V::store(t.c + m * t.c_stride + v * W, sum[m][v]);
        return;
    }
    if (t.bias != nullptr) {
        for (int v = 0; v < NV; ++v) {
            const auto bias = V::load(t.bias + v * W);
            for (int m = 0; m < M; ++m) sum[m][v] = sum[m][v] + bias;
        }
    }
    if (t.finish.kind != Kind::linear) {
        const T slope = t.finish.alpha;
        const bool relu = t.finish.kind == Kind::relu;
        for (int m = 0; m < M; ++m)
            for (int v = 0; v < NV; ++v) {
                const auto x = sum[m][v];
                sum[m][v] = relu ? V::max(V::zero(), x) : (x < V::zero() ? x * slope : x);
            }
    }
    if (t.columns == NV * W) {
        for (int m = 0; m < M; ++m)
            for (int v = 0; v < NV; ++v) V::store(t.out[m] + v * W, sum[m][v]);
    } else {  // never past the last column: what follows belongs to another pixel
        for (int m = 0; m < M; ++m)
            for (int v = 0; v * W < t.columns; ++v) {
                const Index n = t.columns - v * W;
                V::store_some(t.out[m] + v * W, sum[m][v], n < W ? n : W);
            }
    }
}

/// See Kernels::multiply. The sums of one element form one chain, in the order of taps and channels.
template <class V, int M, int NV, int TileRows>
void multiply(const Tile<typename V::value>& t) {
    using T = typename V::value;
    constexpr int W = V::width;
    typename V::reg sum[M][NV];
    if (t.load) {
        for (int m = 0; m < M; ++m)
            for (int v = 0; v < NV; ++v) sum[m][v] = V::load(t.c + m * t.c_stride + v * W);
    } else {
        for (int m = 0; m < M; ++m)
            for (int v = 0; v < NV; ++v) sum[m][v] = V::zero();
    }
    const T* panel = t.panel;
    const T* const* rows = t.rows;
    const Index channels = t.channels;
    for (Index tap = 0; tap < t.taps; ++tap, rows += TileRows) {
        const T* a[M];
        for (int m = 0; m < M; ++m) a[m] = rows[m] + t.offset;
        for (Index k = 0; k < channels; ++k, panel += NV * W) {
            typename V::reg b[NV];
            for (int v = 0; v < NV; ++v) b[v] = V::keep(V::load(panel + v * W));
            for (int m = 0; m < M; ++m) {
                const auto x = V::set1(a[m][k]);
                for (int v = 0; v < NV; ++v) sum[m][v] = V::fma(x, b[v], sum[m][v]);
            }
        }
    }
    store_tile<V, M, NV>(t, sum);
}

/// NV vectors of one row of a depthwise product.
template <class V, int NV>
void depthwise_row(const Tile<typename V::value>& t, Index m, Index first, Index tile_rows, Index last) {
    using T = typename V::value;
    constexpr int W = V::width;
    typename V::reg sum[1][NV];
    T* c = t.c + m * t.c_stride + first;
    for (int v = 0; v < NV; ++v) sum[0][v] = t.load ? V::load(c + v * W) : V::zero();
    for (Index tap = 0; tap < t.taps; ++tap) {
        const T* x = t.rows[tap * tile_rows + m];
        if (x == nullptr) continue;
        x += t.offset + first;
        const T* w = t.panel + tap * t.channels + first;
        for (int v = 0; v < NV; ++v) {
            const auto a = v == NV - 1 && last < W ? V::load_some(x + v * W, last) : V::load(x + v * W);
            sum[0][v] = V::fma(a, V::load(w + v * W), sum[0][v]);
        }
    }
    if (t.out == nullptr) {
        for (int v = 0; v < NV; ++v) V::store(c + v * W, sum[0][v]);
        return;
    }
    T* out[1] = {t.out[m] + first};
    Tile<T> row = t;
    row.out = out;
    row.bias = t.bias == nullptr ? nullptr : t.bias + first;
    row.columns = (NV - 1) * W + last;
    store_tile<V, 1, NV>(row, sum);
}

/// See Kernels::depthwise.
template <class V, int TileRows>
void depthwise(const Tile<typename V::value>& t, Index m) {
    constexpr Index W = V::width;
    for (Index row = 0; row < m; ++row) {
        Index n = 0;
        for (; t.columns - n >= 4 * W; n += 4 * W) depthwise_row<V, 4>(t, row, n, TileRows, W);
        for (; n < t.columns; n += W) {
            const Index rest = t.columns - n;
            depthwise_row<V, 1>(t, row, n, TileRows, rest < W ? rest : W);
        }
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
constexpr Kernels<typename V::value> kernels_of(Isa isa) {
    return {isa,
            6,
            2 * V::width,
            {{multiply<V, 1, 1, 6>, multiply<V, 2, 1, 6>, multiply<V, 3, 1, 6>, multiply<V, 4, 1, 6>,
              multiply<V, 5, 1, 6>, multiply<V, 6, 1, 6>},
             {multiply<V, 1, 2, 6>, multiply<V, 2, 2, 6>, multiply<V, 3, 2, 6>, multiply<V, 4, 2, 6>,
              multiply<V, 5, 2, 6>, multiply<V, 6, 2, 6>}},
            depthwise<V, 6>,
            finish<V>};
}

}  // namespace
}  // namespace tconv
