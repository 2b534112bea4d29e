// A fast worker's channels-first target: outputs are turned, so that the numbers of a channel are stored line by line.
#include <algorithm>
#include <type_traits>

#include "checked.hpp"
#include "fast/worker.hpp"
#include "half.hpp"

namespace tconv {
namespace {

constexpr Index numbers_together = 1 << 14;  // outputs that are turned, and stay in a cache
constexpr Index turned_together = 16;        // rows: a multiple of any vector's width

}  // namespace

/// Rows of outputs that are turned together, at most.
template <class T>
Index FastWorker<T>::line_rows(const FastGrid& grid) const {
    const Index outputs = grid.window.outputs;
    return outputs * std::max<Index>(numbers_together / (outputs * grid.block_panels * shape_.panel.width), 1);
}

/// Numbers of all of them.
template <class T>
Index FastWorker<T>::line_numbers(const FastGrid& grid) const {
    return round_up(line_rows(grid), turned_together) * grid.block_panels * shape_.panel.width;
}

/// The sums of `count` tiles of the box, to their outputs: neighbours along the last axis go together.
template <class T>
void FastWorker<T>::store_lines(Index first, Index count) {
    const Index most = line_rows(*grid_) / grid_->window.outputs, along = grid_->tiles[rank_ - 1];
    for (Index tile = first; tile < first + count;) {
        locate(tile);
        const Index c = first_[rank_] + at_[rank_];
        const Index some = std::min({first + count - tile, last_[rank_] - c, along - c % along, most});
        store_segment(sums_ + (tile - first) * grid_->sum_numbers, some);
        tile += some;
    }
}

/// Calls use(member, count, channel, some) for channels of members of a run that are computed together.
template <class T>
template <class Use>
void FastWorker<T>::each_columns(const Use& use) {
    const Index channels = grid_->window.target_channels, run = grid_->window.window.run, panel = grid_->width();
    const bool cut = run > 1 && channels % panel == 0;  // panels of members side by side follow each other
    const Index end = first_column_ + columns_;
    for (Index place = first_column_, some; place < end; place += some) {
        const Index column = grid_->column_at(place), member = column / channels, channel = column % channels;
        const Index first_member = member - member % run, first = first_member * channels;
        // Channels of which all members of the run are here.
        Index low = std::max<Index>(first_column_ - first, 0);
        Index high = std::min(end - first - (run - 1) * channels, channels);
        if (cut) {
            const Index begin = grid_->place_of(first + channel);
            const bool all = begin >= first_column_ && begin + run * panel <= end;
            low = all ? 0 : channels;
            high = all ? channels : 0;
        }
        const bool together = run > 1 && channel >= low && channel < high;
        const Index rest = channel < low && low < high ? low : channels;
        some = std::min(together ? high - channel : rest - channel, end - place);
        if (cut) some = std::min(some, panel - column % panel);
        if (!together) {
            use(member, 1, channel, some);
        } else if (member == first_member) {
            use(member, run, channel, some);
        }
    }
}

/// The sums of neighbours along the last axis, of which the first one is the current tile.
template <class T>
void FastWorker<T>::store_segment(C* sums, Index tiles) {
    const FastWindow& w = grid_->window;
    const Index lanes = shape_.panel.width / 2, width = round_up(columns_, lanes);
    const Index outputs = outputs_of(w.schemes[rank_ - 1]), length = tiles * outputs;
    segment_rows_ = round_up(w.outputs * tiles, turned_together);
    for (Index o = 0; o < w.outputs; ++o) rows_[o] = (o / outputs * length + o % outputs) * width;
    const std::size_t inner = rank_ - 1;
    for (Index t = 0; t < tiles; ++t) synthesise(sums + t * grid_->sum_numbers);
    const Index tile = first_[rank_] + at_[rank_] + tiles - 1;
    // Those of the last one's outputs that its neighbour has, where it is a tile further back, are not wanted.
    const Index back = tiles == 1 ? 0 : (grid_->own_row(inner, tile) - grid_->row(inner, tile)) / w.spreads[inner];
    const TileRun run{back == 0 ? tiles : tiles - 1, grid_->sum_numbers, outputs * width};
    finish_columns(sums, 0, columns_, run, [&](Index o) { return staged_ + rows_[o]; });
    if (back > 0) {
        C* const last = staged_ + (tiles - 1) * outputs * width;
        finish_columns(sums + (tiles - 1) * grid_->sum_numbers, 0, columns_, {1, 0, 0},
                       [&](Index o) { return o % outputs < back ? nullptr : last + rows_[o - back]; });
    }
    work_.packed.kernels.turn(staged_, width, turned_, segment_rows_, segment_rows_, width);

    each_columns([&](Index member, Index count, Index channel, Index some) {
        store_columns(member, count, channel, some, tiles);
    });
}

/// `some` channels of `count` members that follow each other along the last axis, from the turned outputs.
template <class T>
void FastWorker<T>::store_columns(Index member, Index count, Index channel, Index some, Index tiles) {
    const FastWindow& w = grid_->window;
    const std::size_t inner = rank_ - 1;
    const AxisMap& map = grid_->maps[inner];
    const Index spread = w.spreads[inner], outputs = outputs_of(w.schemes[inner]), length = tiles * outputs;
    const Index tile = first_[rank_] + at_[rank_], row = grid_->row(inner, tile), own = grid_->own_row(inner, tile);
    const Index channels = w.target_channels;
    Index begin = 0, end = length;  // outputs that all members have
    for (Index q = 0; q < count; ++q) {
        const Phase& phase = w.window.members[static_cast<std::size_t>(member + q)][inner];
        const Index first = std::max(map.first(phase), own),
                    last = std::min(map.last(phase), grid_->ranges[inner].last);
        segment_[q].first = std::clamp<Index>(ceil_div(first - row, spread), 0, length);
        segment_[q].last = std::clamp<Index>(ceil_div(last - row, spread), segment_[q].first, length);
        begin = std::max(begin, segment_[q].first);
        end = std::min(end, segment_[q].last);
        segment_[q].from =
            turned_ + (grid_->place_of((member + q) * channels + channel) - first_column_) * segment_rows_;
    }
    end = std::max(begin, end);
    Index place = (first_[0] + at_[0]) * grid_->target.batch + grid_->deltas[static_cast<std::size_t>(member)] +
                  (group_ * shape_.target_channels + channel) * grid_->target.channel;
    for (std::size_t a = 0; a < rank_; ++a) place += targets_[a][at_[a + 1]];
    const Index step = spread * map.target_step;
    const auto& phase_of = grid_->phase_of[static_cast<std::size_t>(member)];
    for (Index o = 0; o < w.outputs; o += outputs) {
        here_[o] = true;
        for (std::size_t a = 0; a < inner; ++a) {
            const auto phases = static_cast<Index>(shape_.phases[a].size());
            const Index digit = digits_[o * static_cast<Index>(rank_) + static_cast<Index>(a)];
            const unsigned char bits = valid_[a][at_[a + 1] * phases + static_cast<Index>(phase_of[a])];
            here_[o] = here_[o] && (bits >> digit & 1) != 0;
        }
    }
    for (Index c = 0; c < some; ++c, place += grid_->target.channel) {
        Lines lines;
        lines.ahead = c + 1 < some ? grid_->target.channel : 0;
        for (Index o = 0; o < w.outputs; o += outputs) {
            if (here_[o])
                store_line(count, c * segment_rows_ + o * tiles, begin, end, work_.target, place + places_[o], step,
                           lines);
        }
    }
}

/// Number q of output i goes to target[to + i*step + q]: those that all columns have, and what is left of each.
template <class T>
void FastWorker<T>::store_line(Index count, Index offset, Index begin, Index end, T* target, Index to, Index step,
                               const Lines& lines) {
    for (Index q = 0; q < count; ++q) {
        const C* const from = segment_[q].from + offset;
        for (Index i = segment_[q].first; i < std::min(segment_[q].last, begin); ++i)
            target[to + i * step + q] = narrow<T>(from[i]);
        for (Index i = std::max(segment_[q].first, end); i < segment_[q].last; ++i)
            target[to + i * step + q] = narrow<T>(from[i]);
        from_[q] = from + begin;
    }
    if (begin == end) return;
    const Kernels<C>& kernels = work_.packed.kernels;
    T* __restrict here = target + (to + begin * step);
    const Index n = end - begin;
    if (count == step) return kernels.interleave(from_, count, n, here, storage_of<T>, lines);
    if constexpr (std::is_same_v<T, C>) {
        constexpr Index line = 64 / static_cast<Index>(sizeof(T));
        if (lines.ahead != 0 && step <= line)
            for (Index i = 0; i < n * step; i += line) __builtin_prefetch(here + lines.ahead + i, 1);
    }
    for (Index q = 0; q < count; ++q) {
        const C* __restrict const from = from_[q];
        for (Index i = 0; i < n; ++i) here[i * step + q] = narrow<T>(from[i]);
    }
}

template class FastWorker<float>;
template class FastWorker<double>;
template class FastWorker<float16>;
template class FastWorker<bfloat16>;

}  // namespace tconv
