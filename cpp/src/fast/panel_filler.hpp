// Panels of a kernel, transformed for one window of the fast algorithms.
#pragma once

#include <vector>

#include "fast/columns.hpp"

namespace tconv {

/// The source channels [first, last) of a kernel as it is transformed:
/// numbers[group*of_group + tap*of_tap + (source channel - first)*of_channel + target channel].
template <class C>
struct KernelRows {
    const C* numbers;
    Index first, last;
    Index of_group, of_tap, of_channel;
    Index of_half;  // to the same channel of the other half of them, where a window knows halves
};

inline constexpr Index panels_at_once = 4;  // that are filled in turn: neighbours lie side by side in the kernel

/// All memory that filling takes is taken when one is made: what comes after cannot fail.
template <class C>
class PanelFiller {
  public:
    /// The columns must outlive it.
    PanelFiller(const FastColumns& columns, const FastWindow& window, const FastKernels<C>& transforms, int workers);

    int workers() const { return static_cast<int>(scratch_.size()); }
    /// Transforms a step of a group's panels [first, last), `panels_at_once` at most, that begin at `to`; each worker
    /// in turn with itself.
    void fill(const KernelRows<C>& kernel, Index group, Index first, Index last, Index step, C* to, int worker);

  private:
    /// Columns of a panel that are neighbours in the kernel.
    struct Run {
        Index at, count;  // in the panel
        Index channel;    // the first one's target channel
        const std::vector<Phase>* member;
    };
    /// What an entry of a part meets: a tap along each axis, or nothing.
    struct Entry {
        Index point;  // where it lies
        std::vector<Index> taps;
        bool zero;
    };
    /// Columns that are transformed together.
    struct Panel {
        Index lanes, real;  // computed, and there
        C* to;
        bool whole;  // its runs are whole vectors
        std::vector<Run> runs;
        std::vector<const C*> places;  // [entry][run] in the kernel
    };
    /// A transformation along one axis, from a point on.
    struct Line {
        Scheme scheme;
        Index first, stride;
    };
    struct Scratch {
        std::vector<Panel> panels;
        std::vector<double> numbers;
        std::vector<C*> targets;  // [point]
    };

    void find_lines();
    void find_entries(Index part);
    void enter(Panel* panel, Index number, C* to) const;
    void find_places(const KernelRows<C>& kernel, const C* of_group, const std::vector<Entry>& entries,
                     Panel* panel) const;
    void weigh_kernel(const KernelRows<C>& kernel, const Panel& panel, Index k, Index count, bool more,
                      C* const* targets) const;
    void weigh_halves(const KernelRows<C>& kernel, const Panel& panel, Index k, Index count, bool more,
                      C* const* targets) const;
    void weigh_slices(double* numbers, Index count, C* const* targets) const;
    void take(const KernelRows<C>& kernel, const std::vector<Entry>& entries, const Panel& panel, Index k, Index count,
              bool more, double* numbers) const;

    const FastColumns& columns_;
    const FastWindow& window_;
    const FastKernels<C>& transforms_;
    Index some_ = 1, row_ = 0;               // channels at once; their numbers at a point
    std::size_t schemes_[2] = {0, 0};        // of the last two axes that are transformed
    Index slice_ = 1;                        // points along those
    std::vector<Line> lines_;                // of all axes but the last two
    std::vector<std::vector<Entry>> parts_;  // [part][entry]
    std::vector<char> in_place_;             // [part] is transformed along those two alone, and every entry meets a tap
    std::vector<Scratch> scratch_;           // [worker]
};

}  // namespace tconv
