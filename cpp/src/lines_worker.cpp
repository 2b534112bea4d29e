#include "lines_worker.hpp"

#include <algorithm>
#include <type_traits>

#include "checked.hpp"
#include "dispatch.hpp"
#include "kernel_sums.hpp"

namespace tconv {
namespace {

constexpr Index most_rows = 96, least_rows = 24;  // of a box
constexpr Index most_numbers = 320;               // of a line at once: a panel stays in the first cache
constexpr Index most_sums = 1 << 17;
constexpr Index bundle_channels = 64;

}  // namespace

template <class T>
LinesWork<T>::LinesWork(const Geometry<dynamic>& g_, const Layout& x, const Layout& dy_layout_, const T* dy_data,
                        T* dx_data, const KernelPanels<T>& panels_, Isa isa)
    : g(g_),
      x_layout(x),
      dy_layout(dy_layout_),
      dy(dy_data),
      dx(dx_data),
      // A few channels of each pixel share neither cache lines nor, often, the sets of a cache.
      gathered(!std::is_same_v<T, compute_t<T>> || dy_layout.channel != 1 ||
               (g.groups > 1 && filters() <= bundle_channels)),
      bundle(gathered
                 ? std::clamp<Index>(bundle_channels / std::max<Index>(std::max(filters(), channels()), 1), 1, g.groups)
                 : 1),
      slice(panels_.blocks()),
      panels(panels_),
      kernels(kernels_for<compute_t<T>>(isa)),
      gradient(gradient_kernels_for<compute_t<T>>(isa)),
      converters(converters_for(isa)) {
    cut(most_rows);
    while (bundle == 1 && slice > 1 && slice * gradient.width * boxes.points() > most_sums) slice = ceil_div(slice, 2);
}

template <class T>
void LinesWork<T>::cut(Index most) {
    rows_ = most;
    std::vector<Index> extents = extents_of(g, &Axis::in);
    extents.insert(extents.begin(), g.batch);
    boxes = Boxes(extents, most);
}

template <class T>
Index LinesWork<T>::bundles() const {
    return ceil_div(g.groups, bundle);
}
template <class T>
Index LinesWork<T>::slices() const {
    return ceil_div(panels.blocks(), slice);
}
template <class T>
Index LinesWork<T>::step() const {
    return panels.pairs() == 0 ? 1 : ceil_div(panels.pairs(), ceil_div(panels.pairs(), most_numbers));
}

template <class T>
bool LinesWork<T>::shrink() {
    if (rows_ > least_rows) {
        cut(std::max(rows_ / 2, least_rows));
    } else if (bundle > 1) {
        bundle = ceil_div(bundle, 2);
    } else if (slice > 4) {
        slice = ceil_div(slice, 2);
    } else {
        return false;
    }
    return true;
}

template <class T>
LinesWorker<T>::LinesWorker(const LinesWork<T>& work, Carver& carver)
    : work_(work),
      rank_(work.g.axes.size()),
      line_stride_(work.step() + 16),  // lines don't share the sets of a cache
      c_stride_(work.slice * work.gradient.width),
      segments_(work.g, work.dy_layout, work.gathered, work.boxes.size(), extents_of(work.g, &Axis::kernel),
                work.bundle * work.filters(), carver) {
    const auto axes = static_cast<Index>(rank_);
    const Index rows = work.boxes.points();
    first_ = carver.take<Index>(axes + 1);
    last_ = carver.take<Index>(axes + 1);
    at_ = carver.take<Index>(axes + 1);
    no_taps_ = carver.take<Index>(axes);
    all_taps_ = carver.take<Index>(axes);
    lines_ = carver.take<C>(rows * line_stride_);
    sums_ = carver.take<C>(rows * c_stride_);
    const bool half = !std::is_same_v<T, C>;
    turned_ = carver.take<C>(half && work.x_layout.channel != 1 ? work.boxes.size().back() * c_stride_ : 0);
    if (no_taps_ == nullptr) return;
    std::fill_n(no_taps_, rank_, 0);
    for (std::size_t a = 0; a < rank_; ++a) all_taps_[a] = work.g.axes[a].kernel;
}

template <class T>
void LinesWorker<T>::compute(Index unit) {
    first_block_ = unit % work_.slices() * work_.slice;
    last_block_ = std::min(first_block_ + work_.slice, work_.panels.blocks());
    unit /= work_.slices();
    const Index first_group = unit % work_.bundles() * work_.bundle;
    const Index last_group = std::min(first_group + work_.bundle, work_.g.groups);
    const Index filters = work_.filters(), pairs = work_.panels.pairs(), step = work_.step();
    work_.boxes.locate(unit / work_.bundles(), first_, last_);
    segments_.enter(first_, last_, no_taps_, all_taps_, filters, (last_group - first_group) * filters, work_.kernels,
                    work_.converters, work_.dy + first_group * filters * work_.dy_layout.channel);
    for (Index group = first_group; group < last_group; ++group) {
        const Index channel = (group - first_group) * filters;
        if (pairs == 0) std::fill_n(sums_, pixels() * c_stride_, C(0));
        for (Index first = 0; first < pairs; first += step) {
            const Index last = std::min(first + step, pairs);
            put_lines(channel, first, last);
            if (segments_.clipped() && !work_.panels.finite()) {
                multiply_exactly(group, channel, first, last);
            } else {
                multiply(group, first, last);
            }
        }
        store(group);
    }
}

/// The numbers [first, last) of every pixel's line.
template <class T>
void LinesWorker<T>::put_lines(Index channel, Index first, Index last) {
    const Index numbers = segments_.numbers(), length = segments_.length();
    for (Index line = 0; line < segments_.lines(); ++line) {
        for (Index s = first / numbers; s * numbers < last; ++s) {
            const Index begin = std::max(first - s * numbers, Index(0)), end = std::min(last - s * numbers, numbers);
            segments_.copy(channel, line, 0, length, s, begin, end,
                           lines_ + line * length * line_stride_ + s * numbers + begin - first, line_stride_);
        }
    }
}

template <class T>
void LinesWorker<T>::multiply(Index group, Index first, Index last) {
    const Index width = work_.gradient.width, tile_rows = work_.gradient.tile_rows, rows = pixels();
    Strip<C> s{};
    s.line_stride = line_stride_;
    s.numbers = last - first;
    s.c_stride = c_stride_;
    s.load = first > 0;
    for (Index block = first_block_; block < last_block_; ++block) {
        const int full = work_.channels() - block * width > width / 2;
        s.panel = work_.panels.block(group, block) + first * width;
        for (Index row = 0; row < rows; row += tile_rows) {
            s.lines = lines_ + row * line_stride_;
            s.c = sums_ + row * c_stride_ + (block - first_block_) * width;
            work_.gradient.strip[full][std::min(tile_rows, rows - row) - 1](s);
        }
    }
}

/// Pixel by pixel, without what lies outside: zero times infinity is not zero.
template <class T>
void LinesWorker<T>::multiply_exactly(Index group, Index channel, Index first, Index last) {
    const Index width = work_.gradient.width, numbers = segments_.numbers(), length = segments_.length();
    Strip<C> s{};
    s.load = true;
    for (Index row = 0; row < pixels(); ++row) {
        C* c = sums_ + row * c_stride_;
        if (first == 0) std::fill_n(c, c_stride_, C(0));
        const auto add = [&](Index begin, Index end) {  // of the line
            begin = std::max(begin, first);
            end = std::min(end, last);
            s.numbers = end - begin;
            if (s.numbers <= 0) return;
            s.lines = lines_ + row * line_stride_ + begin - first;
            for (Index block = first_block_; block < last_block_; ++block) {
                s.panel = work_.panels.block(group, block) + begin * width;
                s.c = c + (block - first_block_) * width;
                work_.gradient.strip[1][0](s);
            }
        };
        for (Index i = first / numbers; i * numbers < last; ++i) {
            segments_.each(
                channel, row / length, row % length, 1, i,
                [&](Index, Index, const C*, Index) { add(i * numbers, (i + 1) * numbers); },
                [&](Index, const C*, Index low, Index high) { add(i * numbers + low, i * numbers + high); });
        }
    }
}

template <class T>
void LinesWorker<T>::store(Index group) {
    const Layout& layout = work_.x_layout;
    const Index first = first_block_ * work_.gradient.width, length = segments_.length();
    const Index channels = std::min(last_block_ * work_.gradient.width, work_.channels()) - first;
    T* const base = work_.dx + (group * work_.channels() + first) * layout.channel;
    const C* from = sums_;
    std::copy_n(first_, rank_ + 1, at_);
    do {
        Index offset = at_[0] * layout.batch;
        for (std::size_t a = 0; a < rank_; ++a) offset += at_[a + 1] * layout.axes[a];
        T* to = base + offset;
        if (layout.channel == 1) {
            for (Index i = 0; i < length; ++i)
                narrow(work_.converters, from + i * c_stride_, to + i * layout.axes.back(), channels);
        } else if constexpr (std::is_same_v<T, C>) {
            work_.kernels.turn(from, c_stride_, to, layout.channel, length, channels);
        } else {
            work_.kernels.turn(from, c_stride_, turned_, length, length, channels);
            for (Index c = 0; c < channels; ++c)
                narrow(work_.converters, turned_ + c * length, to + c * layout.channel, length);
        }
        from += length * c_stride_;
    } while (next_line(rank_, first_, last_, at_));
}

template struct LinesWork<float>;
template struct LinesWork<double>;
template struct LinesWork<float16>;
template struct LinesWork<bfloat16>;
template class LinesWorker<float>;
template class LinesWorker<double>;
template class LinesWorker<float16>;
template class LinesWorker<bfloat16>;

}  // namespace tconv
