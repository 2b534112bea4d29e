// Work in parallel: the only place that knows OpenMP.
#pragma once

#include <tconv/types.hpp>

#include <atomic>

#ifdef _OPENMP
#include <omp.h>
#endif

namespace tconv {

/// Whether this process is a fork of one that had loaded the library. OpenMP's threads don't survive a fork, so the
/// child computes on one thread; the results are the same bits.
bool forked();

/// What is taken of a part of the units, in a cache line of its own.
struct alignas(64) Taken {
    std::atomic<Index> all{0}, first{0}, last{0};  // units; from the first one on, and from the last one back
};

/// Calls work(unit, worker) once for every unit in [0, units), on at most `threads` workers, numbered from 0. Each
/// worker takes the units of its own part in order, the same part in every call, so that what it reads and writes tends
/// to lie in its caches; and then the last ones of those that others have not come to. Takes no memory from the heap,
/// so it cannot fail; `work` must not throw.
template <class Work>
void parallel_for(int threads, Index units, const Work& work) {
#ifdef _OPENMP
    if (threads > 1 && units > 1 && !forked()) {
        constexpr int most_parts = 64;  // more workers share them; see bench/simulate.py
        const int team = static_cast<int>(threads < units ? threads : units);
        const int parts = team < most_parts ? team : most_parts;
        Taken taken[most_parts];
#pragma omp parallel num_threads(team)
        {
            const int worker = omp_get_thread_num();
            for (int i = 0; i < parts; ++i) {
                const int part = (worker + i) % parts;
                Taken& of_part = taken[part];
                const Index first = units * part / parts, last = units * (part + 1) / parts;
                while (of_part.all.fetch_add(1, std::memory_order_relaxed) < last - first)
                    work(i == 0 ? first + of_part.first.fetch_add(1, std::memory_order_relaxed)
                                : last - 1 - of_part.last.fetch_add(1, std::memory_order_relaxed),
                         worker);
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
