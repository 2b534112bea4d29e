// The forward product: packing, running, describing.
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include <tconv/conv_transpose.hpp>
#include <tconv/plan.hpp>

#include "checks.hpp"
#include "cpu.hpp"
#include "direct/product.hpp"
#include "fast/choice.hpp"
#include "fast/product.hpp"
#include "reference.hpp"
#include "schedule.hpp"

namespace tconv::detail {
namespace {

constexpr const char* operation = "conv_transpose";

std::vector<AxisMap> forward_maps(const Geometry<dynamic>& g) {
    std::vector<AxisMap> maps;
    for (const Axis& axis : g.axes) maps.push_back(forward_map(axis));
    return maps;
}

}  // namespace

/// A packed kernel, and what it was made into for the shapes it met. Threads may share it.
template <class T>
class Kernel {
  public:
    explicit Kernel(std::shared_ptr<const Packed<T>> kernel) : packed(std::move(kernel)) {}

    /// The kernel for a geometry of other strides: the latest one is kept.
    std::shared_ptr<Kernel> at(const Geometry<dynamic>& g) {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (!other_ || !other_->packed->fits(g))
            other_ = std::make_shared<Kernel>(std::make_shared<Packed<T>>(g, *packed));
        return other_;
    }

    const std::shared_ptr<const Packed<T>> packed;
    FastCache<T> fast;

  private:
    std::mutex mutex_;
    std::shared_ptr<Kernel> other_;
};

template <class T>
class Prepared {
  public:
    Prepared(std::shared_ptr<Kernel<T>> kernel_, const Geometry<dynamic>& g, const Options& options_)
        : kernel(std::move(kernel_)),
          packed(kernel->packed),
          geometry(g),
          options(options_),
          threads(thread_count(options.threads)) {
        check(g, operation);
        packed->demand_fit(g, options);
        input = numbers_of_input(g);
        output = numbers_of_output(g);
        finish = {options.activation.kind, static_cast<compute_t<T>>(options.activation.alpha)};
        if (packed->plain.size() > 0) return;
        std::shared_ptr<Kernel<T>> used = kernel;
        const Geometry<dynamic> apart = without_overlap(g);
        if (packed->form != Form::depthwise && !packed->fits(apart)) {
            used = kernel->at(apart);
            packed = used->packed;
        }
        const std::vector<AxisMap> maps = forward_maps(packed->form == Form::depthwise ? g : apart);
        if (output > 0) decide_how(maps, used->fast);
        if (!fast) product.emplace(*packed, maps, g.batch, options.data_format, threads, options.memory);
    }

    std::shared_ptr<Kernel<T>> kernel;
    std::shared_ptr<const Packed<T>> packed;  // what is used of it
    Geometry<dynamic> geometry;
    Options options;
    int threads;
    Index input = 0, output = 0;  // numbers
    Finish<compute_t<T>> finish;
    std::string why;  // this and no other
    std::shared_ptr<const FastPacked<T>> transformed;
    std::optional<FastProduct<T>> fast;
    std::optional<Product<T>> product;  // neither for Algorithm::reference

  private:
    void decide_how(const std::vector<AxisMap>& maps, FastCache<T>& cache) {
        if (!packed->finite) {  // sums of weights would take infinities and NaN where no weight has them
            why = "weights are not finite";
            return;
        }
        const FastDecision decision = decide(*packed, maps, geometry.batch, sizeof(compute_t<T>), options.data_format,
                                             options.algorithm, !options.once);
        why = decision.why;
        if (!decision.choice) return;
        transformed = cache.get(*packed, *decision.choice);
        fast.emplace(*transformed, maps, geometry.batch, options.data_format, threads, options.memory);
    }
};

template <class T>
std::shared_ptr<const Packed<T>> pack(const Geometry<dynamic>& g, const T* kernel, const Options& options) {
    check(g, operation);
    demand_pointer(kernel, numbers_of_kernel(g), operation, "kernel");
    auto packed = std::make_shared<Packed<T>>(g, kernel, options.isa, options.data_format);
    if (options.algorithm == Algorithm::reference) {
        packed->plain = Buffer<T>(numbers_of_kernel(g));
        std::copy_n(kernel, packed->plain.size(), packed->plain.data());
    }
    return packed;
}

template <class T>
std::shared_ptr<const Prepared<T>> prepare(std::shared_ptr<const Packed<T>> packed, const Geometry<dynamic>& g,
                                           const Options& options) {
    return std::make_shared<const Prepared<T>>(std::make_shared<Kernel<T>>(std::move(packed)), g, options);
}

template <class T>
std::shared_ptr<const Prepared<T>> prepare(const Prepared<T>& other, const Geometry<dynamic>& g,
                                           const Options& options) {
    return std::make_shared<const Prepared<T>>(other.kernel, g, options);
}

template <class T>
void run(const Prepared<T>& prepared, const T* x, const T* bias, T* y) {
    demand_pointer(x, prepared.input, operation, "x");
    demand_pointer(y, prepared.output, operation, "y");
    if (prepared.fast) {
        (*prepared.fast)(x, bias, y, prepared.finish);
    } else if (prepared.product) {
        (*prepared.product)(x, bias, y, prepared.finish);
    } else {
        reference::forward(prepared.geometry, x, prepared.packed->plain.data(), bias, y, prepared.options);
    }
}

template <class T>
std::size_t transformed_bytes(const Prepared<T>& prepared) {
    return static_cast<std::size_t>(prepared.transformed ? prepared.transformed->numbers() : 0) * sizeof(compute_t<T>);
}

template <class T>
std::size_t packed_bytes(const Prepared<T>& prepared) {
    const auto bytes = [](const Packed<T>& packed) {
        return static_cast<std::size_t>(packed.weights.size() + packed.zeros.size()) * sizeof(compute_t<T>) +
               static_cast<std::size_t>(packed.plain.size()) * sizeof(T);
    };
    const bool apart = prepared.packed != prepared.kernel->packed;
    return bytes(*prepared.packed) + (apart ? bytes(*prepared.kernel->packed) : 0) + transformed_bytes(prepared);
}

template <class T>
Schedule schedule(const Prepared<T>& prepared) {
    Schedule schedule;
    if (prepared.fast) schedule = schedule_of(*prepared.fast);
    if (prepared.product) schedule = schedule_of(*prepared.product);
    schedule.transformed_bytes = transformed_bytes(prepared);
    schedule.packed_bytes = packed_bytes(prepared) - schedule.transformed_bytes;
    return schedule;
}

template <class T>
std::string describe_fast(const Prepared<T>& prepared) {
    static constexpr const char* names[] = {"F(1,1)", "F(2,2)", "F(3,2)", "F(2,3)", "halves"};
    const auto number = [](auto n) { return std::to_string(n); };
    std::string text;
    for (const FastGrid& grid : prepared.fast->grids()) {
        if (text.size() > 200) {
            text += ", ...";
            break;
        }
        text += (text.empty() ? "" : ", ") + number(grid.window.window.members.size()) + " x ";
        for (std::size_t a = 0; a < grid.window.schemes.size(); ++a)
            text += (a == 0 ? "" : "*") + std::string(names[static_cast<std::size_t>(grid.window.schemes[a])]);
        text += " in " + number(grid.boxes.count()) + (grid.shared ? " shared" : "") + " boxes of up to " +
                number(grid.boxes.points()) + " tiles";
    }
    return std::string("fast with ") + name(prepared.packed->kernels->isa) + ", " + prepared.why + ": " +
           number(prepared.fast->grids().size()) + " windows (phases x schemes: " + text + "), " +
           number(prepared.threads) + (prepared.threads == 1 ? " thread, " : " threads, ") +
           number(packed_bytes(prepared)) + " bytes packed, " + number(prepared.fast->workspace()) +
           " bytes of workspace";
}

template <class T>
std::string describe(const Prepared<T>& prepared) {
    if (prepared.fast) return describe_fast(prepared);
    if (!prepared.product) return "reference: naive loops, one thread";
    const Packed<T>& packed = *prepared.packed;
    if (!prepared.product->tiling() && !prepared.product->planes()) return "nothing to compute";
    const char* form = packed.form == Form::depthwise ? "depthwise" : packed.form == Form::dots ? "dots" : "direct";
    const auto number = [](auto n) { return std::to_string(n); };
    std::string windows;
    for (const Window& window : packed.windows) {
        if (windows.size() > 40) {
            windows += ", ...";
            break;
        }
        windows += (windows.empty() ? "" : ", ") + number(window.members.size()) + "x" + number(window.taps);
    }
    const bool planes = prepared.product->planes().has_value();
    const Index units = planes ? prepared.product->planes()->units() : prepared.product->tiling()->units();
    const Index rows = planes ? prepared.product->planes()->boxes.points() : prepared.product->tiling()->rows_of_tile();
    Index widest_block = 0;
    for (const Block& block : packed.blocks) widest_block = std::max(widest_block, block.width);
    return std::string(form) + " with " + name(packed.kernels->isa) + ": " + number(packed.windows.size()) +
           " windows (phases x taps: " + windows + "), " + number(packed.blocks.size()) + " blocks of up to " +
           number(widest_block) + " columns, " + number(units) + " units of up to " + number(rows) + " rows for " +
           number(prepared.threads) + (prepared.threads == 1 ? " thread" : " threads") + ", " +
           number(packed_bytes(prepared)) + " bytes packed" +
           (planes                                 ? ", in planes"
            : prepared.product->tiling()->gathered ? ", source gathered tile by tile"
                                                   : "") +
           (prepared.why.empty() ? "" : "; not fast: " + prepared.why);
}

template <class T>
void conv_transpose(const Geometry<dynamic>& g, const T* x, const T* kernel, const T* bias, T* y,
                    const Options& options) {
    Options once = options;
    once.once = true;
    run(*prepare(pack(g, kernel, once), g, once), x, bias, y);
}

#define TCONV_INSTANTIATE(T)                                                                                           \
    template std::shared_ptr<const Packed<T>> pack(const Geometry<dynamic>&, const T*, const Options&);                \
    template std::shared_ptr<const Prepared<T>> prepare(std::shared_ptr<const Packed<T>>, const Geometry<dynamic>&,    \
                                                        const Options&);                                               \
    template std::shared_ptr<const Prepared<T>> prepare(const Prepared<T>&, const Geometry<dynamic>&, const Options&); \
    template void run(const Prepared<T>&, const T*, const T*, T*);                                                     \
    template std::size_t packed_bytes(const Prepared<T>&);                                                             \
    template Schedule schedule(const Prepared<T>&);                                                                    \
    template std::string describe(const Prepared<T>&);                                                                 \
    template void conv_transpose(const Geometry<dynamic>&, const T*, const T*, const T*, T*, const Options&);
TCONV_INSTANTIATE(float)
TCONV_INSTANTIATE(double)
TCONV_INSTANTIATE(float16)
TCONV_INSTANTIATE(bfloat16)

}  // namespace tconv::detail
