#include "boxes.hpp"

#include <algorithm>

#include "checked.hpp"

namespace tconv {

Boxes::Boxes(const std::vector<Index>& extents, Index most) : extents_(extents) {
    size_.assign(extents.size(), 1);
    for (std::size_t a = extents.size(); a-- > 0;) {
        if (extents[a] <= 0) continue;
        size_[a] = ceil_div(extents[a], ceil_div(extents[a], std::max<Index>(most, 1)));
        most /= size_[a];
    }
    *this = Boxes(extents_, size_);
}

Boxes::Boxes(const std::vector<Index>& extents, const std::vector<Index>& size) : extents_(extents), size_(size) {
    for (std::size_t a = 0; a < extents.size(); ++a) counts_.push_back(ceil_div(extents[a], size[a]));
}

Index Boxes::count() const {
    Index product = 1;
    for (const Index n : counts_) product *= n;
    return product;
}

Index Boxes::points() const {
    Index product = 1;
    for (const Index n : size_) product *= n;
    return product;
}

Index Boxes::points_of(Index box) const {
    Index product = 1;
    for (std::size_t a = extents_.size(); a-- > 0;) {
        const Index first = box % counts_[a] * size_[a];
        product *= std::min(first + size_[a], extents_[a]) - first;
        box /= counts_[a];
    }
    return product;
}

Boxes::Slabs Boxes::slabs_of(Index box) const {
    Slabs slabs{1, 1};
    for (std::size_t a = extents_.size(); a-- > 0;) {
        const Index first = box % counts_[a] * size_[a], extent = std::min(first + size_[a], extents_[a]) - first;
        if (extent > 1) slabs = {extent, slabs.count * slabs.points};
        box /= counts_[a];
    }
    return slabs;
}

void Boxes::locate(Index box, Index* first, Index* last) const {
    for (std::size_t a = extents_.size(); a-- > 0;) {
        first[a] = box % counts_[a] * size_[a];
        last[a] = std::min(first[a] + size_[a], extents_[a]);
        box /= counts_[a];
    }
}

}  // namespace tconv
