// Integer arithmetic that says when it leaves 64 bits.
#pragma once

#include <tconv/types.hpp>

namespace tconv {

/// A sum of products that remembers whether a step of it overflowed.
class Checked {
  public:
    Checked(Index value) : value_(value) {}  // NOLINT: a number is a checked number
    bool overflowed() const { return overflowed_; }
    Index value() const { return value_; }

    friend Checked operator+(Checked a, Checked b) {
        a.overflowed_ |= b.overflowed_ | __builtin_add_overflow(a.value_, b.value_, &a.value_);
        return a;
    }
    friend Checked operator-(Checked a, Checked b) {
        a.overflowed_ |= b.overflowed_ | __builtin_sub_overflow(a.value_, b.value_, &a.value_);
        return a;
    }
    friend Checked operator*(Checked a, Checked b) {
        a.overflowed_ |= b.overflowed_ | __builtin_mul_overflow(a.value_, b.value_, &a.value_);
        return a;
    }

  private:
    Index value_;
    bool overflowed_ = false;
};

/// Quotients rounded towards minus and plus infinity; b > 0.
constexpr Index floor_div(Index a, Index b) { return a / b - (a % b < 0); }
constexpr Index ceil_div(Index a, Index b) { return a / b + (a % b > 0); }
/// The least multiple that is not less.
constexpr Index round_up(Index n, Index multiple) { return ceil_div(n, multiple) * multiple; }

}  // namespace tconv
