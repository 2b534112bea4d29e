#include "reach.hpp"

#include <algorithm>
#include <new>
#include <type_traits>

#include "checked.hpp"

namespace tconv {

template <class T>
Reach<T>::Reach(const Geometry<dynamic>& g, const Layout& dy, bool gathered, const std::vector<Index>& box,
                const std::vector<Index>& taps, Index channels, Carver& carver)
    : g_(g), dy_(dy), gathered_(gathered), axes_(g.axes.size()) {
    const auto axes = static_cast<Index>(axes_);
    steps_ = carver.take<Index>(axes);
    taps_ = carver.take<Index>(axes);
    at_ = carver.take<Index>(axes);
    tables_ = carver.take<Index*>(axes);
    lists_ = carver.take<Index*>(axes);
    picked_ = carver.take<Picked>(axes);
    Checked numbers = Checked(box[0]) * channels;
    for (std::size_t a = 0; a < axes_; ++a) {
        const Axis& axis = g.axes[a];
        const Index met = box[a + 1] * taps[a];
        Index* table = carver.take<Index>(met);
        Index* list = carver.take<Index>(gathered ? met : 0);
        if (tables_ != nullptr) {
            tables_[a] = table;
            lists_[a] = list;
        }
        const Index span = (box[a + 1] - 1) * axis.stride + (taps[a] - 1) * axis.dilation + 1;
        numbers = numbers * std::min({span, 2 * met, axis.out});
    }
    if (numbers.overflowed()) throw std::bad_alloc();
    panel_ = carver.take<C>(gathered ? numbers.value() : 0);
}

/// The pixels of dy that are met along an axis: a run where that is dense, else a list.
template <class T>
void Reach<T>::pick(std::size_t a, const Index* first, const Index* last, const Index* first_tap,
                    const Index* last_tap) {
    const Axis& axis = g_.axes[a];
    const auto met = [&axis](Index i, Index tap) { return i * axis.stride + tap * axis.dilation - axis.crop; };
    const Index low = std::max<Index>(met(first[a + 1], first_tap[a]), 0);
    const Index high = std::min(met(last[a + 1] - 1, last_tap[a] - 1), axis.out - 1);
    picked_[a] = {low, std::max<Index>(high - low + 1, 0), nullptr};
    if (picked_[a].count <= 2 * (last[a + 1] - first[a + 1]) * taps_[a]) return;
    Index count = 0;
    for (Index i = first[a + 1]; i < last[a + 1]; ++i)
        for (Index tap = first_tap[a]; tap < last_tap[a]; ++tap) {
            const Index o = met(i, tap);
            if (o >= 0 && o < axis.out) lists_[a][count++] = o;
        }
    std::sort(lists_[a], lists_[a] + count);
    count = std::unique(lists_[a], lists_[a] + count) - lists_[a];
    picked_[a] = {0, count, lists_[a]};
}

template <class T>
void Reach<T>::enter(const Index* first, const Index* last, const Index* first_tap, const Index* last_tap,
                     Index channels) {
    channels_ = channels;
    first_image_ = first[0];
    images_ = last[0] - first[0];
    clipped_ = false;
    Index step = channels;
    for (std::size_t a = axes_; a-- > 0;) {
        const Axis& axis = g_.axes[a];
        taps_[a] = last_tap[a] - first_tap[a];
        if (gathered_) pick(a, first, last, first_tap, last_tap);
        steps_[a] = gathered_ ? step : dy_.axes[a];
        Index* table = tables_[a];
        for (Index i = first[a + 1]; i < last[a + 1]; ++i) {
            Index o = i * axis.stride + first_tap[a] * axis.dilation - axis.crop;
            for (Index tap = first_tap[a]; tap < last_tap[a]; ++tap, o += axis.dilation) {
                const bool inside = o >= 0 && o < axis.out;
                *table++ = !inside ? -1 : (gathered_ ? picked_[a].position(o) : o) * steps_[a];
                clipped_ = clipped_ || !inside;
            }
        }
        if (gathered_) step *= picked_[a].count;
    }
    batch_step_ = gathered_ ? step : dy_.batch;
}

template <class T>
void Reach<T>::take(const Kernels<C>& kernels, const Converters& converters, const T* from, Index channel_step) {
    if (!gathered_) {
        if constexpr (std::is_same_v<T, C>) origin = from + first_image_ * dy_.batch;
        return;
    }
    origin = panel_;
    if (batch_step_ == 0) return;
    const std::size_t inner = axes_ - 1;
    const Picked& line = picked_[inner];
    C* to = panel_;
    std::fill_n(at_, axes_, 0);
    for (Index n = first_image_; n < first_image_ + images_; ++n) {
        for (bool more = true; more;) {
            Index offset = n * dy_.batch;
            for (std::size_t a = 0; a < inner; ++a) offset += picked_[a].at(at_[a]) * dy_.axes[a];
            for (Index p = 0; p < line.count;) {
                Index run = line.list == nullptr ? line.count : 1;
                while (p + run < line.count && line.at(p + run) == line.at(p) + run) ++run;
                gather_run(kernels, converters, from + offset + line.at(p) * dy_.axes[inner], dy_.axes[inner],
                           dy_.channel * channel_step, run, channels_, to);
                to += run * channels_;
                p += run;
            }
            more = false;
            for (std::size_t a = inner; a-- > 0;) {
                if (++at_[a] < picked_[a].count) {
                    more = true;
                    break;
                }
                at_[a] = 0;
            }
        }
    }
}

template class Reach<float>;
template class Reach<double>;
template class Reach<float16>;
template class Reach<bfloat16>;

}  // namespace tconv
