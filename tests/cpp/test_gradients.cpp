// What the gradients promise beyond being right: long sums stay accurate, and no bit depends on the threads.
#include "check.hpp"
#include "oracle.hpp"

using namespace tconv;
using namespace oracle;

namespace {

/// Every way of the kernel gradient to cut the pixels: one box, parts of boxes, more boxes than one total takes.
std::vector<Problem> long_problems() {
    return {
        problem("a box", 1, 5, 7, 1, {same(9, 3, 2), same(11, 3, 2)}),
        problem("parts", 2, 3, 4, 1, {same(90, 3, 2), same(91, 2, 1)}),
        problem("parts, planes", 2, 3, 4, 1, {same(90, 3, 2), same(91, 2, 1)}, DataFormat::channels_first),
        problem("many boxes", 1, 2, 3, 1, {same(700000, 1, 1)}),
        problem("parts of groups", 1, 24, 36, 12, {same(3000, 3, 2)}),
        problem("parts of lanes", 2, 20, 20, 20, {same(70, 4, 2), same(69, 4, 2)}),
        problem("lanes of two filters", 1, 11, 22, 11, {same(2000, 3, 1, 2)}),
        problem("swapped", 1, 48, 1, 1, {same(80, 2, 2), same(90, 2, 2)}),
        problem("rows that lie in dy", 2, 32, 3, 1, {same(43, 5, 2), same(61, 5, 1)}),
        problem("rows that lie in dy, dilated", 1, 32, 5, 1, {same(50, 3, 2), same(47, 3, 1, 2)}),
        problem("rows that lie unevenly in dy", 1, 32, 6, 1, {{20, 148, 3, 1, 64, 0}}, DataFormat::channels_first),
        problem("rows that lie unevenly in dy, of groups", 1, 64, 12, 2, {same(60, 3, 20, 11)}),
        problem("rows that lie in dy, of groups", 1, 96, 24, 6, {same(40, 3, 1), same(41, 4, 2)}),
        problem("rows that lie in dy, planes", 1, 33, 2, 1, {same(30, 7, 1), same(70, 6, 3)},
                DataFormat::channels_first),
    };
}

/// What the workers of the input gradient are told apart by, with lines that are cut, clipped and not whole vectors.
std::vector<Problem> input_problems() {
    std::vector<Problem> all;
    for (const DataFormat format : {DataFormat::channels_last, DataFormat::channels_first}) {
        const auto add = [&](std::string name, auto... rest) {
            name += format == DataFormat::channels_last ? ", channels last" : ", planes";
            all.push_back(problem(std::move(name), rest..., format));
        };
        using Axes = std::vector<Axis>;
        add("a small kernel", 2, 24, 1, 1, Axes{same(5, 2, 2), same(43, 3, 2)});
        add("a small kernel, dilated", 1, 13, 3, 1, Axes{same(6, 3, 2, 3), same(21, 3, 1, 2)});
        add("gaps between taps", 1, 9, 5, 1, Axes{same(4, 2, 5), same(19, 2, 7, 3)});
        add("a small kernel of groups", 1, 21, 6, 3, Axes{same(7, 3, 1), same(23, 4, 2)});
        add("one block of many numbers", 1, 19, 40, 1, Axes{same(4, 4, 2), same(37, 5, 3)});
        add("one block of groups", 1, 34, 74, 2, Axes{same(3, 3, 1), same(25, 3, 2)});
        add("a long line", 1, 7, 2, 1, Axes{same(1500, 9, 4)});
        add("one channel", 2, 1, 11, 1, Axes{same(7, 3, 2), same(35, 4, 2)});
        add("two channels", 1, 2, 3, 1, Axes{same(7, 3, 2, 2), same(35, 4, 3)});
        add("few filters", 1, 66, 2, 1, Axes{same(3, 2, 2), same(4, 2, 2), same(33, 3, 1)});
        add("depthwise", 2, 20, 20, 20, Axes{same(9, 4, 2), same(50, 3, 2)});
        add("depthwise, few", 1, 3, 3, 3, Axes{same(9, 3, 1), same(47, 4, 4)});
        add("few of each", 1, 12, 24, 6, Axes{same(9, 3, 1, 2), same(41, 2, 1)});
    }
    return all;
}

template <class T>
void check_input(const Problem& p) {
    const Tensors<T> t(p, 5);
    const Exact expected = exact(Product::grad_input, p, t);
    for (const Isa isa : available_isas()) {
        const harness::Subject subject(std::string(name(isa)) + "/" + type_name<T>() + ", " + describe(p));
        Options options = p.options();
        options.isa = isa;
        options.threads = 1;
        const std::vector<T> result = compute(Product::grad_input, p, t, options);
        check_close(expected, {}, result);
        for (const int threads : {2, 7, 40}) {
            options.threads = threads;
            CHECK(same_bits(compute(Product::grad_input, p, t, options), result));
        }
    }
}

/// Multiples of 2^-8 in [0, 2): nothing cancels, a single chain of floats would go far astray, and the expected sums of
/// doubles are exact.
template <class T>
void make_positive(std::vector<T>& numbers) {
    for (T& x : numbers) x = narrow<T>(std::floor(widen(x) * 256) / 256 + 1);
}

template <class T>
void check_long_sums(const Problem& p) {
    Tensors<T> t(p, 11);
    make_positive(t.x);
    make_positive(t.dy);
    const Exact expected = exact(Product::grad_kernel, p, t);
    for (const Isa isa : available_isas()) {
        Options options = p.options();
        options.isa = isa;
        options.threads = 1;
        const std::vector<T> result = compute(Product::grad_kernel, p, t, options);
        const harness::Subject subject(std::string(name(isa)) + "/" + type_name<T>() + ", " + describe(p));
        check_close(expected, {}, result, 8);  // four units of a float's sum of this size
        for (const int threads : {2, 3, 8, 40}) {
            options.threads = threads;
            CHECK(same_bits(compute(Product::grad_kernel, p, t, options), result));
        }
    }
}

template <class T>
std::vector<T> grad_bias(const Problem& p, const std::vector<T>& dy, const Options& options) {
    Guarded<T> result(p.geometry.filters);
    conv_transpose_grad_bias<T>(p.geometry, dy.data(), result.data(), options);
    CHECK(result.guards_intact());
    return result.inside();
}

template <class T>
void check_bias(const Problem& p) {
    const Tensors<T> t(p, 3);
    Exact expected;
    const auto filters = static_cast<std::size_t>(p.geometry.filters);
    expected.value.assign(filters, 0);
    expected.size.assign(filters, 0);
    const auto pixels = static_cast<std::size_t>(filters == 0 || p.geometry.batch == 0
                                                     ? 0
                                                     : problems::output_size(p.geometry) / p.geometry.batch) /
                        (filters + !filters);
    for (std::size_t i = 0; i < t.dy.size(); ++i) {
        const std::size_t f = p.format == DataFormat::channels_last ? i % filters : i / pixels % filters;
        expected.value[f] += widen(t.dy[i]);
        expected.size[f] += std::abs(static_cast<double>(widen(t.dy[i])));
    }
    for (const Isa isa : available_isas()) {
        const harness::Subject subject(std::string(name(isa)) + "/" + type_name<T>() + ", " + describe(p));
        Options options = p.options();
        options.isa = isa;
        options.threads = 1;
        const std::vector<T> result = grad_bias(p, t.dy, options);
        check_close(expected, {}, result);
        for (const int threads : {2, 5, 40}) {
            options.threads = threads;
            CHECK(same_bits(grad_bias(p, t.dy, options), result));
        }
    }
    if (t.dy.size() > 10000) return;
    Options options = p.options();
    options.algorithm = Algorithm::reference;
    check_close(expected, {}, grad_bias(p, t.dy, options));
}

}  // namespace

TEST("gradients/long sums of the kernel gradient") {
    for (const Problem& p : long_problems()) {
        for_each_type([&]<class T>() { check_long_sums<T>(p); });
    }
}

TEST("gradients/of the input, by every worker") {
    for (const Problem& p : input_problems()) {
        for_each_type([&]<class T>() { check_input<T>(p); });
    }
}

TEST("gradients/of the bias") {
    for (const Problem& p : problems::table()) {
        for_each_type([&]<class T>() { check_bias<T>(p); });
    }
    for (const Problem& p : long_problems()) {
        for_each_type([&]<class T>() { check_bias<T>(p); });
    }
    for (std::uint64_t seed = 0; seed < 50; ++seed) check_bias<float>(problems::random(seed));
}
