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

/// The instruction set whose vectors are half as long as those of `isa`, and as fast; `isa` itself, if there is none.
Isa narrower(Isa isa);
/// What Isa::best means for sums of `count` lanes, each of type C: narrower vectors where those have fewer lanes empty.
/// Any other isa stands for itself.
template <class C>
Isa isa_for(Isa isa, Index count);

}  // namespace tconv
