// Whether numbers are finite: zeros times weights are zeros only where they are.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "parallel.hpp"

namespace tconv {

template <class C>
bool all_finite(const C* numbers, Index count) {
    using Bits = std::conditional_t<sizeof(C) == 4, std::uint32_t, std::uint64_t>;
    constexpr Bits sign = Bits(1) << (8 * sizeof(C) - 1), least = Bits(1) << (std::numeric_limits<C>::digits - 1);
    Bits all = 0;  // an exponent that is all ones, and it alone, is carried to where the sign was
    for (Index i = 0; i < count; ++i) all |= (std::bit_cast<Bits>(numbers[i]) & ~sign) + least;
    return (all & sign) == 0;
}

/// The same of many, in parallel.
template <class C>
bool all_finite(const C* numbers, Index count, int threads) {
    constexpr Index piece = 1 << 16;
    const Index pieces = (count + piece - 1) / piece;
    std::atomic<bool> finite = true;
    parallel_for(threads, pieces, [&](Index unit, int) {
        const Index first = unit * piece;
        if (!all_finite(numbers + first, std::min(piece, count - first))) finite = false;
    });
    return finite;
}

}  // namespace tconv
