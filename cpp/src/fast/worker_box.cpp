// A fast worker's box: where its tiles read and write, and which of their outputs there are.
#include <algorithm>
#include <type_traits>

#include "fast/worker.hpp"

namespace tconv {
namespace {

constexpr Index most_masked = 64;  // points of a window whose products may be left out

}  // namespace

template <class T>
void FastWorker<T>::enter(std::size_t number, Index group, Index box) {
    const FastGrid* grid = &work_.grids[number];
    if (grid == grid_ && group == group_ && box == box_) return;
    grid_ = grid;
    group_ = group;
    box_ = box;
    grid_->boxes.locate(box, first_, last_);
    tiles_ = 1;
    for (std::size_t a = 0; a <= rank_; ++a) tiles_ *= last_[a] - first_[a];
    look_along_axes();
    look_at_members();
    look_within();
}

/// What is the same for all tiles of a window.
template <class T>
void FastWorker<T>::look_within() {
    const FastWindow& w = grid_->window;
    const std::size_t transformed = w.axes.size();
    slice_points_ = slice_outputs_ = 1;
    for (std::size_t i = transformed > 2 ? transformed - 2 : 0; i < transformed; ++i) {
        slice_points_ *= points_of(w.schemes[w.axes[i]]);
        slice_outputs_ *= outputs_of(w.schemes[w.axes[i]]);
    }
    if (w.halves) slice_outputs_ = w.outputs;
    const auto scheme = [&](std::size_t back) {  // of the axes that are transformed, from the last one on
        return back <= transformed ? static_cast<std::size_t>(w.schemes[w.axes[transformed - back]]) : std::size_t(0);
    };
    finish_ = w.halves          ? nullptr
              : transformed > 1 ? work_.transforms.finish_plane[scheme(2)][scheme(1)]
                                : work_.transforms.finish[scheme(1)];
    slices_count_ = w.outputs / slice_outputs_;
    for (Index point = 0, place = 0; point < w.points; ++point) {
        row_places_[point] = place;
        place += grid_->boxes.points() * grid_->row_numbers[static_cast<std::size_t>(point)];
    }
    for (Index part = 0; part < w.parts; ++part) {
        for (Index point = 0; point < w.points; ++point) {
            const Index slot = w.slot_of[static_cast<std::size_t>(point * w.parts + part)];
            slot_places_[part * w.points + point] = slot < 0 ? -1 : slot * w.source_channels;
        }
        Index rest = part;
        for (std::size_t a = rank_; a-- > 0; rest /= w.parts_along(a))
            part_places_[part * static_cast<Index>(rank_) + static_cast<Index>(a)] = rest % w.parts_along(a);
    }
    const std::size_t inner = rank_ - 1;
    ahead_ = work_.staged ? 0
                          : outputs_of(w.schemes[inner]) * w.spreads[inner] * grid_->maps[inner].target_step *
                                grid_->target.axes[inner];
    for (Index o = 0; o < w.outputs; ++o) {
        Index rest = o, point = 0, place = 0;
        for (std::size_t a = rank_; a-- > 0;) {
            const Index digit = rest % outputs_of(w.schemes[a]);
            rest /= outputs_of(w.schemes[a]);
            digits_[o * static_cast<Index>(rank_) + static_cast<Index>(a)] = digit;
            point += digit * grid_->point_strides[a];
            place += digit * w.spreads[a] * grid_->maps[a].target_step * grid_->target.axes[a];
        }
        place += rest * w.target_channels * grid_->target.channel;  // the other half
        if (o % slice_outputs_ == 0) slices_[o / slice_outputs_] = point;
        places_[o] = place;
    }
}

/// What a box reads and writes along each axis.
template <class T>
void FastWorker<T>::look_along_axes() {
    const FastWindow& w = grid_->window;
    Index* indices = indices_;
    unsigned char* bits = bits_;
    std::uint64_t* masks = masks_;
    bool* flags = flags_;
    uneven_ = false;
    for (std::size_t a = 0; a < rank_; ++a) {
        const AxisMap& map = grid_->maps[a];
        const Phase& first_phase = w.window.first()[a];
        const Index spread = w.spreads[a], entries = entries_of(w.schemes[a]), outputs = outputs_of(w.schemes[a]);
        const Index points = points_of(w.schemes[a]);
        const std::vector<Phase>& phases = shape_.phases[a];
        sources_[a] = indices;
        inside_[a] = flags;
        const auto each_tile = [&](const auto& look) {  // at the first row of its own, and its first row
            Index at = first_[a + 1] % grid_->tiles[a], own = grid_->own_row(a, first_[a + 1]);
            for (Index c = first_[a + 1]; c < last_[a + 1]; ++c) {
                look(own, grid_->is_back(a, own) ? own - spread : own);
                own += spread * outputs;
                if (++at < grid_->tiles[a]) continue;
                at = 0;
                own = grid_->own_row(a, c + 1);
            }
        };
        each_tile([&](Index, Index row) {
            const Index pixel = map.source(first_phase, row, 0), step = w.entry_steps[a];
            for (const FastPart& part : w.along[a]) {
                const Index from = pixel + part.source, to = from + step * (entries - 1);
                const bool all = from >= 0 && to < map.source_extent;
                for (Index e = 0; e < entries; ++e) {
                    const Index index = from + step * e;
                    const bool inside = all || (index >= 0 && index < map.source_extent);
                    *indices++ = inside ? index : -1;
                }
                *flags++ = all;
            }
        });
        targets_[a] = indices;
        valid_[a] = bits;
        needed_[a] = masks;
        whole_[a] = flags;
        std::uint64_t at_digit[halves_points] = {};  // points of the window, by their place along the axis
        for (Index point = 0; point < std::min(w.points, most_masked); ++point)
            at_digit[point / grid_->point_strides[a] % points] |= std::uint64_t(1) << point;
        const Range& range = grid_->ranges[a];
        const auto all_outputs = static_cast<unsigned char>((1u << outputs) - 1);
        each_tile([&](Index own, Index row) {
            *indices++ = map.target(first_phase, row) * grid_->target.axes[a];
            const bool whole = row >= range.common_first && row + spread * (outputs - 1) < range.common_last;
            *flags++ = whole;
            uneven_ = uneven_ || !whole;
            for (const Phase& phase : phases) {
                *bits = whole ? all_outputs : 0;
                *masks = whole ? ~std::uint64_t(0) : 0;
                const Index begin = whole ? 0 : std::max(map.first(phase), own);
                const Index end = whole ? 0 : std::min(map.last(phase), range.last);
                for (Index i = 0; !whole && i < outputs; ++i) {
                    if (row + spread * i < begin || row + spread * i >= end) continue;
                    *bits = static_cast<unsigned char>(*bits | 1u << i);
                    for (Index p = 0; p < points; ++p)
                        if ((points_of_output[static_cast<std::size_t>(w.schemes[a])][i] >> p & 1) != 0)
                            *masks |= at_digit[p];
                }
                ++bits, ++masks;
            }
        });
    }
    leaves_out_ = uneven_ && w.points <= most_masked;
    look_along_lines();
    if (grid_->gathered) return;
    for (std::size_t a = 0; a < rank_; ++a) {
        pixel_strides_[a] = grid_->source.axes[a];
        low_[a] = 0;
    }
    batch_stride_ = grid_->source.batch;
    half_ = grid_->window.source_channels;
    if constexpr (std::is_same_v<T, C>)
        origin_ = work_.source + first_[0] * batch_stride_ + group_ * shape_.source_channels;
}

/// Which tiles of a line can be computed as one after the other.
template <class T>
void FastWorker<T>::look_along_lines() {
    const FastWindow& w = grid_->window;
    const std::size_t inner = rank_ - 1;
    const Index parts = w.parts_along(inner), entries = parts * entries_of(w.schemes[inner]);
    const Index rows = w.spreads[inner] * outputs_of(w.schemes[inner]);
    const Index source_step = rows * grid_->maps[inner].source_step;
    const Index target_step = rows * grid_->maps[inner].target_step * grid_->target.axes[inner];
    Index sources = 0, targets = 0;  // after the tile
    for (Index c = last_[rank_] - first_[rank_]; c-- > 0;) {
        const Index *const from = sources_[inner] + c * entries, *const to = targets_[inner] + c;
        bool inside = true;
        for (Index part = 0; part < parts; ++part) inside = inside && inside_[inner][c * parts + part];
        if (sources > 0 && from[entries] - from[0] != source_step) sources = 0;
        if (targets > 0 && to[1] - to[0] != target_step) targets = 0;
        even_sources_[c] = sources = inside ? sources + 1 : 0;
        even_targets_[c] = targets = whole_[inner][c] ? targets + 1 : 0;
    }
}

/// Which neighbouring members have the same outputs in each tile of the box.
template <class T>
void FastWorker<T>::look_at_members() {
    const Index members = grid_->members();
    std::fill_n(kinds_, members, 0);
    for (std::size_t a = 0; uneven_ && a < rank_; ++a) {
        const Index phases = static_cast<Index>(shape_.phases[a].size()), tiles = last_[a + 1] - first_[a + 1];
        for (Index p = 0, kind = 0; p < phases; ++p) {
            const unsigned char* bits = valid_[a] + p;
            for (Index tile = 0; tile < tiles && kind != p && p > 0; ++tile, bits += phases)
                if (bits[0] != bits[-1]) kind = p;
            phase_kinds_[p] = kind;
        }
        for (Index m = 0; m < members; ++m)
            kinds_[m] = kinds_[m] * phases + phase_kinds_[grid_->phase_of[static_cast<std::size_t>(m)][a]];
    }
}

template class FastWorker<float>;
template class FastWorker<double>;
template class FastWorker<float16>;
template class FastWorker<bfloat16>;

}  // namespace tconv
