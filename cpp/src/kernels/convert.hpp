// bfloat16 <-> float in plain loops: shifts, which the compiler turns into vectors of any instruction set.
#pragma once

#include "table.hpp"

namespace tconv {
namespace {

void widen_bfloat16(const std::uint16_t* from, float* to, Index n) {
    for (Index i = 0; i < n; ++i) {
        const std::uint32_t bits = static_cast<std::uint32_t>(from[i]) << 16;
        __builtin_memcpy(to + i, &bits, sizeof bits);
    }
}
void narrow_bfloat16(const float* from, std::uint16_t* to, Index n) {  // to nearest even; a NaN stays one, made quiet
    for (Index i = 0; i < n; ++i) {
        std::uint32_t bits;
        __builtin_memcpy(&bits, from + i, sizeof bits);
        const bool nan = (bits & 0x7fffffffu) > 0x7f800000u;
        to[i] = static_cast<std::uint16_t>((nan ? bits | 0x400000u : bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
    }
}

}  // namespace
}  // namespace tconv
