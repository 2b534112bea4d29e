// One worker of an input gradient: the numbers of dy that a pixel of x meets, times panels of the kernel, are a row of
// dx. They are read where they lie, in segments, or put side by side in a line where those are short.
#pragma once

#include "boxes.hpp"
#include "grad_input/kernel_panels.hpp"
#include "segments.hpp"

namespace tconv {

/// A unit of work is a box of pixels of x, a bundle of groups and some blocks of their channels.
template <class T>
struct LinesWork {
    const Geometry<dynamic>& g;
    const Layout &x_layout, &dy_layout;
    const T* dy;
    T* dx;
    bool gathered;        // tensors are turned or converted box by box
    Boxes boxes;          // [batch, axes...]
    Index bundle, slice;  // groups; blocks of columns, all of them when the bundle is not one
    const KernelPanels<T>& panels;
    const Kernels<compute_t<T>>& kernels;
    const GradientKernels<compute_t<T>>& gradient;
    const Converters& converters;

    LinesWork(const Geometry<dynamic>& g, const Layout& x, const Layout& dy, const T* dy_data, T* dx,
              const KernelPanels<T>& panels, Isa isa);

    Index channels() const { return g.in_channels / g.groups; }
    Index filters() const { return g.filters / g.groups; }
    Index bundles() const;
    Index slices() const;
    Index units() const { return boxes.count() * bundles() * slices(); }
    Index step() const;  // numbers of a line that are put together at once, at most
    /// Pointers to segments for each pixel, at most; 0 when lines are always put together.
    Index most_segments() const;
    /// Cuts smaller, which changes no bit of the result; false when that would not pay.
    bool shrink();

  private:
    void cut(Index most_rows);
};

template <class T>
class LinesWorker {
  public:
    using C = compute_t<T>;

    /// Takes its memory from the carver; computes nothing when that only counts.
    LinesWorker(const LinesWork<T>& work, Carver& carver);

    void compute(Index unit);

  private:
    /// What is multiplied at once: of some segments the numbers [offset, offset + numbers), `first` in a line.
    struct Step {
        Index segment, segments, offset, numbers, first;
        bool last;
    };

    bool choose_segments();
    void point_at_segments(Index channel);
    void point_at_lines();
    void put_lines(Index channel, Index first, Index last);
    void multiply_segments(Index group);
    void multiply_lines(Index group, Index channel, bool exactly);
    Index vectors_at_once(Index left) const;
    void multiply(Index group, const Step& step);
    void multiply_exactly(Index group, Index channel, Index first, Index last);
    void enter_targets(Index group);
    void store(Index group);

    Index pixels() const { return segments_.lines() * segments_.length(); }

    const LinesWork<T>& work_;
    std::size_t rank_;
    Index line_stride_, c_stride_;
    Segments<T> segments_;
    Index first_block_ = 0, last_block_ = 0;
    Index *first_, *last_, *at_;  // [batch, axes...]
    Index *no_taps_, *all_taps_;  // [axis]
    bool in_place_;               // the last sums go to dx
    Index segment_count_ = 0;     // of what is pointed at
    const C** rows_;              // [tile][segment][row of the tile]
    C **sum_rows_, **targets_;    // [row] of sums, and where the last ones go
    C *zeros_, *lines_, *sums_, *turned_;
};

}  // namespace tconv
