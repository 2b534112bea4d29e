// A worker's memory, carved out of one piece.
#pragma once

#include <tconv/types.hpp>

namespace tconv {

/// Carves arrays out of one piece of memory; without memory it only counts.
class Carver {
  public:
    explicit Carver(char* memory) : memory_(memory) {}
    template <class U>
    U* take(Index count) {
        U* here = memory_ == nullptr ? nullptr : reinterpret_cast<U*>(memory_ + used_);
        used_ += (count * static_cast<Index>(sizeof(U)) + 63) / 64 * 64;
        return here;
    }
    Index used() const { return used_; }

  private:
    char* memory_;
    Index used_ = 0;
};

}  // namespace tconv
