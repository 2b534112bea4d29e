// One worker of a kernel gradient with few channels in many groups, whose vectors lie along the groups; or with few
// filters and taps, whose vectors lie along the channels, read where they are.
#pragma once

#include "grad_kernel/kernel_sums.hpp"
#include "kernels/gradient_table.hpp"
#include "reach.hpp"

namespace tconv {

template <class T>
struct LanesWork : KernelWork<T> {
    Index lanes, channels;  // groups, and channels of each; or channels, and one
    Index lanes_of_unit;
    bool gathered, shared;  // dy is, by all lanes
    const Kernels<compute_t<T>>& kernels;
    const GradientKernels<compute_t<T>>& gradient;
    const Converters& converters;

    Index bundles() const;
    Index units() const { return this->sums.parts * bundles(); }
    /// Cuts smaller, which changes no bit of the result; false when that would not pay.
    bool shrink();
};

template <class T>
class LanesWorker {
  public:
    using C = compute_t<T>;

    /// Takes its memory from the carver; computes nothing when that only counts.
    LanesWorker(const LanesWork<T>& work, Carver& carver);

    void compute(Index unit);

  private:
    /// Pixels of a line that go evenly through some taps of the last axis.
    struct Run {
        Index first, count, tap, taps, at, step, tap_step;
    };

    void find_runs();
    void add_box(Index box);
    void add_lines(Index channel, Index filter);
    Index gather_x();

    const LanesWork<T>& work_;
    const KernelSums& order_;
    std::size_t rank_;
    Reach<T> reach_;
    Index part_ = 0, first_lane_ = 0, lanes_ = 0;
    Index *no_taps_, *all_taps_;  // [axis]
    Index *first_, *last_, *at_;  // [batch, axes...]
    Index length_ = 0, run_count_ = 0;
    Run* runs_;
    C *x_, *sums_;
    double* totals_;
};

}  // namespace tconv
