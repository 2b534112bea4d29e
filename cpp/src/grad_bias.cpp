// The gradient of the bias: sums over all pixels. The order of a sum depends on the shape alone: short chains of
// numbers, chains of those in double, parts of the pixels last.
#include <tconv/conv_transpose.hpp>

#include <algorithm>
#include <type_traits>

#include "buffer.hpp"
#include "checked.hpp"
#include "checks.hpp"
#include "cpu.hpp"
#include "dispatch.hpp"
#include "gather.hpp"
#include "layout.hpp"
#include "parallel.hpp"
#include "reference.hpp"

namespace tconv::detail {
namespace {

constexpr Index lines_of_chain = 64;
constexpr Index numbers_of_line = 64;       // at least, of channels that lie side by side; of a plane exactly
constexpr Index numbers_of_part = 1 << 16;  // at least
constexpr Index most_parts = 64;

template <class T>
class BiasGradient {
  public:
    using C = compute_t<T>;

    BiasGradient(const Geometry<dynamic>& g, const T* dy, const Options& options)
        : filters_(g.filters),
          images_(g.batch),
          planes_(options.data_format == DataFormat::channels_first),
          dy_(dy),
          gradient_(gradient_kernels_for<C>(options.isa)),
          converters_(converters_for(options.isa)) {
        for (const Axis& axis : g.axes) pixels_ *= axis.out;
        // Of planes a part is some images, else some of all images' pixels.
        const Index most = planes_ ? images_ : images_ * pixels_;
        parts_ = std::clamp<Index>(images_ * pixels_ * filters_ / numbers_of_part, 1,
                                   std::clamp<Index>(most, 1, most_parts));
        pieces_ = planes_ ? filters_ : 1;
    }

    void run(T* dbias, int threads) {
        const Index width = planes_ ? numbers_of_line : filters_ * pixels_of_line();
        const Index wide = std::is_same_v<T, C> ? 0 : width * lines_of_chain;
        Buffer<double> totals(parts_ * filters_);
        threads = static_cast<int>(std::clamp<Index>(threads, 1, parts_ * pieces_));
        Buffer<C> memory((width + wide) * threads);
        parallel_for(threads, parts_ * pieces_, [&](Index unit, int worker) {
            C* sums = memory.data() + (width + wide) * worker;
            const Index part = unit / pieces_, piece = unit % pieces_;
            double* total = totals.data() + part * filters_ + piece;
            if (planes_) {
                *total = 0;
                for (Index image = images_ * part / parts_; image < images_ * (part + 1) / parts_; ++image)
                    add(dy_ + (image * filters_ + piece) * pixels_, pixels_, width, 1, sums, total);
            } else {
                std::fill_n(total, filters_, 0.0);
                const Index all = images_ * pixels_, first = all * part / parts_, last = all * (part + 1) / parts_;
                add(dy_ + first * filters_, (last - first) * filters_, width, filters_, sums, total);
            }
        });
        for (Index f = 0; f < filters_; ++f) {
            double sum = 0;
            for (Index part = 0; part < parts_; ++part) sum += totals[part * filters_ + f];
            dbias[f] = narrow<T>(static_cast<C>(sum));
        }
    }

  private:
    Index pixels_of_line() const { return ceil_div(numbers_of_line, filters_); }

    /// Adds numbers to the totals that they belong to in turn, chain by chain.
    void add(const T* from, Index count, Index width, Index totals, C* sums, double* total) const {
        for (Index done = 0; done < count;) {
            const Index lines = std::min(lines_of_chain, (count - done) / width);
            const Index some = lines > 0 ? lines * width : count - done;  // the rest is shorter than a line
            const C* numbers;
            if constexpr (std::is_same_v<T, C>) {
                numbers = from + done;
            } else {
                widen(converters_, from + done, sums + width, some);
                numbers = sums + width;
            }
            const Index used = std::min(some, width);
            std::fill_n(sums, used, C(0));
            gradient_.add_lines(numbers, width, std::max<Index>(lines, 1), used, sums);
            for (Index n = 0, f = 0; n < used; ++n, f = f + 1 == totals ? 0 : f + 1)
                total[f] += static_cast<double>(sums[n]);
            done += some;
        }
    }

    Index filters_, images_, pixels_ = 1, parts_ = 1, pieces_ = 1;
    bool planes_;
    const T* dy_;
    const GradientKernels<C>& gradient_;
    const Converters& converters_;
};

}  // namespace

template <class T>
void conv_transpose_grad_bias(const Geometry<dynamic>& g, const T* dy, T* dbias, const Options& options) {
    constexpr const char* operation = "conv_transpose_grad_bias";
    check(g, operation);
    int threads = thread_count(options.threads);
    gradient_kernels_for<compute_t<T>>(options.isa);  // refuses what is not there
    demand_pointer(dy, numbers_of_output(g), operation, "dy");
    demand_pointer(dbias, g.filters, operation, "dbias");
    if (options.algorithm == Algorithm::reference) {
        reference::grad_bias(g, dy, dbias, options);
        return;
    }
    if (g.filters == 0) return;
    if (numbers_of_output(g) < numbers_of_part) threads = 1;
    BiasGradient<T>(g, dy, options).run(dbias, threads);
}

template void conv_transpose_grad_bias(const Geometry<dynamic>&, const float*, float*, const Options&);
template void conv_transpose_grad_bias(const Geometry<dynamic>&, const double*, double*, const Options&);
template void conv_transpose_grad_bias(const Geometry<dynamic>&, const float16*, float16*, const Options&);
template void conv_transpose_grad_bias(const Geometry<dynamic>&, const bfloat16*, bfloat16*, const Options&);

}  // namespace tconv::detail
