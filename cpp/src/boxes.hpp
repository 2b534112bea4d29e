// A grid of points cut into equal boxes.
#pragma once

#include <vector>

#include <tconv/types.hpp>

namespace tconv {

class Boxes {
  public:
    Boxes() = default;
    /// Boxes of at most `most` points, as long as can be along the last axis; their extents are even.
    Boxes(const std::vector<Index>& extents, Index most);
    /// Boxes of the given size, smaller at the ends.
    Boxes(const std::vector<Index>& extents, const std::vector<Index>& size);

    /// How many there are; 0 when an extent is.
    Index count() const;
    /// The extents of the largest box, and its points.
    const std::vector<Index>& size() const { return size_; }
    Index points() const;
    /// The points of one box.
    Index points_of(Index box) const;
    /// The same as so many slabs, across the first axis that it has several points along, of so many points each.
    struct Slabs {
        Index count, points;
    };
    Slabs slabs_of(Index box) const;
    /// The points [first, last) of a box along each axis.
    void locate(Index box, Index* first, Index* last) const;

  private:
    std::vector<Index> extents_, size_, counts_;
};

}  // namespace tconv
