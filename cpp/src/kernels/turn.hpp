// Rows of numbers become columns, a square of vectors at a time.
#pragma once

#include "table.hpp"
#include "vec.hpp"

namespace tconv {
namespace {

/// See Kernels::turn.
template <class V>
void turn(const typename V::value* from, Index from_stride, typename V::value* to, Index to_stride, Index rows,
          Index columns) {
    constexpr Index W = V::width;
    const Index whole_rows = rows - rows % W, whole_columns = columns - columns % W;
    constexpr Index line = 64 / static_cast<Index>(sizeof(typename V::value));
    constexpr Index some = W < line ? line : W;  // of the cache: used up before rows that may take its place
    for (Index corner = 0; corner < whole_columns; corner += some)
        for (Index i = 0; i < whole_rows; i += W)
            for (Index j = corner; j < whole_columns && j < corner + some; j += W)
                V::turn(from + i * from_stride + j, from_stride, to + j * to_stride + i, to_stride);
    if constexpr (V::cheap_parts) {
        for (Index j = 0; j < columns; j += W)
            for (Index i = j < whole_columns ? whole_rows : 0; i < rows; i += W)
                V::turn_some(from + i * from_stride + j, from_stride, to + j * to_stride + i, to_stride,
                             rows - i < W ? rows - i : W, columns - j < W ? columns - j : W);
    } else {
        for (Index j = 0; j < columns; ++j)
            for (Index i = j < whole_columns ? whole_rows : 0; i < rows; ++i)
                to[j * to_stride + i] = from[i * from_stride + j];
    }
}

}  // namespace
}  // namespace tconv
