// Instruction sets.
#pragma once

namespace tconv {

/// Instruction sets that kernels exist for, worst first.
enum class Isa {
    best,     // the best one that this processor has, or TCONV_ISA, read once
    generic,  // what every processor of the architecture has
    avx2,     // AVX2 + FMA + F16C
};

}  // namespace tconv
