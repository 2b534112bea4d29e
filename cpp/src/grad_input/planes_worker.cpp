#include "grad_input/planes_worker.hpp"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "checked.hpp"
#include "dispatch.hpp"
#include "gather.hpp"
#include "layout.hpp"
#include "segments.hpp"

namespace tconv {
namespace {

constexpr Index most_pixels = 2048, least_pixels = 128;  // of a box
constexpr Index most_pairs = 16, few_filters = 4;        // of a group
constexpr Index most_stride = 16, least_vectors = 4;     // of a line, which phases are taken from number by number
constexpr Index most_numbers = 1 << 15;                  // of the planes of a box, where it can be cut small enough
constexpr Index long_line = 256;                         // pixels; a longer one is read again more evenly
constexpr Index most_read_again = 1 << 13;               // that the sums of a line need, by each four channels

Index taps_of(const Geometry<dynamic>& g) {
    Index taps = 1;
    for (const Axis& axis : g.axes) taps *= axis.kernel;
    return taps;
}

/// The lines of dy, along one axis, that some pixels of x are between.
Index span_of(const Axis& axis, Index pixels) {
    return std::min((pixels - 1) * axis.stride + (axis.kernel - 1) * axis.dilation + 1, axis.out);
}

}  // namespace

template <class T>
bool PlanesWork<T>::suits(const Geometry<dynamic>& g, const Layout& x, const Layout& dy, Isa isa) {
    const Index vector = gradient_kernels_for<C>(isa).width / 2;
    const Index channels = g.in_channels / g.groups, filters = g.filters / g.groups;
    for (const Axis& axis : g.axes)  // no more than twice the pixels of dy that are met
        if (axis.stride > 2 * axis.kernel) return false;
    const Axis& inner = g.axes.back();
    if (filters == 0 || inner.in < least_vectors * vector || inner.stride > most_stride ||
        inner.dilation * (inner.kernel - 1) > inner.in * inner.stride)
        return false;
    const Checked met = Checked(taps_of(g) / inner.kernel) * std::min(inner.kernel, inner.stride) *
                        std::min(inner.in, long_line) * filters;
    if (channels > most_plane_channels && (met.overflowed() || met.value() > most_read_again)) return false;
    if (x.axes.back() == 1 && dy.axes.back() == 1) return channels * filters <= most_pairs || filters <= few_filters;
    return g.groups == 1 && 2 * channels <= vector && filters <= most_pairs;
}

template <class T>
PlanesWork<T>::PlanesWork(const Geometry<dynamic>& g_, const Layout& x, const Layout& dy_layout_, const T* dy_data,
                          const T* kernel, T* dx_data, Isa isa)
    : g(g_),
      x_layout(x),
      dy_layout(dy_layout_),
      dy(dy_data),
      dx(dx_data),
      bundle(std::clamp<Index>(few_filters / filters(), 1, g.groups)),
      weights(taps_of(g) * filters() * g.in_channels),
      finite(true),
      phases(2 * g.axes.back().kernel),
      phase_count(0),
      most_shift(0),
      kernels(kernels_for<C>(isa)),
      gradient(gradient_kernels_for<C>(isa)),
      converters(converters_for(isa)) {
    const Axis& inner = g.axes.back();
    for (Index tap = 0; tap < inner.kernel; ++tap) {  // taps of the same remainder share a phase
        const Index remainder = tap * inner.dilation % inner.stride;
        Index same = 0;
        while (same < tap && same * inner.dilation % inner.stride != remainder) ++same;
        phases[2 * tap] = same < tap ? phases[2 * same] : phase_count++;
        phases[2 * tap + 1] = most_shift = tap * inner.dilation / inner.stride;
    }
    cut(most_pixels);
    while (pixels_ > least_pixels && (numbers().overflowed() || numbers().value() > most_numbers)) cut(pixels_ / 2);
    C* to = weights.data();
    for (Index group = 0; group < g.groups; ++group)
        for (Index k = 0; k < taps_of(g) * filters(); ++k, to += channels()) {
            widen(converters, kernel + k * g.in_channels + group * channels(), to, channels());
            finite = finite && std::all_of(to, to + channels(), [](C weight) { return std::isfinite(weight); });
        }
}

template <class T>
void PlanesWork<T>::cut(Index most) {
    pixels_ = most;
    std::vector<Index> extents = extents_of(g, &Axis::in);
    extents.insert(extents.begin(), g.batch);
    std::vector<Index> size = Boxes(extents, most).size();
    size[0] = 1;
    boxes = Boxes(extents, size);
}

template <class T>
Index PlanesWork<T>::width() const {
    return (ceil_div(boxes.size().back() + most_shift, gradient.width) + 1) * gradient.width;
}
template <class T>
Checked PlanesWork<T>::numbers_of_filter() const {
    Checked numbers = Checked(width()) * phase_count;
    for (std::size_t a = 0; a + 1 < g.axes.size(); ++a) numbers = numbers * span_of(g.axes[a], boxes.size()[a + 1]);
    return numbers;
}
template <class T>
Index PlanesWork<T>::bundles() const {
    return ceil_div(g.groups, bundle);
}

template <class T>
bool PlanesWork<T>::shrink() {
    if (pixels_ <= least_pixels) return false;
    cut(pixels_ / 2);
    return true;
}

template <class T>
PlanesWorker<T>::PlanesWorker(const PlanesWork<T>& work, Carver& carver)
    : work_(work), rank_(work.g.axes.size()), in_place_(std::is_same_v<T, C> && work.x_layout.axes.back() == 1) {
    const auto axes = static_cast<Index>(rank_);
    const Index length = work.boxes.size().back();
    width_ = work.width();
    const Checked numbers = work.numbers();
    if (numbers.overflowed()) throw std::bad_alloc();
    filter_step_ = work.numbers_of_filter().value();
    first_ = carver.take<Index>(axes + 1);
    last_ = carver.take<Index>(axes + 1);
    at_ = carver.take<Index>(axes + 1);
    first_line_ = carver.take<Index>(axes);
    lines_ = carver.take<Index>(axes);
    line_ = carver.take<Index>(axes);
    outer_ = carver.take<Index>(taps_of(work.g) / work.g.axes.back().kernel);
    met_ = carver.take<Met>(taps_of(work.g) * work.filters());
    planes_ = carver.take<C>(numbers.value());
    span_ = span_of(work.g.axes.back(), length);
    wide_ = carver.take<C>(!std::is_same_v<T, C> || work.dy_layout.axes.back() > 1 ? span_ * work.filters() : 0);
    low_ = carver.take<Index>(work.phase_count);
    high_ = carver.take<Index>(work.phase_count);
    start_ = carver.take<Index>(work.phase_count);
    sums_ = carver.take<C>(in_place_ ? 0 : work.channels() * length);
}

template <class T>
void PlanesWorker<T>::compute(Index unit) {
    const Index first_group = unit % work_.bundles() * work_.bundle;
    const Index last_group = std::min(first_group + work_.bundle, work_.g.groups), filters = work_.filters();
    work_.boxes.locate(unit / work_.bundles(), first_, last_);
    length_ = last_[rank_] - first_[rank_];
    for (std::size_t a = 0; a + 1 < rank_; ++a) {
        const Axis& axis = work_.g.axes[a];
        const Index first = std::max<Index>(first_[a + 1] * axis.stride - axis.crop, 0);
        const Index last = (last_[a + 1] - 1) * axis.stride + (axis.kernel - 1) * axis.dilation - axis.crop + 1;
        first_line_[a] = first;
        lines_[a] = std::max<Index>(std::min(last, axis.out) - first, 0);
    }
    const Axis& axis = work_.g.axes.back();
    const Index origin = first_[rank_] * axis.stride - axis.crop;  // what the first pixel meets through the first tap
    met_first_ = std::clamp<Index>(origin, 0, axis.out);
    met_last_ = origin + (length_ - 1) * axis.stride + (axis.kernel - 1) * axis.dilation + 1;
    met_last_ = std::clamp(met_last_, met_first_, axis.out);
    for (Index tap = 0, phase = 0; tap < axis.kernel; ++tap) {
        if (work_.phases[2 * tap] < phase) continue;
        const Index start = origin + tap * axis.dilation % axis.stride, count = length_ + work_.most_shift;
        start_[phase] = start;
        low_[phase] = std::clamp<Index>(ceil_div(-start, axis.stride), 0, count);
        high_[phase] = std::clamp<Index>(floor_div(met_last_ - 1 - start, axis.stride) + 1, low_[phase], count);
        ++phase;
    }
    take_lines(first_group * filters, (last_group - first_group) * filters);
    std::copy_n(first_, rank_ + 1, at_);
    do {
        compute_line(first_group, last_group);
    } while (next_line(rank_, first_, last_, at_));
}

/// The lines of dy that the box is between, of some filters, cut into phases.
template <class T>
void PlanesWorker<T>::take_lines(Index first_filter, Index filters) {
    const Layout& layout = work_.dy_layout;
    for (std::size_t a = 0; a + 1 < rank_; ++a)
        if (lines_[a] == 0) return;
    const T* const base = work_.dy + first_[0] * layout.batch + first_filter * layout.channel;
    const Index step = layout.axes.back(), count = met_last_ - met_first_;
    C* to = planes_;
    std::fill_n(line_, rank_, 0);
    for (bool more = true; more; to += work_.phase_count * width_) {
        const T* from = base;
        for (std::size_t a = 0; a + 1 < rank_; ++a) from += (first_line_[a] + line_[a]) * layout.axes[a];
        from += met_first_ * step;
        if (step > 1) turn_line(from, step, count);
        for (Index f = 0; f < filters; ++f) {
            const C* line = wide_ + f * span_;
            if constexpr (std::is_same_v<T, C>) {
                if (step == 1) line = from + f * layout.channel;
            } else if (step == 1) {
                widen(work_.converters, from + f * layout.channel, wide_, count);
                line = wide_;
            }
            take_line(line - met_first_, to + f * filter_step_);
        }
        more = false;
        for (std::size_t a = rank_ - 1; !more && a-- > 0;) {
            more = ++line_[a] < lines_[a];
            if (!more) line_[a] = 0;
        }
    }
}

/// A line whose pixels have their filters side by side, to a line for each filter.
template <class T>
void PlanesWorker<T>::turn_line(const T* from, Index step, Index count) {
    if constexpr (std::is_same_v<T, C>) {
        work_.kernels.turn(from, step, wide_, span_, count, work_.filters());
    } else {
        for (Index i = 0; i < count; ++i, from += step)
            for (Index f = 0; f < work_.filters(); ++f) wide_[f * span_ + i] = tconv::widen(from[f]);
    }
}

/// The phases of a line of dy, zeros outside.
template <class T>
void PlanesWorker<T>::take_line(const C* line, C* to) {
    const Index stride = work_.g.axes.back().stride;
    for (Index phase = 0; phase < work_.phase_count; ++phase, to += width_) {
        const Index low = low_[phase], high = high_[phase];
        const C* const from = line + start_[phase];
        std::fill_n(to, low, C(0));
        if (stride == 1) {
            std::copy(from + low, from + high, to + low);
        } else if (stride == 2) {  // in vectors
            for (Index j = low; j < high; ++j) to[j] = from[j * 2];
        } else {
            for (Index j = low; j < high; ++j) to[j] = from[j * stride];
        }
        std::fill_n(to + high, width_ - high, C(0));
    }
}

template <class T>
void PlanesWorker<T>::compute_line(Index first_group, Index last_group) {
    const std::size_t inner = rank_ - 1;
    const Index taps = work_.g.axes[inner].kernel, filters = work_.filters(), channels = work_.channels();
    Index outer_taps = 1;
    outer_[0] = 0;
    for (std::size_t a = 0; a < inner; ++a) {
        const Axis& axis = work_.g.axes[a];
        for (Index q = outer_taps; q-- > 0;) {  // backwards: in place
            const Index before = outer_[q];
            for (Index tap = axis.kernel; tap-- > 0;) {
                const Index line = at_[a + 1] * axis.stride + tap * axis.dilation - axis.crop;
                const bool inside = before >= 0 && line >= 0 && line < axis.out;
                outer_[q * axis.kernel + tap] = inside ? before * lines_[a] + line - first_line_[a] : -1;
            }
        }
        outer_taps *= axis.kernel;
    }
    Met* met = met_;
    for (Index q = 0; q < outer_taps; ++q) {
        if (outer_[q] < 0) continue;
        for (Index tap = 0; tap < taps; ++tap) {
            const Index phase = work_.phases[2 * tap], shift = work_.phases[2 * tap + 1];
            Index at = (outer_[q] * work_.phase_count + phase) * width_ + shift;
            for (Index f = 0; f < filters; ++f, at += filter_step_) *met++ = {at, (q * taps + tap) * filters + f};
        }
    }
    Planes<C> p{};
    p.met = met_;
    p.numbers = met - met_;
    p.channels = channels;
    p.pixels = length_;
    // Four channels times three vectors, or three times four: what the line has more full ones of.
    const Index vectors = std::max<Index>(length_ / (work_.gradient.width / 2), 1);
    const Index most = 4 * ceil_div(vectors, 4) < 3 * ceil_div(vectors, 3) ? 3 : 4;
    const Index blocks = ceil_div(channels, most);
    for (Index group = first_group; group < last_group; ++group) {
        p.from = planes_ + (group - first_group) * filters * filter_step_;
        p.weights = work_.weights.data() + group * taps_of(work_.g) * filters * channels;
        p.to = sums_;
        p.to_step = length_;
        if constexpr (std::is_same_v<T, C>) {
            if (in_place_) {
                p.to = line_of_x(group * channels);
                p.to_step = work_.x_layout.channel;
            }
        }
        for (Index block = 0, c = 0; block < blocks; ++block) {
            const Index some = block < channels % blocks ? channels / blocks + 1 : channels / blocks;
            work_.gradient.planes[some - 1](p, c);
            c += some;
        }
        if (!in_place_) store(group);
    }
}

template <class T>
T* PlanesWorker<T>::line_of_x(Index channel) const {
    const Layout& layout = work_.x_layout;
    Index offset = at_[0] * layout.batch + channel * layout.channel;
    for (std::size_t a = 0; a < rank_; ++a) offset += at_[a + 1] * layout.axes[a];
    return work_.dx + offset;
}

template <class T>
void PlanesWorker<T>::store(Index group) {
    const Layout& layout = work_.x_layout;
    const Index channels = work_.channels(), step = layout.axes.back();
    T* const to = line_of_x(group * channels);
    for (Index c = 0; c < channels; ++c) {
        if (step == 1) {
            narrow(work_.converters, sums_ + c * length_, to + c * layout.channel, length_);
        } else {
            for (Index i = 0; i < length_; ++i) to[c * layout.channel + i * step] = narrow<T>(sums_[c * length_ + i]);
        }
    }
}

template struct PlanesWork<float>;
template struct PlanesWork<double>;
template struct PlanesWork<float16>;
template struct PlanesWork<bfloat16>;
template class PlanesWorker<float>;
template class PlanesWorker<double>;
template class PlanesWorker<float16>;
template class PlanesWorker<bfloat16>;

}  // namespace tconv
