// The 16-bit types, over all their codes.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "check.hpp"
#include "half.hpp"

using namespace tconv;

namespace {

/// A 16-bit code from its fields, in double precision.
double decode(unsigned code, int exponent_bits, int mantissa_bits) {
    const int sign = static_cast<int>(code >> 15);
    const int exponent = static_cast<int>(code >> mantissa_bits) & ((1 << exponent_bits) - 1);
    const int mantissa = static_cast<int>(code) & ((1 << mantissa_bits) - 1);
    const int bias = (1 << (exponent_bits - 1)) - 1;
    double size;
    if (exponent == (1 << exponent_bits) - 1) {
        size = mantissa == 0 ? std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
    } else if (exponent == 0) {
        size = std::ldexp(mantissa, 1 - bias - mantissa_bits);
    } else {
        size = std::ldexp(mantissa + (1 << mantissa_bits), exponent - bias - mantissa_bits);
    }
    return sign != 0 ? -size : size;
}

std::uint32_t bits_of(float value) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}

float float_of(std::uint32_t bits) {
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

/// All codes, the midpoints between neighbours, and the floats next to those, against the fields of the codes.
template <class Half>
void check_all_codes(int exponent_bits, int mantissa_bits) {
    const unsigned infinity = ((1u << exponent_bits) - 1) << mantissa_bits;
    for (unsigned code = 0; code < 0x10000; ++code) {
        const Half half{static_cast<std::uint16_t>(code)};
        const double expected = decode(code, exponent_bits, mantissa_bits);
        const float value = to_float(half);
        if ((code & 0x7fff) > infinity) {
            const std::uint16_t back = narrow<Half>(value).bits;
            CHECK(std::isnan(value) && (bits_of(value) & 0x400000) != 0);
            CHECK(back == (code | (1u << (mantissa_bits - 1))));
            continue;
        }
        CHECK(static_cast<double>(value) == expected && std::signbit(value) == (code >> 15 != 0));
        CHECK(narrow<Half>(value).bits == code);
        if ((code & 0x7fff) >= infinity) continue;
        // Between this number and the next one of larger size; the one after the largest is 2^(max exponent + 1).
        const double next = (code & 0x7fff) + 1 == infinity
                                ? std::copysign(std::ldexp(1, 1 << (exponent_bits - 1)), expected)
                                : decode(code + 1, exponent_bits, mantissa_bits);
        const float middle = static_cast<float>(expected / 2 + next / 2);
        if (static_cast<double>(middle) != expected / 2 + next / 2) continue;  // below float's denormals
        CHECK(narrow<Half>(middle).bits == code + (code & 1));                 // to even
        CHECK(narrow<Half>(float_of(bits_of(middle) - 1)).bits == code);
        CHECK(narrow<Half>(float_of(bits_of(middle) + 1)).bits == code + 1);
    }
}

static_assert(to_float(float16{0x3c00}) == 1.0f && to_float16(-2.0f).bits == 0xc000);
static_assert(to_float(bfloat16{0x3f80}) == 1.0f && to_bfloat16(-2.0f).bits == 0xc000);
static_assert(to_float16(65519.0f).bits == 0x7bff && to_float16(65520.0f).bits == 0x7c00);

}  // namespace

TEST("half/every float16 code, midpoint and neighbour") { check_all_codes<float16>(5, 10); }
TEST("half/every bfloat16 code, midpoint and neighbour") { check_all_codes<bfloat16>(8, 7); }

TEST("half/NaN stays NaN when the payload is below the 16 bits") {
    for (const std::uint32_t nan : {0x7f800001u, 0xff800001u, 0x7fffffffu, 0xffffffffu}) {
        CHECK(std::isnan(to_float(to_float16(float_of(nan)))));
        CHECK(std::isnan(to_float(to_bfloat16(float_of(nan)))));
        CHECK((to_float16(float_of(nan)).bits >> 15) == (nan >> 31));
        CHECK((to_bfloat16(float_of(nan)).bits >> 15) == (nan >> 31));
    }
}

TEST("half/huge and tiny floats") {
    const float inf = std::numeric_limits<float>::infinity(), max = std::numeric_limits<float>::max();
    CHECK(to_float16(inf).bits == 0x7c00 && to_float16(-max).bits == 0xfc00);
    CHECK(to_bfloat16(inf).bits == 0x7f80 && to_bfloat16(-max).bits == 0xff80);
    CHECK(to_float16(1e-30f).bits == 0 && to_float16(-1e-45f).bits == 0x8000);
    CHECK(to_bfloat16(1e-45f).bits == 0 && to_bfloat16(-1e-45f).bits == 0x8000);
}
