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
    at_ = carver.take<Index>(axes);
    along_ = carver.take<Along>(axes);
    Checked numbers = Checked(box[0]) * channels;
    for (std::size_t a = 0; a < axes_; ++a) {
        const Axis& axis = g.axes[a];
        const Index length = box[a + 1], met = length * taps[a];
        Along along{};
        along.low = carver.take<Index>(length);
        along.high = carver.take<Index>(length);
        along.base = carver.take<Index>(length);
        along.table = gathered ? carver.take<Index>(met) : nullptr;
        along.list = gathered ? carver.take<Index>(met) : nullptr;
        if (along_ != nullptr) along_[a] = along;
        const Index span = (length - 1) * axis.stride + (taps[a] - 1) * axis.dilation + 1;
        numbers = numbers * std::min({span, 2 * met, axis.out});
    }
    if (numbers.overflowed()) throw std::bad_alloc();
    panel_ = carver.take<C>(gathered ? numbers.value() : 0);
}

/// The pixels of dy that are met along an axis: a run where that is dense, else a list.
template <class T>
void Reach<T>::pick(const Axis& axis, Along& along) const {
    const auto met = [&axis](Index i, Index tap) { return i * axis.stride + tap * axis.dilation - axis.crop; };
    const Index low = std::max<Index>(met(along.first, along.first_tap), 0);
    const Index high = std::min(met(along.last - 1, along.last_tap - 1), axis.out - 1);
    along.picked = {low, std::max<Index>(high - low + 1, 0), nullptr};
    if (along.picked.count <= 2 * (along.last - along.first) * along.taps) return;
    Index count = 0;
    for (Index i = along.first; i < along.last; ++i)
        for (Index tap = along.first_tap; tap < along.last_tap; ++tap) {
            const Index o = met(i, tap);
            if (o >= 0 && o < axis.out) along.list[count++] = o;
        }
    std::sort(along.list, along.list + count);
    count = std::unique(along.list, along.list + count) - along.list;
    along.picked = {0, count, along.list};
}

/// What the pixels [first, last) meet through the taps [first_tap, last_tap) of an axis.
template <class T>
void Reach<T>::look(const Axis& axis, Along& along, Index step) const {
    along.step = step;
    along.tap_step = axis.dilation * step;
    along.clipped = false;
    along.picked = {0, axis.out, nullptr};
    if (gathered_) pick(axis, along);
    along.even = along.picked.list == nullptr || axis.dilation == 1 || along.taps == 1;
    if (along.picked.list != nullptr) along.tap_step = step;
    const Index length = along.last - along.first;
    const Index origin = along.first * axis.stride + along.first_tap * axis.dilation - axis.crop;
    const Index end = origin + (length - 1) * axis.stride + (along.taps - 1) * axis.dilation;
    if (along.picked.list == nullptr && length > 0 && along.taps > 0 && origin >= 0 && end < axis.out) {
        std::fill_n(along.low, length, 0);
        std::fill_n(along.high, length, along.taps);
        along.pixel_step = axis.stride * step;
        for (Index i = 0; i < length; ++i) along.base[i] = along.picked.position(origin) * step + i * along.pixel_step;
        along.begin = 0;
        along.end = length;
        if (length == 1) along.pixel_step = 0;
        return;
    }
    Index* table = along.table;
    for (Index i = 0; i < length; ++i) {
        const Index o = (along.first + i) * axis.stride + along.first_tap * axis.dilation - axis.crop;
        const auto inside = [&](Index tap) {
            return o + tap * axis.dilation >= 0 && o + tap * axis.dilation < axis.out;
        };
        Index low = 0, high = along.taps;
        if (!inside(0) || !inside(along.taps - 1)) {
            low = std::clamp<Index>(ceil_div(-o, axis.dilation), 0, along.taps);
            high = std::clamp<Index>(floor_div(axis.out - 1 - o, axis.dilation) + 1, low, along.taps);
        }
        along.low[i] = low;
        along.high[i] = high;
        along.base[i] = 0;
        if (low < high) along.base[i] = along.picked.position(o + low * axis.dilation) * step - low * along.tap_step;
        along.clipped = along.clipped || high - low < along.taps;
        if (along.even) continue;
        for (Index tap = 0; tap < along.taps; ++tap)
            *table++ = inside(tap) ? along.picked.position(o + tap * axis.dilation) * step : -1;
    }

    const auto whole = [&along](Index i) { return along.low[i] == 0 && along.high[i] == along.taps; };
    along.begin = 0;
    while (along.begin < length && !whole(along.begin)) ++along.begin;
    along.end = along.begin;
    while (along.end < length && whole(along.end)) ++along.end;
    along.pixel_step = along.end - along.begin > 1 ? along.base[along.begin + 1] - along.base[along.begin] : 0;
    bool even = along.even;
    for (Index i = along.begin + 1; i < along.end; ++i)
        even = even && along.base[i] - along.base[i - 1] == along.pixel_step;
    if (!even) along.begin = along.end = 0;
}

template <class T>
void Reach<T>::enter(const Index* first, const Index* last, const Index* first_tap, const Index* last_tap,
                     Index channels) {
    channels_ = channels;
    first_image_ = first[0];
    images_ = last[0] - first[0];
    clipped_ = false;
    Index gathered_step = channels;
    for (std::size_t a = axes_; a-- > 0;) {
        Along& along = along_[a];
        const Index step = gathered_ ? gathered_step : dy_.axes[a];
        const bool same = along.taps > 0 && along.first == first[a + 1] && along.last == last[a + 1] &&
                          along.first_tap == first_tap[a] && along.last_tap == last_tap[a] && along.step == step;
        if (!same) {
            along.first = first[a + 1];
            along.last = last[a + 1];
            along.first_tap = first_tap[a];
            along.last_tap = last_tap[a];
            along.taps = last_tap[a] - first_tap[a];
            look(g_.axes[a], along, step);
        }
        clipped_ = clipped_ || along.clipped;
        gathered_step *= along.picked.count;
    }
    batch_step_ = gathered_ ? gathered_step : dy_.batch;
}

template <class T>
Index Reach<T>::meet_line(const Index* pixel, const Index* first, Index* outer) const {
    Index count = 1;
    outer[0] = (pixel[0] - first[0]) * batch_step_;
    for (std::size_t a = 0; a + 1 < axes_; ++a) {
        const Index taps = along_[a].taps, i = pixel[a + 1] - first[a + 1];
        for (Index q = count; q-- > 0;) {  // backwards: in place
            const Index before = outer[q];
            for (Index tap = taps; tap-- > 0;) {
                const Index met = at(a, i, tap);
                outer[q * taps + tap] = before < 0 || met < 0 ? -1 : before + met;
            }
        }
        count *= taps;
    }
    return count;
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
    const Picked& line = along_[inner].picked;
    C* to = panel_;
    std::fill_n(at_, axes_, 0);
    for (Index n = first_image_; n < first_image_ + images_; ++n) {
        for (bool more = true; more;) {
            Index offset = n * dy_.batch;
            for (std::size_t a = 0; a < inner; ++a) offset += along_[a].picked.at(at_[a]) * dy_.axes[a];
            for (Index p = 0; p < line.count;) {
                Index run = line.list == nullptr ? line.count : 1;
                while (p + run < line.count && line.at(p + run) == line.at(p) + run) ++run;
                gather_pixels(kernels, converters, from + offset + line.at(p) * dy_.axes[inner], dy_.axes[inner],
                              dy_.channel * channel_step, run, channels_, to);
                to += run * channels_;
                p += run;
            }
            more = false;
            for (std::size_t a = inner; a-- > 0;) {
                if (++at_[a] < along_[a].picked.count) {
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
