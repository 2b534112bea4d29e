// Some of the indices along an axis.
#pragma once

#include <algorithm>

#include <tconv/types.hpp>

namespace tconv {

/// Source indices that a tile needs along one axis: from, from + 1, ... or a sorted list.
struct Picked {
    Index from, count;
    const Index* list;  // nullptr: no gaps

    Index at(Index position) const { return list == nullptr ? from + position : list[position]; }
    Index position(Index index) const;
};

inline Index Picked::position(Index index) const {
    return list == nullptr ? index - from : std::lower_bound(list, list + count, index) - list;
}

}  // namespace tconv
