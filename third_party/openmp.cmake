# OpenMP (GCC's libgomp: GPL-3.0 with the runtime library exception; LLVM's libomp: Apache-2.0 with LLVM exceptions): the
# threads, in cpp/src/parallel.hpp alone. It comes with the compiler and is found through it; without it the library
# computes on one thread. The installed package looks for it again, because a static library names what it links with.
set(TCONV_OPENMP_FOUND OFF)
if(TCONV_OPENMP)
  find_package(OpenMP COMPONENTS CXX)
  set(TCONV_OPENMP_FOUND ${OpenMP_CXX_FOUND})
endif()
