// A fast worker's source: the pixels of a box, gathered where they are not in place, and their transforms.
#include <algorithm>
#include <utility>

#include "fast/worker.hpp"
#include "gather.hpp"

namespace tconv {

/// What some tiles of the box read along each axis: whole lines, but along the first axis that they differ in.
template <class T>
void FastWorker<T>::look_at_reach(Index first_tile, Index last_tile) {
    locate(last_tile - 1);
    std::copy_n(at_, rank_ + 1, reach_end_);
    locate(first_tile);
    first_image_ = at_[0];
    last_image_ = reach_end_[0] + 1;
    bool whole = last_image_ - first_image_ > 1;
    for (std::size_t a = 0; a < rank_; ++a) {
        const Index of_tile = grid_->window.parts_along(a) * entries_of(grid_->window.schemes[a]);
        const Index first = whole ? 0 : at_[a + 1], last = whole ? last_[a + 1] - first_[a + 1] : reach_end_[a + 1] + 1;
        whole = whole || last - first > 1;
        Index low = grid_->maps[a].source_extent, high = -1;
        for (Index i = first * of_tile; i < last * of_tile; ++i) {
            const Index index = sources_[a][i];
            if (index >= 0) low = std::min(low, index), high = std::max(high, index);
        }
        low_[a] = low;
        count_[a] = std::max<Index>(high - low + 1, 0);
    }
}

/// A chunk of channels of the pixels within reach, as rows in the type of the sums; of halves, the other one's behind
/// it.
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
    half_ = (last_image_ - first_image_) * batch_stride_;
    C* to = panel_;
    for (Index first = first_channel; first < shape_.source_channels; first += grid_->window.source_channels) {
        for (Index n = first_[0] + first_image_; n < first_[0] + last_image_; ++n) {
            for (Index l = 0; l < lines; ++l, to += line * channels) {
                Index offset = n * source.batch + (group_ * shape_.source_channels + first) * source.channel;
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
}

/// The pixels that the tile reads for a part of the taps, from a channel on; zeros for those that are outside.
template <class T>
void FastWorker<T>::find_pixels(Index part, Index channel, const C** pixels) {
    constexpr Index outside = Index(-1) << 50;  // whatever is added to it, it stays below zero
    const FastWindow& w = grid_->window;
    offsets_[0] = (at_[0] - first_image_) * batch_stride_;
    Index count = 1;
    for (std::size_t a = 0; a < rank_; ++a) {
        const Index along =
            at_[a + 1] * w.parts_along(a) + part_places_[part * static_cast<Index>(rank_) + static_cast<Index>(a)];
        const Index entries = entries_of(w.schemes[a]);
        const Index* const index = sources_[a] + along * entries;
        Index steps[4];
        for (Index e = 0; e < entries; ++e)
            steps[e] = index[e] < 0 ? outside : (index[e] - low_[a]) * pixel_strides_[a];
        for (Index i = count; i-- > 0;)
            for (Index e = entries, offset = offsets_[i]; e-- > 0;) offsets_[i * entries + e] = offset + steps[e];
        count *= entries;
    }
    const C *const zeros = work_.packed.zeros.data(), *const first = origin_ + channel;
    for (Index i = 0; i < count; ++i) pixels[i] = offsets_[i] < 0 ? zeros : first + offsets_[i];
    if (w.halves)
        for (Index i = 0; i < count; ++i) pixels[count + i] = pixels[i] == zeros ? zeros : pixels[i] + half_;
}

template <class T>
void FastWorker<T>::transform(Index first_tile, Index last_tile, Index first, Index last, C* transformed) {
    if (grid_->gathered) {
        look_at_reach(first_tile, last_tile);
        for (Index k = first; k < last; k += fast_chunk) {
            gather(k, std::min(fast_chunk, last - k));
            transform_tiles(first_tile, last_tile, k, std::min(fast_chunk, last - k), 0, transformed);
        }
    } else {
        transform_tiles(first_tile, last_tile, first, last - first, first, transformed);
    }
}

/// The same of pixels that lie ready, from their channel `offset` on.
template <class T>
void FastWorker<T>::transform_tiles(Index first_tile, Index last_tile, Index first, Index channels, Index offset,
                                    C* transformed) {
    const FastWindow& w = grid_->window;
    const bool far = !grid_->gathered;
    const std::size_t inner = rank_ - 1;
    const Index step =
        outputs_of(w.schemes[inner]) * w.spreads[inner] * grid_->maps[inner].source_step * pixel_strides_[inner];
    locate(first_tile);
    find_pixels(0, offset, pixels_);
    for (Index tile = first_tile; tile < last_tile;) {
        const Index count = std::min(even_sources(), last_tile - tile);
        for (Index part = 0; part < w.parts; ++part) {
            const bool last = part + 1 == w.parts, more = tile + count < last_tile;
            if (last) advance(count);
            if (!last || more) find_pixels(last ? 0 : part + 1, offset, next_);
            if (far && last && more) prefetch(channels);
            analyse(part, tile, count, step, first, channels, transformed);
            std::swap(pixels_, next_);
        }
        tile += count;
    }
}

/// So many tiles from this one on read pixels that lie evenly: of one at least, its own.
template <class T>
Index FastWorker<T>::even_sources() const {
    const FastWindow& w = grid_->window;
    for (std::size_t a = 0; a + 1 < rank_; ++a) {
        const Index parts = w.parts_along(a);
        for (Index part = 0; part < parts; ++part)
            if (!inside_[a][at_[a + 1] * parts + part]) return 1;
    }
    return std::max<Index>(even_sources_[at_[rank_]], 1);
}

/// Asks for the pixels of the next tile that this one has not: the processor doesn't foresee them.
template <class T>
void FastWorker<T>::prefetch(Index channels) const {
    constexpr Index line = 64 / sizeof(C);
    const FastWindow& w = grid_->window;
    const Index along = entries_of(w.schemes[rank_ - 1]), known = along - outputs_of(w.schemes[rank_ - 1]);
    for (Index i = 0; i < w.pixels(); i += along)
        for (Index e = known; e < along; ++e)
            for (Index k = 0; k < channels; k += line) __builtin_prefetch(next_[i + e] + k);
}

/// The transform of some channels, from the first one on, of a part's pixels of a run of tiles: along the last two axes
/// as a plane, of lines that are sums of pixels along the axes before.
template <class T>
void FastWorker<T>::analyse(Index part, Index tile, Index tiles, Index from_step, Index first_channel, Index channels,
                            C* transformed) {
    const FastWindow& w = grid_->window;
    const auto place = [&](Index point) {
        const Index slot = slot_places_[part * w.points + point];
        const Index row = row_places_[point] + tile * grid_->row_numbers[static_cast<std::size_t>(point)];
        return slot < 0 ? nullptr : transformed + row + slot + first_channel;
    };
    if (w.halves) {
        for (Index p = 0; p < w.points; ++p) to_[p] = place(p);
        lines_[0] = pixels_;
        return work_.transforms.analyse_halves(
            {lines_, nullptr, 1, to_, grid_->row_numbers.data(), channels, 0, tiles, from_step});
    }
    const std::size_t count = w.axes.size(), before = count > 2 ? count - 2 : 0;
    const auto scheme = [&](std::size_t back) {  // of the axes that are transformed, from the last one on
        return back <= count ? static_cast<std::size_t>(w.schemes[w.axes[count - back]]) : std::size_t(0);
    };
    // Where the tiles lie along the axis that is transformed last, they share pixels.
    const Index points = points_of(static_cast<Scheme>(scheme(1)));
    const Index shared = points - outputs_of(static_cast<Scheme>(scheme(1)));
    const Index known = grid_->gathered ? points : w.axes.back() == rank_ - 1 ? shared : 0;
    for (Index first = 0; first < w.points; first += slice_points_) {
        bool wanted = false;
        for (Index i = 0; i < slice_points_; ++i) {
            to_[i] = place(first + i);
            wanted = wanted || to_[i] != nullptr;
        }
        if (!wanted) continue;
        Index lines = 1;
        lines_[0] = pixels_ + first;
        signs_[0] = 1;
        for (std::size_t i = 0; i < before; ++i) {  // point p's pixels are p's, and those of another one or none
            const Scheme along = w.schemes[w.axes[i]];
            const Index stride = grid_->point_strides[w.axes[i]], p = first / stride % points_of(along);
            for (Index e = 0; e < points_of(along); ++e) {
                const int sign = pixel_signs[static_cast<std::size_t>(along)][p][e];
                if (e == p || sign == 0) continue;
                for (Index l = 0; l < lines; ++l) {
                    lines_[lines + l] = lines_[l] + (e - p) * stride;
                    signs_[lines + l] = signs_[l] * static_cast<C>(sign);
                }
                lines *= 2;
                break;
            }
        }
        work_.transforms.analyse_plane[scheme(2)][scheme(1)](
            {lines_, signs_, lines, to_, grid_->row_numbers.data() + first, channels, known, tiles, from_step});
    }
}

template class FastWorker<float>;
template class FastWorker<double>;
template class FastWorker<float16>;
template class FastWorker<bfloat16>;

}  // namespace tconv
