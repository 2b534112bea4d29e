// Index and storage types.
#pragma once

#include <cstddef>
#include <cstdint>

#include <tconv/export.hpp>

namespace tconv {

/// Extents, offsets and counts: signed, so that differences are numbers too.
using Index = std::int64_t;

/// IEEE 754 binary16 as stored in memory. Arithmetic on it is done in float.
struct TCONV_API float16 {
    std::uint16_t bits;
};

/// bfloat16 (the upper half of a float) as stored in memory. Arithmetic on it is done in float.
struct TCONV_API bfloat16 {
    std::uint16_t bits;
};

/// The rank of a geometry whose number of spatial axes is known at run time only.
inline constexpr int dynamic = -1;

}  // namespace tconv
