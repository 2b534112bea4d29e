// One worker of an input gradient of few channels or filters: vectors lie along the pixels of a line. Lines of dy are
// cut into phases, pixels a stride apart, so that neighbouring pixels meet neighbouring numbers.
#pragma once

#include "boxes.hpp"
#include "buffer.hpp"
#include "carver.hpp"
#include "checked.hpp"
#include "half.hpp"
#include "kernels/gradient_table.hpp"
#include "kernels/table.hpp"
#include "layout.hpp"

namespace tconv {

/// A unit of work is a box of pixels of x and a bundle of groups.
template <class T>
struct PlanesWork {
    using C = compute_t<T>;

    const Geometry<dynamic>& g;
    const Layout &x_layout, &dy_layout;
    const T* dy;
    T* dx;
    Boxes boxes;           // [batch, axes...], of one image each
    Index bundle;          // groups
    Buffer<C> weights;     // [group][tap and filter][channel]
    bool finite;           // zeros times weights are zeros
    Buffer<Index> phases;  // [tap of the last axis] which of its phases, and how many pixels further on
    Index phase_count, most_shift;
    const Kernels<C>& kernels;
    const GradientKernels<C>& gradient;
    const Converters& converters;

    /// Whether vectors are better used this way.
    static bool suits(const Geometry<dynamic>& g, const Layout& x, const Layout& dy, Isa isa);

    PlanesWork(const Geometry<dynamic>& g, const Layout& x, const Layout& dy, const T* dy_data, const T* kernel, T* dx,
               Isa isa);

    Index channels() const { return g.in_channels / g.groups; }
    Index filters() const { return g.filters / g.groups; }
    /// Numbers of a phase of a line, with room for vectors that are read too far; of a box for one filter, and for all.
    Index width() const;
    Checked numbers_of_filter() const;
    Checked numbers() const { return numbers_of_filter() * filters() * bundle; }
    Index bundles() const;
    Index units() const { return boxes.count() * bundles(); }
    /// Cuts smaller, which changes no bit of the result; false when that would not pay.
    bool shrink();

  private:
    void cut(Index most_pixels);
    Index pixels_ = 0;
};

template <class T>
class PlanesWorker {
  public:
    using C = compute_t<T>;

    /// Takes its memory from the carver; computes nothing when that only counts.
    PlanesWorker(const PlanesWork<T>& work, Carver& carver);

    void compute(Index unit);

  private:
    void take_lines(Index first_filter, Index filters);
    void turn_line(const T* from, Index step, Index count);
    void take_line(const C* line, C* to);
    void compute_line(Index first_group, Index last_group);
    void store(Index group);
    T* line_of_x(Index channel) const;

    const PlanesWork<T>& work_;
    std::size_t rank_;
    bool in_place_;                       // sums go to dx at once
    Index width_ = 0;                     // of a phase of a line
    Index length_ = 0;                    // of a line of x
    Index *first_, *last_, *at_;          // [batch, axes...]
    Index *first_line_, *lines_, *line_;  // [axis] of dy
    Index* outer_;                        // [tap of all axes but the last] distance of what the line meets, or -1
    Met* met_;                            // [number]
    Index span_ = 0, met_first_ = 0, met_last_ = 0;  // of the last axis of dy: at most, and what the box meets
    Index *low_, *high_, *start_;                    // [phase] pixels inside, and where in dy the first one would be
    C *planes_, *wide_, *sums_;
    Index filter_step_ = 0;  // from filter to filter in the planes
};

}  // namespace tconv
