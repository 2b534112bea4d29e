// What the pixels of a box meet in dy through a box of taps, as segments: numbers that lie side by side.
#pragma once

#include <algorithm>
#include <cstring>
#include <utility>

#include "reach.hpp"

namespace tconv {

/// A pixel has a segment for each tap, or for each tap of all axes but the last where the taps of that lie side by
/// side. Pixels go line by line along the last axis.
template <class T>
class Segments {
  public:
    using C = compute_t<T>;

    /// For boxes of `box` images and pixels, `taps` taps and `channels` channels at most.
    Segments(const Geometry<dynamic>& g, const Layout& dy, bool gathered, const std::vector<Index>& box,
             const std::vector<Index>& taps, Index channels, Carver& carver);

    /// Looks at images and pixels [first, last), [batch, axes...], and taps [first_tap, last_tap), [axes...]; `filters`
    /// numbers under a tap, of `channels` that are taken from `from` on.
    void enter(const Index* first, const Index* last, const Index* first_tap, const Index* last_tap, Index filters,
               Index channels, const Kernels<C>& kernels, const Converters& converters, const T* from);

    /// Makes each tap a segment: those are inside or not, without a part.
    void split() { segments_ = inner_taps_; }
    /// The pixels of a line whose segments are in part outside.
    Index parted() const;

    Index taps() const { return outer_taps_ * inner_taps_; }
    Index count() const { return outer_taps_ * segments_; }
    Index numbers() const { return inner_taps_ / segments_ * filters_; }
    Index length() const { return length_; }
    Index lines() const { return lines_; }
    /// Whether some pixel of the box meets no pixel of dy through some tap: all of a line along the axes but the last,
    /// or one along the last.
    bool clipped() const { return reach_.clipped(); }
    bool line_clipped(Index line) const {
        const Index* outer = outer_ + line * outer_taps_;
        return std::any_of(outer, outer + outer_taps_, [](Index at) { return at < 0; });
    }
    bool pixel_clipped(Index i) const { return reach_.low(inner_, i) > 0 || reach_.high(inner_, i) < inner_taps_; }
    bool inside(Index line, Index i, Index tap) const {
        const Index inner = tap % inner_taps_;
        return outer_[line * outer_taps_ + tap / inner_taps_] >= 0 && inner >= reach_.low(inner_, i) &&
               inner < reach_.high(inner_, i);
    }

    /// Whether some tap is inside: along all axes but the last, for the pixels of a line; along the last one, for a
    /// pixel.
    bool met(Index line) const {
        const Index* outer = outer_ + line * outer_taps_;
        return std::any_of(outer, outer + outer_taps_, [](Index at) { return at >= 0; });
    }
    bool met_along(Index i) const { return reach_.low(inner_, i) < reach_.high(inner_, i); }

    /// Where a line meets a segment, -1 outside; and a pixel of it a segment of which some numbers are inside.
    Index line_at(Index line, Index segment) const { return outer_[line * outer_taps_ + segment / segments_]; }
    Index pixel_at(Index i, Index segment) const {
        return segments_ == 1 ? reach_.base(inner_, i) : reach_.at(inner_, i, segment % segments_);
    }
    /// The pixels [first, second) all of whose segments are whole, and evenly spaced.
    std::pair<Index, Index> whole() const { return {reach_.begin(inner_), reach_.end(inner_)}; }
    const C* origin() const { return reach_.origin; }
    /// From a pixel's first number to its neighbour's, for the first of them that both meet something.
    Index pixel_step() const {
        if (reach_.end(inner_) - reach_.begin(inner_) > 1) return reach_.pixel_step(inner_);
        for (Index i = 1; i < length_; ++i)
            if (met_along(i - 1) && met_along(i)) return reach_.base(inner_, i) - reach_.base(inner_, i - 1);
        return 0;
    }
    /// The numbers of a pixel's segment that are inside.
    std::pair<Index, Index> numbers_inside(Index i, Index segment) const {
        const Index low = reach_.low(inner_, i), high = reach_.high(inner_, i), tap = segment % segments_;
        if (segments_ == 1) return {low * filters_, high * filters_};
        return {0, tap >= low && tap < high ? filters_ : 0};
    }

    /// A segment of `count` pixels of a line, from pixel i on, its numbers from channel `channel` on:
    /// even(first, count, from, step) for pixels whose segments are whole and evenly spaced, one(pixel, from, low,
    /// high) for others, of whose segment only the numbers [low, high) are inside. Pixels count from i.
    template <class Even, class One>
    void each(Index channel, Index line, Index i, Index count, Index segment, const Even& even, const One& one) const {
        const Index tap = segment % segments_, before = outer_[line * outer_taps_ + segment / segments_];
        if (before < 0) {
            for (Index p = 0; p < count; ++p) one(p, reach_.origin, 0, 0);
            return;
        }
        const C* from = reach_.origin + channel + before;
        const Index begin = std::clamp<Index>(reach_.begin(inner_) - i, 0, count);
        const Index end = std::clamp<Index>(reach_.end(inner_) - i, begin, count);
        const auto single = [&](Index p, Index last) {
            for (; p < last; ++p) {
                const Index low = reach_.low(inner_, i + p), high = reach_.high(inner_, i + p);
                if (segments_ == 1 ? low >= high : tap < low || tap >= high) {
                    one(p, reach_.origin, 0, 0);
                } else if (segments_ == 1) {
                    one(p, from + reach_.base(inner_, i + p), low * filters_, high * filters_);
                } else {
                    one(p, from + reach_.at(inner_, i + p, tap), 0, filters_);
                }
            }
        };
        single(0, begin);
        if (begin < end) {
            even(begin, end - begin, from + reach_.base(inner_, i + begin) + tap * reach_.tap_step(inner_),
                 reach_.pixel_step(inner_));
        }
        single(end, count);
    }

    /// The numbers [first, last) of a segment of the same pixels, zeros where they are outside, to lines to_step apart.
    void copy(Index channel, Index line, Index i, Index count, Index segment, Index first, Index last, C* to,
              Index to_step) const;

  private:
    Reach<T> reach_;
    std::size_t inner_;  // the last axis
    Index filters_ = 0, outer_taps_ = 0, inner_taps_ = 0, lines_ = 0, length_ = 0;
    Index segments_ = 1;  // of the taps of the last axis
    Index* at_;           // [batch, axes...]
    Index* outer_;        // [line][tap of all axes but the last] distance from dy's origin, or -1
};

/// The next line of a box, in the order of its axes; false after the last, and then `at` is the first again.
inline bool next_line(std::size_t rank, const Index* first, const Index* last, Index* at) {
    for (std::size_t a = rank; a-- > 0;) {  // all but the last axis
        if (++at[a] < last[a]) return true;
        at[a] = first[a];
    }
    return false;
}

/// The numbers [low, high) of n, zeros around them.
template <class C>
void copy_between(const C* from, Index low, Index high, Index n, C* to) {
    std::fill_n(to, low, C(0));
    if (low < high) std::copy_n(from + low, high - low, to + low);
    std::fill_n(to + high, n - high, C(0));
}

/// Size to twice as many numbers: moves of constant size, which overlap.
template <int Size, class C>
void copy_twice(const C* from, C* to, Index n) {
    std::memcpy(to, from, Size * sizeof(C));
    std::memcpy(to + n - Size, from + n - Size, Size * sizeof(C));
}

/// `n` numbers of each of some lines.
template <class C>
void copy_lines(const C* from, Index from_step, C* to, Index to_step, Index lines, Index n) {
    const auto each = [&](const auto& copy) {
        for (Index i = 0; i < lines; ++i, from += from_step, to += to_step) copy();
    };
    if (n == 1) {
        each([&] { *to = *from; });
    } else if (n <= 4) {
        each([&] { copy_twice<2>(from, to, n); });
    } else if (n <= 8) {
        each([&] { copy_twice<4>(from, to, n); });
    } else if (n <= 16) {
        each([&] { copy_twice<8>(from, to, n); });
    } else if (n <= 32) {
        each([&] { copy_twice<16>(from, to, n); });
    } else {
        each([&] { std::memcpy(to, from, static_cast<std::size_t>(n) * sizeof(C)); });
    }
}

}  // namespace tconv
