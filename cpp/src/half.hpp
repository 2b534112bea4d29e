// The 16-bit storage types as numbers: IEEE 754 binary16 and bfloat16 to float and back, rounded to nearest even.
// Infinities, denormals and signed zeros are kept; a NaN stays a NaN, made quiet, with the upper bits of its payload
// (as F16C does it). Integer arithmetic throughout: no rounding mode or flush-to-zero setting matters.
// For files that are compiled for the baseline; kernels have their own conversions.
#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

#include <tconv/types.hpp>

namespace tconv {

constexpr float to_float(float16 value) {
    const std::uint32_t sign = (value.bits & 0x8000u) << 16;
    const std::uint32_t exponent = (value.bits >> 10) & 0x1fu;
    std::uint32_t mantissa = value.bits & 0x3ffu;
    if (exponent == 0x1f) {
        return std::bit_cast<float>(sign | 0x7f800000u | (mantissa << 13) | (mantissa != 0 ? 0x400000u : 0u));
    }
    if (exponent != 0) return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
    if (mantissa == 0) return std::bit_cast<float>(sign);
    std::uint32_t shifted = 113;  // a denormal of binary16 is a normal float
    for (; (mantissa & 0x400u) == 0; mantissa <<= 1) --shifted;
    return std::bit_cast<float>(sign | (shifted << 23) | ((mantissa & 0x3ffu) << 13));
}

constexpr float to_float(bfloat16 value) {
    const std::uint32_t bits = static_cast<std::uint32_t>(value.bits) << 16;
    return std::bit_cast<float>((bits & 0x7fffffffu) > 0x7f800000u ? bits | 0x400000u : bits);
}

constexpr float16 to_float16(float value) {
    const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t sign = (bits >> 16) & 0x8000u;
    const std::uint32_t size = bits & 0x7fffffffu;
    const auto result = [sign](std::uint32_t rest) { return float16{static_cast<std::uint16_t>(sign | rest)}; };
    if (size > 0x7f800000u) return result(0x7e00u | ((size >> 13) & 0x3ffu));
    if (size >= 0x477ff000u) return result(0x7c00u);  // 65520 and above
    if (size >= 0x38800000u) return result((size + 0xfffu + ((size >> 13) & 1u) - 0x38000000u) >> 13);
    const std::uint32_t shift = 126 - (size >> 23);  // below 2^-14: count units of 2^-24
    if (shift > 24) return result(0);
    const std::uint32_t mantissa = (size & 0x7fffffu) | 0x800000u;
    const std::uint32_t units = mantissa >> shift;
    const std::uint32_t rest = mantissa & ((1u << shift) - 1), half = 1u << (shift - 1);
    return result(units + (rest > half || (rest == half && (units & 1u) != 0) ? 1u : 0u));
}

constexpr bfloat16 to_bfloat16(float value) {
    const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return {static_cast<std::uint16_t>((bits >> 16) | 0x40u)};
    return {static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16)};
}

/// Whether T is stored in 16 bits and computed in float.
template <class T>
inline constexpr bool is_half = std::is_same_v<T, float16> || std::is_same_v<T, bfloat16>;

/// The type that sums over T are kept in.
template <class T>
using compute_t = std::conditional_t<is_half<T>, float, T>;

template <class T>
constexpr compute_t<T> widen(T value) {
    if constexpr (is_half<T>) {
        return to_float(value);
    } else {
        return value;
    }
}

template <class T>
constexpr T narrow(compute_t<T> value) {
    if constexpr (std::is_same_v<T, float16>) {
        return to_float16(value);
    } else if constexpr (std::is_same_v<T, bfloat16>) {
        return to_bfloat16(value);
    } else {
        return value;
    }
}

}  // namespace tconv
