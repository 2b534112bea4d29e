// The transforms of the fast algorithms, written once over the Vec vocabulary: additions only.
#pragma once

#include "activate.hpp"
#include "fast_halves.hpp"
#include "fast_tiles.hpp"

namespace tconv {
namespace {

/// M rows of a product, from row m on. With a sign, the panel is made on the way; or sums are made of chains.
template <class V, int M, int NV, int Sign = 0, bool Chains = false>
inline __attribute__((always_inline)) void multiply_strip(const Rows<typename V::value>& t, Index m) {
    using T = typename V::value;
    constexpr int W = V::width;
    typename V::reg sum[M][NV], total[Chains ? M : 1][NV];
    const Index* const row = t.row_places + m;
    for (int i = 0; i < M; ++i)
        for (int v = 0; v < NV; ++v) sum[i][v] = V::zero();
    for (int i = 0; i < (Chains ? M : 0); ++i)
        for (int v = 0; v < NV; ++v) total[i][v] = V::zero();
    for (Index tap = 0; tap < t.taps; ++tap) {
        const T* panel = t.panel + t.panel_offsets[tap];
        const T* other = t.other;
        T* made = t.made;
        const T* a[M];
        for (int i = 0; i < M; ++i) a[i] = t.rows + t.row_offsets[tap] + row[i];
        const auto multiply = [&](Index k) TCONV_INLINE {
            typename V::reg b[NV];
            if constexpr (Sign == 0) {
                for (int v = 0; v < NV; ++v) b[v] = V::keep(V::load(panel + v * W));
            } else {
                for (int v = 0; v < NV; ++v) {
                    const auto first = V::load(panel + v * W), second = V::load(other + v * W);
                    b[v] = V::keep(Sign > 0 ? first + second : first - second);
                    V::store(made + v * W, b[v]);
                }
                other += NV * W;
                made += NV * W;
            }
            for (int i = 0; i < M; ++i) {
                const auto x = V::set1(a[i][k]);
                for (int v = 0; v < NV; ++v) sum[i][v] = V::fma(x, b[v], sum[i][v]);
            }
        };
        if constexpr (!Chains) {
#pragma GCC unroll 4
            for (Index k = 0; k < t.channels; ++k, panel += NV * W) multiply(k);
        } else {
            for (Index k = 0; k < t.channels;) {
                const Index last = t.channels - k > t.chain ? k + t.chain : t.channels;
#pragma GCC unroll 4
                for (; k < last; ++k, panel += NV * W) multiply(k);
                for (int i = 0; i < M; ++i)
                    for (int v = 0; v < NV; ++v) {
                        total[i][v] = total[i][v] + sum[i][v];
                        sum[i][v] = V::zero();
                    }
            }
        }
    }
    if constexpr (Chains) {
        for (int i = 0; i < M; ++i)
            for (int v = 0; v < NV; ++v) sum[i][v] = total[i][v];
    }
    T* c[M];
    for (int i = 0; i < M; ++i) c[i] = t.c + t.c_places[m + i];
    if (t.load) {
        for (int i = 0; i < M; ++i)
            for (int v = 0; v < NV; ++v) sum[i][v] = V::load(c[i] + v * W) + sum[i][v];
    }
    for (int i = 0; i < M; ++i)
        for (int v = 0; v < NV; ++v) V::store(c[i] + v * W, sum[i][v]);
}

/// Makes a panel before few rows meet it.
template <class V, int NV>
void make_panel(const Rows<typename V::value>& t) {
    const typename V::reg sign = V::set1(static_cast<typename V::value>(t.sign));
    for (Index i = 0; i < t.channels * NV * V::width; i += V::width)
        V::store(t.made + i, V::fma(sign, V::load(t.other + i), V::load(t.panel + i)));
}

/// See FastKernels::multiply and multiply_chains.
template <class V, int NV, bool Chains>
void multiply_rows(Rows<typename V::value> t) {
    constexpr Index line = 64 / sizeof(typename V::value);
    const auto ask = [&t](Index first) {  // for the strip from there on
        const Index next = !t.far ? 0 : t.count - first < 6 ? t.count - first : 6;
        for (Index tap = 0; tap < t.taps; ++tap)
            for (Index i = 0; i < next; ++i)
                for (Index k = 0; k < t.channels; k += line)
                    __builtin_prefetch(t.rows + t.row_offsets[tap] + t.row_places[first + i] + k);
    };
    Index m = 0;
    if (!Chains && t.other != nullptr) {
        if (t.count < 6) {
            make_panel<V, NV>(t);
        } else {
            ask(6);
            t.sign > 0 ? multiply_strip<V, 6, NV, 1>(t, 0) : multiply_strip<V, 6, NV, -1>(t, 0);
            m = 6;
        }
        t.panel = t.made;
    }
    for (; m + 6 <= t.count; m += 6) {
        ask(m + 6);
        multiply_strip<V, 6, NV, 0, Chains>(t, m);
    }
    switch (t.count - m) {
        case 5:
            return multiply_strip<V, 5, NV, 0, Chains>(t, m);
        case 4:
            return multiply_strip<V, 4, NV, 0, Chains>(t, m);
        case 3:
            return multiply_strip<V, 3, NV, 0, Chains>(t, m);
        case 2:
            return multiply_strip<V, 2, NV, 0, Chains>(t, m);
        case 1:
            return multiply_strip<V, 1, NV, 0, Chains>(t, m);
    }
}

/// Numbers in double precision, as large as V's vectors.
template <class V>
struct Doubles {
    static constexpr int width = static_cast<int>(V::width * sizeof(typename V::value) / sizeof(double));
    typedef double reg __attribute__((vector_size(width * sizeof(double))));
    typedef typename V::value rounded __attribute__((vector_size(width * sizeof(typename V::value))));

    static reg load(const double* p) {
        reg r;
        __builtin_memcpy(&r, p, sizeof r);
        return r;
    }
    static reg load(const float* p) {
        float r __attribute__((vector_size(width * sizeof(float))));
        __builtin_memcpy(&r, p, sizeof r);
        return __builtin_convertvector(r, reg);
    }
};

/// See FastKernels::weigh.
template <class V, Scheme S>
void weigh(double* x, Index step, Index n) {
    using D = Doubles<V>;
    constexpr int points = static_cast<int>(points_of(S)), taps = static_cast<int>(taps_of(S));
    for (Index i = 0; i < n; i += D::width) {
        typename D::reg entry[taps], point[points];
        for (int e = 0; e < taps; ++e) entry[e] = D::load(x + e * step + i);
        weights_to_points<S>(entry, 1, point, 1);
        for (int p = 0; p < points; ++p) __builtin_memcpy(x + p * step + i, &point[p], sizeof point[p]);
    }
}

/// See FastKernels::weigh_plane.
template <class V, Scheme S0, Scheme S1, class From>
void weigh_plane(const WeightRows<From, typename V::value>& t) {
    using T = typename V::value;
    using D = Doubles<V>;
    constexpr Index line = 64 / static_cast<Index>(sizeof(From));
    constexpr int n0 = static_cast<int>(points_of(S0)), n1 = static_cast<int>(points_of(S1));
    constexpr int q0 = static_cast<int>(taps_of(S0)), q1 = static_cast<int>(taps_of(S1));
    const From* x[q0 * q1];
    T* y[n0 * n1];
    for (int e = 0; e < q0 * q1; ++e) x[e] = t.from[e];
    for (int p = 0; p < n0 * n1; ++p) y[p] = t.to[p];
    for (Index row = 0, from = 0, to = 0; row < t.rows; ++row, from += t.from_step, to += t.to_step) {
        for (Index i = 0; i < t.count; i += D::width) {
            typename D::reg between[n0 * q1];
            each<q1>([&](auto f) TCONV_INLINE {
                typename D::reg entry[q0];
                for (int e = 0; e < q0; ++e) entry[e] = D::load(x[e * q1 + f] + from + i);
                weights_to_points<S0>(entry, 1, between + f, q1);
            });
            if (t.ahead != 0 && i % line == 0)
                for (int e = 0; e < q0 * q1; ++e) __builtin_prefetch(x[e] + from + i + t.ahead);
            each<n0>([&](auto p) TCONV_INLINE {
                typename D::reg point[n1];
                weights_to_points<S1>(between + p * q1, 1, point, 1);
                each<n1>([&](auto q) TCONV_INLINE {
                    if (y[p * n1 + q] == nullptr) return;
                    const auto rounded = __builtin_convertvector(point[q], typename D::rounded);
                    __builtin_memcpy(y[p * n1 + q] + to + i, &rounded, sizeof rounded);
                });
            });
        }
    }
}

/// A: products p to outputs y.
template <class V, Scheme S>
inline __attribute__((always_inline)) void from_points(const typename V::reg* p, typename V::reg* y) {
    using R = typename V::reg;
    if constexpr (S == Scheme::one) {
        y[0] = p[0];
    } else if constexpr (S == Scheme::two_by_two) {
        y[0] = p[0] + p[1];
        y[1] = p[1] + p[2];
    } else {
        const R half = V::set1(0.5), sum = p[1] + p[2], difference = p[1] - p[2];
        y[0] = V::fma(half, sum, p[0]);
        if constexpr (S == Scheme::three_by_two) {
            y[1] = half * difference;
            y[2] = V::fma(half, sum, p[3]);
        } else {
            y[1] = V::fma(half, difference, p[3]);
        }
    }
}

/// B along two axes, or, with Scheme::one, along one.
template <Scheme S0, Scheme S1, class R>
inline __attribute__((always_inline)) void plane_to_points(const R* x, R* p) {
    constexpr int n0 = static_cast<int>(points_of(S0)), n1 = static_cast<int>(points_of(S1));
    R between[n0 * n1];
    for (int e = 0; e < n0; ++e) to_points<S1>(x + e * n1, between + e * n1);
    for (int q = 0; q < n1; ++q) {
        R column[n0], point[n0];
        for (int e = 0; e < n0; ++e) column[e] = between[e * n1 + q];
        to_points<S0>(column, point);
        for (int e = 0; e < n0; ++e) p[e * n1 + q] = point[e];
    }
}

/// See FastKernels::analyse_plane.
template <class V, Scheme S0, Scheme S1>
void analyse_plane(const PlaneSum<typename V::value>& t) {
    using T = typename V::value;
    using R = typename V::reg;
    constexpr Index W = V::width, line = 64 / static_cast<Index>(sizeof(T));
    constexpr int along = static_cast<int>(points_of(S1)), points = static_cast<int>(points_of(S0)) * along;
    const T* x[points];
    T* y[points];
    for (int i = 0; i < points; ++i) x[i] = t.from[0][i], y[i] = t.to[i];
    const auto transform = [&](Index from, Index k, const auto& load, const auto& store) TCONV_INLINE {
        R window[points], point[points];
        each<points>([&](auto i) TCONV_INLINE { window[i] = V::keep(load(x[i] + from)); });
        for (Index l = 1; l < t.lines; ++l) {
            const R sign = V::set1(t.signs[l]);
            each<points>([&](auto i) TCONV_INLINE { window[i] = V::fma(sign, load(t.from[l][i] + from), window[i]); });
        }
        plane_to_points<S0, S1>(window, point);
        each<points>([&](auto i) TCONV_INLINE {
            if (y[i] != nullptr) store(y[i] + k, point[i]);
        });
    };
    for (Index tile = 0, from = 0; tile < t.tiles; ++tile, from += t.from_step) {
        const Index next = from + t.from_step;
        if (tile + 1 < t.tiles)
            for (int i = 0; i < points; i += along)
                for (Index e = t.known; e < along; ++e)
                    for (Index k = 0; k < t.n; k += line) __builtin_prefetch(x[i + e] + next + k);
        Index k = 0;
        for (; k + W <= t.n; k += W)
            transform(
                from + k, k, [](const T* p) TCONV_INLINE { return V::load(p); },
                [](T* p, R r) TCONV_INLINE { V::store(p, r); });
        if (const Index some = t.n - k; some > 0)
            transform(
                from + k, k, [some](const T* p) TCONV_INLINE { return V::load_some(p, some); },
                [some](T* p, R r) TCONV_INLINE { V::store_some(p, r, some); });
        for (int i = 0; i < points; ++i)
            if (y[i] != nullptr) y[i] += t.to_steps[i];
    }
}

/// See FastKernels::synthesise.
template <class V, Scheme S>
void synthesise(typename V::value* sums, Index step, Index n) {
    using R = typename V::reg;
    constexpr int W = V::width, points = static_cast<int>(points_of(S)), outputs = static_cast<int>(outputs_of(S));
    for (Index k = 0; k < n; k += W) {
        R point[points], output[outputs];
        for (int i = 0; i < points; ++i) point[i] = V::load(sums + i * step + k);
        from_points<V, S>(point, output);
        for (int i = 0; i < outputs; ++i) V::store(sums + i * step + k, output[i]);
    }
}

/// See FastKernels::finish_plane.
template <class V, Scheme S0, Scheme S1>
void finish_plane(const typename V::value* from, Index step, typename V::value* const* to, Index n,
                  const typename V::value* bias, Finish<typename V::value> how, TileRun run, Index ahead) {
    using T = typename V::value;
    using R = typename V::reg;
    constexpr int W = V::width, n0 = static_cast<int>(points_of(S0)), n1 = static_cast<int>(points_of(S1));
    constexpr int m0 = static_cast<int>(outputs_of(S0)), m1 = static_cast<int>(outputs_of(S1));
    T* y[m0 * m1];
    bool all = true;
    for (int i = 0; i < m0 * m1; ++i) {
        y[i] = to[i];
        all = all && y[i] != nullptr;
    }
    const bool linear = how.kind == Activation::Kind::linear;
    for (Index left = run.count;; from += run.from) {
        for (Index k = 0; k < n; k += W) {
            R between[m0 * n1], output[m0 * m1];
            for (int q = 0; q < n1; ++q) {
                R column[n0], rows[m0];
                for (int p = 0; p < n0; ++p) column[p] = V::load(from + (p * n1 + q) * step + k);
                from_points<V, S0>(column, rows);
                for (int o = 0; o < m0; ++o) between[o * n1 + q] = rows[o];
            }
            for (int o = 0; o < m0; ++o) from_points<V, S1>(between + o * n1, output + o * m1);
            const Index some = n - k < W ? n - k : W;
            if (bias != nullptr) {
                const R offset = some == W ? V::load(bias + k) : V::load_some(bias + k, some);
                for (int i = 0; i < m0 * m1; ++i) output[i] = output[i] + offset;
            }
            if (!linear) {
#pragma GCC unroll 1
                for (int i = 0; i < m0 * m1; ++i) output[i] = activate<V>(output[i], how);
            }
            if (all && some == W) {
                for (int i = 0; i < m0 * m1; ++i) V::store(y[i] + k, output[i]);
                if (ahead != 0 && k % (64 / static_cast<Index>(sizeof(T))) == 0)
                    for (int i = 0; i < m0 * m1; ++i) __builtin_prefetch(y[i] + k + ahead, 1);
                continue;
            }
#pragma GCC unroll 1
            for (int i = 0; i < m0 * m1; ++i) {
                if (y[i] == nullptr) continue;
                if (some == W) {
                    V::store(y[i] + k, output[i]);
                } else {
                    V::store_some(y[i] + k, output[i], some);
                }
            }
        }
        if (--left == 0) return;
        for (int i = 0; i < m0 * m1; ++i) y[i] += run.to;
    }
}
template <class V, Scheme S>
void finish_line(const typename V::value* from, Index step, typename V::value* const* to, Index n,
                 const typename V::value* bias, Finish<typename V::value> how, TileRun run, Index ahead) {
    finish_plane<V, Scheme::one, S>(from, step, to, n, bias, how, run, ahead);
}

template <class V, class From>
constexpr WeighPlanes<From, typename V::value> weigh_planes() {
    constexpr Scheme one = Scheme::one, a = Scheme::two_by_two, b = Scheme::three_by_two, c = Scheme::two_by_three;
    return {{{weigh_plane<V, one, one, From>, weigh_plane<V, one, a, From>, weigh_plane<V, one, b, From>,
              weigh_plane<V, one, c, From>},
             {nullptr, weigh_plane<V, a, a, From>, weigh_plane<V, a, b, From>, weigh_plane<V, a, c, From>},
             {nullptr, weigh_plane<V, b, a, From>, weigh_plane<V, b, b, From>, weigh_plane<V, b, c, From>},
             {nullptr, weigh_plane<V, c, a, From>, weigh_plane<V, c, b, From>, weigh_plane<V, c, c, From>}}};
}

template <class V>
constexpr FastKernels<typename V::value> fast_kernels_of() {
    using T = typename V::value;
    constexpr Scheme one = Scheme::one, a = Scheme::two_by_two, b = Scheme::three_by_two, c = Scheme::two_by_three;
    return {{multiply_rows<V, 1, false>, multiply_rows<V, 2, false>},
            {multiply_rows<V, 1, true>, multiply_rows<V, 2, true>},
            {weigh<V, one>, weigh<V, a>, weigh<V, b>, weigh<V, c>},
            weigh_planes<V, double>(),
            weigh_planes<V, T>(),
            {{analyse_plane<V, one, one>, analyse_plane<V, one, a>, analyse_plane<V, one, b>, analyse_plane<V, one, c>},
             {nullptr, analyse_plane<V, a, a>, analyse_plane<V, a, b>, analyse_plane<V, a, c>},
             {nullptr, analyse_plane<V, b, a>, analyse_plane<V, b, b>, analyse_plane<V, b, c>},
             {nullptr, analyse_plane<V, c, a>, analyse_plane<V, c, b>, analyse_plane<V, c, c>}},
            {synthesise<V, one>, synthesise<V, a>, synthesise<V, b>, synthesise<V, c>},
            {finish_line<V, one>, finish_line<V, a>, finish_line<V, b>, finish_line<V, c>},
            {{},
             {nullptr, finish_plane<V, a, a>, finish_plane<V, a, b>, finish_plane<V, a, c>},
             {nullptr, finish_plane<V, b, a>, finish_plane<V, b, b>, finish_plane<V, b, c>},
             {nullptr, finish_plane<V, c, a>, finish_plane<V, c, b>, finish_plane<V, c, c>}},
            weigh_halves<V>,
            analyse_halves<V>,
            finish_halves<V>,
            sum_lines<V>,
            {sum_tiles<V, one, true>, sum_tiles<V, a, true>, sum_tiles<V, b, true>, sum_tiles<V, c, true>},
            {sum_tiles<V, one, false>, sum_tiles<V, a, false>, sum_tiles<V, b, false>, sum_tiles<V, c, false>}};
}

}  // namespace
}  // namespace tconv
