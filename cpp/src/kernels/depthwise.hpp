// Depthwise products: every column its own channel.
#pragma once

#include "activate.hpp"
#include "storage.hpp"
#include "table.hpp"
#include "vec.hpp"

namespace tconv {
namespace {

/// NV vectors of one row from row m on, of which the last has `last` real columns; they begin at column n.
template <class V, int NV, int TileRows>
inline TCONV_INLINE void depthwise_row(const Tile<typename V::value>& t, Index m, Index n, Index last) {
    using T = typename V::value;
    constexpr int W = V::width;
    typename V::reg sum[NV];
    T* const c = t.c + m * t.c_stride + n;
    each<NV>([&](auto v) TCONV_INLINE { sum[v] = t.load ? V::load(c + v * W) : V::zero(); });
    const T* w = t.panel + n;
    const T* const* rows = t.rows + m;
    for (Index tap = 0; tap < t.taps; ++tap, w += t.channels, rows += TileRows) {
        const T* x = *rows;
        if (x == nullptr) continue;
        x += t.offset + n;
        each<NV>([&](auto v) TCONV_INLINE {
            const auto a = NV == 1 && last < W ? V::load_some(x, last) : V::load(x + v * W);
            sum[v] = V::fma(a, V::load(w + v * W), sum[v]);
        });
    }
    each<NV>([&](auto v) TCONV_INLINE { V::store(c + v * W, sum[v]); });
}

/// See Kernels::depthwise.
template <class V, int TileRows>
void depthwise(const Tile<typename V::value>& t, Index m) {
    constexpr Index W = V::width;
    for (Index row = 0; row < m; ++row) {
        Index n = 0;
        for (; t.columns - n >= 4 * W; n += 4 * W) depthwise_row<V, 4, TileRows>(t, row, n, W);
        for (; n < t.columns; n += W) depthwise_row<V, 1, TileRows>(t, row, n, t.columns - n < W ? t.columns - n : W);
    }
}

/// Finishes n sums that are not finished in registers, and stores them as S.
template <class V, class S>
void finish_row(const typename V::value* sums, const typename V::value* bias, S* out, Index n,
                Finish<typename V::value> how) {
    constexpr Index W = V::width;
    for (Index i = 0; i < n; i += W) {
        auto sum = V::load(sums + i);
        if (bias != nullptr) sum = sum + V::load(bias + i);
        sum = activate<V>(sum, how);
        n - i < W ? store_some_as<V>(out + i, sum, n - i) : store_as<V>(out + i, sum);
    }
}

/// M rows of a line from `row` on, times NV vectors, of which the last has `last` real columns, from column n on, that
/// are stored as S.
template <class V, class S, int M, int NV>
inline TCONV_INLINE void depthwise_rows(const LineTile<typename V::value>& t, Index row, Index n, Index last) {
    using T = typename V::value;
    constexpr int W = V::width;
    typename V::reg sum[M][NV];
    const auto each_sum = [&](const auto& use) TCONV_INLINE {
        each<M>([&](auto m) TCONV_INLINE { each<NV>([&](auto v) TCONV_INLINE { use(m, v); }); });
    };
    T* const c = t.c + row * t.c_stride + n;
    if (t.load) {
        each_sum([&](auto m, auto v) TCONV_INLINE { sum[m][v] = V::load(c + m * t.c_stride + v * W); });
    } else {
        each_sum([&](auto m, auto v) TCONV_INLINE { sum[m][v] = V::zero(); });
    }
    const Index taps = t.taps, channels = t.channels, row_step = t.row_step, first = t.offset + row * row_step + n;
    const T* const* const pixels = t.pixels;
    const T* w = t.panel + n;
    for (Index tap = 0; tap < taps; ++tap, w += channels) {
        if (pixels[tap] == nullptr) continue;
        const T* x = pixels[tap] + first;
        typename V::reg weight[NV];
        each<NV>([&](auto v) TCONV_INLINE { weight[v] = V::load(w + v * W); });
        each<M>([&](auto m) TCONV_INLINE {
            each<NV>([&](auto v) TCONV_INLINE {
                const auto a = NV == 1 && last < W ? V::load_some(x, last) : V::load(x + v * W);
                sum[m][v] = V::fma(a, weight[v], sum[m][v]);
            });
            x += row_step;
        });
    }
    S* const out = t.out == nullptr ? nullptr : static_cast<S*>(t.out) + row * t.out_step + t.runs->place + n;
    const T* const bias = t.bias == nullptr ? nullptr : t.bias + n;
    const bool whole = NV > 1 || last == W;
    if (out == nullptr || !t.finish.in_registers()) {
        each_sum([&](auto m, auto v) TCONV_INLINE { V::store(c + m * t.c_stride + v * W, sum[m][v]); });
        for (Index m = 0; m < M && out != nullptr; ++m)
            finish_row<V>(c + m * t.c_stride, bias, out + m * t.out_step, whole ? NV * W : last, t.finish);
        return;
    }
    finish_sums<V>(sum, bias, t.finish);
    each_sum([&](auto m, auto v) TCONV_INLINE {
        S* const to = out + m * t.out_step + v * W;
        whole ? store_as<V>(to, sum[m][v]) : store_some_as<V>(to, sum[m][v], last);
    });
}

/// All columns of M rows.
template <class V, class S, int M>
void depthwise_part(const LineTile<typename V::value>& t, Index row) {
    constexpr Index W = V::width;
    Index n = 0;
    for (; t.columns - n >= 4 * W; n += 4 * W) depthwise_rows<V, S, M, 4>(t, row, n, W);
    for (; t.columns - n >= 2 * W; n += 2 * W) depthwise_rows<V, S, M, 2>(t, row, n, W);
    for (; n < t.columns; n += W) depthwise_rows<V, S, M, 1>(t, row, n, t.columns - n < W ? t.columns - n : W);
}

/// As many rows together as there are registers for four vectors of each.
template <class V, class S>
void depthwise_of_line(const LineTile<typename V::value>& t) {
    constexpr int together = V::width * sizeof(typename V::value) == 64 ? 6 : 3;
    constexpr Index line = 64 / static_cast<Index>(sizeof(S)), ahead = 2 * together;
    const auto ask = [&](Index first, Index last) {  // for targets: other phases lie between them
        if (t.out == nullptr) return;
        for (Index row = first; row < last && row < t.rows; ++row)
            for (Index n = 0; n < t.columns; n += line)
                __builtin_prefetch(static_cast<S*>(t.out) + row * t.out_step + t.runs->place + n, 1);
    };
    ask(0, ahead);
    Index row = 0;
    for (; t.rows - row >= together; row += together) {
        ask(row + ahead, row + ahead + together);
        depthwise_part<V, S, together>(t, row);
    }
    for (; row < t.rows; ++row) depthwise_part<V, S, 1>(t, row);
}

/// See Kernels::line_depthwise.
template <class V>
void line_depthwise(const LineTile<typename V::value>& t) {
    with_storage<typename V::value>(t.storage, t.out,
                                    [&](auto* out) { depthwise_of_line<V, std::remove_pointer_t<decltype(out)>>(t); });
}

}  // namespace
}  // namespace tconv
