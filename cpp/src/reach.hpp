// The pixels of dy that a box of x's pixels meets through a box of taps: in place, or gathered.
#pragma once

#include <vector>

#include "gather.hpp"
#include "worker.hpp"

namespace tconv {

template <class T>
class Reach {
  public:
    using C = compute_t<T>;

    /// For boxes of `box` images and pixels, `taps` taps and `channels` channels at most.
    Reach(const Geometry<dynamic>& g, const Layout& dy, bool gathered, const std::vector<Index>& box,
          const std::vector<Index>& taps, Index channels, Carver& carver);

    /// Looks at images and pixels [first, last), [batch, axes...], and taps [first_tap, last_tap), [axes...].
    void enter(const Index* first, const Index* last, const Index* first_tap, const Index* last_tap, Index channels);
    /// Makes `origin` the channels from `from` on, `channel_step` apart.
    void take(const Kernels<C>& kernels, const Converters& converters, const T* from, Index channel_step);

    /// [(pixel - first) * taps + tap - first_tap] the distance along an axis from the origin, -1 where dy ends.
    const Index* along(std::size_t axis) const { return tables_[axis]; }
    Index taps(std::size_t axis) const { return taps_[axis]; }
    Index batch_step() const { return batch_step_; }
    Index pixel_step() const { return steps_[axes_ - 1]; }
    /// Whether some pixel of the box meets no pixel of dy through some tap.
    bool clipped() const { return clipped_; }
    const C* origin = nullptr;

  private:
    void pick(std::size_t axis, const Index* first, const Index* last, const Index* first_tap, const Index* last_tap);

    const Geometry<dynamic>& g_;
    const Layout& dy_;
    bool gathered_;
    std::size_t axes_;
    Index channels_ = 0, first_image_ = 0, images_ = 0;
    bool clipped_ = false;
    Index batch_step_ = 0;
    Index *steps_, *taps_, *at_;  // [axis]
    Index** tables_;              // [axis]
    Index** lists_;               // [axis]
    Picked* picked_;              // [axis]
    C* panel_;
};

}  // namespace tconv
