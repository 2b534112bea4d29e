// What a shared library shows. A static one shows nothing of its own in the program or library that it is linked into.
#pragma once

#if !defined(TCONV_SHARED)
#define TCONV_API
#elif !defined(_WIN32)
#define TCONV_API __attribute__((visibility("default")))
#elif defined(tconv_EXPORTS)  // CMake defines it where the library itself is compiled
#define TCONV_API __declspec(dllexport)
#else
#define TCONV_API __declspec(dllimport)
#endif
