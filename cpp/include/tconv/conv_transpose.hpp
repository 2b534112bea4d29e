// The three products, forward, gradient of the input and gradient of the kernel, and the gradient of the bias.
#pragma once

#include <tconv/export.hpp>
#include <tconv/geometry.hpp>
#include <tconv/options.hpp>

namespace tconv {

namespace detail {
template <class T>
TCONV_API void conv_transpose(const Geometry<dynamic>& g, const T* x, const T* kernel, const T* bias, T* y,
                              const Options& options);
template <class T>
TCONV_API void conv_transpose_grad_input(const Geometry<dynamic>& g, const T* dy, const T* kernel, T* dx,
                                         const Options& options);
template <class T>
TCONV_API bool grad_input_is_fast(const Geometry<dynamic>& g, const Options& options);
template <class T>
TCONV_API void conv_transpose_grad_kernel(const Geometry<dynamic>& g, const T* x, const T* dy, T* dkernel,
                                          const Options& options);
template <class T>
TCONV_API void conv_transpose_grad_bias(const Geometry<dynamic>& g, const T* dy, T* dbias, const Options& options);
}  // namespace detail

// T is float, double, float16 or bfloat16; N is any number of axes, or `dynamic`. All arrays are dense; the channel
// axis is where options.data_format says. The results are bitwise equal for every number of threads. Sums are kept
// in float for the 16-bit types and rounded once. Throws ShapeError before anything is written, std::bad_alloc when
// there is no memory for the packed kernel.

/// y[n,o,f] = activation(bias[f] + sum over (i,k,c) with i*stride + k*dilation == o + crop of x[n,i,c]*kernel[k,f,c]).
///
///     x       (batch, in..., in_channels)
///     kernel  (kernel..., filters/groups, in_channels)
///     bias    (filters), or nullptr for none
///     y       (batch, out..., filters); must not overlap the others
template <class T, int N>
void conv_transpose(const Geometry<N>& g, const T* x, const T* kernel, const T* bias, T* y,
                    const Options& options = {}) {
    detail::conv_transpose<T>(g, x, kernel, bias, y, options);
}

/// dx[n,i,c] = sum over (o,k,f) with i*stride + k*dilation == o + crop of dy[n,o,f]*kernel[k,f,c]: an ordinary strided
/// convolution. The activation in the options is ignored: dy is the gradient before it.
template <class T, int N>
void conv_transpose_grad_input(const Geometry<N>& g, const T* dy, const T* kernel, T* dx, const Options& options = {}) {
    detail::conv_transpose_grad_input<T>(g, dy, kernel, dx, options);
}

/// Whether conv_transpose_grad_input takes a fast algorithm, for a kernel without infinities and NaN. It follows from
/// the geometry and the options alone. With Algorithm::automatic a model of the times decides, which takes longer than
/// a small gradient: whoever computes many asks once, and then for Algorithm::direct where the answer is no.
template <class T, int N>
bool grad_input_is_fast(const Geometry<N>& g, const Options& options = {}) {
    return detail::grad_input_is_fast<T>(g, options);
}

/// dkernel[k,f,c] = sum over (n,i,o) with i*stride + k*dilation == o + crop of x[n,i,c]*dy[n,o,f]. By a fast algorithm
/// an infinity or NaN of x or dy makes NaN of all taps of its channel or filter.
template <class T, int N>
void conv_transpose_grad_kernel(const Geometry<N>& g, const T* x, const T* dy, T* dkernel,
                                const Options& options = {}) {
    detail::conv_transpose_grad_kernel<T>(g, x, dy, dkernel, options);
}

/// dbias[f] = sum over (n,o) of dy[n,o,f]. Of the geometry only batch, filters and the outputs' extents matter.
template <class T, int N>
void conv_transpose_grad_bias(const Geometry<N>& g, const T* dy, T* dbias, const Options& options = {}) {
    detail::conv_transpose_grad_bias<T>(g, dy, dbias, options);
}

}  // namespace tconv
