// The kernel of planes, channels first: pixels side by side in a vector, weights one by one.
#pragma once

#include "storage.hpp"
#include "table.hpp"
#include "turn.hpp"
#include "vec.hpp"

namespace tconv {
namespace {

/// N vectors, one of each line, interleaved: those of the even lines and of the odd ones, and then both.
template <class V, int N>
inline TCONV_INLINE void interleave_vectors(const typename V::reg (&from)[N], typename V::reg (&to)[N]) {
    if constexpr (N == 1) {
        to[0] = from[0];
    } else {
        typename V::reg lines[2][N / 2], mixed[2][N / 2];
        each<N / 2>([&](auto i) TCONV_INLINE {
            lines[0][i] = from[2 * i];
            lines[1][i] = from[2 * i + 1];
        });
        interleave_vectors<V, N / 2>(lines[0], mixed[0]);
        interleave_vectors<V, N / 2>(lines[1], mixed[1]);
        each<N / 2>([&](auto i) TCONV_INLINE { V::interleave(mixed[0][i], mixed[1][i], to[2 * i], to[2 * i + 1]); });
    }
}

/// Finished sums of M columns, Run at a time interleaved, each run from to[run] + first on.
template <class V, int Run, int M, int N>
inline TCONV_INLINE void store_lines(const typename V::reg (&sum)[M][N], Storage storage, void* const* to,
                                     Index first) {
    each<M / Run>([&](auto line) TCONV_INLINE {
        with_storage<typename V::value>(storage, to[line], [&](auto* start) TCONV_INLINE {
            auto* const here = start + first;
            each<N>([&](auto v) TCONV_INLINE {
                typename V::reg in[Run], out[Run];
                each<Run>([&](auto q) TCONV_INLINE { in[q] = sum[line * Run + q][v]; });
                interleave_vectors<V, Run>(in, out);
                each<Run>([&](auto q) TCONV_INLINE { store_as<V>(here + (v * Run + q) * V::width, out[q]); });
            });
        });
    });
}

constexpr int most_in_lines = 3;  // vectors of four columns: more would leave too few registers to interleave them

enum class Pixels { in_turn, apart, placed };  // of vectors: see PlaneTile::apart and PlaneTile::places

/// M columns from `column` on times N vectors of pixels from number `first` on. The sums of one element form one chain,
/// in the order of taps and channels, as in panels.
template <class V, int M, int N, Pixels How = Pixels::in_turn>
void planes_of(const PlaneTile<typename V::value>& t, Index column, Index first) {
    using T = typename V::value;
    using Kind = Activation::Kind;
    constexpr int W = V::width;
    constexpr bool apart = How == Pixels::apart, placed = How == Pixels::placed;
    T* const c = t.c + column * t.c_stride + (placed ? 0 : first);
    typename V::reg sum[M][N];
    const auto each_sum = [&](const auto& use) TCONV_INLINE {
        each<M>([&](auto m) TCONV_INLINE { each<N>([&](auto v) TCONV_INLINE { use(m, v); }); });
    };
    Index places[N];
    each<N>([&](auto v) TCONV_INLINE { places[v] = placed ? t.places[first / W + v] : v * W; });
    if (t.load) {
        each_sum([&](auto m, auto v) TCONV_INLINE { sum[m][v] = V::load(c + m * t.c_stride + places[v]); });
    } else {
        each_sum([&](auto m, auto v) TCONV_INLINE { sum[m][v] = V::zero(); });
    }
    const Index to_channel = t.channel_step, to_plane = t.plane_step;
    for (Index tap = 0; tap < t.taps; ++tap) {
        const T* x = t.pixels + t.offsets[tap] + (placed ? 0 : first);
        const T* w[M];
        each<M>([&](auto m) TCONV_INLINE { w[m] = t.columns[column + m] + tap * t.tap_step; });
        const Index end = t.channels * to_channel;
        if constexpr (M == 1 && !placed) {  // a line of them under each tap, until all are
            constexpr Index line = 64 / static_cast<Index>(sizeof(T));
            if (t.in_place && tap * line < N * W) {
                const T* next = x + N * W + tap * line;
                for (Index k = 0; k < t.channels; ++k, next += to_plane) __builtin_prefetch(next);
            }
        }
#pragma GCC unroll 4
        for (Index k = 0; k < end; k += to_channel, x += to_plane) {
            constexpr int each_other = apart ? 2 : 1, columns = M / each_other;
            each<each_other>([&](auto odd) TCONV_INLINE {
                const T* const here = odd == 0 ? x : x + t.apart;
                if constexpr (columns < N) {  // all of the other ones would leave too few registers for the sums
                    typename V::reg b[columns];
                    each<columns>([&](auto m) TCONV_INLINE { b[m] = V::keep(V::set1(w[m * each_other + odd][k])); });
                    each<N>([&](auto v) TCONV_INLINE {
                        const auto a = V::keep(V::load(here + places[v]));
                        each<columns>([&](auto m) TCONV_INLINE {
                            constexpr int n = m * each_other + odd;
                            sum[n][v] = V::fma(a, b[m], sum[n][v]);
                        });
                    });
                } else {
                    typename V::reg a[N];
                    each<N>([&](auto v) TCONV_INLINE { a[v] = V::keep(V::load(here + places[v])); });
                    each<columns>([&](auto m) TCONV_INLINE {
                        constexpr int n = m * each_other + odd;
                        const auto b = V::set1(w[n][k]);
                        each<N>([&](auto v) TCONV_INLINE { sum[n][v] = V::fma(a[v], b, sum[n][v]); });
                    });
                }
            });
        }
    }
    if (t.last) {
        if (t.bias != nullptr) {
            each<M>([&](auto m) TCONV_INLINE {
                const auto bias = V::set1(t.bias[column + m]);
                each<N>([&](auto v) TCONV_INLINE { sum[m][v] = sum[m][v] + bias; });
            });
        }
        if (t.finish.kind == Kind::relu) {
            each_sum([&](auto m, auto v) TCONV_INLINE { sum[m][v] = V::max(V::zero(), sum[m][v]); });
        } else if (t.finish.kind == Kind::leaky_relu) {
            const T slope = t.finish.alpha;
            each_sum([&](auto m, auto v)
                         TCONV_INLINE { sum[m][v] = sum[m][v] < V::zero() ? sum[m][v] * slope : sum[m][v]; });
        }
    }
    if constexpr (!placed && (M < 4 || N <= most_in_lines)) {
        if (t.outs != nullptr) {
            const Index place = t.out + first * t.run;
            if constexpr (M % 4 == 0) {
                if (t.run == 4) return store_lines<V, 4>(sum, t.storage, t.outs, place);
            }
            if constexpr (M % 2 == 0) {
                if (t.run == 2) return store_lines<V, 2>(sum, t.storage, t.outs, place);
            }
            return store_lines<V, 1>(sum, t.storage, t.outs, place);
        }
    }
    each_sum([&](auto m, auto v) TCONV_INLINE { V::store(c + m * t.c_stride + places[v], sum[m][v]); });
}

/// The same of `n` vectors, n <= N.
template <class V, int M, int N, Pixels How = Pixels::in_turn>
inline void planes_of_some(const PlaneTile<typename V::value>& t, Index column, Index first, Index n) {
    if constexpr (N > 1) {
        if (n < N) return planes_of_some<V, M, N - 1, How>(t, column, first, n);
    }
    planes_of<V, M, N, How>(t, column, first);
}

/// Vectors that meet m columns together: twelve sums in 16 registers, and in 32 twice as many of four columns, and 18
/// of three.
template <class V>
constexpr int most_vectors(Index m) {
    return m == 1 ? 8 : m == 2 ? 6 : m == 3 ? (V::registers == 32 ? 6 : 4) : V::registers == 32 ? 6 : 3;
}

template <class V, Pixels How>
inline void planes_of_part(const PlaneTile<typename V::value>& t, Index column, Index m, Index first, Index n) {
    switch (m) {
        case 1:
            return planes_of_some<V, 1, most_vectors<V>(1), How>(t, column, first, n);
        case 2:
            return planes_of_some<V, 2, most_vectors<V>(2), How>(t, column, first, n);
        case 3:
            return planes_of_some<V, 3, most_vectors<V>(3), How>(t, column, first, n);
        default:
            return planes_of_some<V, 4, most_vectors<V>(4), How>(t, column, first, n);
    }
}

/// M columns, 4 at most, times n vectors.
template <class V>
inline void planes_of_columns(const PlaneTile<typename V::value>& t, Index column, Index m, Index first, Index n) {
    if (t.apart != 0)
        return m == 2 ? planes_of_some<V, 2, most_vectors<V>(2), Pixels::apart>(t, column, first, n)
                      : planes_of_some<V, 4, most_vectors<V>(4), Pixels::apart>(t, column, first, n);
    t.places == nullptr ? planes_of_part<V, Pixels::in_turn>(t, column, m, first, n)
                        : planes_of_part<V, Pixels::placed>(t, column, m, first, n);
}

/// Columns that are stored as they are finished: so many at a time that their runs are whole, each for all pixels, so
/// that long pieces of a line are stored. The last vectors meet some pixels again rather than others' beyond the end.
template <class V>
void planes_to_lines(PlaneTile<typename V::value> t) {
    constexpr Index W = V::width, most_columns = 4;
    for (Index column = 0, m; column < t.count; column += m) {
        m = t.count - column < most_columns ? t.count - column : most_columns;
        m -= m % t.run;
        const Index most = m == 4 ? most_in_lines : most_vectors<V>(m);
        const Index vectors = (t.rows + W - 1) / W, runs = m / t.run;
        Index strips = (vectors + most - 1) / most;
        for (Index done = 0, n; done < vectors; done += n, --strips) {
            n = (vectors - done + strips - 1) / strips;
            Index first = done * W;
            if (first + n * W > t.rows) {
                if (n * W <= t.rows) {
                    first = t.rows - n * W;
                } else {  // the only ones: the last comes after the others
                    --n;
                    ++strips;
                }
            }
            for (Index r = 0; r < runs; ++r)
                with_storage<typename V::value>(t.storage, t.outs[r], [&](auto* out) TCONV_INLINE {
                    constexpr Index line = 64 / static_cast<Index>(sizeof(*out));
                    for (Index i = 0; i < n * W * t.run; i += line)
                        __builtin_prefetch(out + t.out + first * t.run + i, 1);
                });
            planes_of_columns<V>(t, column, m, first, n);
        }
        t.outs += runs;
    }
}

/// The same of so many pixels at a time that they stay in the first cache.
template <class V>
void planes_of_parts(PlaneTile<typename V::value> t) {
    constexpr Index W = V::width, numbers = 16384 / static_cast<Index>(sizeof(typename V::value)), least = 3 * W;
    const Index fit = t.channels > 0 ? numbers / t.channels / least * least : t.rows;
    const Index part = fit < least ? least : fit;
    for (Index left = t.rows; left > 0; left -= t.rows) {
        t.rows = left < part + W ? left : part;
        planes_to_lines<V>(t);
        t.pixels += t.rows;
        t.out += t.rows * t.run;
    }
}

/// See Kernels::planes. About twelve sums at a time, the vectors and the columns in even parts.
template <class V>
void planes(const PlaneTile<typename V::value>& t) {
    if (t.outs != nullptr) return planes_of_parts<V>(t);
    constexpr Index most_columns = 4;
    const Index column_parts = (t.count + most_columns - 1) / most_columns;
    const Index most = most_vectors<V>(t.count);
    Index strips = (t.vectors + most - 1) / most;
    for (Index first = 0, n; first < t.vectors; first += n, --strips) {
        n = (t.vectors - first + strips - 1) / strips;
        Index parts = column_parts;
        for (Index column = 0, m; column < t.count; column += m, --parts) {
            m = (t.count - column + parts - 1) / parts;
            planes_of_columns<V>(t, column, m, first * V::width, n);
        }
    }
}

/// See Kernels::pad.
template <class V>
void pad(const typename V::value* from, const Index* places, Index lines, Index before, Index n, Index after,
         Index ahead, typename V::value* to) {
    using T = typename V::value;
    constexpr Index W = V::width, line = 64 / static_cast<Index>(sizeof(T));
    for (Index l = 0; l < lines; ++l, to += after) {
        const bool inside = places[l] >= 0;
        const Index zeros = inside ? before : before + n;
        for (Index i = 0; i < zeros; ++i) to[i] = T(0);
        to += zeros;
        if (inside) {
            const T* const x = from + places[l];
            if (ahead != 0)
                for (Index i = 0; i < n; i += line) __builtin_prefetch(x + ahead + i);
            Index i = 0;
            for (; i + W <= n; i += W) V::store(to + i, V::load(x + i));
            if (i < n && n >= W) {
                V::store(to + n - W, V::load(x + n - W));
            } else if (V::cheap_parts && i < n) {
                V::store_some(to + i, V::load_some(x + i, n - i), n - i);
            } else {
                for (; i < n; ++i) to[i] = x[i];
            }
            to += n;
        }
        for (Index i = 0; i < after; ++i) to[i] = T(0);
    }
}

template <class V, int N, class S>
void interleave_lines(const typename V::value* const* from, Index n, S* to, const Lines& lines) {
    constexpr Index W = V::width, line = 64 / static_cast<Index>(sizeof(S));
    for (Index l = 0; l < lines.count; ++l, to += lines.to_step) {
        const Index first = l * lines.from_step;
        if (lines.ahead != 0)  // on another page, which the processor doesn't foresee
            for (Index i = 0; i < n * N; i += line) __builtin_prefetch(to + lines.ahead + i, 1);
        Index i = 0;
        for (; i + W <= n; i += W) {
            typename V::reg in[N], out[N];
            each<N>([&](auto q) TCONV_INLINE { in[q] = V::load(from[q] + first + i); });
            interleave_vectors<V, N>(in, out);
            each<N>([&](auto q) TCONV_INLINE { store_as<V>(to + i * N + q * W, out[q]); });
        }
        if (i == n) continue;
        if constexpr (V::cheap_parts || !std::is_same_v<S, typename V::value>) {
            typename V::reg in[N], out[N];
            each<N>([&](auto q) TCONV_INLINE { in[q] = V::load_some(from[q] + first + i, n - i); });
            interleave_vectors<V, N>(in, out);
            each<N>([&](auto q) TCONV_INLINE {
                const Index rest = (n - i) * N - q * W;
                if (rest > 0) store_some_as<V>(to + i * N + q * W, out[q], rest < W ? rest : W);
            });
        } else {
            for (; i < n; ++i)
                for (int q = 0; q < N; ++q) to[i * N + q] = from[q][first + i];
        }
    }
}

/// The same of any number of them.
template <class V, class S>
void interleave_any(const typename V::value* const* from, Index count, Index n, S* to, const Lines& lines) {
    if constexpr (std::is_same_v<S, typename V::value>) {
        for (Index q = 0, end; q < count; q = end) {  // columns that lie evenly are turned
            const Index step = q + 1 < count ? from[q + 1] - from[q] : 0;
            for (end = q + 1; end < count && from[end] - from[end - 1] == step;) ++end;
            for (Index l = 0; l < lines.count; ++l) {
                const auto* const first = from[q] + l * lines.from_step;
                S* const here = to + l * lines.to_step + q;
                if (end - q > 4) {
                    turn<V>(first, step, here, count, end - q, n);
                } else {
                    for (Index i = 0; i < n; ++i)
                        for (Index k = 0; k < end - q; ++k) here[i * count + k] = first[k * step + i];
                }
            }
        }
        return;
    }
    constexpr Index W = V::width, together = 16 * W;
    typename V::value some[together];  // that are converted at once
    for (Index l = 0; l < lines.count; ++l, to += lines.to_step) {
        Index done = 0, filled = 0;
        const auto store = [&] {
            Index i = 0;
            for (; i + W <= filled; i += W) store_as<V>(to + done + i, V::load(some + i));
            if (i < filled) store_some_as<V>(to + done + i, V::load_some(some + i, filled - i), filled - i);
            done += filled;
            filled = 0;
        };
        for (Index i = 0; i < n; ++i)
            for (Index q = 0; q < count; ++q) {
                some[filled++] = from[q][l * lines.from_step + i];
                if (filled == together) store();
            }
        store();
    }
}

/// See Kernels::interleave.
template <class V>
void interleave(const typename V::value* const* from, Index count, Index n, void* to, Storage storage,
                const Lines& lines) {
    with_storage<typename V::value>(storage, to, [&](auto* out) TCONV_INLINE {
        switch (count) {
            case 1:
                return interleave_lines<V, 1>(from, n, out, lines);
            case 2:
                return interleave_lines<V, 2>(from, n, out, lines);
            case 4:
                return interleave_lines<V, 4>(from, n, out, lines);
            case 8:
                return interleave_lines<V, 8>(from, n, out, lines);
            default:
                interleave_any<V>(from, count, n, out, lines);
        }
    });
}

}  // namespace
}  // namespace tconv
