// The arithmetic of the gradients: one table of functions per instruction set. Taps, boxes and threads are
// unknown here.
#pragma once

#include <tconv/isa.hpp>
#include <tconv/types.hpp>

namespace tconv {

/// Lines [first, last), whose rows begin at `row`.
struct LineRun {
    Index first, last, row;
};

/// A sum of outer products of lines, c[m][n] = (add ? c[m][n] : 0) + sum over runs, k in a run of
/// rows[run.row + (k - run.first)*row_step + m] * columns[k*column_step + n].
template <class T>
struct Outer {
    const T* rows;
    Index row_step;
    const T* columns;
    Index column_step;
    const LineRun* runs;
    Index run_count;
    T* c;
    Index c_stride;
    bool add;
    Index ahead = 16;  // so many pixels on rows are asked for: those lie in the second cache
};

/// Sums of products of neighbouring pixels, each channel with its own,
/// sums[t*sums_step + n] += sum over i < pixels of x[i*x_step + n] * dy[i*dy_step + t*tap_step + n], n < channels.
template <class T>
struct Lanes {
    const T *x, *dy;
    Index x_step, dy_step, tap_step;
    Index pixels, channels;
    T* sums;
    Index sums_step;
};

/// A product of rows with blocks of packed columns, to[m][n] = (from ? from[m*from_stride + n] : 0) + sum over
/// s < segments, k < numbers of rows[s*tile_rows + m][offset + k] * panel[b*block_step + (s*numbers + k)*width + i],
/// n = b*width + i < columns, of one block or two.
template <class T>
struct Strip {
    const T* const* rows;
    const T* const* next;  // the rows of another strip, to be prefetched
    const T* ahead;        // of panels to come, lines of the cache to be prefetched as the numbers go by
    Index offset, segments, numbers;
    const T* panel;
    Index block_step;
    const T* from;
    Index from_stride;
    T* const* to;
    Index column;   // where in each row of `to` the first number goes
    Index columns;  // at most those of the function
};

/// What a pixel meets: its number at `at`, and the row of a panel that it is multiplied by.
struct Met {
    Index at, row;
};

/// A product of pixels that lie evenly with blocks of packed columns, read where they lie,
/// to[i*to_step + b*width + n] = (load ? to[i*to_step + b*width + n] : 0) + sum over k < numbers of
///     from[i*from_step + met[k].at] * panel[b*block_step + met[k].row*width + n], i < pixels, b*width + n < columns.
template <class T>
struct Evenly {
    const T* from;
    Index from_step;
    const Met* met;
    Index numbers;
    const T* panel;
    Index block_step;
    T* to;
    Index to_step;
    bool load;
    Index pixels, blocks, columns;  // columns of all blocks, those of the last in part
};

/// A product of numbers with lines of pixels,
/// to[c*to_step + i] = sum over k < numbers of weights[met[k].row*channels + c] * from[met[k].at + i], i < pixels, for
/// some channels c. Lines are read up to a vector too far.
template <class T>
struct Planes {
    const T* from;
    const Met* met;
    Index numbers;
    const T* weights;
    Index channels;
    T* to;
    Index to_step;
    Index pixels;
};

/// Taps that go from pixel to pixel: what a pixel meets through one of them, the next meets through the one before.
struct TapRun {
    Index dy_at, weights_at;  // of the first of them
    Index taps;
};

/// Sums over taps, each channel by itself, c[i*c_step + n] = (load ? c[i*c_step + n] : 0) + sum over runs, t < taps of
/// dy[(i + t)*dy_step + dy_at + n] * weights[weights_at + t*weights_step + n], i < pixels, n < channels.
template <class T>
struct Taps {
    const T* dy;
    Index dy_step;
    const T* weights;
    Index weights_step;
    const TapRun* runs;
    Index run_count, pixels, channels;
    T* c;
    Index c_step;
    bool load;
};

inline constexpr Index most_gradient_rows = 6, most_outer_vectors = 4, most_lane_taps = 4, most_even_vectors = 4;
inline constexpr Index most_strip_vectors = 4;
inline constexpr Index most_plane_channels = 4, most_tap_run = 3;

/// The functions of one instruction set for sums of type T.
template <class T>
struct GradientKernels {
    Isa isa;
    Index tile_rows, width;  // of a full tile
    Index outer_vectors;     // of its outer products, at most: a vector is half a width
    /// [v-1] columns of v vectors; [m-1] rows.
    void (*outer[most_outer_vectors][most_gradient_rows])(const Outer<T>&);
    Index strip_vectors;  // of columns, at most
    /// [v-1] columns of v vectors; [m-1] rows.
    void (*strip[most_strip_vectors][most_gradient_rows])(const Strip<T>&);
    Index even_vectors;  // of a block of Evenly, at most
    /// [v-1] blocks of v vectors, width / 2 numbers each, of which only the last may be in part.
    void (*evenly[most_even_vectors])(const Evenly<T>&);
    /// [m-1] m channels, from one on.
    void (*planes[most_plane_channels])(const Planes<T>&, Index channel);
    /// The first n numbers of each line, dealt to blocks of `tile_rows` numbers or [v-1] of v vectors, two at least;
    /// the last block filled up with zeros: to[b*block_stride + k*size + i] = lines[k][b*size + i]. A block may be
    /// written a vector too far.
    void (*deal_rows)(const T* const* lines, Index count, Index n, T* to, Index block_stride);
    void (*deal_columns[most_outer_vectors])(const T* const* lines, Index count, Index n, T* to, Index block_stride);
    /// [t-1] taps.
    void (*lanes[most_lane_taps])(const Lanes<T>&);
    /// The same where all channels share one dy: dy[i*dy_step + t*tap_step].
    void (*shared_lanes[most_lane_taps])(const Lanes<T>&);
    void (*taps)(const Taps<T>&);
    /// sums[n] += sum over i < lines of from[i*step + n], n < count, each a chain of its own.
    void (*add_lines)(const T* from, Index step, Index lines, Index count, T* sums);
};

namespace generic {
extern const GradientKernels<float> gradient_float;
extern const GradientKernels<double> gradient_double;
}  // namespace generic

namespace avx2 {
extern const GradientKernels<float> gradient_float;
extern const GradientKernels<double> gradient_double;
}  // namespace avx2

namespace avx512 {
extern const GradientKernels<float> gradient_float;
extern const GradientKernels<double> gradient_double;
}  // namespace avx512

}  // namespace tconv
