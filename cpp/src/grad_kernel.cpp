// The gradient of the kernel: for every tap a product of the input with the output's gradient, summed over pixels.
#include <tconv/conv_transpose.hpp>

#include <algorithm>

#include "checked.hpp"
#include "checks.hpp"
#include "cpu.hpp"
#include "dispatch.hpp"
#include "gather.hpp"
#include "parallel.hpp"
#include "reference.hpp"
#include "worker.hpp"

namespace tconv::detail {
namespace {

constexpr Index most_channels = 96, most_filters = 128;  // of a unit
constexpr Index chunk = 256;                             // pixels whose sum is one chain

/// A unit is a tap, a part of the channels and a part of the filters; its sums of chunks are added in double.
template <class T>
class KernelGradient {
  public:
    using C = compute_t<T>;

    KernelGradient(const Geometry<dynamic>& g, const T* x, const T* dy, T* dkernel, const Options& options)
        : g_(g),
          x_data_(x),
          dy_data_(dy),
          dkernel_(dkernel),
          kernels_(kernels_for<C>(options.isa)),
          converters_(converters_for(options.isa)),
          channels_(g.in_channels / g.groups),
          filters_(g.filters / g.groups),
          x_(options.data_format, g.in_channels, extents(g, &Axis::in)),
          dy_(options.data_format, g.filters, extents(g, &Axis::out)),
          channel_parts_(ceil_div(channels_, most_channels)),
          filter_parts_(ceil_div(filters_, most_filters)),
          part_channels_(channels_ == 0 ? 0 : ceil_div(channels_, channel_parts_)),
          part_filters_(filters_ == 0 ? 0 : ceil_div(filters_, filter_parts_)) {}

    void run(int threads) {
        Index taps = 1;
        for (const Axis& axis : g_.axes) taps *= axis.kernel;
        const Index units = g_.groups * taps * channel_parts_ * filter_parts_;
        if (units == 0) return;
        threads = static_cast<int>(std::min<Index>(threads, units));
        Carver counter(nullptr);
        take(counter);
        Buffer<char> memory(counter.used() * threads);
        parallel_for(threads, units, [&](Index unit, int worker) {
            Carver carver(memory.data() + counter.used() * worker);
            Memory m = take(carver);
            compute(unit, m);
        });
    }

  private:
    struct Memory {
        Index *first, *last, *at;  // [axis] inputs that the tap joins with an output
        Index* reach;              // [axis] the output that it would join with input 0
        C *turn, *x, *dy, *sums;
        double* totals;
    };

    static std::vector<Index> extents(const Geometry<dynamic>& g, Index Axis::* extent) {
        std::vector<Index> list;
        for (const Axis& axis : g.axes) list.push_back(axis.*extent);
        return list;
    }

    Index padded_filters() const { return ceil_div(part_filters_, kernels_.width) * kernels_.width; }

    Memory take(Carver& carver) const {
        const Index axes = static_cast<Index>(g_.axes.size());
        Memory m{};
        m.first = carver.take<Index>(axes);
        m.last = carver.take<Index>(axes);
        m.at = carver.take<Index>(axes);
        m.reach = carver.take<Index>(axes);
        m.turn = carver.take<C>(chunk * std::max(part_channels_, part_filters_));
        m.x = carver.take<C>(chunk * part_channels_);
        m.dy = carver.take<C>(chunk * padded_filters());
        m.sums = carver.take<C>(kernels_.tile_rows * kernels_.width);
        m.totals = carver.take<double>(part_channels_ * padded_filters());
        return m;
    }

    void compute(Index unit, Memory& m) {
        const Index filter_part = unit % filter_parts_;
        unit /= filter_parts_;
        const Index channel_part = unit % channel_parts_;
        unit /= channel_parts_;
        const Index group = unit % g_.groups, tap = unit / g_.groups;
        const Index first_channel = channel_part * part_channels_, first_filter = filter_part * part_filters_;
        const Index channels = std::min(part_channels_, channels_ - first_channel);
        const Index filters = std::min(part_filters_, filters_ - first_filter);
        if (channels <= 0 || filters <= 0) return;
        std::fill_n(m.totals, channels * padded_filters(), 0.0);

        // The tap's reach, and the inputs whose output it is inside, along each axis.
        const std::size_t rank = g_.axes.size(), inner = rank - 1;
        Index x_offset = (group * channels_ + first_channel) * x_.channel;
        Index dy_offset = (group * filters_ + first_filter) * dy_.channel;
        Index rest = tap;
        bool any = g_.batch > 0;
        for (std::size_t a = rank; a-- > 0;) {
            const Axis& axis = g_.axes[a];
            const Index reach = rest % axis.kernel * axis.dilation - axis.crop;  // o = i*stride + reach
            rest /= axis.kernel;
            m.first[a] = std::max<Index>(ceil_div(-reach, axis.stride), 0);
            m.last[a] = std::min(floor_div(axis.out - 1 - reach, axis.stride) + 1, axis.in);
            any = any && m.first[a] < m.last[a];
            m.reach[a] = reach;
        }
        Index filled = 0;
        for (Index n = 0; any && n < g_.batch; ++n) {
            std::copy_n(m.first, rank, m.at);
            for (bool more = true; more;) {
                Index x_line = x_offset + n * x_.batch, dy_line = dy_offset + n * dy_.batch;
                for (std::size_t a = 0; a < inner; ++a) {
                    x_line += m.at[a] * x_.axes[a];
                    dy_line += (m.at[a] * g_.axes[a].stride + m.reach[a]) * dy_.axes[a];
                }
                for (Index i = m.first[inner]; i < m.last[inner];) {
                    const Index run = std::min(m.last[inner] - i, chunk - filled);
                    const Index dy_step = g_.axes[inner].stride * dy_.axes[inner];
                    take_x(x_data_ + x_line + i * x_.axes[inner], run, channels, filled, m);
                    take_dy(dy_data_ + dy_line + (i * g_.axes[inner].stride + m.reach[inner]) * dy_.axes[inner],
                            dy_step, run, filters, filled, m);
                    filled += run;
                    i += run;
                    if (filled == chunk) {
                        add(filled, channels, filters, m);
                        filled = 0;
                    }
                }
                more = false;
                for (std::size_t a = inner; a-- > 0;) {
                    if (++m.at[a] < m.last[a]) {
                        more = true;
                        break;
                    }
                    m.at[a] = m.first[a];
                }
            }
        }
        if (filled > 0) add(filled, channels, filters, m);

        for (Index f = 0; f < filters; ++f) {
            T* to = dkernel_ + (tap * filters_ + first_filter + f) * g_.in_channels + group * channels_ + first_channel;
            for (Index c = 0; c < channels; ++c) to[c] = narrow<T>(static_cast<C>(m.totals[c * padded_filters() + f]));
        }
    }

    /// x as [channel][pixel].
    void take_x(const T* from, Index run, Index channels, Index filled, Memory& m) const {
        gather_run(kernels_, converters_, from, x_.axes.back(), x_.channel, run, channels, m.turn);
        kernels_.turn(m.turn, channels, m.x + filled, chunk, run, channels);
    }

    /// dy as [block][pixel][filter of the block].
    void take_dy(const T* from, Index step, Index run, Index filters, Index filled, Memory& m) const {
        gather_run(kernels_, converters_, from, step, dy_.channel, run, filters, m.turn);
        const Index width = kernels_.width;
        for (Index first = 0; first < filters; first += width) {
            const Index some = std::min(width, filters - first);
            C* to = m.dy + first * chunk + filled * width;
            for (Index p = 0; p < run; ++p, to += width) {
                for (Index f = 0; f < some; ++f) to[f] = m.turn[p * filters + first + f];
                for (Index f = some; f < width; ++f) to[f] = C(0);
            }
        }
    }

    /// Adds the products of a chunk to the totals.
    void add(Index pixels, Index channels, Index filters, Memory& m) const {
        const Index width = kernels_.width, tile_rows = kernels_.tile_rows;
        const C* rows[max_tile_rows];
        Tile<C> t{};
        t.rows = rows;
        t.taps = 1;
        t.channels = pixels;
        t.c = m.sums;
        t.c_stride = width;
        for (Index first = 0; first < filters; first += width) {
            t.panel = m.dy + first * chunk;
            for (Index c = 0; c < channels; c += tile_rows) {
                const Index some = std::min(tile_rows, channels - c);
                for (Index r = 0; r < some; ++r) rows[r] = m.x + (c + r) * chunk;
                kernels_.multiply[1][some - 1](t);
                for (Index r = 0; r < some; ++r) {
                    double* totals = m.totals + (c + r) * padded_filters() + first;
                    for (Index f = 0; f < width; ++f) totals[f] += static_cast<double>(m.sums[r * width + f]);
                }
            }
        }
    }

    const Geometry<dynamic>& g_;
    const T *x_data_, *dy_data_;
    T* dkernel_;
    const Kernels<C>& kernels_;
    const Converters& converters_;
    Index channels_, filters_;  // of a group
    Layout x_, dy_;
    Index channel_parts_, filter_parts_, part_channels_, part_filters_;
};

}  // namespace

template <class T>
void conv_transpose_grad_kernel(const Geometry<dynamic>& g, const T* x, const T* dy, T* dkernel,
                                const Options& options) {
    constexpr const char* operation = "conv_transpose_grad_kernel";
    check(g, operation);
    const int threads = thread_count(options.threads);
    kernels_for<compute_t<T>>(options.isa);  // refuses what is not there
    demand_pointer(x, numbers_of_input(g), operation, "x");
    demand_pointer(dy, numbers_of_output(g), operation, "dy");
    demand_pointer(dkernel, numbers_of_kernel(g), operation, "dkernel");
    if (options.algorithm == Algorithm::reference) {
        reference::grad_kernel(g, x, dy, dkernel, options);
        return;
    }
    KernelGradient<T>(g, x, dy, dkernel, options).run(threads);
}

template void conv_transpose_grad_kernel(const Geometry<dynamic>&, const float*, const float*, float*, const Options&);
template void conv_transpose_grad_kernel(const Geometry<dynamic>&, const double*, const double*, double*,
                                         const Options&);
template void conv_transpose_grad_kernel(const Geometry<dynamic>&, const float16*, const float16*, float16*,
                                         const Options&);
template void conv_transpose_grad_kernel(const Geometry<dynamic>&, const bfloat16*, const bfloat16*, bfloat16*,
                                         const Options&);

}  // namespace tconv::detail
