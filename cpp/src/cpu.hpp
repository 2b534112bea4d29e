// What this process runs on.
#pragma once

#include <tconv/options.hpp>

namespace tconv {

/// Whether this processor has the instructions of `isa`.
bool runs(Isa isa);

/// The number of threads that Options::threads stands for, cut to what the processor can use. Throws ShapeError for a
/// negative number.
int thread_count(int asked);

}  // namespace tconv
