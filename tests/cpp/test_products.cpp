// The three products of every instruction set against the naive loops.
#include "check.hpp"
#include "oracle.hpp"

using namespace tconv;
using namespace oracle;

namespace {

Activation activation_of(Product product, const Problem& p) {
    return product == Product::forward ? p.activation : Activation{};
}

/// One product of one problem, by every instruction set and algorithm.
template <class T>
void check_product(Product product, const Problem& p, std::uint64_t seed = 1) {
    const Tensors<T> tensors(p, seed);
    const Exact expected = exact(product, p, tensors);
    for (const Isa isa : available_isas()) {
        for (const Algorithm algorithm : {Algorithm::automatic, Algorithm::direct}) {
            const harness::Subject subject(std::string(name(isa)) + "/" + type_name<T>() + "/" + name(product) +
                                           (algorithm == Algorithm::direct ? "/direct, " : ", ") + describe(p));
            Options options = p.options();
            options.isa = isa;
            options.algorithm = algorithm;
            options.threads = 1;
            check_close(expected, activation_of(product, p), compute(product, p, tensors, options));
        }
    }
}

void check_table(Product product) {
    for (const Problem& p : problems::table()) {
        for_each_type([&]<class T>() { check_product<T>(product, p); });
    }
}

void check_random(Product product, std::uint64_t first, std::uint64_t last) {
    for (std::uint64_t seed = first; seed < last; ++seed) {
        const Problem p = problems::random(seed);
        for_each_type([&]<class T>() { check_product<T>(product, p, seed); });
    }
}

/// Every activation, on sums of every size.
template <class T>
void check_activations() {
    Problem p{"activations", {}};
    p.geometry.in_channels = 3;
    p.geometry.filters = 11;
    p.geometry.axes = {{9, 21, 3, 2, 1, -1}};
    for (const double scale : {0.05, 1.0, 5.0, 60.0, 3000.0}) {
        Tensors<T> tensors(p);
        for (T& x : tensors.x) x = narrow<T>(static_cast<compute_t<T>>(scale * widen(x)));
        for (const DataFormat format : {DataFormat::channels_last, DataFormat::channels_first}) {
            p.format = format;
            for (const bool bias : {false, true}) {
                p.bias = bias;
                tensors.bias = problems::numbers<T>(bias ? p.geometry.filters : 0, 7);
                const Exact expected = exact(Product::forward, p, tensors);
                for (const Activation& activation : problems::activations()) {
                    p.activation = activation;
                    for (const Isa isa : available_isas()) {
                        const harness::Subject subject(std::string(name(isa)) + "/" + type_name<T>() + ", scale " +
                                                       std::to_string(scale) + ", " + describe(p));
                        Options options = p.options();
                        options.isa = isa;
                        options.threads = 1;
                        check_close(expected, activation, compute(Product::forward, p, tensors, options));
                    }
                }
            }
        }
    }
}

/// NaN and infinities go exactly where the definition takes them: no other pixel reads them, not even times zero.
template <class T>
void check_non_finite(const Problem& p, std::uint64_t seed) {
    constexpr float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
    const auto poison = [&](std::vector<T>& tensor, float value, std::uint64_t where) {
        if (!tensor.empty()) tensor[static_cast<std::size_t>(where * 7919) % tensor.size()] = narrow<T>(value);
    };
    for (int where = 0; where < 4; ++where) {
        Tensors<T> tensors(p, seed);
        std::vector<T>* const victims[] = {&tensors.kernel, &tensors.x, &tensors.dy, &tensors.bias};
        poison(*victims[where], nan, seed);
        poison(*victims[where], inf, seed + 1);
        poison(*victims[where], -inf, seed + 2);
        for (const Product product : products) {
            const Exact expected = exact(product, p, tensors);
            for (const Isa isa : available_isas()) {
                const harness::Subject subject(std::string(name(isa)) + "/" + type_name<T>() + "/" + name(product) +
                                               ", non-finite " +
                                               (where == 0   ? "kernel"
                                                : where == 1 ? "x"
                                                : where == 2 ? "dy"
                                                             : "bias") +
                                               ", " + describe(p));
                Options options = p.options();
                options.isa = isa;
                options.threads = 1;
                check_close(expected, activation_of(product, p), compute(product, p, tensors, options));
            }
        }
    }
}

/// A rank fixed at compile time is the same problem.
template <int N>
void check_fixed_rank(const Problem& p) {
    Geometry<N> g;
    g.batch = p.geometry.batch;
    g.in_channels = p.geometry.in_channels;
    g.filters = p.geometry.filters;
    g.groups = p.geometry.groups;
    for (int a = 0; a < N; ++a) g.axes[static_cast<std::size_t>(a)] = p.geometry.axes[static_cast<std::size_t>(a)];
    const Tensors<float> t(p);
    const harness::Subject subject(describe(p));
    std::vector<float> y(t.dy.size()), dx(t.x.size()), dkernel(t.kernel.size());
    conv_transpose<float, N>(g, t.x.data(), t.kernel.data(), t.bias_or_null(), y.data(), p.options());
    conv_transpose_grad_input<float, N>(g, t.dy.data(), t.kernel.data(), dx.data(), p.options());
    conv_transpose_grad_kernel<float, N>(g, t.x.data(), t.dy.data(), dkernel.data(), p.options());
    CHECK(same_bits(y, compute(Product::forward, p, t, p.options())));
    CHECK(same_bits(dx, compute(Product::grad_input, p, t, p.options())));
    CHECK(same_bits(dkernel, compute(Product::grad_kernel, p, t, p.options())));
}

}  // namespace

TEST("products/forward, table") { check_table(Product::forward); }
TEST("products/grad_input, table") { check_table(Product::grad_input); }
TEST("products/grad_kernel, table") { check_table(Product::grad_kernel); }
TEST("products/forward, random") { check_random(Product::forward, 0, 250); }
TEST("products/grad_input, random") { check_random(Product::grad_input, 0, 250); }
TEST("products/grad_kernel, random") { check_random(Product::grad_kernel, 0, 250); }

TEST("products/activations") {
    for_each_type([]<class T>() { check_activations<T>(); });
}

TEST("products/non-finite numbers") {
    for (std::uint64_t seed = 1000; seed < 1100; ++seed) {
        const Problem p = problems::random(seed);
        check_non_finite<float>(p, seed);
        if (seed % 4 == 0) check_non_finite<double>(p, seed);
        if (seed % 4 == 1) check_non_finite<float16>(p, seed);
        if (seed % 4 == 2) check_non_finite<bfloat16>(p, seed);
    }
    for (const Problem& p : problems::table()) check_non_finite<float>(p, 5);
}

TEST("products/a rank fixed at compile time") {
    for (const Problem& p : problems::table()) {
        if (p.geometry.axes.size() == 1) check_fixed_rank<1>(p);
        if (p.geometry.axes.size() == 2) check_fixed_rank<2>(p);
        if (p.geometry.axes.size() == 3) check_fixed_rank<3>(p);
        if (p.geometry.axes.size() == 6) check_fixed_rank<6>(p);
    }
}

TEST("products/the naive loops as an algorithm") {
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
        const Problem p = problems::random(seed);
        const Tensors<float> tensors(p, seed);
        Options options = p.options();
        options.algorithm = Algorithm::reference;
        for (const Product product : products) {
            const harness::Subject subject(std::string(name(product)) + ", " + describe(p));
            check_close(exact(product, p, tensors), activation_of(product, p), compute(product, p, tensors, options));
        }
    }
}

// <y, dy> = <x, dx> = <kernel, dkernel>, with sums in double.
TEST("products/both gradients are adjoints of the forward product") {
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        Problem p = problems::random(seed);
        p.bias = false;
        p.activation = {};
        const harness::Subject subject(describe(p));
        const Tensors<double> t(p, seed);
        const auto dot = [](const std::vector<double>& a, const std::vector<double>& b) {
            double sum = 0;
            for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
            return sum;
        };
        const double y_dy = dot(compute(Product::forward, p, t, p.options()), t.dy);
        const double x_dx = dot(t.x, compute(Product::grad_input, p, t, p.options()));
        const double w_dw = dot(t.kernel, compute(Product::grad_kernel, p, t, p.options()));
        double size = 0;  // the sum of the absolute terms of all three
        const std::vector<double> absolute = exact(Product::forward, p, t).size;
        for (std::size_t i = 0; i < absolute.size(); ++i) size += absolute[i] * std::abs(t.dy[i]);
        CHECK(std::abs(y_dy - x_dx) <= 1e-14 * size);
        CHECK(std::abs(y_dy - w_dw) <= 1e-14 * size);
    }
}
