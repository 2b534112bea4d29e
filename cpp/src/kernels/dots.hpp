// The kernels of few columns: channels side by side in a vector, the lanes of a sum added up at the end.
#pragma once

#include "activate.hpp"
#include "storage.hpp"
#include "table.hpp"
#include "vec.hpp"

namespace tconv {
namespace {

/// One vector of channels of M rows times N columns that are `depth` apart; the last one has `some` of them.
template <class V, int M, int N, bool Whole, class S>
inline TCONV_INLINE void dots_of_vector(const S* const (&a)[M], Index k, Index some, const typename V::value* panel,
                                        Index depth, typename V::reg (&sum)[M][N]) {
    const auto column = [&](int n) TCONV_INLINE { return V::keep(V::load(panel + n * depth + k)); };
    const auto row = [&](int m) TCONV_INLINE {
        return V::keep(Whole ? load_as<V>(a[m] + k) : load_some_as<V>(a[m] + k, some));
    };
    if constexpr (N <= M) {  // the fewer stay in registers
        typename V::reg b[N];
        each<N>([&](auto n) TCONV_INLINE { b[n] = column(n); });
        each<M>([&](auto m) TCONV_INLINE {
            const auto x = row(m);
            each<N>([&](auto n) TCONV_INLINE { sum[m][n] = V::fma(x, b[n], sum[m][n]); });
        });
    } else {
        typename V::reg x[M];
        each<M>([&](auto m) TCONV_INLINE { x[m] = row(m); });
        each<N>([&](auto n) TCONV_INLINE {
            const auto b = column(n);
            each<M>([&](auto m) TCONV_INLINE { sum[m][n] = V::fma(x[m], b, sum[m][n]); });
        });
    }
}

/// Sum i of M times N in a row, zero past the last one.
template <class V, int I, int M, int N>
inline TCONV_INLINE typename V::reg sum_number(const typename V::reg (&sum)[M][N]) {
    if constexpr (I < M * N) {
        return sum[I / N][I % N];
    } else {
        return V::zero();
    }
}

/// M rows of a product of dots with N columns from `column` on: a sum has a chain for each lane. Rest: channels are not
/// whole vectors.
template <class V, int M, int N, int TileRows, bool Rest>
void dots_of_rows(const Tile<typename V::value>& t, Index first, Index column) {
    using T = typename V::value;
    constexpr int W = V::width;
    typename V::reg sum[M][N];
    each<M>([&](auto m) TCONV_INLINE { each<N>([&](auto n) TCONV_INLINE { sum[m][n] = V::zero(); }); });
    const T* const* rows = t.rows + first;
    const Index rest = Rest ? t.channels % W : 0, whole = t.channels - rest, depth = Rest ? whole + W : whole;
    const T* panel = t.panel + column * depth;
    for (Index tap = 0; tap < t.taps; ++tap, rows += TileRows, panel += t.columns * depth) {
        if (M == 1 && rows[0] == t.outside) continue;
        const T* a[M];
        each<M>([&](auto m) TCONV_INLINE { a[m] = rows[m] + t.offset; });
#pragma GCC unroll 4
        for (Index k = 0; k < whole; k += W) dots_of_vector<V, M, N, true>(a, k, W, panel, depth, sum);
        if constexpr (Rest) dots_of_vector<V, M, N, false>(a, whole, rest, panel, depth, sum);
    }
    T total[M * N + 3];
    each<(M * N + 3) / 4>([&](auto quarter) TCONV_INLINE {
        constexpr int i = 4 * quarter;
        V::sums(sum_number<V, i>(sum), sum_number<V, i + 1>(sum), sum_number<V, i + 2>(sum), sum_number<V, i + 3>(sum),
                total + i);
    });
    for (int m = 0; m < M; ++m) {
        T* c = t.c + (first + m) * t.c_stride + column;
        if (t.load) {
            for (int n = 0; n < N; ++n) c[n] += total[m * N + n];
        } else {
            for (int n = 0; n < N; ++n) c[n] = total[m * N + n];
        }
    }
}

template <class V, int M, int N, int TileRows>
void dots_of_columns(const Tile<typename V::value>& t, Index m, Index column) {
    const bool rest = t.channels % V::width > 0;
    Index row = 0;
    for (; row + M <= m; row += M) {
        rest ? dots_of_rows<V, M, N, TileRows, true>(t, row, column)
             : dots_of_rows<V, M, N, TileRows, false>(t, row, column);
    }
    for (; row < m; ++row) {
        rest ? dots_of_rows<V, 1, N, TileRows, true>(t, row, column)
             : dots_of_rows<V, 1, N, TileRows, false>(t, row, column);
    }
}

/// See Kernels::dots. Columns go in fours and threes, whichever comes out even.
template <class V, int TileRows>
void dots(const Tile<typename V::value>& t, Index m) {
    for (Index column = 0; column < t.columns;) {
        const Index left = t.columns - column;
        if (m == 1 && left >= 8) {  // a single row's few sums would wait for each other
            dots_of_columns<V, 1, 8, TileRows>(t, m, column);
            column += 8;
        } else if (left == 1) {
            dots_of_columns<V, 6, 1, TileRows>(t, m, column);
            column += 1;
        } else if (left == 2) {
            dots_of_columns<V, 6, 2, TileRows>(t, m, column);
            column += 2;
        } else if (left == 4 || left > 6) {
            dots_of_columns<V, 3, 4, TileRows>(t, m, column);
            column += 4;
        } else {
            dots_of_columns<V, 3, 3, TileRows>(t, m, column);
            column += 3;
        }
    }
}

/// M rows of a line from `row` on, times N columns from `column` on. Column n of row m goes to to[m*step + n], and with
/// it three numbers more; where the sums are Dense, to[m*N + n]. Pixels are stored as S.
template <class V, class S, int M, int N, bool Dense, bool Rest>
inline TCONV_INLINE void dots_in_line(const LineTile<typename V::value>& t, Index row, Index column,
                                      typename V::value* to, Index step) {
    using T = typename V::value;
    constexpr int W = V::width;
    typename V::reg sum[M][N];
    each<M>([&](auto m) TCONV_INLINE { each<N>([&](auto n) TCONV_INLINE { sum[m][n] = V::zero(); }); });
    const Index rest = Rest ? t.channels % W : 0, whole = t.channels - rest, depth = Rest ? whole + W : whole;
    const Index taps = t.taps, row_step = t.row_step, of_tap = t.columns * depth;
    const Index first = t.offset + row * row_step;
    const T* const* const pixels = t.pixels;
    const T* panel = t.panel + column * depth;
    for (Index tap = 0; tap < taps; ++tap, panel += of_tap) {
        if (pixels[tap] == nullptr) [[unlikely]]
            continue;
        const S* a[M];
        a[0] = reinterpret_cast<const S*>(pixels[tap]) + first;
        each<M - 1>([&](auto m) TCONV_INLINE { a[m + 1] = a[m] + row_step; });
#pragma GCC unroll 4
        for (Index k = 0; k < whole; k += W) dots_of_vector<V, M, N, true>(a, k, W, panel, depth, sum);
        if constexpr (Rest) dots_of_vector<V, M, N, false>(a, whole, rest, panel, depth, sum);
    }
    if constexpr (Dense) {
        each<M * N / 4>([&](auto quarter) TCONV_INLINE {
            constexpr int i = 4 * quarter;
            V::sums(sum_number<V, i>(sum), sum_number<V, i + 1>(sum), sum_number<V, i + 2>(sum),
                    sum_number<V, i + 3>(sum), to + i);
        });
    } else {
        each<M>([&](auto m) TCONV_INLINE {
            typename V::reg four[4];
            each<4>([&](auto n) TCONV_INLINE {
                if constexpr (n < N) {
                    four[n] = sum[m][n];
                } else {
                    four[n] = V::zero();
                }
            });
            V::sums(four[0], four[1], four[2], four[3], to + m * step);
        });
    }
}

/// The same of the rows from `row` to `last`, M at a time, and then fewer. Unless that is 0, the first columns ask for
/// the pixels so many rows ahead, which the others find there.
template <class V, class S, int M, int N, bool Dense, bool Rest>
inline void dots_of_line(const LineTile<typename V::value>& t, Index row, Index last, Index column,
                         typename V::value* to, Index step, Index ahead) {
    constexpr Index line = 64 / sizeof(S);
    const auto enough = [&] { return row + M <= last && (M != 3 || last - row != 4); };  // two and two for four
    for (; enough(); row += M, to += M * step) {
        if (ahead > 0 && column == 0 && t.taps > 0 && t.pixels[0] != nullptr)
            for (Index m = 0; m < M; ++m)
                for (Index k = 0; k < t.channels; k += line)
                    __builtin_prefetch(reinterpret_cast<const S*>(t.pixels[0]) + t.offset +
                                       (row + ahead + m) * t.row_step + k);
        dots_in_line<V, S, M, N, Dense && M * N % 4 == 0, Rest>(t, row, column, to, step);
    }
    if constexpr (M > 1) {
        if (row < last) dots_of_line<V, S, M == 3 ? 2 : M / 2, N, Dense, Rest>(t, row, last, column, to, step, ahead);
    }
}

/// n columns from `column` on.
template <class V, class S, bool Rest>
[[gnu::noinline]] void dots_of_part(const LineTile<typename V::value>& t, Index row, Index last, Index column, Index n,
                                    typename V::value* to, Index step, Index ahead) {
    switch (n) {
        case 1:
            return dots_of_line<V, S, 8, 1, true, Rest>(t, row, last, column, to, step, ahead);
        case 2:
            return step == 2 ? dots_of_line<V, S, 4, 2, true, Rest>(t, row, last, column, to, step, ahead)
                             : dots_of_line<V, S, 4, 2, false, Rest>(t, row, last, column, to, step, ahead);
        case 3:
            return dots_of_line<V, S, 4, 3, false, Rest>(t, row, last, column, to, step, ahead);
        default:
            return dots_of_line<V, S, 3, 4, false, Rest>(t, row, last, column, to, step, ahead);
    }
}

/// to[row*to_step + n] = from[row*step + n], n < count.
template <class T>
void copy_columns(const T* __restrict from, Index step, Index count, Index rows, T* __restrict to, Index to_step) {
    const auto fixed = [&](auto constant) TCONV_INLINE {
        for (Index row = 0; row < rows; ++row)
            __builtin_memcpy(to + row * to_step, from + row * step, constant * sizeof(T));
    };
    switch (count) {
        case 1:
            return fixed(Constant<1>());
        case 2:
            return fixed(Constant<2>());
        case 3:
            return fixed(Constant<3>());
        case 4:
            return fixed(Constant<4>());
        default:
            for (Index row = 0; row < rows; ++row)
                for (Index n = 0; n < count; ++n) to[row * to_step + n] = from[row * step + n];
    }
}

constexpr Index most_rows_together = 48;  // whose sums wait in memory
template <class V>
constexpr Index most_columns = 2 * V::width < 16 ? 16 : 2 * V::width;

/// Puts the finished sums of rows from `row` on into their runs. Column n of a row is at places[n] of its `step` sums.
template <class V, class S>
void store_runs(const LineTile<typename V::value>& t, Index row, Index rows, const typename V::value* sums, Index step,
                const Index* places, S* out) {
    using T = typename V::value;
    constexpr bool same = std::is_same_v<S, T>;
    S narrowed[same ? 1 : most_rows_together * most_columns<V> + V::width];
    const S* from = narrowed;
    if constexpr (same) {
        from = sums;
    } else {
        for (Index i = 0; i < rows * step; i += V::width) store_as<V>(narrowed + i, V::load(sums + i));
    }
    out += row * t.out_step;
    for (Index r = 0; r < t.run_count; ++r) {
        const ColumnRun& run = t.runs[r];
        S* const to = out + run.place;
        for (Index n = 0, some; n < run.count; n += some) {
            const Index place = places[run.first + n];
            for (some = 1; n + some < run.count && places[run.first + n + some] == place + some;) ++some;
            for (Index i = 0; i < rows * t.out_step; i += 64 / static_cast<Index>(sizeof(S)))
                __builtin_prefetch(to + n + rows * t.out_step + i, 1);
            copy_columns(from + place, step, some, rows, to + n, t.out_step);
        }
    }
}

/// See Kernels::line_dots. Some rows at a time: their sums wait in memory, one or two columns as they are, more of them
/// in even parts of at most four columns, each in four places. Pixels are stored as S.
template <class V, class S>
void line_dots_of(const LineTile<typename V::value>& t) {
    using T = typename V::value;
    constexpr Index W = V::width, few_numbers = 1536;
    const Index columns = t.columns, parts = (columns + dots_at_once - 1) / dots_at_once;
    const Index step = columns <= 2 ? columns : dots_at_once * parts;
    const auto each_part = [&](const auto& use) TCONV_INLINE {
        for (Index column = 0, part = 0, n; column < columns; column += n, ++part) {
            n = (columns - column + parts - part - 1) / (parts - part);
            use(column, n, dots_at_once * part);
        }
    };
    Index places[most_columns<V>];  // [column] of a row's
    each_part([&](Index column, Index n, Index place) TCONV_INLINE {
        for (Index i = 0; i < n; ++i) places[column + i] = place + i;
    });
    T bias[most_columns<V> * (W < 4 ? 1 : W / 4)];  // as often as it takes to fill whole vectors: step is 1, 2 or 4 n
    Index period = step;
    while (period % W > 0) period += step;
    for (Index i = 0; i < period; ++i) bias[i] = T(0);
    if (t.bias != nullptr) {
        for (Index column = 0; column < columns; ++column)
            for (Index i = places[column]; i < period; i += step) bias[i] = t.bias[column];
    }
    T sums[most_rows_together * most_columns<V> + 4 + W];
    Index together = few_numbers / t.channels / 12 * 12;  // 12: threes and fours
    together = together < 12 ? 12 : together > most_rows_together ? most_rows_together : together;
    // The processor foresees pixels of less than two lines of the cache.
    const Index ahead = t.channels * static_cast<Index>(sizeof(S)) < 128 ? 0 : together;
    const bool rest = t.channels % W > 0;
    Index turns = (t.rows + together - 1) / together;
    for (Index row = 0, rows; row < t.rows; row += rows, --turns) {  // even parts, of threes
        rows = ((t.rows - row + turns - 1) / turns + 2) / 3 * 3;
        if (rows > t.rows - row) rows = t.rows - row;
        each_part([&](Index column, Index n, Index place) TCONV_INLINE {
            rest ? dots_of_part<V, S, true>(t, row, row + rows, column, n, sums + place, step, ahead)
                 : dots_of_part<V, S, false>(t, row, row + rows, column, n, sums + place, step, ahead);
        });
        T* const c = t.c + row * t.c_stride;
        if (t.load) {
            for (Index m = 0; m < rows; ++m)
                for (Index n = 0; n < columns; ++n) sums[m * step + places[n]] += c[m * t.c_stride + n];
        }
        if (t.out == nullptr) {
            for (Index m = 0; m < rows; ++m)
                for (Index n = 0; n < columns; ++n) c[m * t.c_stride + n] = sums[m * step + places[n]];
            continue;
        }
        if (t.bias != nullptr) {
            for (Index i = 0, of_period = 0; i < rows * step; i += W) {
                V::store(sums + i, V::load(sums + i) + V::load(bias + of_period));
                of_period = of_period + W < period ? of_period + W : 0;
            }
        }
        if (t.finish.kind != Activation::Kind::linear) {
            for (Index i = 0; i < rows * step; i += W) V::store(sums + i, activate<V>(V::load(sums + i), t.finish));
        }
        with_storage<T>(t.storage, t.out,
                        [&](auto* out) TCONV_INLINE { store_runs<V>(t, row, rows, sums, step, places, out); });
    }
}

/// See Kernels::line_dots.
template <class V>
void line_dots(const LineTile<typename V::value>& t) {
    if constexpr (std::is_same_v<typename V::value, float>) {
        if (t.pixel_storage == Storage::float16) return line_dots_of<V, float16>(t);
        if (t.pixel_storage == Storage::bfloat16) return line_dots_of<V, bfloat16>(t);
    }
    line_dots_of<V, typename V::value>(t);
}

}  // namespace
}  // namespace tconv
