// The arithmetic: one table of functions per instruction set. Rank, stride, padding and threads are unknown here.
#pragma once

#include <tconv/activation.hpp>
#include <tconv/isa.hpp>
#include <tconv/types.hpp>

namespace tconv {

/// Rows of a tile at most, over all instruction sets.
inline constexpr Index max_tile_rows = 16;
/// Columns of dots that lines compute at once, at most: each time, their pixels are read.
inline constexpr Index dots_at_once = 4;

/// How numbers lie where a kernel reads or stores them: in the type of its sums, or in 16 bits.
enum class Storage : unsigned char { own, float16, bfloat16 };
template <class T>
inline constexpr Storage storage_of = Storage::own;
template <>
inline constexpr Storage storage_of<float16> = Storage::float16;
template <>
inline constexpr Storage storage_of<bfloat16> = Storage::bfloat16;

/// What is done to a sum as it is stored.
template <class T>
struct Finish {
    Activation::Kind kind = Activation::Kind::linear;
    T alpha = 0;

    /// Linear, relu or leaky_relu, which sums in registers are finished by; any other takes them from memory.
    bool in_registers() const {
        return kind == Activation::Kind::linear || kind == Activation::Kind::relu ||
               kind == Activation::Kind::leaky_relu;
    }
};

/// One step of a product: `m` rows times a panel of packed columns,
///     c[m][n] = (load ? c[m][n] : 0) + sum over t, k of rows[t*tile_rows + m][offset + k] * panel[(t*channels +
///     k)*width + n].
template <class T>
struct Tile {
    Index strips = 1;      // so many times `m` rows, one after the other; 1 but for panels
    const T* const* rows;  // [strip][taps][tile_rows] pointers to channel 0 of a pixel
    Index offset;          // the first channel of this step
    Index taps, channels;
    const T* panel;  // [taps][channels][width]
    T* c;            // [strip][m][c_stride]: sums between steps
    Index c_stride;
    bool load;             // continue the sums in c
    void* out;             // finished rows go to out + targets[m], or, if this is nullptr, sums go to c
    const Index* targets;  // [strip][m] in numbers
    Storage storage;       // of what goes to out
    Index columns;         // of the width that are real: stored to out
    const T* bias;         // [width], added before out; or nullptr
    const T* outside;      // of dots: a row that points here is of zeros; a single one is left out
    Finish<T> finish;      // in registers when out is given
};

/// Columns that lie side by side in the target: as far as `place` from where their row is stored.
struct ColumnRun {
    Index first, count, place;
};

/// One step of a product with pixels that follow each other: row m reads pixels[t] + m*row_step. Of few columns,
///     c[m][n] = (load ? c[m][n] : 0) + sum over t, k of pixels[t][m*row_step + offset + k] *
///     panel[(t*columns + n)*depth + k],
/// k < channels, n < columns, where depth is channels in whole vectors; depthwise,
///     c[m][n] = (load ? c[m][n] : 0) + sum over t of pixels[t][m*row_step + offset + n] * panel[t*channels + n].
template <class T>
struct LineTile {
    const T* const* pixels;  // [tap] channel 0 of row 0's pixel; nullptr where all rows' pixels are outside
    Storage pixel_storage;   // what they point to; own, if depthwise
    Index offset;            // the first channel of this step
    Index row_step;
    Index rows, taps, channels;
    const T* panel;
    Index columns;  // of dots: of a full panel at most
    T* c;           // [row][c_stride]
    Index c_stride;
    bool load;  // continue the sums in c
    void* out;  // finished sums of row m go to out + m*out_step; if this is nullptr, sums go to c
    Index out_step;
    Storage storage;        // of what goes to out
    const ColumnRun* runs;  // of all columns; one, if depthwise
    Index run_count;
    const T* bias;  // [column], or nullptr
    Finish<T> finish;
};

/// One step of a product whose pixels lie in planes, a channel each:
///     c[n][i] = (load ? c[n][i] : 0) + sum over t, k of pixels[offsets[t] + k*plane_step + i] *
///     columns[n][t*tap_step + k*channel_step], n < count, i < vectors of pixels.
template <class T>
struct PlaneTile {
    const T* pixels;
    const Index* offsets;  // [tap]
    Index taps, channels, plane_step;
    bool in_place;            // they come from far: the next ones are asked for
    const T* const* columns;  // [n] their weights
    Index tap_step, channel_step;
    Index count, vectors;
    const Index* places;  // [vector] where it begins, among the pixels and in c, of sums that stay in c; nullptr: one
                          // follows the other
    T* c;
    Index c_stride;
    bool load;         // continue the sums in c
    bool last;         // add the bias, if there is one, and finish them in registers
    const T* bias;     // [n], or nullptr
    Finish<T> finish;  // anything else is left to Kernels::finish
    /// Unless outs is nullptr, the last sums, of `rows` pixels (a vector at least; vectors don't count then), go there
    /// instead of c: 1, 2 or 4 columns at a time, a run, are interleaved from *outs++ + out on.
    void* const* outs = nullptr;
    Storage storage = Storage::own;  // of what goes there
    Index out = 0, run = 1, rows = 0;
    /// Every second column, of runs of two, meets pixels that are so far on.
    Index apart = 0;
};

/// So many lines of numbers, each so far from the one before; and how far on it is, from a line's target, to the one
/// that is stored some lines later: 0 if there is none.
struct Lines {
    Index count = 1, from_step = 0, to_step = 0, ahead = 0;
};

/// What the kernels of panels compute at once.
struct PanelShape {
    Isa isa;
    Index tile_rows;    // rows of a full tile
    Index width;        // columns of a full panel; a half panel has width/2
    double half_panel;  // its time, as a part of a full one's: its few sums may wait for each other
};

/// The functions of one instruction set for sums of type T.
template <class T>
struct Kernels : PanelShape {
    /// [0] half panels, [1] full panels; [m-1] rows.
    void (*multiply[2][max_tile_rows])(const Tile<T>&);
    /// Every column its own channel, the sums to c: c[m][n] = (load ? c[m][n] : 0) + sum over t of
    /// rows[t*tile_rows + m][offset + n] * panel[t*channels + n], n < columns; rows that are null count as zero.
    void (*depthwise)(const Tile<T>&, Index m);
    /// For few columns: channels lie side by side in a vector. c[m][n] = (load ? c[m][n] : 0) + sum over t, k of
    /// rows[t*tile_rows + m][offset + k] * panel[(t*columns + n)*depth + k], k < channels, n < columns, where depth is
    /// channels in whole vectors.
    void (*dots)(const Tile<T>&, Index m);
    /// See LineTile. A sum's order is that of dots.
    void (*line_dots)(const LineTile<T>&);
    /// The same of depthwise.
    void (*line_depthwise)(const LineTile<T>&);
    /// See PlaneTile.
    void (*planes)(const PlaneTile<T>&);
    /// to[j*to_stride + i] = from[i*from_stride + j], i < rows, j < columns.
    void (*turn)(const T* from, Index from_stride, T* to, Index to_stride, Index rows, Index columns);
    /// Lines of `before` zeros, n numbers from from + places[line], and `after` zeros, one after the other; none of a
    /// line whose place is negative. As far on as `ahead` from there is what will be asked for next.
    void (*pad)(const T* from, const Index* places, Index lines, Index before, Index n, Index after, Index ahead,
                T* to);
    /// to[i*count + q] = from[q][i], i < n, q < count.
    void (*interleave)(const T* const* from, Index count, Index n, void* to, Storage storage, const Lines& lines);
    /// c[m][n] = finish(c[m][n] + bias[n]), in place; width is a multiple of the vector's.
    void (*finish)(T* c, Index c_stride, Index m, Index width, const T* bias, Finish<T> how);
};

/// Conversions of n numbers between storage and float.
struct Converters {
    void (*widen_float16)(const std::uint16_t* from, float* to, Index n);
    void (*narrow_float16)(const float* from, std::uint16_t* to, Index n);
    void (*widen_bfloat16)(const std::uint16_t* from, float* to, Index n);
    void (*narrow_bfloat16)(const float* from, std::uint16_t* to, Index n);
};

namespace generic {
extern const Kernels<float> kernels_float;
extern const Kernels<double> kernels_double;
extern const Converters converters;
}  // namespace generic

namespace avx2 {
extern const Kernels<float> kernels_float;
extern const Kernels<double> kernels_double;
extern const Converters converters;
}  // namespace avx2

namespace avx512 {
extern const Kernels<float> kernels_float;
extern const Kernels<double> kernels_double;
extern const Converters converters;
}  // namespace avx512

}  // namespace tconv
