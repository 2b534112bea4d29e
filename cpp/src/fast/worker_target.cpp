// A fast worker's target: sums at points become outputs, finished and put where they belong.
#include <algorithm>
#include <type_traits>

#include "fast/worker.hpp"
#include "gather.hpp"

namespace tconv {
namespace {

/// Adds a piece to the last one of `count` if it may and begins where that ends, or behind them; how many they are.
template <class Piece>
Index add(Piece* pieces, Index count, const Piece& piece, bool may_join) {
    if (may_join && count > 0 && pieces[count - 1].place + pieces[count - 1].count == piece.place) {
        pieces[count - 1].count += piece.count;
        return count;
    }
    pieces[count] = piece;
    return count + 1;
}

}  // namespace

/// The columns [first, last) as they lie in the target: runs of those side by side, and pieces of these whose members
/// have the same outputs.
template <class T>
void FastWorker<T>::cut_columns(Index first, Index last) {
    const Index channels = grid_->window.target_channels, step = grid_->target.channel;
    first_column_ = first;
    columns_ = last - first;
    pieces_count_ = runs_count_ = 0;
    if (step != 1) return;  // see store_segment
    for (Index column = first; column < last;) {
        const Index member = column / channels, channel = column % channels;
        const Piece piece{column - first, std::min(channels - channel, last - column), member,
                          grid_->deltas[static_cast<std::size_t>(member)] + channel};
        const bool same = column > first && kinds_[member] == kinds_[member - 1];
        pieces_count_ = add(pieces_, pieces_count_, piece, same);
        runs_count_ = add(runs_, runs_count_, piece, true);
        column += piece.count;
    }
}

/// The tile's sums [point][column], transformed along all axes but those that are finished together.
template <class T>
void FastWorker<T>::synthesise(C* sums) {
    const FastWindow& w = grid_->window;
    if (w.axes.size() <= 2) return;
    const Index width = grid_->block_panels * shape_.panel.width, lanes = shape_.panel.width / 2;
    const Index numbers = (columns_ + lanes - 1) / lanes * lanes;
    for (std::size_t pass = 0; pass + 2 < w.axes.size(); ++pass) {
        const std::size_t a = w.axes[pass];
        const Index stride = grid_->point_strides[a], step = points_of(w.schemes[a]) * stride;
        const auto run = work_.transforms.synthesise[static_cast<std::size_t>(w.schemes[a])];
        for (Index outer = 0; outer < w.points; outer += step)
            for (Index point = outer; point < outer + stride; ++point)
                run(sums + point * width, stride * width, numbers);
    }
}

/// The tile's sums [point][column], to its outputs, with those of its neighbours that lie evenly, `most` at most; of
/// how many tiles they were.
template <class T>
Index FastWorker<T>::store(C* sums, Index most) {
    synthesise(sums);
    Index offset = (first_[0] + at_[0]) * grid_->target.batch + group_ * shape_.target_channels * grid_->target.channel;
    bool whole = true;
    for (std::size_t a = 0; a < rank_; ++a) {
        offset += targets_[a][at_[a + 1]];
        whole = whole && whole_[a][at_[a + 1]];
    }
    T* const target = work_.target + offset;  // only those that are there are written: it may lie outside
    const bool in_place = !work_.staged;
    const bool one = grid_->window.axes.size() > 2 || !whole || !in_place;  // or sums leave the first cache meanwhile
    const Index tiles = one ? 1 : std::min(most, even_targets_[at_[rank_]]);
    if (!in_place) finish(sums, target, nullptr, tiles);
    if (whole) std::fill_n(here_, grid_->window.outputs, true);
    if (whole && in_place) {
        for (Index r = 0; r < runs_count_; ++r) finish(sums, target, &runs_[r], tiles);
        return tiles;
    }
    for (Index p = 0; p < pieces_count_; ++p) {
        if (!whole && !find_targets(pieces_[p])) continue;
        if (in_place) {
            finish(sums, target, &pieces_[p], tiles);
        } else {
            narrow_rows(target, pieces_[p]);
        }
    }
    return tiles;
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
void FastWorker<T>::finish(const C* sums, T* target, const Piece* piece, Index tiles) {
    const Index width = grid_->block_panels * shape_.panel.width;
    const TileRun run{tiles, grid_->sum_numbers, ahead_};
    if (piece == nullptr) return finish_columns(sums, 0, columns_, run, [&](Index o) { return staged_ + o * width; });
    if constexpr (std::is_same_v<T, C>) {
        T* const first = target + piece->place;
        finish_columns(sums, piece->first, piece->count, run,
                       [&](Index o) { return here_[o] ? first + places_[o] : nullptr; });
    }
}

/// A piece of the staged rows, to its targets.
template <class T>
void FastWorker<T>::narrow_rows(T* target, const Piece& piece) {
    const Index width = grid_->block_panels * shape_.panel.width;
    for (Index o = 0; o < grid_->window.outputs; ++o) {
        if (!here_[o]) continue;
        T* const to = target + (places_[o] + piece.place);
        narrow(work_.packed.converters, staged_ + o * width + piece.first, to, piece.count);
    }
}

template class FastWorker<float>;
template class FastWorker<double>;
template class FastWorker<float16>;
template class FastWorker<bfloat16>;

}  // namespace tconv
