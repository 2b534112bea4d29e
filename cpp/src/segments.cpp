#include "segments.hpp"

namespace tconv {

template <class T>
Segments<T>::Segments(const Geometry<dynamic>& g, const Layout& dy, bool gathered, const std::vector<Index>& box,
                      const std::vector<Index>& taps, Index channels, Carver& carver)
    : reach_(g, dy, gathered, box, taps, channels, carver), inner_(g.axes.size() - 1) {
    Index lines = box[0], outer_taps = 1;
    for (std::size_t a = 0; a < inner_; ++a) {
        lines *= box[a + 1];
        outer_taps *= taps[a];
    }
    at_ = carver.take<Index>(static_cast<Index>(inner_) + 2);
    outer_ = carver.take<Index>(lines * outer_taps);
}

template <class T>
void Segments<T>::enter(const Index* first, const Index* last, const Index* first_tap, const Index* last_tap,
                        Index filters, Index channels, const Kernels<C>& kernels, const Converters& converters,
                        const T* from) {
    reach_.enter(first, last, first_tap, last_tap, channels);
    reach_.take(kernels, converters, from, 1);
    filters_ = filters;
    length_ = last[inner_ + 1] - first[inner_ + 1];
    inner_taps_ = reach_.taps(inner_);
    outer_taps_ = 1;
    for (std::size_t a = 0; a < inner_; ++a) outer_taps_ *= reach_.taps(a);
    segments_ = reach_.even(inner_) && (inner_taps_ == 1 || reach_.tap_step(inner_) == filters) ? 1 : inner_taps_;

    lines_ = 0;
    std::copy_n(first, inner_ + 2, at_);
    Index* outer = outer_;
    for (bool more = true; more; outer += outer_taps_, ++lines_) {
        reach_.meet_line(at_, first, outer);
        more = next_line(inner_ + 1, first, last, at_);
    }
}

template <class T>
Index Segments<T>::parted() const {
    if (segments_ == inner_taps_) return 0;
    Index parted = 0;
    for (Index i = 0; i < length_; ++i) {
        const Index count = reach_.high(inner_, i) - reach_.low(inner_, i);
        parted += count > 0 && count < inner_taps_ ? 1 : 0;
    }
    return parted;
}

template <class T>
void Segments<T>::copy(Index channel, Index line, Index i, Index count, Index segment, Index first, Index last, C* to,
                       Index to_step) const {
    each(
        channel, line, i, count, segment,
        [&](Index p, Index lines, const C* from, Index step) {
            copy_lines(from + first, step, to + p * to_step, to_step, lines, last - first);
        },
        [&](Index p, const C* from, Index low, Index high) {
            low = std::clamp<Index>(low - first, 0, last - first);
            high = std::clamp<Index>(high - first, low, last - first);
            copy_between(from + first, low, high, last - first, to + p * to_step);
        });
}

template class Segments<float>;
template class Segments<double>;
template class Segments<float16>;
template class Segments<bfloat16>;

}  // namespace tconv
