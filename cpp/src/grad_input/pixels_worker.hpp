// One worker of an input gradient whose kernel is small: pixels go evenly through taps, and read dy where it lies.
#pragma once

#include "boxes.hpp"
#include "buffer.hpp"
#include "kernels/gradient_table.hpp"
#include "reach.hpp"

namespace tconv {

/// A unit of work is a box of pixels of x, with all channels.
template <class T>
struct PixelsWork {
    using C = compute_t<T>;

    const Geometry<dynamic>& g;
    const Layout &x_layout, &dy_layout;
    const T* dy;
    T* dx;
    bool gathered;     // dy is turned or converted box by box
    Boxes boxes;       // [batch, axes...]
    Buffer<C> panels;  // [group][block][tap and filter][channel of the block], channels filled up with zeros
    const Kernels<C>& kernels;
    const GradientKernels<C>& gradient;
    const Converters& converters;

    /// Whether the kernel is small enough to stay in the first cache.
    static bool suits(const Geometry<dynamic>& g, Isa isa);

    PixelsWork(const Geometry<dynamic>& g, const Layout& x, const Layout& dy, const T* dy_data, const T* kernel, T* dx,
               Isa isa);

    Index channels() const { return g.in_channels / g.groups; }
    Index filters() const { return g.filters / g.groups; }
    Index units() const { return boxes.count(); }
    /// Channels of a group, filled up to whole vectors.
    Index columns() const;
    /// Vectors of the block that begins at this column: two, or the last three; where there are registers, four.
    Index vectors(Index column) const;
    /// Cuts smaller, which changes no bit of the result; false when that would not pay.
    bool shrink();

  private:
    void cut(Index most_pixels);
    Index pixels_ = 0;
};

template <class T>
class PixelsWorker {
  public:
    using C = compute_t<T>;

    /// Takes its memory from the carver; computes nothing when that only counts.
    PixelsWorker(const PixelsWork<T>& work, Carver& carver);

    void compute(Index unit);

  private:
    void compute_line();
    void multiply(Index first, Index count, Index first_row);
    void multiply(const C* from, Index from_step, C* to, Index pixels);
    T* line_of_x() const;
    void store_line();

    const PixelsWork<T>& work_;
    std::size_t rank_;
    Reach<T> reach_;
    bool in_place_;               // sums go to dx at once
    Index length_ = 0;            // of a line of the box
    Index c_stride_;              // from pixel to pixel of sums
    Index numbers_of_pixel_;      // that it meets through all taps
    Index numbers_ = 0;           // that some pixels meet, at once
    bool load_ = false;           // the sums begun
    Index *first_, *last_, *at_;  // [batch, axes...]
    Index *no_taps_, *all_taps_;  // [axis]
    Index* outer_;                // [tap of all axes but the last] distance of what the line meets, or -1
    Met* met_;                    // [number]
    C *sums_, *turned_;           // of a line
};

}  // namespace tconv
