// Work in parallel: the only place that knows OpenMP.
#pragma once

#include <tconv/types.hpp>

#include <atomic>
#include <vector>

#ifdef _OPENMP
#include <omp.h>
#endif

namespace tconv {

/// Whether this process is a fork of one that had loaded the library. OpenMP's threads don't survive a fork, so the
/// child computes on one thread; the results are the same bits.
bool forked();

/// What is taken of a worker's part, in a cache line of its own.
struct alignas(64) Taken {
    std::atomic<Index> all{0}, last{0};  // units; those of them that other workers took, from the last one on
};

/// Calls work(unit, worker) once for every unit in [0, units), on at most `threads` workers, numbered from 0. Each
/// worker takes the units of its own part in order, the same part in every call, so that what it reads and writes tends
/// to lie in its caches; and then the last ones of those that others have not come to. `work` must not throw.
template <class Work>
void parallel_for(int threads, Index units, const Work& work) {
#ifdef _OPENMP
    if (threads > 1 && units > 1 && !forked()) {
        const int team = static_cast<int>(threads < units ? threads : units);
        std::vector<Taken> taken(static_cast<std::size_t>(team));
#pragma omp parallel num_threads(team)
        {
            const int worker = omp_get_thread_num();
            for (int i = 0; i < team; ++i) {
                const int part = (worker + i) % team;
                Taken& of_part = taken[static_cast<std::size_t>(part)];
                const Index first = units * part / team, last = units * (part + 1) / team;
                Index next = first;
                while (of_part.all.fetch_add(1, std::memory_order_relaxed) < last - first)
                    work(i == 0 ? next++ : last - 1 - of_part.last.fetch_add(1, std::memory_order_relaxed), worker);
            }
        }
        return;
    }
#endif
    for (Index unit = 0; unit < units; ++unit) work(unit, 0);
}

/// How many threads OpenMP would use: 1 without it.
inline int openmp_threads() {
#ifdef _OPENMP
    return omp_get_max_threads();
#else
    return 1;
#endif
}

}  // namespace tconv
