// Work in parallel: the only place that knows OpenMP.
#pragma once

#include <tconv/types.hpp>

#ifdef _OPENMP
#include <omp.h>
#endif

namespace tconv {

/// Whether this process is a fork of one that had loaded the library. OpenMP's threads don't survive a fork, so the
/// child computes on one thread; the results are the same bits.
bool forked();

/// Calls work(unit, worker) once for every unit in [0, units), on at most `threads` workers, numbered from 0. Units
/// are handed out one by one, in order. `work` must not throw.
template <class Work>
void parallel_for(int threads, Index units, const Work& work) {
#ifdef _OPENMP
    if (threads > 1 && units > 1 && !forked()) {
        const int team = static_cast<int>(threads < units ? threads : units);
#pragma omp parallel for schedule(dynamic, 1) num_threads(team)
        for (Index unit = 0; unit < units; ++unit) work(unit, omp_get_thread_num());
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
