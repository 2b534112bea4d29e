// A fast worker's source: the pixels of a box, gathered where they are not in place, and their transforms.
#include <algorithm>
#include <limits>
#include <utility>

#include "fast/worker.hpp"
#include "gather.hpp"

namespace tconv {

/// A chunk of channels of the box's pixels, as rows in the type of the sums.
template <class T>
void FastWorker<T>::gather(Index first_channel, Index channels) {
    const Layout& source = grid_->source;
    Index pixels = 1;
    for (std::size_t a = rank_; a-- > 0;) {
        pixel_strides_[a] = pixels * channels;
        pixels *= count_[a];
    }
    batch_stride_ = pixels * channels;
    origin_ = panel_;
    // Whole lines follow each other as one.
    std::size_t inner = rank_ - 1;
    Index line = count_[inner];
    while (inner > 0 && count_[inner] == grid_->maps[inner].source_extent) line *= count_[--inner];
    const Index lines = line == 0 ? 0 : pixels / line;
    C* to = panel_;
    for (Index n = first_[0]; n < last_[0]; ++n) {
        for (Index l = 0; l < lines; ++l, to += line * channels) {
            Index offset = n * source.batch + (group_ * shape_.source_channels + first_channel) * source.channel;
            for (std::size_t a = inner; a < rank_; ++a) offset += low_[a] * source.axes[a];
            Index rest = l;
            for (std::size_t a = inner; a-- > 0;) {
                offset += (low_[a] + rest % count_[a]) * source.axes[a];
                rest /= count_[a];
            }
            gather_run(work_.packed.kernels, work_.packed.converters, work_.source + offset, source.axes[rank_ - 1],
                       source.channel, line, channels, to);
        }
    }
}

/// The pixels that the tile reads for a part of the taps, from a channel on; whether all of them are there.
template <class T>
bool FastWorker<T>::find_pixels(Index part, Index channel, const C** pixels) {
    const FastWindow& w = grid_->window;
    bool inside = true;
    Index scale = w.parts, offset = at_[0] * batch_stride_;
    for (std::size_t a = 0; a < rank_; ++a) {
        const Index parts = w.parts_along(a);
        Index along = at_[a + 1];
        if (parts > 1) {
            scale /= parts;
            along = along * parts + part / scale % parts;
        }
        inside = inside && inside_[a][along];
        const Index* const from = sources_[a] + along * points_of(w.schemes[a]);
        entries_[a] = static_cast<Index>(from - indices_);
        offset += (from[0] - low_[a]) * pixel_strides_[a];
    }
    if (inside) {
        const C* const first = origin_ + (offset + channel);
        for (Index i = 0; i < w.points; ++i) pixels[i] = first + relative_[i];
        return true;
    }
    // Axis by axis, from the last place on: how far the pixels are, or that they are outside.
    constexpr Index outside = std::numeric_limits<Index>::min();
    offsets_[0] = at_[0] * batch_stride_;
    for (Index a = 0, count = 1; a < static_cast<Index>(rank_); ++a) {
        const Index entries = points_of(w.schemes[static_cast<std::size_t>(a)]);
        const Index* const index = indices_ + entries_[a];
        for (Index i = count; i-- > 0;)
            for (Index e = entries, offset = offsets_[i]; e-- > 0;)
                offsets_[i * entries + e] =
                    offset == outside || index[e] < 0 ? outside : offset + (index[e] - low_[a]) * pixel_strides_[a];
        count *= entries;
    }
    const C* const zeros = work_.packed.zeros.data();
    for (Index i = 0; i < w.points; ++i) pixels[i] = offsets_[i] == outside ? zeros : origin_ + (offsets_[i] + channel);
    return false;
}

template <class T>
void FastWorker<T>::transform(Index first, Index last, C* transformed) {
    if (work_.gathered) {
        for (Index k = first; k < last; k += fast_chunk) {
            gather(k, std::min(fast_chunk, last - k));
            transform_tiles(k, std::min(fast_chunk, last - k), 0, transformed);
        }
    } else {
        transform_tiles(first, last - first, first, transformed);
    }
}

/// The same of pixels that lie ready, from their channel `offset` on.
template <class T>
void FastWorker<T>::transform_tiles(Index first, Index channels, Index offset, C* transformed) {
    const FastWindow& w = grid_->window;
    const Index capacity = grid_->boxes.points(), row = grid_->row_numbers;
    const bool far = !work_.gathered;
    const std::size_t inner = rank_ - 1;
    const Index step =
        outputs_of(w.schemes[inner]) * w.spreads[inner] * grid_->maps[inner].source_step * pixel_strides_[inner];
    const Index most = w.axes.size() < 3 ? channels : fast_chunk;  // between two passes
    find_relative();
    locate(0);
    bool inside = find_pixels(0, offset, pixels_), next_inside = false;
    for (Index tile = 0; tile < tiles_;) {
        const TileRun run{even_sources(), step, row};
        for (Index part = 0; part < w.parts; ++part) {
            C* const to = transformed + (part * w.points * capacity + tile) * row + first;
            const bool last = part + 1 == w.parts, more = tile + run.count < tiles_;
            if (last) advance(run.count);
            if (!last || more) next_inside = find_pixels(last ? 0 : part + 1, offset, next_);
            if (far && last && more) prefetch(channels);
            for (Index k = 0; k < channels; k += most) {
                analyse(inside, to + k, capacity * row, std::min(most, channels - k), run);
                for (Index i = 0; most < channels && i < w.points; ++i) pixels_[i] += most;
            }
            std::swap(pixels_, next_);
            inside = next_inside;
        }
        tile += run.count;
    }
}

/// So many tiles from this one on read pixels that lie evenly: of one at least, its own.
template <class T>
Index FastWorker<T>::even_sources() const {
    const FastWindow& w = grid_->window;
    bool inside = w.axes.size() < 3;
    for (std::size_t a = 0; a + 1 < rank_ && inside; ++a) {
        const Index parts = w.parts_along(a);
        for (Index part = 0; part < parts; ++part) inside = inside && inside_[a][at_[a + 1] * parts + part];
    }
    return inside ? std::max<Index>(even_sources_[at_[rank_]], 1) : 1;
}

/// Asks for the pixels of the next tile that this one has not: the processor doesn't foresee them.
template <class T>
void FastWorker<T>::prefetch(Index channels) const {
    constexpr Index line = 64 / sizeof(C);
    const FastWindow& w = grid_->window;
    const Index along = points_of(w.schemes[rank_ - 1]), known = along - outputs_of(w.schemes[rank_ - 1]);
    for (Index i = 0; i < w.points; i += along)
        for (Index e = known; e < along; ++e)
            for (Index k = 0; k < channels; k += line) __builtin_prefetch(next_[i + e] + k);
}

/// The points' pixels, from the first one's.
template <class T>
void FastWorker<T>::find_relative() {
    const FastWindow& w = grid_->window;
    for (Index i = 0; i < w.points; ++i) {
        Index rest = i;
        relative_[i] = 0;
        for (std::size_t a = rank_; a-- > 0;) {
            relative_[i] += rest % points_of(w.schemes[a]) * w.entry_steps[a] * pixel_strides_[a];
            rest /= points_of(w.schemes[a]);
        }
    }
}

/// The transform of a run's pixels along each axis in turn, and at last along a line or a plane; points lie `to_point`
/// apart.
template <class T>
void FastWorker<T>::analyse(bool inside, C* to, Index to_point, Index channels, const TileRun& run) {
    const FastWindow& w = grid_->window;
    const std::size_t count = w.axes.size(), inner = rank_ - 1;
    const auto scheme = [&](std::size_t i) { return static_cast<std::size_t>(w.schemes[w.axes[i]]); };
    if (count == 0) {
        for (Index tile = 0; tile < run.count; ++tile)
            std::copy_n(pixels_[0] + tile * run.from, channels, to + tile * run.to);
        return;
    }
    // Where the tiles lie along the axis that is transformed last, they share pixels.
    const Index points = points_of(w.schemes[w.axes.back()]), shared = points - outputs_of(w.schemes[w.axes.back()]);
    const Index known = work_.gathered ? points : w.axes.back() == inner ? shared : 0;
    if (count < 3) {
        const auto transform =
            count > 1 ? work_.transforms.analyse_plane[scheme(0)][scheme(1)] : work_.transforms.analyse[scheme(0)];
        return transform(pixels_, to, to_point, channels, run, known);
    }
    const Index line = inside ? points_of(w.schemes[inner]) : 1, step = w.entry_steps[inner] * pixel_strides_[inner];
    const C* in[4];
    for (std::size_t pass = 0; pass + 2 < count; ++pass) {
        const Index entries = points_of(w.schemes[w.axes[pass]]), stride = grid_->point_strides[w.axes[pass]];
        const TileRun lines{pass == 0 ? line : stride, pass == 0 ? step : fast_chunk, fast_chunk};
        const auto transform = work_.transforms.analyse[scheme(pass)];
        for (Index outer = 0; outer < w.points; outer += entries * stride)
            for (Index point = outer; point < outer + stride; point += lines.count) {
                for (Index e = 0, i = point; e < entries; ++e, i += stride)
                    in[e] = pass == 0 ? pixels_[i] : between_ + i * fast_chunk;
                transform(in, between_ + point * fast_chunk, stride * fast_chunk, channels, lines, entries);
            }
    }
    for (Index i = 0; i < slice_points_; ++i) lines_[i] = between_ + i * fast_chunk;
    work_.transforms.analyse_plane[scheme(count - 2)][scheme(count - 1)](
        lines_, to, to_point, channels,
        {w.points / slice_points_, slice_points_ * fast_chunk, slice_points_ * to_point}, slice_points_);
}

template class FastWorker<float>;
template class FastWorker<double>;
template class FastWorker<float16>;
template class FastWorker<bfloat16>;

}  // namespace tconv
