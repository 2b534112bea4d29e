// One worker of an input gradient with few channels in many groups: vectors lie along the groups.
#pragma once

#include "boxes.hpp"
#include "buffer.hpp"
#include "kernels/gradient_table.hpp"
#include "reach.hpp"

namespace tconv {

/// A unit of work is a box of pixels of x and some groups.
template <class T>
struct TapsWork {
    const Geometry<dynamic>& g;
    const Layout &x_layout, &dy_layout;
    const T* dy;
    T* dx;
    bool gathered;  // dy is turned or converted box by box
    Boxes boxes;    // [batch, axes...]
    Index groups_of_unit;
    Buffer<compute_t<T>> weights;  // [tap][filter of a group][channel of a group][group]
    const Kernels<compute_t<T>>& kernels;
    const GradientKernels<compute_t<T>>& gradient;
    const Converters& converters;

    TapsWork(const Geometry<dynamic>& g, const Layout& x, const Layout& dy, const T* dy_data, const T* kernel, T* dx,
             Isa isa);

    Index channels() const { return g.in_channels / g.groups; }
    Index filters() const { return g.filters / g.groups; }
    Index bundles() const;
    Index units() const { return boxes.count() * bundles(); }
    /// Cuts smaller, which changes no bit of the result; false when that would not pay.
    bool shrink();

  private:
    void cut(Index most_pixels);
    Index pixels_ = 0;
};

template <class T>
class TapsWorker {
  public:
    using C = compute_t<T>;

    /// Takes its memory from the carver; computes nothing when that only counts.
    TapsWorker(const TapsWork<T>& work, Carver& carver);

    void compute(Index unit);

  private:
    void add_line(C* c, Index c_step, Index channel, Index filter);
    void add_pixels(Index first, Index count, Index step, C* c, Index c_step, Index channel, Index filter);
    void find_runs(Index pixel, Index step, Index channel, Index filter);
    void store(Index channel);
    T* line_of_x(Index channel) const;

    const TapsWork<T>& work_;
    std::size_t rank_;
    Reach<T> reach_;
    Index first_group_ = 0, groups_ = 0, length_ = 0;
    bool in_place_;               // sums go to dx at once
    Index *first_, *last_, *at_;  // [batch, axes...]
    Index *no_taps_, *all_taps_;  // [axis]
    Index* outer_;                // [tap of all axes but the last] distance of what the line meets, or -1
    TapRun* runs_;                // of taps that are inside
    Index run_count_ = 0;
    C* sums_;  // [line][pixel][group]
};

}  // namespace tconv
