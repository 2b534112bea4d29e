// The arithmetic of the fast algorithms along one axis: one table of functions per instruction set. Tiles, axes and
// threads are unknown here.
#pragma once

#include <tconv/types.hpp>

#include "table.hpp"

namespace tconv {

/// How an axis is computed: `outputs` neighbours of a convolution with `taps` taps through `points` products,
///     y[i] = sum over p of A[i][p] * (sum over e of B[p][e] x[i + e]) * (sum over e of G[p][e] g[e]),
/// where x are outputs + taps - 1 = points neighbours and g the taps, the last one first: docs/fast-algorithms.md.
enum class Scheme : unsigned char {
    one,           // F(1,1): a product is a product
    two_by_two,    // F(2,2): points 0, 1, infinity
    three_by_two,  // F(3,2): points 0, 1, -1, infinity
    two_by_three,  // F(2,3): the same points
    halves,        // Strassen's algorithm: two neighbours, halves of the channels and of the filters, as below
};
inline constexpr int schemes = 4;  // those above that are sums along an axis
/// G, whose numbers are 1, 0 and -1: [scheme][point][entry].
inline constexpr signed char weight_signs[schemes][4][3] = {
    {{1}}, {{1, 0}, {1, 1}, {0, 1}}, {{1, 0}, {1, 1}, {1, -1}, {0, 1}}, {{1, 0, 0}, {1, 1, 1}, {1, -1, 1}, {0, 0, 1}}};

/// B, the same: [scheme][point][neighbour].
inline constexpr signed char pixel_signs[schemes][4][4] = {{{1}},
                                                           {{1, -1, 0}, {0, 1, 0}, {0, -1, 1}},
                                                           {{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, -1, 0, 1}},
                                                           {{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, -1, 0, 1}}};
/// A: [scheme][output][point].
inline constexpr float output_weights[schemes][3][4] = {{{1}},
                                                        {{1, 1, 0}, {0, 1, 1}},
                                                        {{1, 0.5, 0.5, 0}, {0, 0.5, -0.5, 0}, {0, 0.5, 0.5, 1}},
                                                        {{1, 0.5, 0.5, 0}, {0, 0.5, -0.5, 1}}};

/// The points whose products an output is a sum of, as bits: where A is not zero.
inline constexpr unsigned char points_of_output[schemes + 1][3] = {
    {0b1}, {0b011, 0b110}, {0b0111, 0b0110, 0b1110}, {0b0111, 0b1110}, {0b1011101, 0b0101111}};
static_assert([] {
    for (int s = 0; s < schemes; ++s)
        for (int o = 0; o < 3; ++o)
            for (int p = 0; p < 4; ++p)
                if ((output_weights[s][o][p] != 0) != ((points_of_output[s][o] >> p & 1) != 0)) return false;
    return true;
}());

/// Halves: of two neighbours x[e], two halves h of the channels, and halves f of the filters, whose weights are g[h][f]
/// and outputs y[e][f], numbers [h*2 + e], [h*2 + f] and [f*2 + e] of an array,
///     p0 = (x[0][0] + x[1][1])*(g[0][0] + g[1][1])    p3 = x[1][1]*(g[1][0] - g[0][0])
///     p1 = (x[1][0] + x[1][1])*g[0][0]                p4 = (x[0][0] + x[0][1])*g[1][1]
///     p2 = x[0][0]*(g[0][1] - g[1][1])                p5 = (x[1][0] - x[0][0])*(g[0][0] + g[0][1])
///                                                     p6 = (x[0][1] - x[1][1])*(g[1][0] + g[1][1])
///     y[0][0] = p0 + p3 - p4 + p6, y[0][1] = p2 + p4, y[1][0] = p1 + p3, y[1][1] = p0 - p1 + p2 + p5.
inline constexpr int halves_points = 7, halves_numbers = 4;

constexpr Index points_of(Scheme s) {
    return s == Scheme::one ? 1 : s == Scheme::two_by_two ? 3 : s == Scheme::halves ? halves_points : 4;
}
constexpr Index outputs_of(Scheme s) { return s == Scheme::one ? 1 : s == Scheme::three_by_two ? 3 : 2; }
constexpr Index taps_of(Scheme s) {
    return s == Scheme::one || s == Scheme::halves ? 1 : s == Scheme::two_by_three ? 3 : 2;
}
/// Neighbours that a tile reads.
constexpr Index entries_of(Scheme s) { return outputs_of(s) + taps_of(s) - 1; }

/// A product of `count` rows with a panel of packed columns, as in Tile:
///     c[c_places[m] + n] = (load ? what is there : 0) +
///     sum over t, k of rows[row_offsets[t] + row_places[m] + k] * panel[panel_offsets[t] + k*width + n].
template <class T>
struct Rows {
    const T* rows;
    const Index *row_places, *c_places;
    Index count, taps, channels;
    const T* panel;
    const Index *row_offsets, *panel_offsets;  // [tap]
    /// Unless it is nullptr, the panel of the only tap, at offset 0, is panel[i] + sign*other[i], where sign is 1 or
    /// -1; it is written to `made`, which has room for it.
    const T* other;
    T* made;
    int sign;
    T* c;
    bool load;    // the sums so far are in c
    bool far;     // the rows are asked for before they are met
    Index chain;  // so many channels of a tap are a sum of their own, where sums are made of chains
};

/// Tiles beside each other, and how far it is from one's numbers to the next one's.
struct TileRun {
    Index count, from, to;
};

/// Tiles' pixels, each a sum of lines, transformed along two axes,
///     to[p*points + q][tile*to_steps[p*points + q] + k] = sum over e, f of B0[p][e] * B1[q][f] *
///         sum over l < lines of signs[l] * from[l][e*points + f][tile*from_step + k], k < n, tile < tiles,
/// where `points` are the second axis'. Targets that are null are not wanted. The next tile's pixels are asked for: of
/// the first line, and of each row those from entry `known` on.
template <class T>
struct PlaneSum {
    const T* const* const* from;
    const T* signs;  // the first one is 1
    Index lines;
    T* const* to;
    const Index* to_steps;
    Index n, known, tiles, from_step;
};

/// Rows of `count` numbers of each entry, in whole vectors, to be transformed along two axes:
///     to[p*points + q][row*to_step + i] from from[e*taps + f][row*from_step + i],
/// where `points` and `taps` are the second axis'. Targets that are null are not wanted. What lies `ahead` is asked
/// for.
template <class From, class T>
struct WeightRows {
    const From* const* from;
    T* const* to;
    Index rows, from_step, to_step, count, ahead;
};

/// [first axis' scheme][second axis' scheme]: of a single axis that is `one` and its scheme.
template <class From, class T>
struct WeighPlanes {
    void (*by[schemes][schemes])(const WeightRows<From, T>&);
};

/// A sum of lines, to[i] = sum over l < lines of weights[l] * from[l][i], i < n. A line may be where the sum goes.
template <class T>
struct LineSum {
    const T* const* from;
    const T* weights;
    Index lines;
    T* to;
    Index n;
};

/// Tiles' pixels, whose numbers are a sum of lines, transformed along an axis,
///     to[p*to_step] = sum over e of M[p][e] * sum over l < lines of weights[l] * from[l][e*from_step],
/// of n numbers side by side, tile by tile. Entries that are not in [begin, end) are outside, and zero.
template <class T>
struct TileSum {
    const T* const* from;
    const T* weights;
    Index lines, from_step, begin, end;
    T* to;
    Index to_step, n;
    TileRun run;
};

/// The functions of one instruction set for numbers of type T.
template <class T>
struct FastKernels {
    /// [0] half panels, [1] full panels, as in Kernels. The others work on rows of n numbers side
    /// by side.
    void (*multiply[2])(Rows<T>);
    /// The same with sums that are made of chains, of a panel that is there.
    void (*multiply_chains[2])(Rows<T>);
    /// x[p*step] = sum over e of G[p][e] x[e*step], in place, of n numbers side by side, in whole vectors.
    void (*weigh[schemes])(double* x, Index step, Index n);
    /// The same along two axes, rounded, of numbers in double precision or as they are.
    WeighPlanes<double, T> weigh_plane;
    WeighPlanes<T, T> weigh_kernel;
    /// See PlaneSum; by the axes' schemes: of a single axis `one` and its scheme.
    void (*analyse_plane[schemes][schemes])(const PlaneSum<T>&);
    /// to[i] = sum over p of A[i][p] from[p], where from[p] lie `step` apart, in place; n is in whole vectors.
    void (*synthesise[schemes])(T* sums, Index step, Index n);
    /// to[i] = finish(sum over p of A[i][p] from[p] + bias[n]) along an axis, or two, tile by tile; rows that are null
    /// are not wanted. Writes n numbers, of any n, but reads whole vectors of `from`. `bias` may be nullptr. What lies
    /// `ahead` of each target is asked for.
    using FinishRows = void(const T* from, Index step, T* const* to, Index n, const T* bias, Finish<T> how, TileRun run,
                            Index ahead);
    FinishRows *finish[schemes], *finish_plane[schemes][schemes];
    /// The same three of halves: of numbers in place of entries, in the type of the sums; of one line; with a bias for
    /// each half of the filters, or none for both.
    void (*weigh_halves)(const WeightRows<T, T>&);
    void (*analyse_halves)(const PlaneSum<T>&);
    void (*finish_halves)(const T* from, Index step, T* const* to, Index n, const T* const* bias, Finish<T> how,
                          TileRun run, Index ahead);
    /// See LineSum.
    void (*sum_lines)(const LineSum<T>&);
    /// See TileSum; by scheme, where M is G, and B.
    void (*weigh_tiles[schemes])(const TileSum<T>&);
    void (*analyse_tiles[schemes])(const TileSum<T>&);
};

namespace generic {
extern const FastKernels<float> fast_float;
extern const FastKernels<double> fast_double;
}  // namespace generic

namespace avx2 {
extern const FastKernels<float> fast_float;
extern const FastKernels<double> fast_double;
}  // namespace avx2

namespace avx512 {
extern const FastKernels<float> fast_float;
extern const FastKernels<double> fast_double;
}  // namespace avx512

}  // namespace tconv
