// Whether numbers are finite: zeros times weights are zeros only where they are.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <type_traits>

#include "parallel.hpp"

namespace tconv {

template <class C>
bool all_finite(const C* numbers, Index count) {
    using Bits = std::conditional_t<sizeof(C) == 4, std::int32_t, std::int64_t>;
    Bits others = 0;  // a difference is zero exactly where a number is finite
    for (Index i = 0; i < count; ++i) others |= numbers[i] - numbers[i] == C(0) ? 0 : 1;
    return others == 0;
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
