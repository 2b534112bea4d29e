#include "grad_input/taps_worker.hpp"

#include <algorithm>
#include <type_traits>

#include "checked.hpp"
#include "dispatch.hpp"
#include "layout.hpp"
#include "segments.hpp"

namespace tconv {
namespace {

constexpr Index most_pixels = 512, least_pixels = 64;  // of a box

Index taps_of(const Geometry<dynamic>& g) {
    Index taps = 1;
    for (const Axis& axis : g.axes) taps *= axis.kernel;
    return taps;
}

}  // namespace

template <class T>
TapsWork<T>::TapsWork(const Geometry<dynamic>& g_, const Layout& x, const Layout& dy_layout_, const T* dy_data,
                      const T* kernel, T* dx_data, Isa isa)
    : g(g_),
      x_layout(x),
      dy_layout(dy_layout_),
      dy(dy_data),
      dx(dx_data),
      gathered(!std::is_same_v<T, compute_t<T>> || dy_layout.channel != 1 || filters() > 1),
      groups_of_unit(g.groups),
      weights(taps_of(g) * filters() * g.in_channels),
      kernels(kernels_for<compute_t<T>>(isa)),
      gradient(gradient_kernels_for<compute_t<T>>(isa)),
      converters(converters_for(isa)) {
    cut(most_pixels);
    compute_t<T>* to = weights.data();
    for (Index pair = 0; pair < taps_of(g) * filters(); ++pair, kernel += g.in_channels)
        for (Index c = 0; c < channels(); ++c)
            for (Index group = 0; group < g.groups; ++group) *to++ = widen(kernel[group * channels() + c]);
}

template <class T>
void TapsWork<T>::cut(Index most) {
    pixels_ = most;
    std::vector<Index> extents = extents_of(g, &Axis::in);
    extents.insert(extents.begin(), g.batch);
    boxes = Boxes(extents, most);
}

template <class T>
Index TapsWork<T>::bundles() const {
    return ceil_div(g.groups, groups_of_unit);
}

template <class T>
bool TapsWork<T>::shrink() {
    if (pixels_ > least_pixels) {
        cut(pixels_ / 2);
    } else if (groups_of_unit > gradient.width) {
        groups_of_unit = ceil_div(ceil_div(groups_of_unit, 2), gradient.width) * gradient.width;
    } else {
        return false;
    }
    return true;
}

template <class T>
TapsWorker<T>::TapsWorker(const TapsWork<T>& work, Carver& carver)
    : work_(work),
      rank_(work.g.axes.size()),
      reach_(work.g, work.dy_layout, work.gathered, work.boxes.size(), extents_of(work.g, &Axis::kernel),
             work.groups_of_unit, carver),
      in_place_(std::is_same_v<T, C> && work.x_layout.channel == 1 && work.channels() == 1) {
    const auto axes = static_cast<Index>(rank_);
    const Index taps = taps_of(work.g);
    first_ = carver.take<Index>(axes + 1);
    last_ = carver.take<Index>(axes + 1);
    at_ = carver.take<Index>(axes + 1);
    no_taps_ = carver.take<Index>(axes);
    all_taps_ = carver.take<Index>(axes);
    outer_ = carver.take<Index>(taps / work.g.axes.back().kernel);
    runs_ = carver.take<TapRun>(taps);
    sums_ = carver.take<C>(in_place_ ? 0 : work.boxes.points() * work.groups_of_unit);
    if (no_taps_ == nullptr) return;
    std::fill_n(no_taps_, rank_, 0);
    for (std::size_t a = 0; a < rank_; ++a) all_taps_[a] = work.g.axes[a].kernel;
}

template <class T>
void TapsWorker<T>::compute(Index unit) {
    first_group_ = unit % work_.bundles() * work_.groups_of_unit;
    groups_ = std::min(work_.groups_of_unit, work_.g.groups - first_group_);
    work_.boxes.locate(unit / work_.bundles(), first_, last_);
    length_ = last_[rank_] - first_[rank_];
    reach_.enter(first_, last_, no_taps_, all_taps_, groups_);
    for (Index c = 0; c < work_.channels(); ++c) {
        for (Index f = 0; f < work_.filters(); ++f) {
            if (c == 0 || work_.filters() > 1) {
                reach_.take(work_.kernels, work_.converters,
                            work_.dy + (first_group_ * work_.filters() + f) * work_.dy_layout.channel, work_.filters());
            }
            Index line = 0;
            std::copy_n(first_, rank_ + 1, at_);
            do {
                if constexpr (std::is_same_v<T, C>) {
                    if (in_place_) {
                        add_line(line_of_x(c), work_.x_layout.axes.back(), c, f);
                        continue;
                    }
                }
                add_line(sums_ + line++ * length_ * groups_, groups_, c, f);
            } while (next_line(rank_, first_, last_, at_));
        }
        if (!in_place_) store(c);
    }
}

template <class T>
T* TapsWorker<T>::line_of_x(Index channel) const {
    const Layout& layout = work_.x_layout;
    Index offset = (first_group_ * work_.channels() + channel) * layout.channel + at_[0] * layout.batch;
    for (std::size_t a = 0; a < rank_; ++a) offset += at_[a + 1] * layout.axes[a];
    return work_.dx + offset;
}

/// The sums of a line of pixels, of one channel and one filter of each group.
template <class T>
void TapsWorker<T>::add_line(C* c, Index c_step, Index channel, Index filter) {
    const std::size_t inner = rank_ - 1;
    reach_.meet_line(at_, first_, outer_);
    const Index begin = reach_.begin(inner), end = reach_.end(inner);
    for (Index i = 0; i < length_; ++i) {
        if (i == begin && begin < end) {
            add_pixels(i, end - begin, reach_.pixel_step(inner), c + i * c_step, c_step, channel, filter);
            i = end - 1;
        } else {
            add_pixels(i, 1, 0, c + i * c_step, c_step, channel, filter);
        }
    }
}

/// What some pixels, `step` apart in dy, meet through the same taps. Those of the last axis that a stride is between
/// follow each other: where that is as far as it is to the next pixel, they are one run. The order is that of all
/// pixels.
template <class T>
void TapsWorker<T>::find_runs(Index pixel, Index step, Index channel, Index filter) {
    const std::size_t inner = rank_ - 1;
    const Axis& axis = work_.g.axes[inner];
    const Index taps = axis.kernel, outer_taps = taps_of(work_.g) / taps;
    const Index jump = axis.stride % axis.dilation == 0 ? std::min(axis.stride / axis.dilation, taps) : taps;
    const Index low = reach_.low(inner, pixel), high = reach_.high(inner, pixel);
    run_count_ = 0;
    for (Index q = 0; q < outer_taps; ++q) {
        if (outer_[q] < 0) continue;
        for (Index first = 0; first < jump; ++first) {
            TapRun* run = nullptr;
            for (Index tap = first; tap < high; tap += jump) {
                if (tap < low) continue;
                const Index at = outer_[q] + reach_.at(inner, pixel, tap);
                if (run != nullptr && run->taps < most_tap_run && at == run->dy_at + run->taps * step) {
                    ++run->taps;
                    continue;
                }
                run = runs_ + run_count_++;
                *run = {at,
                        (((q * taps + tap) * work_.filters() + filter) * work_.channels() + channel) * work_.g.groups,
                        1};
            }
        }
    }
}

/// The same for some pixels that go evenly through the same taps.
template <class T>
void TapsWorker<T>::add_pixels(Index first, Index count, Index step, C* c, Index c_step, Index channel, Index filter) {
    const Axis& axis = work_.g.axes.back();
    find_runs(first, step, channel, filter);
    Taps<C> t{};
    t.dy = reach_.origin;
    t.dy_step = step;
    t.weights = work_.weights.data() + first_group_;
    t.weights_step = axis.stride / axis.dilation * work_.filters() * work_.channels() * work_.g.groups;
    t.runs = runs_;
    t.run_count = run_count_;
    t.pixels = count;
    t.channels = groups_;
    t.c = c;
    t.c_step = c_step;
    t.load = filter > 0;
    work_.gradient.taps(t);
}

/// The sums of a channel of each group to where they belong.
template <class T>
void TapsWorker<T>::store(Index channel) {
    const Index step = work_.x_layout.axes.back(), group_step = work_.x_layout.channel * work_.channels();
    const C* from = sums_;
    std::copy_n(first_, rank_ + 1, at_);
    do {
        T* to = line_of_x(channel);
        if constexpr (std::is_same_v<T, C>) {
            if (step == 1) {
                work_.kernels.turn(from, groups_, to, group_step, length_, groups_);
                from += length_ * groups_;
                continue;
            }
        }
        for (Index i = 0; i < length_; ++i, from += groups_) {
            if (group_step == 1) {
                narrow(work_.converters, from, to + i * step, groups_);
            } else {
                for (Index group = 0; group < groups_; ++group)
                    to[i * step + group * group_step] = narrow<T>(from[group]);
            }
        }
    } while (next_line(rank_, first_, last_, at_));
}

template struct TapsWork<float>;
template struct TapsWork<double>;
template struct TapsWork<float16>;
template struct TapsWork<bfloat16>;
template class TapsWorker<float>;
template class TapsWorker<double>;
template class TapsWorker<float16>;
template class TapsWorker<bfloat16>;

}  // namespace tconv
