// How the work of a plan is cut, for those who measure.
#pragma once

#include <cstddef>
#include <vector>

namespace tconv {

/// Units of work, in order. A thread takes those of its own part one by one, and then the last ones that others have
/// not come to. Of each, by a model: `costs`, its time in products of numbers, what is around the products included;
/// `bytes`, that it reads.
struct Stage {
    std::vector<double> costs, bytes;
};

/// Stages come one after the other: the next begins when all units of the one before are done.
struct Schedule {
    int threads = 1;                    // that are given work
    std::size_t packed_bytes = 0;       // of the kernel as direct sums read it
    std::size_t transformed_bytes = 0;  // of the kernel as a fast algorithm reads it, beside those
    std::size_t workspace_bytes = 0;    // that a call takes for all threads
    std::vector<Stage> stages;
};

}  // namespace tconv
