// A worker's products whose rows are read where they lie in dy: numbers that a pixel of x meets side by side.
#include <algorithm>

#include "checked.hpp"
#include "grad_kernel/outer_worker.hpp"

namespace tconv {

/// Cuts the segments of a tile into pieces of a few numbers. Pixels that meet the same ones of those are one chain:
/// most meet all, and those at the ends of lines some.
template <class T>
void OuterWorker<T>::find_pieces() {
    const Index numbers = segments_.numbers(), parts = ceil_div(numbers, cut_.tile_rows);
    row_step_ = segments_.pixel_step();
    piece_count_ = run_count_ = 0;
    for (Index segment = 0; segment < segments_.count(); ++segment) {
        const Index spans = find_spans(segment);
        for (Index part = 0; part < parts; ++part) {
            const Index first = numbers * part / parts, last = numbers * (part + 1) / parts;
            for (Index s = 0; s < spans; ++s) {
                const Index low = std::max(spans_[s].low, first), high = std::min(spans_[s].high, last);
                const auto same = [&](const Span& span) {
                    return std::max(span.low, first) == low && std::min(span.high, last) == high;
                };
                if (low >= high || std::any_of(spans_, spans_ + s, same)) continue;
                Piece& piece = pieces_[piece_count_++];
                piece = {segment * numbers + low, high - low, run_count_, 0};
                for (Index line = 0; line < segments_.lines(); ++line) {
                    const Index before = segments_.line_at(line, segment);
                    if (before < 0) continue;
                    for (Index t = s; t < spans; ++t)
                        if (same(spans_[t])) add_run(piece, line * length_, before + low, spans_[t]);
                }
            }
        }
    }
}

/// Adds a span of a line to a piece, and to the run before where it goes on.
template <class T>
void OuterWorker<T>::add_run(Piece& piece, Index pixel, Index row, const Span& span) {
    const LineRun run{pixel + span.first, pixel + span.last, row + span.at};
    if (piece.runs > 0) {
        LineRun& before = runs_[run_count_ - 1];
        if (before.last == run.first && run.row - before.row == (run.first - before.first) * row_step_) {
            before.last = run.last;
            return;
        }
    }
    runs_[run_count_++] = run;
    ++piece.runs;
}

/// The spans of a segment, whose pixels lie evenly in dy.
template <class T>
Index OuterWorker<T>::find_spans(Index segment) {
    const auto [begin, end] = segments_.whole();
    Index spans = 0, next = 0;
    for (Index i = 0; i < length_; ++i) {
        if (i == begin && begin < end) {
            spans_[spans++] = {begin, end, 0, segments_.numbers(), segments_.pixel_at(begin, segment)};
            i = end - 1;
            continue;
        }
        const auto [low, high] = segments_.numbers_inside(i, segment);
        if (low >= high) continue;
        const Index at = segments_.pixel_at(i, segment);
        const bool on = spans > 0 && spans_[spans - 1].last == i && spans_[spans - 1].low == low &&
                        spans_[spans - 1].high == high && at == next;
        if (!on) spans_[spans++] = {i, i, low, high, at};
        ++spans_[spans - 1].last;
        next = at + row_step_;
    }
    return spans;
}

/// Adds a tile's products. The next box's pixels, which mostly follow these, are asked for meanwhile.
template <class T>
void OuterWorker<T>::multiply_in_place(Index group, bool more_boxes, C* sums) {
    constexpr Index line = 64 / sizeof(C);
    const bool follow = more_boxes && !cut_.gathered && channels_ == order_.g.in_channels;
    const Index calls = piece_count_ * ceil_div(channels_, cut_.width);
    const Index asked = follow && calls > 0 ? ceil_div(ceil_div(pixels_ * channels_, line), calls) : 0;
    const C* next = x_pixels_[pixels_ - 1];
    Outer<C> o{};
    o.rows = segments_.origin() + (group - first_group_) * order_.filters;
    o.row_step = row_step_;
    o.columns = column_panel_;
    o.column_step = cut_.width;
    o.c_stride = cut_.width;
    o.add = true;
    for (Index j = 0; j < channels_; j += cut_.width, o.columns += column_block_, sums += strip_) {
        const auto* const outer = work_.gradient.outer[cut_.vectors(channels_ - j) - 1];
        for (const Piece* piece = pieces_; piece < pieces_ + piece_count_; ++piece) {
            o.runs = runs_ + piece->first_run;
            o.run_count = piece->runs;
            o.c = sums + piece->first * cut_.width;
            outer[piece->rows - 1](o);
            for (Index n = 0; n < asked; ++n) __builtin_prefetch(next += line);
        }
    }
}

#define TCONV_INSTANTIATE(T)                     \
    template void OuterWorker<T>::find_pieces(); \
    template void OuterWorker<T>::multiply_in_place(Index, bool, C*);
TCONV_INSTANTIATE(float)
TCONV_INSTANTIATE(double)
TCONV_INSTANTIATE(float16)
TCONV_INSTANTIATE(bfloat16)
#undef TCONV_INSTANTIATE

}  // namespace tconv
