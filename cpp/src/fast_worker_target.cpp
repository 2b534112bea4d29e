// A fast worker's target: sums at points become outputs, finished and put where they belong.
#include <algorithm>
#include <type_traits>

#include "fast_worker.hpp"
#include "gather.hpp"

namespace tconv {

/// The columns [first, last) as they lie in the target: pieces of one member each, and runs where those lie side by
/// side.
template <class T>
void FastWorker<T>::cut_columns(Index first, Index last) {
    const Index channels = shape_.target_channels, step = grid_->target.channel;
    first_column_ = first;
    columns_ = last - first;
    pieces_count_ = runs_count_ = 0;
    for (Index column = first; column < last;) {
        const Index member = column / channels, channel = column % channels;
        const Piece piece{column - first, std::min(channels - channel, last - column), member,
                          grid_->deltas[static_cast<std::size_t>(member)] + channel * step};
        pieces_[pieces_count_++] = piece;
        if (runs_count_ > 0 && step == 1) {
            Piece& run = runs_[runs_count_ - 1];
            if (run.place + run.count == piece.place) {
                run.count += piece.count;
                column += piece.count;
                continue;
            }
        }
        runs_[runs_count_++] = piece;
        column += piece.count;
    }
}

/// The tile's sums [point][column], to its outputs.
template <class T>
void FastWorker<T>::store(C* sums) {
    const FastWindow& w = grid_->window;
    const Index width = grid_->block_panels * shape_.full_width, lanes = shape_.full_width / 2;
    const Index numbers = (columns_ + lanes - 1) / lanes * lanes;
    for (std::size_t pass = 0; pass + 2 < w.axes.size(); ++pass) {
        const std::size_t a = w.axes[pass];
        const Index stride = grid_->point_strides[a], step = points_of(w.schemes[a]) * stride;
        const auto run = work_.transforms.synthesise[static_cast<std::size_t>(w.schemes[a])];
        for (Index outer = 0; outer < w.points; outer += step)
            for (Index point = outer; point < outer + stride; ++point)
                run(sums + point * width, stride * width, numbers);
    }

    Index offset = (first_[0] + at_[0]) * grid_->target.batch + group_ * shape_.target_channels * grid_->target.channel;
    bool whole = true;
    for (std::size_t a = 0; a < rank_; ++a) {
        offset += targets_[a][at_[a + 1]];
        whole = whole && whole_[a][at_[a + 1]];
    }
    T* const target = work_.target + offset;  // only those that are there are written: it may lie outside
    const bool in_place = !work_.staged;
    if (!in_place) finish(sums, target, nullptr);
    if (whole) std::fill_n(here_, w.outputs, true);
    if (whole && in_place) {
        for (Index r = 0; r < runs_count_; ++r) finish(sums, target, &runs_[r]);
        return;
    }
    for (Index p = 0; p < pieces_count_; ++p) {
        if (!whole && !find_targets(pieces_[p])) continue;
        if (in_place) {
            finish(sums, target, &pieces_[p]);
        } else {
            scatter(target, pieces_[p]);
        }
    }
}

/// Which outputs of the tile a piece's member has; false when it has none.
template <class T>
bool FastWorker<T>::find_targets(const Piece& piece) {
    const auto& phase_of = grid_->phase_of[static_cast<std::size_t>(piece.member)];
    const Index* digits = digits_;
    bool any = false;
    for (Index o = 0; o < grid_->window.outputs; ++o, digits += rank_) {
        bool here = true;
        for (std::size_t a = 0; a < rank_; ++a) {
            const auto phases = static_cast<Index>(shape_.phases[a].size());
            here = here && (valid_[a][at_[a + 1] * phases + static_cast<Index>(phase_of[a])] >> digits[a] & 1) != 0;
        }
        here_[o] = here;
        any = any || here;
    }
    return any;
}

/// The last axes, bias and activation: of a piece to its targets that are there, or of all columns to staged rows.
template <class T>
void FastWorker<T>::finish(const C* sums, T* target, const Piece* piece) {
    const FastWindow& w = grid_->window;
    const Index width = grid_->block_panels * shape_.full_width;
    const Index column = piece == nullptr ? 0 : piece->first, columns = piece == nullptr ? columns_ : piece->count;
    const C* const bias = work_.bias == nullptr
                              ? nullptr
                              : work_.bias + group_ * work_.packed.group_bias + w.bias + first_column_ + column;
    const std::size_t count = w.axes.size();
    const auto scheme = [&](std::size_t i) {
        return i < count ? static_cast<std::size_t>(w.schemes[w.axes[i]]) : std::size_t(0);
    };
    const auto run = of_plane_ ? work_.transforms.finish_plane[scheme(count - 2)][scheme(count - 1)]
                               : work_.transforms.finish[scheme(count - 1)];
    C* to[9];
    for (Index s = 0; s < slices_count_; ++s) {
        const bool* const here = here_ + s * slice_outputs_;
        for (Index o = 0; o < slice_outputs_; ++o) {
            if (piece == nullptr) {
                to[o] = staged_ + (s * slice_outputs_ + o) * width;
            } else if constexpr (std::is_same_v<T, C>) {
                to[o] = here[o] ? target + (slices_[s].place + places_[o] + piece->place) : nullptr;
            }
        }
        run(sums + slices_[s].point * width + column, width, to, columns, bias, work_.finish);
    }
}

/// A piece of the staged rows, to its targets.
template <class T>
void FastWorker<T>::scatter(T* target, const Piece& piece) {
    const Index width = grid_->block_panels * shape_.full_width, step = grid_->target.channel;
    const Converters& converters = work_.packed.converters;
    for (Index o = 0; o < grid_->window.outputs; ++o) {
        if (!here_[o]) continue;
        const C* from = staged_ + o * width + piece.first;
        T* to = target + (slices_[o / slice_outputs_].place + places_[o % slice_outputs_] + piece.place);
        if (step == 1) {
            narrow(converters, from, to, piece.count);
        } else {
            narrow(converters, from, narrowed_, piece.count);
            for (Index k = 0; k < piece.count; ++k) to[k * step] = narrowed_[k];
        }
    }
}

template class FastWorker<float>;
template class FastWorker<double>;
template class FastWorker<float16>;
template class FastWorker<bfloat16>;

}  // namespace tconv
