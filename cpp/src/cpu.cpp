// What this process runs on: instruction sets, threads, forks. Detected once.
#include <algorithm>
#include <cstdlib>
#include <string>
#include <thread>

#include <tconv/error.hpp>
#include <tconv/options.hpp>

#include "cpu.hpp"
#include "parallel.hpp"

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace tconv {

bool runs(Isa isa) {
    switch (isa) {
        case Isa::generic:
            return true;
        case Isa::avx2:
#if defined(__x86_64__)
            return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
#else
            return false;
#endif
        case Isa::avx512:
#if defined(__x86_64__)
            return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                   __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") && runs(Isa::avx2);
#else
            return false;
#endif
        case Isa::best:
            break;
    }
    return false;
}

namespace {

// More than these are never started: OpenMP ends the process when it cannot start a thread.
int most_threads() {
    static const int most = std::max(64, 4 * static_cast<int>(std::thread::hardware_concurrency()));
    return most;
}

// TCONV_NUM_THREADS, read when first asked for; a value that is not a positive number is as good as none.
int threads_from_environment() {
    const char* text = std::getenv("TCONV_NUM_THREADS");
    if (text == nullptr) return 0;
    char* rest = nullptr;
    const long value = std::strtol(text, &rest, 10);
    return rest != text && *rest == '\0' && value > 0 ? static_cast<int>(std::min<long>(value, most_threads())) : 0;
}

// Set in the child of a fork, where it is the only thread, and never again.
bool in_child = false;

[[maybe_unused]] const int fork_handler = [] {
#if defined(__unix__) || defined(__APPLE__)
    return pthread_atfork(nullptr, nullptr, [] { in_child = true; });
#else
    return 0;
#endif
}();

}  // namespace

bool forked() { return in_child; }

bool has_openmp() {
#ifdef _OPENMP
    return true;
#else
    return false;
#endif
}

int default_threads() {
    static const int threads = [] {
        const int asked = threads_from_environment();
        return asked > 0 ? asked : openmp_threads();
    }();
    return threads;
}

int thread_count(int asked) {
    if (asked < 0) throw ShapeError("conv_transpose: threads=" + std::to_string(asked) + " must be at least 0.");
    if (asked == 0) return default_threads();
    return std::min(asked, most_threads());
}

}  // namespace tconv
