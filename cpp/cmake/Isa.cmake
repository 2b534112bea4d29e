# One line per instruction set: the flags its kernel file, and no other file, is compiled with.
function(tconv_isa_sources target)
  target_sources(${target} PRIVATE src/kernels/generic.cpp)
  if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
    return()
  endif()
  target_sources(${target} PRIVATE src/kernels/avx2.cpp)
  set_source_files_properties(src/kernels/avx2.cpp TARGET_DIRECTORY ${target} PROPERTIES
    COMPILE_OPTIONS "$<IF:$<CXX_COMPILER_ID:MSVC>,/arch:AVX2,-mavx2;-mfma;-mf16c>")
  target_sources(${target} PRIVATE src/kernels/avx512.cpp)
  set_source_files_properties(src/kernels/avx512.cpp TARGET_DIRECTORY ${target} PROPERTIES
    COMPILE_OPTIONS "$<IF:$<CXX_COMPILER_ID:MSVC>,/arch:AVX512,-mavx512f;-mavx512vl;-mavx512dq;-mavx512bw;-mfma;-mf16c>")
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")  # it warns of its own header: GCC bug 105593
    set_property(SOURCE src/kernels/avx512.cpp TARGET_DIRECTORY ${target} APPEND PROPERTY
      COMPILE_OPTIONS -Wno-uninitialized -Wno-maybe-uninitialized)
  endif()
endfunction()
