// Isa -> tables of kernels.
#pragma once

#include "kernels/fast_table.hpp"
#include "kernels/gradient_table.hpp"
#include "kernels/table.hpp"

namespace tconv {

/// The kernels of an instruction set; throws ShapeError when this processor or build has not got it.
template <class T>
const Kernels<T>& kernels_for(Isa isa);
template <class T>
const GradientKernels<T>& gradient_kernels_for(Isa isa);
template <class T>
const FastKernels<T>& fast_kernels_for(Isa isa);
const Converters& converters_for(Isa isa);

}  // namespace tconv
