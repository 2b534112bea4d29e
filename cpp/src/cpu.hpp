// What this process runs on.
#pragma once

#include <tconv/options.hpp>

namespace tconv {

/// More threads than this are never started: a larger request is cut.
inline constexpr int max_threads = 1024;

/// Whether this processor has the instructions of `isa`.
bool runs(Isa isa);

/// The number of threads that Options::threads stands for. Throws ShapeError for a negative number.
int thread_count(int asked);

}  // namespace tconv
