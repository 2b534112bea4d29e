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
    // Channels and pixels turned at once; and how far channels are followed, which the processor foresees, before what
    // they are turned to leaves the second cache.
    constexpr Index band = 16, length = 64, run = 4 * length;
    constexpr Index line = 64 / static_cast<Index>(sizeof(T));
    C lines[band][length];
    for (Index c = 0, begin = 0, end = std::min(run, pixels); begin < pixels;) {
        const Index some = channels - c < band ? channels - c : band;
        const bool below = c + band < channels;
        const Index next_c = below ? c + band : 0, next_begin = below ? begin : end;
        for (Index p = begin; p < end; p += length) {
            const Index count = end - p < length ? end - p : length;
            // What is turned next may be on other pages, which the processor doesn't foresee.
            const bool beside = p + length < end;
            const Index ahead_c = beside ? c : next_c, ahead_p = beside ? p + length : next_begin;
            const T* const ahead = from + ahead_c * channel_stride + ahead_p * pixel_stride;
            const Index ahead_channels = std::min(channels - ahead_c, band);
            const Index ahead_numbers = std::min(pixels - ahead_p, length) * pixel_stride;
            for (Index k = 0; k < ahead_channels; ++k)
                for (Index i = 0; i < ahead_numbers; i += line)
                    __builtin_prefetch(ahead + k * channel_stride + i, 0, 2);
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
        c = next_c;
        begin = next_begin;
        if (!below) end = std::min(end + run, pixels);
    }
}

}  // namespace tconv
