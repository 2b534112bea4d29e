#include "grad_input/lines_worker.hpp"

#include <algorithm>
#include <type_traits>

#include "checked.hpp"
#include "dispatch.hpp"
#include "layout.hpp"

namespace tconv {
namespace {

constexpr Index least_rows = 24;                          // of a box
constexpr Index short_rows = 512, box_numbers = 1 << 15;  // of a box whose lines are short
constexpr Index least_numbers = 16, least_filters = 64;   // of a segment that is read where it lies, or of its taps
constexpr Index most_blocks = 8;                          // of columns that two vectors' strips go through
constexpr Index most_pointers = 1 << 16;
constexpr Index bundle_channels = 64;
constexpr Index tile_rows = most_gradient_rows;

// The second caches of processors with vectors twice as long are twice as large. Rows of a box and sums that stay
// there, numbers of a line that is put together, and of lines that are read where they lie at once:
Index most_rows(Index width) { return width < 32 ? 120 : 192; }
Index most_sums(Index width) { return width << 12; }
Index most_put(Index width) { return width < 32 ? 320 : 640; }
Index most_numbers(Index width) { return width < 32 ? 320 : 1024; }

Index tiles(Index rows) { return ceil_div(rows, tile_rows); }

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
    cut(std::clamp(box_numbers / (step() + slice * gradient.width), most_rows(gradient.width), short_rows));
    while (bundle == 1 && slice > 1 && slice * gradient.width * boxes.points() > most_sums(gradient.width))
        slice = ceil_div(slice, 2);
}

template <class T>
void LinesWork<T>::cut(Index most) {
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
    const Index pairs = panels.pairs();
    return pairs == 0 ? 1 : ceil_div(pairs, ceil_div(pairs, most_put(gradient.width)));
}

template <class T>
Index LinesWork<T>::most_segments() const {
    if (panels.pairs() == 0) return 0;
    const Index taps = panels.pairs() / filters(), outer_taps = taps / g.axes.back().kernel;
    const Index most = most_pointers / boxes.points();
    return filters() >= least_filters && taps <= most ? taps : outer_taps <= most ? outer_taps : 0;
}

template <class T>
bool LinesWork<T>::shrink() {
    if (const Index rows = boxes.points(); rows > least_rows) {
        cut(std::max(rows / 2, least_rows));
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
    in_place_ = std::is_same_v<T, C> && work.x_layout.channel == 1;
    rows_ = carver.take<const C*>(tiles(rows) * tile_rows * std::max<Index>(work.most_segments(), 1));
    sum_rows_ = carver.take<C*>(rows);
    targets_ = carver.take<C*>(rows);
    zeros_ = carver.take<C>(work.g.axes.back().kernel * work.filters());
    lines_ = carver.take<C>(rows * line_stride_);
    sums_ = carver.take<C>(rows * c_stride_);
    const bool half = !std::is_same_v<T, C>;
    turned_ = carver.take<C>(half && work.x_layout.channel != 1 ? work.boxes.size().back() * c_stride_ : 0);
    if (no_taps_ == nullptr) return;
    std::fill_n(no_taps_, rank_, 0);
    for (std::size_t a = 0; a < rank_; ++a) all_taps_[a] = work.g.axes[a].kernel;
    std::fill_n(zeros_, work.g.axes.back().kernel * work.filters(), C(0));
    for (Index row = 0; row < rows; ++row) sum_rows_[row] = sums_ + row * c_stride_;
}

template <class T>
void LinesWorker<T>::compute(Index unit) {
    const Index boxes = work_.boxes.count() * work_.bundles();  // neighbours meet the same panels
    first_block_ = unit / boxes * work_.slice;
    last_block_ = std::min(first_block_ + work_.slice, work_.panels.blocks());
    unit %= boxes;
    const Index first_group = unit % work_.bundles() * work_.bundle;
    const Index last_group = std::min(first_group + work_.bundle, work_.g.groups);
    const Index filters = work_.filters(), pairs = work_.panels.pairs();
    work_.boxes.locate(unit / work_.bundles(), first_, last_);
    segments_.enter(first_, last_, no_taps_, all_taps_, filters, (last_group - first_group) * filters, work_.kernels,
                    work_.converters, work_.dy + first_group * filters * work_.dy_layout.channel);
    const bool exactly = segments_.clipped() && !work_.panels.finite(), pointed = !exactly && choose_segments();
    if (!pointed) point_at_lines();
    for (Index group = first_group; group < last_group; ++group) {
        if (in_place_) enter_targets(group);
        if (pairs == 0) {
            std::fill_n(sums_, pixels() * c_stride_, C(0));
        } else if (pointed) {
            point_at_segments((group - first_group) * filters);
            multiply_segments(group);
        } else {
            multiply_lines(group, (group - first_group) * filters, exactly);
        }
        if (!in_place_ || exactly || pairs == 0) store(group);
    }
}

/// Whether segments are read where they lie. For many columns it pays to put lines together, unless strips are wide:
/// those are spread over the sets of a cache.
template <class T>
bool LinesWorker<T>::choose_segments() {
    const Index most = work_.most_segments();
    if (work_.gradient.strip_vectors < 4 && last_block_ - first_block_ > most_blocks) return false;
    const Index parted = segments_.parted() * segments_.lines() * segments_.count() * segments_.numbers();
    if (parted > work_.boxes.points() * line_stride_) {
        if (work_.filters() < least_filters || segments_.taps() > most) return false;
        segments_.split();
    }
    return segments_.numbers() >= least_numbers && segments_.count() <= most;
}

/// Segments that are in part outside are put together where lines would be.
template <class T>
void LinesWorker<T>::point_at_segments(Index channel) {
    const Index rows = pixels(), length = segments_.length(), count = segments_.count(), numbers = segments_.numbers();
    segment_count_ = count;
    C* parted = lines_;
    for (Index s = 0; s < count; ++s) {
        const auto point = [&](Index row, const C* from) {
            rows_[(row / tile_rows * count + s) * tile_rows + row % tile_rows] = from;
        };
        for (Index line = 0, first_row = 0; line < segments_.lines(); ++line, first_row += length)
            segments_.each(
                channel, line, 0, length, s,
                [&](Index i, Index some, const C* from, Index step) {
                    for (Index row = first_row + i, last = row + some; row < last; ++row, from += step)
                        point(row, from);
                },
                [&](Index i, const C* from, Index low, Index high) {
                    if (low < high && high - low < numbers) {
                        copy_between(from, low, high, numbers, parted);
                        from = parted;
                        parted += numbers;
                    }
                    point(first_row + i, low < high ? from : zeros_);
                });
        for (Index row = rows; row < tiles(rows) * tile_rows; ++row) point(row, zeros_);
    }
}

template <class T>
void LinesWorker<T>::point_at_lines() {
    segment_count_ = 1;
    const Index rows = pixels();
    for (Index row = 0; row < tiles(rows) * tile_rows; ++row)
        rows_[row] = lines_ + std::min(row, rows - 1) * line_stride_;
}

/// Whole segments, or pieces of long ones.
template <class T>
void LinesWorker<T>::multiply_segments(Index group) {
    const Index numbers = segments_.numbers(), count = segment_count_, all = numbers * count;
    const Index most = most_numbers(work_.gradient.width), piece = ceil_div(numbers, ceil_div(numbers, most));
    const Index some = piece < numbers ? 1 : ceil_div(count, ceil_div(count, most / numbers));
    for (Index s = 0; s < count; s += some) {
        const Index segments = std::min(some, count - s);
        for (Index offset = 0; offset < numbers; offset += piece) {
            const Index now = std::min(piece, numbers - offset), first = s * numbers + offset;
            multiply(group, {s, segments, offset, now, first, first + segments * now == all});
        }
    }
}

template <class T>
void LinesWorker<T>::multiply_lines(Index group, Index channel, bool exactly) {
    const Index pairs = work_.panels.pairs(), step = work_.step();
    for (Index first = 0; first < pairs; first += step) {
        const Index last = std::min(first + step, pairs);
        put_lines(channel, first, last);
        if (exactly) {
            multiply_exactly(group, channel, first, last);
        } else {
            multiply(group, {0, 1, 0, last - first, first, last == pairs});
        }
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

/// Vectors of columns that are multiplied at once, of so many that are left: blocks are of two.
template <class T>
Index LinesWorker<T>::vectors_at_once(Index left) const {
    const Index most = work_.gradient.strip_vectors;
    return left <= most ? left : most > 2 && left == most + 1 ? 2 : most;
}

template <class T>
void LinesWorker<T>::multiply(Index group, const Step& step) {
    const Index width = work_.gradient.width, vector = width / 2, rows = pixels();
    const Index end = std::min(last_block_ * width, work_.channels());
    const C* const* const first_tile = rows_ + step.segment * tile_rows;
    C** const to = step.last && in_place_ ? targets_ : sum_rows_;
    Strip<C> s{};
    s.offset = step.offset;
    s.segments = step.segments;
    s.numbers = step.numbers;
    s.block_step = work_.panels.block_numbers();
    s.from_stride = c_stride_;
    const Index line = 64 / static_cast<Index>(sizeof(C)), all = step.segments * step.numbers;
    const Index lines = all * width / line, lines_at_once = step.segments * ceil_div(step.numbers, line);
    const auto panel_at = [&](Index column, Index first) {
        return work_.panels.block(group, column / width) + first * width;
    };
    const Index begin = first_block_ * width, after = step.last ? 0 : step.first + all;
    for (Index column = begin, next; column < end; column = next) {
        const Index vectors = vectors_at_once(ceil_div(end - column, vector));
        next = column + vectors * vector;
        s.panel = panel_at(column, step.first);
        const C* const next_panel = next < end ? panel_at(next, step.first) : panel_at(begin, after);
        s.column = column - begin;
        s.columns = std::min(end - column, vectors * vector);
        s.rows = first_tile;
        const auto& kernels = work_.gradient.strip[vectors - 1];
        for (Index row = 0; row < rows; row += tile_rows) {
            s.next = row + tile_rows < rows ? s.rows + segment_count_ * tile_rows : first_tile;
            s.from = step.first > 0 ? sums_ + row * c_stride_ + s.column : nullptr;
            s.ahead = next_panel + std::min(row / tile_rows * lines_at_once, lines) * line;
            s.to = to + row;
            kernels[std::min(tile_rows, rows - row) - 1](s);
            s.rows = s.next;
        }
    }
}

/// Pixel by pixel, without what lies outside: zero times infinity is not zero.
template <class T>
void LinesWorker<T>::multiply_exactly(Index group, Index channel, Index first, Index last) {
    const Index width = work_.gradient.width, numbers = segments_.numbers(), length = segments_.length();
    const C* line = nullptr;
    C* to = nullptr;
    Strip<C> s{};
    s.rows = s.next = &line;
    s.segments = 1;
    s.to = &to;
    s.columns = width;
    for (Index row = 0; row < pixels(); ++row) {
        C* c = sums_ + row * c_stride_;
        if (first == 0) std::fill_n(c, c_stride_, C(0));
        const auto add = [&](Index begin, Index end) {  // of the line
            begin = std::max(begin, first);
            end = std::min(end, last);
            s.numbers = end - begin;
            if (s.numbers <= 0) return;
            line = lines_ + row * line_stride_ + begin - first;
            for (Index block = first_block_; block < last_block_; ++block) {
                s.panel = s.ahead = work_.panels.block(group, block) + begin * width;
                to = c + (block - first_block_) * width;
                s.from = to;
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

/// Where in dx the rows of a group's channels begin.
template <class T>
void LinesWorker<T>::enter_targets(Index group) {
    if constexpr (std::is_same_v<T, C>) {
        const Layout& layout = work_.x_layout;
        C* const base = work_.dx + group * work_.channels() + first_block_ * work_.gradient.width;
        C** target = targets_;
        std::copy_n(first_, rank_ + 1, at_);
        do {
            C* to = base + at_[0] * layout.batch;
            for (std::size_t a = 0; a < rank_; ++a) to += at_[a + 1] * layout.axes[a];
            for (Index i = 0; i < segments_.length(); ++i, to += layout.axes.back()) *target++ = to;
        } while (next_line(rank_, first_, last_, at_));
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
