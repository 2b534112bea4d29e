// Every product with a transformed kernel, in parallel.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "fast/worker.hpp"

namespace tconv {

/// How threads share a box: rows (tiles) and channels that one transforms, tiles and panels that one multiplies.
struct SharedCut {
    Index rows, channels, tiles, panels;
    /// A worker's part of the products is tiles, which are about those that it transformed; or panels, where weights
    /// are so many more that each should be read by one worker alone.
    bool tiles_first;

    SharedCut(const FastGrid& grid, Index box, Index all_panels, int threads);

    /// The n-th of so many blocks of tiles times blocks of panels.
    struct Block {
        Index tiles, panels;
    };
    Block block(Index n, Index tile_blocks, Index panel_blocks) const {
        return tiles_first ? Block{n / panel_blocks, n % panel_blocks} : Block{n % tile_blocks, n / tile_blocks};
    }
};

/// A fast product over the rows that the maps describe, with everything decided but the data. The packed kernel must
/// outlive it. Immutable: threads may share it.
template <class T>
class FastProduct {
  public:
    using C = compute_t<T>;

    FastProduct(const FastPacked<T>& packed, const std::vector<AxisMap>& maps, Index batch, DataFormat format,
                int threads, std::pmr::memory_resource* memory);
    FastProduct(const FastProduct&) = delete;  // its grids point into it
    FastProduct& operator=(const FastProduct&) = delete;

    /// target = finish(bias + kernel applied to source). Every sum is made in an order that depends on the kernel's
    /// shape, the choice and the instruction set alone, so that the bits are the same for every number of threads.
    /// Throws std::bad_alloc before anything is written.
    void operator()(const T* source, const T* bias, T* target, Finish<C> finish) const;
    /// The panels that `stream` holds at a time: 0 where a kernel should be transformed as a whole.
    Index streamed_panels() const;
    /// The same with a kernel whose panels are transformed when they are met; `packed` is the one that this was made
    /// with, and has room for them.
    void stream(const T* source, T* target, FastPacked<T>& packed, const KernelRows<C>& kernel) const;

    const std::vector<FastGrid>& grids() const { return grids_; }
    int threads() const { return threads_; }
    /// Bytes of memory that a call takes for all workers.
    Index workspace() const { return worker_bytes_ * threads_ + shared_numbers_ * static_cast<Index>(sizeof(C)); }

  private:
    Buffer<C> spread_bias(const T* bias) const;
    template <class Run>
    void with_workers(const FastWork<T>& work, const Run& run) const;
    template <class Prepare>
    void run_shared(std::size_t grid, std::vector<FastWorker<T>>& workers, C* transformed, Index together,
                    const Prepare& prepare) const;
    void run_own(std::vector<FastWorker<T>>& workers) const;

    const FastPacked<T>& packed_;
    std::vector<AxisMap> maps_;
    Layout source_, target_;
    bool staged_;
    std::vector<FastGrid> grids_;
    int threads_;
    std::pmr::memory_resource* memory_;  // of a call
    Index batch_;
    bool dead_targets_;  // some that no tap reaches
    Index worker_bytes_ = 0, shared_numbers_ = 0;
};

/// The latest transformations of one packed kernel, shared by plans for several geometries.
template <class T>
class FastCache {
  public:
    std::shared_ptr<const FastPacked<T>> get(const detail::Packed<T>& packed, const FastChoice& choice);

  private:
    static constexpr std::size_t most = 2;
    std::mutex mutex_;
    std::vector<std::shared_ptr<const FastPacked<T>>> latest_;  // the last one first
};

}  // namespace tconv
