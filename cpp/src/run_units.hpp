// Workers that take units of work, each in memory of its own.
#pragma once

#include <algorithm>
#include <vector>

#include "buffer.hpp"
#include "carver.hpp"
#include "parallel.hpp"

namespace tconv {

inline constexpr Index workers_bytes = 16 << 20;  // of all workers together, where units can be cut small enough

template <class Worker, class Work>
Index bytes_of_worker(const Work& work) {
    Carver counter(nullptr);
    const Worker worker(work, counter);
    return counter.used();
}

/// Computes all units of the work, which `shrink` cuts smaller first, as long as it can, until every thread has some
/// and the workers fit in memory.
template <class Worker, class Work, class Shrink>
void run_units(const Work& work, int threads, std::pmr::memory_resource* resource, const Shrink& shrink) {
    while ((bytes_of_worker<Worker>(work) * threads > workers_bytes || (threads > 1 && work.units() < 2 * threads)) &&
           shrink()) {
    }
    threads = static_cast<int>(std::clamp<Index>(threads, 1, std::max<Index>(work.units(), 1)));
    const Index bytes = bytes_of_worker<Worker>(work);
    Buffer<char> memory(bytes * threads, resource);
    std::vector<Worker> workers;
    for (int i = 0; i < threads; ++i) {
        Carver carver(memory.data() + bytes * i);
        workers.emplace_back(work, carver);
    }
    parallel_for(threads, work.units(),
                 [&](Index unit, int worker) { workers[static_cast<std::size_t>(worker)].compute(unit); });
}

}  // namespace tconv
