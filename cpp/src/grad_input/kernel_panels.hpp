// The kernel as the products of the input gradient read it.
#pragma once

#include <tconv/geometry.hpp>

#include "buffer.hpp"
#include "half.hpp"
#include "kernels/gradient_table.hpp"
#include "kernels/table.hpp"

namespace tconv {

/// For each group blocks of its channels: [group][block][tap and filter][width], the last block filled up with zeros.
template <class T>
class KernelPanels {
  public:
    using C = compute_t<T>;

    KernelPanels(const Geometry<dynamic>& g, const T* kernel, const GradientKernels<C>& gradient,
                 const Converters& converters, int threads, std::pmr::memory_resource* memory);

    /// Numbers under all taps, of all filters of a group.
    Index pairs() const { return pairs_; }
    Index blocks() const { return blocks_; }
    const C* block(Index group, Index number) const {
        return numbers_.data() + (group * blocks_ + number) * block_numbers();
    }
    Index block_numbers() const { return pairs_ * width_; }
    /// No infinity or NaN: zeros times weights are zeros.
    bool finite() const { return finite_; }

  private:
    Index pairs_, width_, blocks_;
    Buffer<C> numbers_;
    bool finite_ = true;
};

}  // namespace tconv
