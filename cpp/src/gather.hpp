// Pixels of a tensor as rows of channels in the type that sums have: conversion and transposition of a tile.
#pragma once

#include <algorithm>
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
void gather_run(const Kernels<compute_t<T>>& kernels, const Converters& convert, const T* from, Index pixel_stride,
                Index channel_stride, Index pixels, Index channels, compute_t<T>* to) {
    using C = compute_t<T>;
    if (channel_stride == 1) {
        if (pixel_stride == channels) {
            widen(convert, from, to, pixels * channels);
        } else {
            for (Index p = 0; p < pixels; ++p) widen(convert, from + p * pixel_stride, to + p * channels, channels);
        }
        return;
    }
    constexpr Index band = 16, length = 64;  // channels and pixels turned at once
    constexpr Index line = 64 / static_cast<Index>(sizeof(T));
    C lines[band][length];
    for (Index p = 0; p < pixels; p += length) {
        const Index count = pixels - p < length ? pixels - p : length;
        for (Index c = 0; c < channels; c += band) {
            const Index some = channels - c < band ? channels - c : band;
            // What is turned next is on other pages, which the processor doesn't foresee.
            const bool beside = c + band < channels;
            const T* const next =
                beside ? from + (c + band) * channel_stride + p * pixel_stride : from + (p + length) * pixel_stride;
            const Index next_channels = beside ? std::min(channels - c - band, band) : std::min(channels, band);
            if (beside || p + length < pixels)
                for (Index k = 0; k < next_channels; ++k)
                    for (Index i = 0; i < count * pixel_stride; i += line)
                        __builtin_prefetch(next + k * channel_stride + i, 0, 2);
            const T* corner = from + c * channel_stride + p * pixel_stride;
            C* corner_to = to + p * channels + c;
            if constexpr (std::is_same_v<T, C>) {
                if (pixel_stride == 1) {
                    kernels.turn(corner, channel_stride, corner_to, channels, some, count);
                    continue;
                }
            }
            for (Index k = 0; k < some; ++k) {
                const T* line = corner + k * channel_stride;
                if (pixel_stride == 1) {
                    widen(convert, line, lines[k], count);
                } else {
                    for (Index i = 0; i < count; ++i) lines[k][i] = tconv::widen(line[i * pixel_stride]);
                }
            }
            kernels.turn(lines[0], length, corner_to, channels, some, count);
        }
    }
}

}  // namespace tconv
