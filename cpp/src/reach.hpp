// The pixels of dy that a box of x's pixels meets through a box of taps: in place, or gathered.
#pragma once

#include <type_traits>
#include <vector>

#include "carver.hpp"
#include "gather.hpp"
#include "half.hpp"
#include "layout.hpp"
#include "picked.hpp"

namespace tconv {

/// gather_run, with an eye on the pixels to come where only pieces of them are taken.
template <class T>
void gather_pixels(const Kernels<compute_t<T>>& kernels, const Converters& convert, const T* from, Index pixel_stride,
                   Index channel_stride, Index pixels, Index channels, compute_t<T>* to) {
    constexpr Index ahead = 8, line = 64 / sizeof(T);
    const Index extent = (channels - 1) * channel_stride + 1;
    const auto prefetch = [&](Index p) {
        if (p + ahead >= pixels) return;
        for (Index c = 0; c < extent; c += line) __builtin_prefetch(from + ahead * pixel_stride + c);
    };
    if (channel_stride > 1 && extent <= pixel_stride) {  // every so many of the channels of a pixel
        for (Index p = 0; p < pixels; ++p, from += pixel_stride, to += channels) {
            prefetch(p);
            for (Index c = 0; c < channels; ++c) to[c] = widen(from[c * channel_stride]);
        }
        return;
    }
    if constexpr (std::is_same_v<T, compute_t<T>>) {
        if (channel_stride == 1 && pixel_stride != channels) {
            for (Index p = 0; p < pixels; ++p, from += pixel_stride, to += channels) {
                prefetch(p);
                for (Index c = 0; c < channels; ++c) to[c] = from[c];
            }
            return;
        }
    }
    gather_run(kernels, convert, from, pixel_stride, channel_stride, pixels, channels, to);
}

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

    /// The distance along an axis from the origin to what pixel first + i meets through tap first_tap + tap; -1
    /// outside.
    Index at(std::size_t axis, Index i, Index tap) const {
        const Along& along = along_[axis];
        if (along.table != nullptr && !along.even) return along.table[i * along.taps + tap];
        return tap >= along.low[i] && tap < along.high[i] ? along.base[i] + tap * along.tap_step : -1;
    }
    /// What a line of pixels, whose first is `pixel`, meets through each tap of all axes but the last: the distances
    /// from the origin, to `outer`, -1 outside; how many there are. Both pixels as for enter().
    Index meet_line(const Index* pixel, const Index* first, Index* outer) const;
    /// The taps of a pixel that are inside.
    Index low(std::size_t axis, Index i) const { return along_[axis].low[i]; }
    Index high(std::size_t axis, Index i) const { return along_[axis].high[i]; }
    /// Whether the taps of each pixel are `tap_step` apart, the first of them, inside or not, at `base`.
    bool even(std::size_t axis) const { return along_[axis].even; }
    Index base(std::size_t axis, Index i) const { return along_[axis].base[i]; }
    Index tap_step(std::size_t axis) const { return along_[axis].tap_step; }
    /// The pixels [begin, end) all of whose taps are inside, `pixel_step` apart; none where they are not even.
    Index begin(std::size_t axis) const { return along_[axis].begin; }
    Index end(std::size_t axis) const { return along_[axis].end; }
    Index pixel_step(std::size_t axis) const { return along_[axis].pixel_step; }
    Index taps(std::size_t axis) const { return along_[axis].taps; }
    Index batch_step() const { return batch_step_; }
    /// Whether some pixel of the box meets no pixel of dy through some tap.
    bool clipped() const { return clipped_; }
    const C* origin = nullptr;

  private:
    struct Along {
        Index first, last, first_tap, last_tap;  // what was looked at
        Index taps, step, tap_step, begin, end, pixel_step;
        bool even, clipped;
        Index *low, *high, *base;  // [pixel]
        Index *table, *list;       // [pixel][tap] for what is gathered unevenly; the pixels gathered
        Picked picked;
    };

    void look(const Axis& axis, Along& along, Index step) const;
    void pick(const Axis& axis, Along& along) const;

    const Geometry<dynamic>& g_;
    const Layout& dy_;
    bool gathered_;
    std::size_t axes_;
    Index channels_ = 0, first_image_ = 0, images_ = 0;
    bool clipped_ = false;
    Index batch_step_ = 0;
    Index* at_;     // [axis]
    Along* along_;  // [axis]
    C* panel_;
};

}  // namespace tconv
