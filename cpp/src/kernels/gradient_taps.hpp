// Sums over taps, each channel by itself, written once over the Vec vocabulary: vectors lie along channels.
#pragma once

#include "gradient_table.hpp"
#include "vec.hpp"

namespace tconv {
namespace {

/// What M pixels meet through a run of Q taps: M + Q - 1 pixels, each of whose NV vectors is loaded once.
template <class V, int M, int NV, int Q, class Load>
inline TCONV_INLINE void add_run(const Taps<typename V::value>& s, const typename V::value* dy,
                                 const typename V::value* weights, const Load& load, typename V::reg (&sum)[M][NV]) {
    constexpr int W = V::width;
    typename V::reg w[Q][NV];
    each<Q>([&](auto q) TCONV_INLINE {
        each<NV>([&](auto v) TCONV_INLINE { w[q][v] = V::keep(load(weights + q * s.weights_step + v * W)); });
    });
    each<M + Q - 1>([&](auto i) TCONV_INLINE {
        constexpr int at = i;
        const typename V::value* const pixel = dy + at * s.dy_step;
        // Whole pixels would be a stream, pieces of them are none. What is asked for twice is there more often.
        if constexpr (M > 1) ask_for<NV * W, false>(pixel + M * s.dy_step);
        each<NV>([&](auto v) TCONV_INLINE {
            const auto x = V::keep(load(pixel + v * W));
            each<Q>([&](auto q) TCONV_INLINE {  // a sum meets its taps in their order
                constexpr int m = at - q;
                if constexpr (m >= 0 && m < M) sum[m][v] = V::fma(w[q][v], x, sum[m][v]);
            });
        });
    });
}

/// M pixels and NV vectors of channels of Taps, from pixel i and channel n on; of a single vector `last` are real, and
/// `stored` are written.
template <class V, int M, int NV>
inline TCONV_INLINE void some_taps(const Taps<typename V::value>& s, Index i, Index n, Index last, Index stored) {
    using T = typename V::value;
    constexpr int W = V::width;
    static_assert(most_tap_run == 3);
    typename V::reg sum[M][NV];
    T* c = s.c + i * s.c_step + n;
    const auto add = [&](const auto& load) TCONV_INLINE {
        each<M>([&](auto m) TCONV_INLINE {
            each<NV>([&](auto v) TCONV_INLINE { sum[m][v] = s.load ? load(c + m * s.c_step + v * W) : V::zero(); });
        });
        const T *dy = s.dy + i * s.dy_step + n, *weights = s.weights + n;
        const TapRun *run = s.runs, *const end = run + s.run_count;
        const auto add_runs = [&](auto taps) TCONV_INLINE {
            for (; run < end && run->taps == taps; ++run)
                add_run<V, M, NV, taps>(s, dy + run->dy_at, weights + run->weights_at, load, sum);
        };
        while (run < end) {
            add_runs(Constant<1>());
            add_runs(Constant<2>());
            add_runs(Constant<3>());
        }
    };
    if (NV > 1 || last == W) {
        add([](const T* from) TCONV_INLINE { return V::load(from); });
    } else {
        add([last](const T* from) TCONV_INLINE { return V::load_some(from, last); });
    }
    each<M>([&](auto m) TCONV_INLINE {
        each<NV>([&](auto v) TCONV_INLINE {
            if (NV > 1 || stored == W) {
                V::store(c + m * s.c_step + v * W, sum[m][v]);
            } else {
                V::store_some(c + m * s.c_step, sum[m][v], stored);
            }
        });
    });
}

/// M pixels of Taps, from pixel i on, channels in vectors: what neighbouring pixels share stays in the first cache.
template <class V, int M>
void all_taps(const Taps<typename V::value>& s, Index i) {
    constexpr Index W = V::width;
    Index n = 0;
    for (; s.channels - n >= 2 * W; n += 2 * W) some_taps<V, M, 2>(s, i, n, W, W);
    for (; n < s.channels; n += W) {
        if (s.channels - n >= W) {
            some_taps<V, M, 1>(s, i, n, W, W);
        } else if (n > 0 && !s.load) {  // once more is as good
            some_taps<V, M, 1>(s, i, s.channels - W, W, W);
        } else {
            // Past a pixel lie others, which are written later.
            const Index last = s.channels - n;
            const bool others = s.c_step == s.channels && (s.pixels - i - M) * s.channels >= W - last;
            some_taps<V, M, 1>(s, i, n, last, others && !s.load ? W : last);
        }
    }
}

/// See GradientKernels::taps. A single vector of channels has eight sums to add to at once.
template <class V>
void taps(const Taps<typename V::value>& s) {
    Index i = 0;
    if (s.channels <= V::width) {
        for (; s.pixels - i >= 8; i += 8) {
            const Index last = s.channels;
            const bool others = s.c_step == s.channels && (s.pixels - i - 8) * s.channels >= V::width - last;
            some_taps<V, 8, 1>(s, i, 0, last, others && !s.load ? V::width : last);
        }
    }
    for (; s.pixels - i >= 4; i += 4) all_taps<V, 4>(s, i);
    for (; i < s.pixels; ++i) all_taps<V, 1>(s, i);
}

}  // namespace
}  // namespace tconv
