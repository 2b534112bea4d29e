#include "oracle.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace oracle {

using namespace tconv;

namespace {

/// One product by the library or, with `naive`, by the loops themselves.
template <class T>
void run(Product product, const Geometry<dynamic>& g, const Tensors<T>& t, T* result, const Options& o, bool naive) {
    const T *x = t.x.data(), *kernel = t.kernel.data(), *dy = t.dy.data();
    switch (product) {
        case Product::forward:
            return naive ? reference::forward<T>(g, x, kernel, t.bias_or_null(), result, o)
                         : conv_transpose<T>(g, x, kernel, t.bias_or_null(), result, o);
        case Product::grad_input:
            return naive ? reference::grad_input<T>(g, dy, kernel, result, o)
                         : conv_transpose_grad_input<T>(g, dy, kernel, result, o);
        case Product::grad_kernel:
            return naive ? reference::grad_kernel<T>(g, x, dy, result, o)
                         : conv_transpose_grad_kernel<T>(g, x, dy, result, o);
    }
}

template <class T>
std::vector<double> widened(const std::vector<T>& from, bool absolute) {
    std::vector<double> to;
    for (const T& x : from) to.push_back(absolute ? std::abs(static_cast<double>(widen(x))) : widen(x));
    return to;
}

template <class T>
std::vector<double> run_in_double(Product product, const Problem& p, const Tensors<T>& t, bool absolute) {
    Tensors<double> wide(p);
    wide.x = widened(t.x, absolute);
    wide.kernel = widened(t.kernel, absolute);
    wide.bias = widened(t.bias, absolute);
    wide.dy = widened(t.dy, absolute);
    Options options;
    options.data_format = p.format;
    std::vector<double> result(static_cast<std::size_t>(result_size(product, p.geometry)));
    run(product, p.geometry, wide, result.data(), options, true);
    return result;
}

template <class T>
constexpr double rounding() {  // half a unit in the last place of 1
    if constexpr (std::is_same_v<T, float16>) return 0x1p-11;
    if constexpr (std::is_same_v<T, bfloat16>) return 0x1p-8;
    if constexpr (std::is_same_v<T, float>) return 0x1p-24;
    return 0x1p-53;
}
template <class T>
constexpr double smallest() {  // denormal number
    if constexpr (std::is_same_v<T, float16>) return 0x1p-24;
    if constexpr (std::is_same_v<T, bfloat16>) return 0x1p-133;
    if constexpr (std::is_same_v<T, float>) return 0x1p-149;
    return 0x1p-1074;
}

/// The relative and the absolute error, in roundings of the sums, that an activation may add. Where a sigmoid is no
/// normal number it may be zero.
double activation_roundings(Activation::Kind kind) {
    using Kind = Activation::Kind;
    return kind == Kind::linear || kind == Kind::relu || kind == Kind::relu6 ? 0 : kind == Kind::leaky_relu ? 2 : 16;
}
double activation_offset(Activation::Kind kind, double sum) {
    using Kind = Activation::Kind;
    return kind == Kind::hard_sigmoid ? 2 : kind == Kind::hard_silu ? 2 * std::abs(sum) : 0;
}
bool flushes(Activation::Kind kind) { return kind == Activation::Kind::sigmoid || kind == Activation::Kind::silu; }

}  // namespace

Index result_size(Product product, const Geometry<dynamic>& g) {
    return product == Product::forward      ? problems::output_size(g)
           : product == Product::grad_input ? problems::input_size(g)
                                            : problems::kernel_size(g);
}

template <class T>
void compute_into(Product product, const Problem& p, const Tensors<T>& t, const Options& options, T* result) {
    run(product, p.geometry, t, result, options, false);
}

template <class T>
std::vector<T> compute(Product product, const Problem& p, const Tensors<T>& t, const Options& options) {
    Guarded<T> result(result_size(product, p.geometry));
    compute_into(product, p, t, options, result.data());
    CHECK(result.guards_intact());
    return result.inside();
}

template <class T>
Exact exact(Product product, const Problem& p, const Tensors<T>& t) {
    return {run_in_double(product, p, t, false), run_in_double(product, p, t, true)};
}

template <class T>
void check_close(const Exact& exact, const Activation& activation, const std::vector<T>& result, double units) {
    if (!CHECK(result.size() == exact.value.size())) return;
    const double eps = rounding<compute_t<T>>();
    std::size_t bad = 0, first = 0;
    for (std::size_t i = 0; i < result.size(); ++i) {
        const double sum = exact.value[i], actual = widen(result[i]);
        const double want = reference::activate(activation, sum);
        const double stored = widen(narrow<T>(static_cast<compute_t<T>>(want)));
        bool ok;
        if (std::isnan(stored) || std::isnan(actual)) {
            ok = std::isnan(stored) && std::isnan(actual);
        } else if (std::isinf(stored) || std::isinf(actual)) {
            ok = stored == actual;
        } else {
            const double slack = std::isfinite(sum) ? units * eps * exact.size[i] : 0;
            const double spread = std::max(std::abs(reference::activate(activation, sum + slack) - want),
                                           std::abs(reference::activate(activation, sum - slack) - want));
            const double error = activation_roundings(activation.kind) * std::abs(want) +
                                 (std::isfinite(sum) ? activation_offset(activation.kind, sum) : 0);
            double stored_error = 1.01 * rounding<T>() * std::abs(want) + smallest<T>();
            if (flushes(activation.kind)) {
                stored_error += std::numeric_limits<compute_t<T>>::min() * std::max(1.0, std::abs(sum));
            }
            ok = std::abs(actual - want) <= spread + eps * error + stored_error;
        }
        if (!ok && bad++ == 0) first = i;
    }
    const auto text = [](double number) {
        char digits[32];
        std::snprintf(digits, sizeof digits, "%.9g", number);
        return std::string(digits);
    };
    CHECK(true);
    if (bad == 0) return;
    CHECK_MESSAGE(false, std::to_string(bad) + " of " + std::to_string(result.size()) + " differ, first element " +
                             std::to_string(first) + ": is " + text(widen(result[first])) + ", should be " +
                             text(reference::activate(activation, exact.value[first])) + ", sum " +
                             text(exact.value[first]) + ", sum of sizes " + text(exact.size[first]));
}

const char* name(Product product) {
    return product == Product::forward ? "forward" : product == Product::grad_input ? "grad_input" : "grad_kernel";
}

template <class T>
const char* type_name() {
    if constexpr (std::is_same_v<T, float>) return "float";
    if constexpr (std::is_same_v<T, double>) return "double";
    if constexpr (std::is_same_v<T, float16>) return "float16";
    return "bfloat16";
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
    return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

#define INSTANTIATE(T)                                                                              \
    template std::vector<T> compute<T>(Product, const Problem&, const Tensors<T>&, const Options&); \
    template void compute_into<T>(Product, const Problem&, const Tensors<T>&, const Options&, T*);  \
    template Exact exact<T>(Product, const Problem&, const Tensors<T>&);                            \
    template void check_close<T>(const Exact&, const Activation&, const std::vector<T>&, double);   \
    template const char* type_name<T>();                                                            \
    template bool same_bits<T>(const std::vector<T>&, const std::vector<T>&);
INSTANTIATE(float)
INSTANTIATE(double)
INSTANTIATE(float16)
INSTANTIATE(bfloat16)
#undef INSTANTIATE

}  // namespace oracle
