// Naive loops, straight from the relation in geometry.hpp: slow, obviously right, any rank. The oracle of the tests and
// what Algorithm::reference runs.
#pragma once

#include <tconv/geometry.hpp>
#include <tconv/options.hpp>

#include "half.hpp"

namespace tconv::reference {

// Arrays as in conv_transpose.hpp. T is float, double, float16 or bfloat16; sums are kept in compute_t<T>, in the order
// (taps row-major, channels), and rounded once. The geometry is one that check() accepts. Of the options only the
// data format and, in forward, the activation are looked at. One thread; nothing is allocated but a few numbers per
// axis.

template <class T>
void forward(const Geometry<dynamic>& g, const T* x, const T* kernel, const T* bias, T* y, const Options& options);

template <class T>
void grad_input(const Geometry<dynamic>& g, const T* dy, const T* kernel, T* dx, const Options& options);

/// The sum over (n, i) runs over images, then over the input in row-major order.
template <class T>
void grad_kernel(const Geometry<dynamic>& g, const T* x, const T* dy, T* dkernel, const Options& options);

/// The sum over (n, o) runs over images, then over the output in row-major order.
template <class T>
void grad_bias(const Geometry<dynamic>& g, const T* dy, T* dbias, const Options& options);

/// The activation of one number. A NaN gives a NaN.
double activate(const Activation& activation, double x);

}  // namespace tconv::reference
