// Instruction sets.
#pragma once

namespace tconv {

/// Instruction sets that kernels exist for, worst first.
enum class Isa {
    best,     // the best one that this processor has, or TCONV_ISA, read once; AVX2 of AVX-512 for a shape that would
              // leave more lanes of those vectors empty
    generic,  // what every processor of the architecture has
    avx2,     // AVX2 + FMA + F16C
    avx512,   // AVX-512 F, VL, DQ and BW
};

}  // namespace tconv
