// Every product with a packed kernel: rows of a tile times blocks of columns, in parallel.
#pragma once

#include <optional>
#include <vector>

#include "direct/plane_grid.hpp"
#include "direct/tiling.hpp"

namespace tconv {

/// A product with a packed kernel over the rows that the maps describe, with everything decided but the data. The
/// packed kernel must outlive it. Immutable: threads may share it.
template <class T>
class Product {
  public:
    Product(const detail::Packed<T>& packed, const std::vector<AxisMap>& maps, Index batch, DataFormat format,
            int threads, std::pmr::memory_resource* memory);
    Product(const Product&) = delete;  // its tiling points into it
    Product& operator=(const Product&) = delete;

    /// target = finish(bias + kernel applied to source). Every target is stored once, by one thread, from one chain
    /// of sums in the order of taps and channels: the bits depend on the kernel's shape and the instruction set alone,
    /// and, of dots, whose sums have a chain for each lane, on whether planes serve the extents and the data format.
    /// Throws std::bad_alloc before anything is written.
    void operator()(const T* source, const T* bias, T* target, Finish<compute_t<T>> finish) const;

    /// How it is cut; neither when there is nothing to compute.
    const std::optional<Tiling>& tiling() const { return tiling_; }
    /// That are given work.
    int threads() const { return threads_; }
    /// Bytes of memory that a call takes.
    Index workspace() const {
        const Index turned = planes_ ? planes_->turned_numbers * planes_->columns.product_groups : 0;
        return worker_bytes_ * threads_ + turned * static_cast<Index>(sizeof(compute_t<T>));
    }
    const std::optional<PlaneGrid>& planes() const { return planes_; }

  private:
    template <class Worker, class Work, class Cut>
    void run(const Work& work, const Cut& cut, const T* bias) const;

    const detail::Packed<T>& packed_;
    std::pmr::memory_resource* memory_;        // of a call
    std::optional<detail::Columns> channels_;  // of planes, depthwise
    std::optional<PlaneGrid> planes_;
    std::optional<Tiling> tiling_;
    bool dead_targets_ = false;  // some that no tap reaches
    int threads_ = 1;
    Index worker_bytes_ = 0;
};

}  // namespace tconv
