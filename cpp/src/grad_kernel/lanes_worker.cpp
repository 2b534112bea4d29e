#include "grad_kernel/lanes_worker.hpp"

#include <algorithm>
#include <type_traits>

#include "checked.hpp"

namespace tconv {

template <class T>
Index LanesWork<T>::bundles() const {
    return ceil_div(lanes, lanes_of_unit);
}

template <class T>
bool LanesWork<T>::shrink() {
    if (lanes_of_unit <= gradient.width) return false;
    lanes_of_unit = ceil_div(ceil_div(lanes_of_unit, 2), gradient.width) * gradient.width;
    return true;
}

template <class T>
LanesWorker<T>::LanesWorker(const LanesWork<T>& work, Carver& carver)
    : work_(work),
      order_(work.sums),
      rank_(work.sums.g.axes.size()),
      reach_(work.sums.g, work.dy_layout, work.gathered, order_.boxes.size(), extents_of(work.sums.g, &Axis::kernel),
             work.lanes_of_unit, carver) {
    const auto axes = static_cast<Index>(rank_);
    const Index sums = order_.taps * order_.filters * work.channels * work.lanes_of_unit;
    no_taps_ = carver.take<Index>(axes);
    all_taps_ = carver.take<Index>(axes);
    first_ = carver.take<Index>(axes + 1);
    last_ = carver.take<Index>(axes + 1);
    at_ = carver.take<Index>(axes + 1);
    runs_ = carver.take<Run>(order_.boxes.size().back() * order_.g.axes.back().kernel);
    x_ = carver.take<C>(work.gathered ? order_.boxes.points() * work.channels * work.lanes_of_unit : 0);
    sums_ = carver.take<C>(sums);
    totals_ = carver.take<double>(sums);
    if (no_taps_ == nullptr) return;
    std::fill_n(no_taps_, rank_, 0);
    for (std::size_t a = 0; a < rank_; ++a) all_taps_[a] = order_.g.axes[a].kernel;
}

template <class T>
void LanesWorker<T>::compute(Index unit) {
    part_ = unit / work_.bundles();
    first_lane_ = unit % work_.bundles() * work_.lanes_of_unit;
    lanes_ = std::min(work_.lanes_of_unit, work_.lanes - first_lane_);
    const Index all = order_.taps * order_.filters * work_.channels * lanes_;
    std::fill_n(totals_, all, 0.0);
    for (Index box = order_.first_box(part_); box < order_.first_box(part_ + 1); ++box) {
        std::fill_n(sums_, all, C(0));
        add_box(box);
        for (Index i = 0; i < all; ++i) totals_[i] += static_cast<double>(sums_[i]);
    }
    // [tap][filter][channel][group] -> [tap][filter][group][channel]
    C* to = work_.results + part_ * order_.numbers() + first_lane_ * work_.channels;
    const double* from = totals_;
    for (Index line = 0; line < order_.taps * order_.filters; ++line, to += order_.g.in_channels)
        for (Index c = 0; c < work_.channels; ++c, from += lanes_)
            for (Index g = 0; g < lanes_; ++g) to[g * work_.channels + c] = static_cast<C>(from[g]);
}

template <class T>
void LanesWorker<T>::add_box(Index box) {
    order_.boxes.locate(box, first_, last_);
    length_ = last_[rank_] - first_[rank_];
    reach_.enter(first_, last_, no_taps_, all_taps_, lanes_);
    find_runs();
    const Index plane = work_.gathered ? gather_x() : 0;
    for (Index f = 0; f < order_.filters; ++f) {
        reach_.take(work_.kernels, work_.converters,
                    work_.dy + (work_.shared ? f : first_lane_ * order_.filters + f) * work_.dy_layout.channel,
                    order_.filters);
        for (Index c = 0; c < work_.channels; ++c) {
            add_lines(c * plane, f * work_.channels + c);
        }
    }
}

/// The box of x as [channel of a group][pixel][group]; returns a channel's size.
template <class T>
Index LanesWorker<T>::gather_x() {
    Index pixels = 1;
    for (std::size_t a = 0; a <= rank_; ++a) pixels *= last_[a] - first_[a];
    const Layout& layout = work_.x_layout;
    for (Index c = 0; c < work_.channels; ++c) {
        const T* from = work_.x + (first_lane_ * work_.channels + c) * layout.channel;
        C* to = x_ + c * pixels * lanes_;
        std::copy_n(first_, rank_ + 1, at_);
        for (bool more = true; more; to += length_ * lanes_) {
            Index offset = at_[0] * layout.batch;
            for (std::size_t a = 0; a < rank_; ++a) offset += at_[a + 1] * layout.axes[a];
            gather_run(work_.kernels, work_.converters, from + offset, layout.axes.back(),
                       layout.channel * work_.channels, length_, lanes_, to);
            more = false;
            for (std::size_t a = rank_; a-- > 0;) {
                if (++at_[a] < last_[a]) {
                    more = true;
                    break;
                }
                at_[a] = first_[a];
            }
        }
    }
    return pixels * lanes_;
}

/// Cuts what a line of pixels meets along the last axis into runs: evenly spaced in dy, for several taps at once
/// where all of them are inside.
template <class T>
void LanesWorker<T>::find_runs() {
    const std::size_t inner = rank_ - 1;
    const Index taps = all_taps_[inner];
    const auto at = [this, inner](Index i, Index tap) { return reach_.at(inner, i, tap); };
    const auto even = [at](Index i, Index tap, Index some, Index tap_step) {
        bool all = at(i, tap) >= 0;
        for (Index t = tap + 1; t < tap + some; ++t) all = all && at(i, t) >= 0 && at(i, t) - at(i, t - 1) == tap_step;
        return all;
    };
    run_count_ = 0;
    if (length_ > 1 && reach_.even(inner) && reach_.begin(inner) == 0 && reach_.end(inner) == length_) {
        for (Index tap = 0; tap < taps; tap += most_lane_taps)
            runs_[run_count_++] = {0,
                                   length_,
                                   tap,
                                   std::min(most_lane_taps, taps - tap),
                                   reach_.base(inner, 0) + tap * reach_.tap_step(inner),
                                   reach_.pixel_step(inner),
                                   reach_.tap_step(inner)};
        return;
    }
    const auto add_runs = [&](Index tap, Index some, Index first, Index last) {
        for (Index i = first; i < last;) {
            const Index tap_step = some > 1 ? at(i, tap + 1) - at(i, tap) : 0;
            if (!even(i, tap, some, tap_step)) return i;
            Run run{i, 1, tap, some, at(i, tap), i + 1 < last ? at(i + 1, tap) - at(i, tap) : 0, tap_step};
            for (Index next = i + 1; next < last; ++next, ++run.count) {
                if (!even(next, tap, some, tap_step) || at(next, tap) - at(next - 1, tap) != run.step) break;
            }
            runs_[run_count_++] = run;
            i += run.count;
        }
        return last;
    };
    for (Index tap = 0; tap < taps; tap += most_lane_taps) {
        const Index some = std::min(most_lane_taps, taps - tap);
        for (Index i = 0; i < length_;) {
            i = add_runs(tap, some, i, length_);
            if (i == length_) break;
            for (Index t = tap; t < tap + some; ++t) add_runs(t, 1, i, i + 1);
            ++i;
        }
    }
}

/// Adds the products of one channel and one filter of every group, line by line.
template <class T>
void LanesWorker<T>::add_lines(Index plane, Index pair) {
    const std::size_t inner = rank_ - 1;
    const Index inner_taps = all_taps_[inner], outer_taps = order_.taps / inner_taps;
    const Index pairs = order_.filters * work_.channels;
    const C* x_line = nullptr;
    if (work_.gathered) {
        x_line = x_ + plane;
    } else if constexpr (std::is_same_v<T, C>) {
        x_line = work_.x + first_lane_;
    }
    Lanes<C> l{};
    l.x_step = work_.gathered ? lanes_ : work_.x_layout.axes.back();
    l.channels = lanes_;
    l.sums_step = pairs * lanes_;
    std::copy_n(first_, rank_ + 1, at_);
    for (bool more = true; more;) {
        const C* x = x_line;
        if (work_.gathered) {
            x_line += length_ * lanes_;
        } else {
            x += at_[0] * work_.x_layout.batch;
            for (std::size_t a = 0; a < rank_; ++a) x += at_[a + 1] * work_.x_layout.axes[a];
        }
        for (Index q = 0; q < outer_taps; ++q) {
            Index dy = (at_[0] - first_[0]) * reach_.batch_step(), rest = q;
            for (std::size_t a = inner; a-- > 0;) {
                const Index taps = all_taps_[a];
                const Index at = reach_.at(a, at_[a + 1] - first_[a + 1], rest % taps);
                rest /= taps;
                dy = at < 0 || dy < 0 ? -1 : dy + at;
            }
            if (dy < 0) continue;
            for (Index r = 0; r < run_count_; ++r) {
                const Run& run = runs_[r];
                l.x = x + run.first * l.x_step;
                l.dy = reach_.origin + dy + run.at;
                l.dy_step = run.step;
                l.tap_step = run.tap_step;
                l.pixels = run.count;
                l.sums = sums_ + ((q * inner_taps + run.tap) * pairs + pair) * lanes_;
                (work_.shared ? work_.gradient.shared_lanes : work_.gradient.lanes)[run.taps - 1](l);
            }
        }
        more = false;
        for (std::size_t a = rank_; a-- > 0;) {
            if (++at_[a] < last_[a]) {
                more = true;
                break;
            }
            at_[a] = first_[a];
        }
    }
}

template struct LanesWork<float>;
template struct LanesWork<double>;
template struct LanesWork<float16>;
template struct LanesWork<bfloat16>;
template class LanesWorker<float>;
template class LanesWorker<double>;
template class LanesWorker<float16>;
template class LanesWorker<bfloat16>;

}  // namespace tconv
