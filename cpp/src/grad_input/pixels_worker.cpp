#include "grad_input/pixels_worker.hpp"

#include <algorithm>
#include <type_traits>

#include "checked.hpp"
#include "dispatch.hpp"
#include "layout.hpp"
#include "segments.hpp"

namespace tconv {
namespace {

constexpr Index most_pixels = 512, least_pixels = 64;  // of a box
constexpr Index gathered_numbers = 1 << 16;            // of a box, which stay in the second cache
constexpr Index pixels_at_once = 96;                   // that all blocks meet before the next ones
constexpr Index numbers_at_once = 256;                 // of a pixel: their part of a block stays in the first cache
constexpr Index small_kernel = 32 << 10;               // bytes, in the first cache as a whole
constexpr Index few_vectors = 3;                       // of channels, which a larger kernel is worth reading for
constexpr Index long_line = 16;                        // pixels that a larger kernel is worth reading for

Index taps_of(const Geometry<dynamic>& g) {
    Index taps = 1;
    for (const Axis& axis : g.axes) taps *= axis.kernel;
    return taps;
}

Index columns_of(const Geometry<dynamic>& g, Index vector) {
    return ceil_div(g.in_channels / g.groups, vector) * vector;
}

}  // namespace

template <class T>
bool PixelsWork<T>::suits(const Geometry<dynamic>& g, Isa isa) {
    const Index vector = gradient_kernels_for<C>(isa).width / 2, columns = columns_of(g, vector);
    const Checked numbers = Checked(taps_of(g)) * (g.filters / g.groups) * columns * g.groups;
    if (numbers.overflowed()) return false;
    return numbers.value() <= small_kernel / static_cast<Index>(sizeof(C)) ||
           (columns <= few_vectors * vector && g.axes.back().in >= long_line);
}

template <class T>
PixelsWork<T>::PixelsWork(const Geometry<dynamic>& g_, const Layout& x, const Layout& dy_layout_, const T* dy_data,
                          const T* kernel, T* dx_data, Isa isa)
    : g(g_),
      x_layout(x),
      dy_layout(dy_layout_),
      dy(dy_data),
      dx(dx_data),
      gathered(!std::is_same_v<T, C> || dy_layout.channel != 1),
      kernels(kernels_for<C>(isa)),
      gradient(gradient_kernels_for<C>(isa)),
      converters(converters_for(isa)) {
    Index numbers_of_box = filters() * g.groups;  // of dy, for a pixel of x
    for (const Axis& axis : g.axes) numbers_of_box *= std::min(axis.stride, axis.kernel);
    cut(gathered ? std::clamp(gathered_numbers / std::max<Index>(numbers_of_box, 1), 2 * least_pixels, most_pixels)
                 : most_pixels);
    const Index numbers = taps_of(g) * filters();
    panels = Buffer<C>(g.groups * numbers * columns());
    C* to = panels.data();
    for (Index group = 0; group < g.groups; ++group)
        for (Index column = 0; column < columns();) {
            const Index width = vectors(column) * (gradient.width / 2);
            const Index real = std::min(width, channels() - column);
            const T* from = kernel + group * channels() + column;
            for (Index k = 0; k < numbers; ++k, from += g.in_channels, to += width) {
                widen(converters, from, to, real);
                std::fill_n(to + real, width - real, C(0));
            }
            column += width;
        }
}

template <class T>
void PixelsWork<T>::cut(Index most) {
    pixels_ = most;
    std::vector<Index> extents = extents_of(g, &Axis::in);
    extents.insert(extents.begin(), g.batch);
    boxes = Boxes(extents, most);
}

template <class T>
Index PixelsWork<T>::columns() const {
    return columns_of(g, gradient.width / 2);
}
template <class T>
Index PixelsWork<T>::vectors(Index column) const {
    const Index rest = (columns() - column) / (gradient.width / 2);
    if (rest <= gradient.even_vectors) return rest;
    return gradient.even_vectors < 4 ? 2 : rest == 5 ? 3 : 4;
}

template <class T>
bool PixelsWork<T>::shrink() {
    if (pixels_ <= least_pixels) return false;
    cut(pixels_ / 2);
    return true;
}

template <class T>
PixelsWorker<T>::PixelsWorker(const PixelsWork<T>& work, Carver& carver)
    : work_(work),
      rank_(work.g.axes.size()),
      reach_(work.g, work.dy_layout, work.gathered, work.boxes.size(), extents_of(work.g, &Axis::kernel),
             work.g.filters, carver),
      in_place_(std::is_same_v<T, C> && work.x_layout.channel == 1),
      c_stride_((work.g.groups - 1) * work.channels() + work.columns()) {
    const auto axes = static_cast<Index>(rank_);
    const Index taps = taps_of(work.g), length = work.boxes.size().back();
    numbers_of_pixel_ = taps * work.filters();
    first_ = carver.take<Index>(axes + 1);
    last_ = carver.take<Index>(axes + 1);
    at_ = carver.take<Index>(axes + 1);
    no_taps_ = carver.take<Index>(axes);
    all_taps_ = carver.take<Index>(axes);
    outer_ = carver.take<Index>(taps / work.g.axes.back().kernel);
    met_ = carver.take<Met>(std::min(numbers_of_pixel_, numbers_at_once));
    sums_ = carver.take<C>(in_place_ ? 0 : length * c_stride_);
    turned_ = carver.take<C>(!std::is_same_v<T, C> && work.x_layout.channel != 1 ? length * work.g.in_channels : 0);
    if (no_taps_ == nullptr) return;
    std::fill_n(no_taps_, rank_, 0);
    for (std::size_t a = 0; a < rank_; ++a) all_taps_[a] = work.g.axes[a].kernel;
}

template <class T>
void PixelsWorker<T>::compute(Index unit) {
    work_.boxes.locate(unit, first_, last_);
    length_ = last_[rank_] - first_[rank_];
    reach_.enter(first_, last_, no_taps_, all_taps_, work_.g.filters);
    reach_.take(work_.kernels, work_.converters, work_.dy, 1);
    std::copy_n(first_, rank_ + 1, at_);
    do {
        compute_line();
        if (!in_place_) store_line();
    } while (next_line(rank_, first_, last_, at_));
}

template <class T>
void PixelsWorker<T>::compute_line() {
    const std::size_t inner = rank_ - 1;
    reach_.meet_line(at_, first_, outer_);
    const Index begin = reach_.begin(inner), end = reach_.end(inner);
    for (Index row = 0; row == 0 || row < numbers_of_pixel_; row += numbers_at_once)
        for (Index i = 0; i < length_; ++i) {
            if (i == begin && begin < end) {
                multiply(i, end - begin, row);
                i = end - 1;
            } else {
                multiply(i, 1, row);
            }
        }
}

/// Pixels of the line that go evenly through the same taps, and what they meet from a row of the panels on. What lies
/// outside is no product: zero times infinity is not zero.
template <class T>
void PixelsWorker<T>::multiply(Index first, Index count, Index first_row) {
    const std::size_t inner = rank_ - 1;
    const Index taps = all_taps_[inner], filters = work_.filters();
    const Index last_row = std::min(first_row + numbers_at_once, numbers_of_pixel_);
    const Index low = reach_.low(inner, first), high = reach_.high(inner, first);
    // Taps whose numbers lie side by side are one run.
    const Index run = reach_.even(inner) && reach_.tap_step(inner) == filters ? std::max<Index>(high - low, 1) : 1;
    Met* met = met_;
    for (Index q = filters > 0 ? first_row / (taps * filters) : 0; q * taps * filters < last_row; ++q) {
        if (outer_[q] < 0) continue;
        for (Index tap = low; tap < high; tap += run) {
            const Index row_of_tap = (q * taps + tap) * filters, at = outer_[q] + reach_.at(inner, first, tap);
            const Index begin = std::max(row_of_tap, first_row), end = std::min(row_of_tap + run * filters, last_row);
            for (Index row = begin; row < end; ++row) *met++ = {at + row - row_of_tap, row};
        }
    }
    numbers_ = met - met_;
    load_ = first_row > 0;
    if (load_ && numbers_ == 0) return;
    const Index step = count > 1 ? reach_.pixel_step(inner) : 0;
    const C* from = reach_.origin;
    C* to = sums_ + first * c_stride_;
    if constexpr (std::is_same_v<T, C>) {
        if (in_place_) to = line_of_x() + first * work_.x_layout.axes.back();
    }
    const Index to_step = in_place_ ? work_.x_layout.axes.back() : c_stride_;
    const Index parts = ceil_div(count, pixels_at_once);
    for (Index part = 0, i = 0; part < parts; ++part) {
        const Index end = count * (part + 1) / parts;
        multiply(from + i * step, step, to + i * to_step, end - i);
        i = end;
    }
}

/// All channels of some pixels.
template <class T>
void PixelsWorker<T>::multiply(const C* from, Index from_step, C* to, Index pixels) {
    const Index vector = work_.gradient.width / 2, channels = work_.channels();
    Evenly<C> e{};
    e.from_step = from_step;
    e.met = met_;
    e.numbers = numbers_;
    e.to_step = in_place_ ? work_.x_layout.axes.back() : c_stride_;
    e.pixels = pixels;
    e.load = load_;
    e.panel = work_.panels.data();
    for (Index group = 0; group < work_.g.groups; ++group) {
        e.from = from + group * work_.filters();
        for (Index column = 0; column < work_.columns();) {
            const Index vectors = work_.vectors(column), width = vectors * vector;
            e.blocks = vectors == 2 ? (work_.columns() - column) / width : 1;
            e.blocks -= vectors == 2 && e.blocks * width + vector == work_.columns() - column ? 1 : 0;
            const Index all = e.blocks * width;
            e.block_step = width * numbers_of_pixel_;
            e.to = to + group * channels + column;
            e.columns = in_place_ ? std::min(all, channels - column) : all;  // what follows in sums comes later
            work_.gradient.evenly[vectors - 1](e);
            e.panel += e.blocks * e.block_step;
            column += all;
        }
    }
}

template <class T>
T* PixelsWorker<T>::line_of_x() const {
    const Layout& layout = work_.x_layout;
    Index offset = at_[0] * layout.batch;
    for (std::size_t a = 0; a < rank_; ++a) offset += at_[a + 1] * layout.axes[a];
    return work_.dx + offset;
}

template <class T>
void PixelsWorker<T>::store_line() {
    const Layout& layout = work_.x_layout;
    const Index channels = work_.g.in_channels;
    T* to = line_of_x();
    if (layout.channel == 1) {
        for (Index i = 0; i < length_; ++i)
            narrow(work_.converters, sums_ + i * c_stride_, to + i * layout.axes.back(), channels);
    } else if constexpr (std::is_same_v<T, C>) {
        work_.kernels.turn(sums_, c_stride_, to, layout.channel, length_, channels);
    } else {
        work_.kernels.turn(sums_, c_stride_, turned_, length_, length_, channels);
        for (Index c = 0; c < channels; ++c)
            narrow(work_.converters, turned_ + c * length_, to + c * layout.channel, length_);
    }
}

template struct PixelsWork<float>;
template struct PixelsWork<double>;
template struct PixelsWork<float16>;
template struct PixelsWork<bfloat16>;
template class PixelsWorker<float>;
template class PixelsWorker<double>;
template class PixelsWorker<float16>;
template class PixelsWorker<bfloat16>;

}  // namespace tconv
