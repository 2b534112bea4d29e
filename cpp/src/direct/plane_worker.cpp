// A worker's product of planes: its panel of pixels, and the sums of a group of columns.
#include "direct/plane_worker.hpp"

#include <algorithm>
#include <type_traits>

#include "gather.hpp"

namespace tconv {
namespace {

constexpr Index products_together = 128;  // of a sum: so many numbers of 16 columns and of some vectors fit a cache

constexpr Index taps_together = 2;  // times as many, of taps, which share pixels
constexpr Index few_products = 48;  // so many take less time than the store of their sum

}  // namespace

template <class T>
PlaneWorker<T>::PlaneWorker(const PlaneWork<T>& work, Carver& carver)
    : work_(work),
      grid_(work.grid),
      shape_(work.grid.columns),
      rank_(work.grid.rank),
      early_(grid_.column_products <= few_products) {
    const Index axes = static_cast<Index>(rank_);
    Index taps = 1, run = 1;
    for (const Window& window : shape_.windows) taps = std::max(taps, window.taps);
    for (const PlaneRun& r : grid_.runs) run = std::max(run, static_cast<Index>(r.last - r.first));
    box_first_ = carver.take<Index>(axes + 1);
    box_last_ = carver.take<Index>(axes + 1);
    panel_ = carver.take<C>((grid_.in_place ? grid_.lanes : grid_.plane) * shape_.source_channels * grid_.together +
                            shape_.panel.width / 2);
    lines_ = carver.take<Index>(grid_.in_place ? 0 : grid_.panel_lines());
    first_ = carver.take<Index>(axes);
    last_ = carver.take<Index>(axes);
    at_ = carver.take<Index>(axes);
    begin_ = carver.take<Index>(axes);
    end_ = carver.take<Index>(axes);
    offsets_ = carver.take<Index>(taps);
    all_places_ = carver.take<Index>(grid_.lanes / (shape_.panel.width / 2) + 1);
    columns_ = carver.take<const C*>(grid_.group_columns);
    bias_ = carver.take<C>(grid_.group_columns);
    outs_ = carver.take<void*>(grid_.group_columns);
    sums_ = carver.take<C>(grid_.group_columns * grid_.lanes * grid_.together);
    const Index length = grid_.boxes.size()[rank_] + grid_.spread[rank_ - 1];
    const bool converted = grid_.channels_last && !std::is_same_v<T, C>;
    rows_ = carver.take<C>(
        converted ? length * grid_.together * std::max(shape_.source_channels, shape_.target_channels) : 0);
    from_ = carver.take<const C*>(run);
    starts_ = carver.take<Index>(run);
    run_rows_ = carver.take<Range>(run);
}

template <class T>
void PlaneWorker<T>::compute(Index unit) {
    locate(unit);
    const Index box = bundle_ * grid_.boxes.count() + unit % grid_.boxes.count();
    if (grid_.channels_last) {
        compute_bundle(box == gathered_);
        gathered_ = box;
        return;
    }
    if (grid_.in_place) {
        if constexpr (std::is_same_v<T, C>) find_in_place();
    } else if (!find_inside()) {
        pixels_ = panel_;
        plane_step_ = grid_.plane;
        if (box != gathered_) gather();
        gathered_ = box;
    }
    for (std::size_t g = first_group_; g < last_group_; ++g) {
        const PlaneGroup& group = grid_.groups[g];
        if (multiply_lines(group)) continue;
        if (early_)
            for (std::size_t r = group.first_run; r < group.last_run; ++r) prefetch(grid_.runs[r]);
        multiply(group);
        for (std::size_t r = group.first_run; r < group.last_run; ++r) store(grid_.runs[r]);
    }
}

/// unit -> group, slice and box; the boxes of a slice follow each other, so that its columns stay in the cache.
template <class T>
void PlaneWorker<T>::locate(Index unit) {
    const Index boxes = grid_.boxes.count(), slices = static_cast<Index>(grid_.slices.size()) - 1;
    grid_.boxes.locate(unit % boxes, box_first_, box_last_);
    for (std::size_t a = 0; a < rank_; ++a) {
        box_first_[a + 1] += grid_.first[a];
        box_last_[a + 1] += grid_.first[a];
    }
    unit /= boxes;
    const auto slice = static_cast<std::size_t>(unit % slices);
    first_group_ = grid_.slices[slice];
    last_group_ = grid_.slices[slice + 1];
    group_ = bundle_ = unit / slices * grid_.together;
    some_ = std::min(grid_.together, shape_.product_groups - bundle_);
}

/// The pixels of the box where they are; but whole vectors, which may begin at any lane, must not reach past the end of
/// the source.
template <class T>
void PlaneWorker<T>::find_in_place() {
    if constexpr (std::is_same_v<T, C>) {
        const Index channels = shape_.source_channels, planes = grid_.source.batch / grid_.source.channel;
        Index first = group_ * channels * grid_.source.channel;
        for (std::size_t a = 0; a < rank_; ++a) first += (box_first_[a + 1] + grid_.low[a]) * grid_.source.axes[a];
        pixels_ = work_.source + box_first_[0] * grid_.source.batch + first;
        plane_step_ = grid_.plane;
        const Index end = grid_.batch * planes * grid_.source.channel - box_first_[0] * grid_.source.batch - first;
        const Index beyond = shape_.panel.width / 2 - 1;
        if ((channels - 1) * grid_.plane + grid_.lanes + beyond <= end) return;
        for (Index k = 0; k < channels; ++k) {
            C* const to = panel_ + k * grid_.lanes;
            const Index count = std::min(grid_.lanes, end - k * grid_.plane);
            std::fill(std::copy_n(pixels_ + k * grid_.plane, count, to), to + grid_.lanes, C(0));
        }
        std::fill_n(panel_ + channels * grid_.lanes, beyond, C(0));
        pixels_ = panel_;
        plane_step_ = grid_.lanes;
    }
}

/// The pixels of a box that is part of a line, with others around them, where they are; false where they have to be
/// gathered.
template <class T>
bool PlaneWorker<T>::find_inside() {
    if (!grid_.inside) return false;
    const Index start = box_first_[1] + grid_.low[0];
    const Index beyond = shape_.panel.width / 2 - 1;
    if (start < 0 || start + grid_.spread[0] + grid_.lanes + beyond > grid_.maps[0].source_extent) return false;
    if constexpr (std::is_same_v<T, C>) {
        pixels_ = work_.source + box_first_[0] * grid_.source.batch +
                  group_ * shape_.source_channels * grid_.source.channel + start;
        plane_step_ = grid_.source.channel;
    }
    return std::is_same_v<T, C>;
}

/// Where the lines of the box' pixels, and of zeros around them, begin; how many they are.
template <class T>
Index PlaneWorker<T>::find_lines() {
    const std::size_t inner = rank_ - 1;
    const std::vector<Index>& size = grid_.boxes.size();
    Index lines = size[0];
    for (std::size_t a = 0; a < inner; ++a) lines *= size[a + 1] + grid_.spread[a];
    for (Index l = 0; l < lines; ++l) {
        Index rest = l, offset = 0;
        bool inside = true;
        for (std::size_t a = inner; a-- > 0;) {
            const Index extent = size[a + 1] + grid_.spread[a];
            const Index index = box_first_[a + 1] + grid_.low[a] + rest % extent;
            rest /= extent;
            inside = inside && index >= 0 && index < grid_.maps[a].source_extent;
            offset += index * grid_.source.axes[a];
        }
        inside = inside && box_first_[0] + rest < box_last_[0];
        lines_[l] = inside ? offset + (box_first_[0] + rest) * grid_.source.batch : -1;
    }
    return lines;
}

/// The pixels of the box, plane by plane, with zeros around them.
template <class T>
void PlaneWorker<T>::gather() {
    const std::size_t inner = rank_ - 1;
    const std::vector<Index>& size = grid_.boxes.size();
    const Index lines = find_lines();
    const Index length = size[rank_] + grid_.spread[inner], start = box_first_[rank_] + grid_.low[inner];
    const Index begin = std::clamp<Index>(-start, 0, length);
    const Index end = std::clamp<Index>(grid_.maps[inner].source_extent - start, begin, length);
    constexpr Index cache_line = 64 / static_cast<Index>(sizeof(T));
    for (Index k = 0; k < shape_.source_channels; ++k) {
        C* const to = panel_ + k * grid_.plane;
        const T* const plane =
            work_.source + ((group_ * shape_.source_channels + k) * grid_.source.channel + start + begin);
        // Another plane is on other pages, which the processor doesn't foresee.
        const Index ahead = k + 1 < shape_.source_channels ? grid_.source.channel : 0;
        if constexpr (std::is_same_v<T, C>) {
            work_.packed.kernels->pad(plane, lines_, lines, begin, end - begin, length - end, ahead, to);
        } else {
            for (Index l = 0, some; l < lines; l += some) {
                C* const line = to + l * length;
                const bool inside = lines_[l] >= 0;
                std::fill(line, line + (inside ? begin : length), C(0));
                some = 1;
                if (!inside) continue;
                const T* const from = plane + lines_[l];
                while (end - begin == length && l + some < lines && lines_[l + some] == lines_[l] + some * length)
                    ++some;
                const Index count = some * length - (length - (end - begin));
                for (Index i = 0; ahead > 0 && i < count; i += cache_line) __builtin_prefetch(from + ahead + i);
                widen(*work_.packed.converters, from, line + begin, count);
                std::fill(line + begin + count, line + some * length, C(0));
            }
        }
        if (!cleared_) std::fill(to + lines * length, to + grid_.plane, C(0));
    }
    cleared_ = true;
}

/// Turns to the rows of a window in the box; false when there are none.
template <class T>
bool PlaneWorker<T>::enter(std::size_t window) {
    Index lanes = 1 + (box_last_[0] - box_first_[0] - 1) * grid_.steps[0];
    for (std::size_t a = 0; a < rank_; ++a) {
        const auto [first, last] = grid_.ranges[window * rank_ + a];
        first_[a] = std::max(box_first_[a + 1], first);
        last_[a] = std::min(box_last_[a + 1], last);
        if (first_[a] >= last_[a]) return false;
        lanes += (last_[a] - first_[a] - 1) * grid_.steps[a + 1];
    }
    const Index vector = shape_.panel.width / 2;
    vectors_ = (lanes + vector - 1) / vector;
    const std::vector<Index>& shifts = grid_.tap_shifts[window];
    for (std::size_t tap = 0; tap < shifts.size() / rank_; ++tap) {
        Index offset = 0;
        for (std::size_t a = 0; a < rank_; ++a)
            offset += (first_[a] - box_first_[a + 1] + shifts[tap * rank_ + a]) * grid_.steps[a + 1];
        offsets_[tap] = offset;
    }
    return true;
}

/// Vectors of lines that are whole ones: none of rows that lie between them.
template <class T>
void PlaneWorker<T>::place_vectors() {
    const Index vector = shape_.panel.width / 2, inner = static_cast<Index>(rank_) - 1;
    const Index length = last_[inner] - first_[inner];
    Index lines = box_last_[0] - box_first_[0];
    for (Index a = 0; a < inner; ++a) lines *= last_[a] - first_[a];
    places_ = nullptr;
    if (length % vector > 0 || lines * length / vector >= vectors_) return;
    vectors_ = 0;
    places_ = all_places_;
    for (Index l = 0; l < lines; ++l) {
        Index rest = l, lane = 0;
        for (Index a = inner; a-- > 0;) {
            lane += rest % (last_[a] - first_[a]) * grid_.steps[static_cast<std::size_t>(a) + 1];
            rest /= last_[a] - first_[a];
        }
        lane += rest * grid_.steps[0];
        for (Index i = 0; i < length; i += vector) places_[vectors_++] = lane + i;
    }
}

/// The activation of finished sums, where it is not the kernel's.
template <class T>
void PlaneWorker<T>::finish(const PlaneTile<C>& t) const {
    const auto finish = work_.packed.kernels->finish;
    const Index vector = shape_.panel.width / 2;
    if (t.places == nullptr) return finish(t.c, t.c_stride, t.count, t.vectors * vector, nullptr, work_.finish);
    for (Index v = 0; v < t.vectors; ++v) finish(t.c + t.places[v], t.c_stride, t.count, vector, nullptr, work_.finish);
}

/// The sums of a group of columns, window by window.
template <class T>
void PlaneWorker<T>::multiply(const PlaneGroup& group) {
    for (std::size_t p = group.first_piece; p < group.last_piece;) {
        const std::size_t window = grid_.pieces[p].window;
        std::size_t end = p;
        while (end < group.last_piece && grid_.pieces[end].window == window) ++end;
        if (enter(window)) {
            place_vectors();
            const std::vector<Step>& steps = shape_.steps[window];
            Index done = 0;  // products of the steps before
            for (const Step& step : steps) {
                multiply_step(step, done, &step == &steps.back(), p, end);
                done += shape_.products(step);
            }
        }
        p = end;
    }
}

/// A step of some pieces, part by part.
template <class T>
void PlaneWorker<T>::multiply_step(const Step& step, Index done, bool last, std::size_t first_piece,
                                   std::size_t last_piece) {
    const Index channels = step.last_channel - step.first_channel, taps = step.last_tap - step.first_tap;
    const Index depth = shape_.depth(step);
    const Index most_taps = std::max<Index>(taps_together * products_together / std::max<Index>(channels, 1), 1);
    const Index tap_parts = (taps + most_taps - 1) / most_taps;
    const Index parts = most_taps > 1 ? 1 : (channels + products_together - 1) / products_together;
    const Kernels<C>& kernels = *work_.packed.kernels;
    PlaneTile<C> t{};
    t.plane_step = plane_step_;
    t.vectors = vectors_;
    t.places = places_;
    t.in_place = !grid_.channels_last && pixels_ != panel_;
    t.c_stride = grid_.lanes;
    t.columns = columns_;
    t.bias = work_.bias == nullptr ? nullptr : bias_;
    const bool in_registers = work_.finish.in_registers();
    if (in_registers) t.finish = work_.finish;
    for (Index tap_part = 0; tap_part < tap_parts; ++tap_part) {
        const Index tap = taps * tap_part / tap_parts;
        t.taps = taps * (tap_part + 1) / tap_parts - tap;
        t.offsets = offsets_ + step.first_tap + tap;
        for (Index part = 0; part < parts; ++part) {
            const Index first = channels * part / parts;
            t.channels = channels * (part + 1) / parts - first;
            t.pixels = pixels_ + (step.first_channel + first) * plane_step_;
            t.load = done > 0 || tap > 0 || part > 0;
            t.last = last && tap + t.taps == taps && part + 1 == parts;
            for (std::size_t p = first_piece; p < last_piece; ++p) {
                const PlanePiece& piece = grid_.pieces[p];
                step_weights(piece.panel, depth, t);
                t.count = static_cast<Index>(piece.last - piece.first);
                const C* const weights = group_weights() + tap * t.tap_step + first * t.channel_step;
                for (Index n = 0; n < t.count; ++n) {
                    const PlaneWeights& column = grid_.weights[piece.first + static_cast<std::size_t>(n)];
                    const detail::Block& block = shape_.blocks[column.block];
                    columns_[n] = weights + weights_place(column, depth, done);
                    if (t.last && work_.bias != nullptr)
                        bias_[n] = work_.bias[group_ * shape_.group_bias + block.bias + column.number];
                }
                t.c = sums_ + sums_place(piece.slot) * grid_.lanes;
                kernels.planes(t);
                if (t.last && !in_registers) finish(t);
            }
        }
    }
}

template class PlaneWorker<float>;
template class PlaneWorker<double>;
template class PlaneWorker<float16>;
template class PlaneWorker<bfloat16>;

}  // namespace tconv
