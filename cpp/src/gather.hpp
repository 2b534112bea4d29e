// Pixels of a tensor as rows of channels in the type that sums have: conversion and transposition of a tile.
#pragma once

#include <type_traits>

#include "half.hpp"
#include "kernels/table.hpp"

namespace tconv {

/// n numbers from storage to sums and back.
template <class T>
void widen(const Converters& convert, const T* from, compute_t<T>* to, Index n) {
    if constexpr (std::is_same_v<T, float16>) {
        convert.widen_float16(&from->bits, to, n);
    } else if constexpr (std::is_same_v<T, bfloat16>) {
        convert.widen_bfloat16(&from->bits, to, n);
    } else {
        for (Index i = 0; i < n; ++i) to[i] = from[i];
    }
}
template <class T>
void narrow(const Converters& convert, const compute_t<T>* from, T* to, Index n) {
    if constexpr (std::is_same_v<T, float16>) {
        convert.narrow_float16(from, &to->bits, n);
    } else if constexpr (std::is_same_v<T, bfloat16>) {
        convert.narrow_bfloat16(from, &to->bits, n);
    } else {
        for (Index i = 0; i < n; ++i) to[i] = from[i];
    }
}

/// `pixels` neighbours of `channels` channels each, to rows of channels one after the other.
template <class T>
void gather_run(const Converters& convert, const T* from, Index pixel_stride, Index channel_stride, Index pixels,
                Index channels, compute_t<T>* to) {
    using C = compute_t<T>;
    if (channel_stride == 1) {
        if (pixel_stride == channels) {
            widen(convert, from, to, pixels * channels);
            return;
        }
        for (Index p = 0; p < pixels; ++p) widen(convert, from + p * pixel_stride, to + p * channels, channels);
        return;
    }
    constexpr Index band = 8, length = 64;  // channels and pixels turned at once
    C turn[band][length];
    for (Index c = 0; c < channels; c += band) {
        const Index some = channels - c < band ? channels - c : band;
        for (Index p = 0; p < pixels; p += length) {
            const Index count = pixels - p < length ? pixels - p : length;
            const T* corner = from + c * channel_stride + p * pixel_stride;
            for (Index k = 0; k < some; ++k) {
                const T* line = corner + k * channel_stride;
                if (pixel_stride == 1) {
                    widen(convert, line, turn[k], count);
                } else {
                    for (Index i = 0; i < count; ++i) turn[k][i] = tconv::widen(line[i * pixel_stride]);
                }
            }
            C* row = to + p * channels + c;
            if (some == band) {
                for (Index i = 0; i < count; ++i, row += channels)
                    for (Index k = 0; k < band; ++k) row[k] = turn[k][i];
            } else {
                for (Index i = 0; i < count; ++i, row += channels)
                    for (Index k = 0; k < some; ++k) row[k] = turn[k][i];
            }
        }
    }
}

}  // namespace tconv
