// The fast algorithms: right on every geometry that they know, the same bits for every number of threads, and chosen
// by shapes alone.
#include <algorithm>

#include "check.hpp"
#include "oracle.hpp"

using namespace tconv;
using namespace oracle;

namespace {

Axis cropped(Index in, Index kernel, Index stride, Index crop = 0, Index dilation = 1) {
    return resolve({in, kernel, stride, dilation}, Padding::crop(crop, crop));
}

/// Every scheme, along one axis and several; boxes and blocks that are full and that are not; phases with other taps.
const std::vector<Problem>& fast_problems() {
    static const std::vector<Problem> all = {
        problem("two taps", 2, 24, 20, 1, {cropped(23, 4, 2, 1), cropped(14, 4, 2, 1)}),
        problem("two taps, tiny", 3, 40, 16, 1, {cropped(4, 4, 2, 1), cropped(4, 4, 2, 1)}),
        problem("three taps", 1, 16, 33, 1, {cropped(13, 3, 1, 1), cropped(14, 3, 1, 1)}),
        problem("two taps and one", 2, 24, 8, 1, {cropped(9, 3, 2, 1), cropped(10, 3, 2, 1)}),
        problem("three taps and two", 1, 17, 9, 1, {cropped(9, 5, 2, 2), cropped(8, 5, 2)}),
        problem("vocoder", 1, 48, 24, 1, {cropped(50, 16, 8, 4)}),
        problem("panels of members", 2, 24, 32, 1, {cropped(9, 4, 2, 1), cropped(15, 4, 2, 1)}),
        problem("panels of many members", 1, 72, 48, 1, {cropped(37, 16, 8, 4)}),
        problem("weights lent", 2, 20, 64, 1, {cropped(50, 4, 2, 1)}),
        problem("weights lent, few tiles", 1, 24, 32, 1, {cropped(4, 6, 3, 1)}),
        problem("weights lent, steps and groups", 1, 1200, 64, 2, {cropped(19, 4, 2, 1)}),
        problem("weights lent, dilated", 1, 12, 32, 1, {cropped(23, 2, 1, 0, 3), cropped(5, 1, 2)}),
        problem("many columns", 1, 9, 300, 1, {cropped(40, 4, 2, 1)}),
        problem("many channels", 1, 1500, 5, 1, {cropped(9, 4, 2, 1)}),
        problem("volume", 2, 12, 10, 1, {cropped(6, 4, 2, 1), cropped(5, 4, 2, 1), cropped(7, 4, 2, 1)}),
        problem("volume, classes", 1, 8, 6, 1, {cropped(5, 3, 2, 1), cropped(6, 3, 2, 1), cropped(4, 3, 2, 1)}),
        problem("groups", 1, 24, 36, 3, {cropped(15, 4, 2, 1), cropped(11, 4, 2, 1)}),
        problem("dilated", 1, 20, 12, 1, {cropped(17, 3, 1, 0, 3), cropped(19, 3, 1, 0, 2)}),
        problem("dilated and strided", 1, 20, 12, 1, {cropped(17, 5, 2, 0, 3), cropped(9, 5, 3, 0, 2)}),
        problem("dilated as far as strided", 2, 20, 12, 1, {cropped(17, 3, 2, 1, 2), cropped(9, 4, 2, 0, 2)}),
        problem("strides beyond the kernel", 1, 18, 10, 2, {cropped(15, 3, 4, 0, 2), cropped(6, 2, 3)}),
        problem("many taps", 1, 13, 6, 1, {cropped(30, 9, 1, 4), cropped(9, 7, 1, 3)}),
        problem("bias beyond", 2, 16, 8, 1, {{11, 40, 4, 2, 1, -9}, {9, 9, 4, 2, 1, 6}}),
        problem("four axes", 1, 6, 4, 1,
                {cropped(3, 3, 1, 1), cropped(4, 4, 2, 1), cropped(3, 3, 1), cropped(3, 2, 1)}),
    };
    return all;
}

template <class T>
std::vector<T> run(const Plan<T, dynamic>& plan, const Problem& p, const Tensors<T>& t) {
    Guarded<T> y(problems::output_size(p.geometry));
    plan(t.x.data(), t.bias_or_null(), y.data());
    CHECK(y.guards_intact());
    return y.inside();
}

/// A transform mixes neighbours, such as lie beyond the result too: the rounding of a sum is that of the largest sum
/// around, where direct's is its own.
Exact by_the_largest(Exact exact, double beyond = 0) {
    double largest = beyond;
    for (const double size : exact.size) largest = std::max(largest, size);
    for (double& size : exact.size) size = largest;
    return exact;
}

template <class T>
void check_fast(const Problem& p, std::uint64_t seed) {
    const Tensors<T> tensors(p, seed);
    const Exact expected = by_the_largest(exact(Product::forward, p, tensors));
    for (const Isa isa : available_isas()) {
        const harness::Subject subject(std::string(name(isa)) + "/" + type_name<T>() + ", " + describe(p));
        Options options = p.options();
        options.isa = isa;
        options.algorithm = Algorithm::fast;
        options.threads = 1;
        const Plan<T, dynamic> plan(p.geometry, tensors.kernel.data(), options);
        const std::vector<T> y = run(plan, p, tensors);
        check_close(expected, p.activation, y);
        CHECK(same_bits(compute(Product::forward, p, tensors, options), y));
        for (const int threads : {2, 5}) {
            options.threads = threads;
            CHECK(same_bits(run(plan.at(p.geometry, options), p, tensors), y));
        }
    }
}

/// The gradients of the input and of the kernel. Direct where there is nothing to save.
template <class T>
void check_fast_gradient(Product product, const Problem& p, std::uint64_t seed) {
    const Tensors<T> tensors(p, seed);
    const auto largest = [](const std::vector<T>& numbers) {
        double most = 0;
        for (const T number : numbers) most = std::max(most, std::abs(static_cast<double>(widen(number))));
        return most;
    };
    const double one_product =
        largest(tensors.dy) * largest(product == Product::grad_input ? tensors.kernel : tensors.x);
    const Exact expected = by_the_largest(exact(product, p, tensors), one_product);
    for (const Isa isa : available_isas()) {
        const harness::Subject subject(std::string(name(isa)) + "/" + type_name<T>() + ", " + describe(p));
        Options options = p.options();
        options.isa = isa;
        options.algorithm = Algorithm::fast;
        options.threads = 1;
        const std::vector<T> gradient = compute(product, p, tensors, options);
        check_close(expected, {}, gradient);
        for (const int threads : {2, 5}) {
            options.threads = threads;
            CHECK(same_bits(compute(product, p, tensors, options), gradient));
        }
    }
}
constexpr Product gradients[] = {Product::grad_input, Product::grad_kernel};

bool is_fast(const Geometry<dynamic>& g, Options options, Index kernel_numbers) {
    const std::vector<float> kernel(static_cast<std::size_t>(kernel_numbers), 1);
    return Plan<float, dynamic>(g, kernel.data(), options).describe().rfind("fast", 0) == 0;
}

}  // namespace

TEST("fast/every scheme") {
    for (Problem p : fast_problems()) {
        CHECK(is_fast(
            p.geometry,
            [] {
                Options options;
                options.algorithm = Algorithm::fast;
                return options;
            }(),
            problems::kernel_size(p.geometry)));
        for (const DataFormat format : {DataFormat::channels_last, DataFormat::channels_first}) {
            p.format = format;
            for_each_type([&]<class T>() { check_fast<T>(p, 3); });
            p.activation = {Activation::Kind::leaky_relu, 0.2};
            check_fast<float>(p, 4);
            p.activation = {Activation::Kind::tanh, 0};
            p.bias = false;
            check_fast<float>(p, 5);
            p.bias = true;
            p.activation = {};
        }
    }
}

/// Where no phase has several taps, halves of channels and filters: an even and an odd number of rows, lines of one;
/// several taps of the source, which the input gradient sums; more channels than a panel or a chain has.
TEST("fast/halves") {
    const std::vector<Problem> all = {
        problem("a tap for each phase", 2, 64, 32, 1, {cropped(9, 2, 2), cropped(8, 2, 2)}),
        problem("cropped, some phases with fewer rows", 1, 32, 64, 1, {cropped(6, 3, 3, 1), cropped(7, 2, 3, 1)}),
        problem("single rows", 3, 32, 32, 1, {cropped(3, 2, 2), cropped(1, 2, 2)}),
        problem("a line", 1, 160, 96, 1, {cropped(211, 4, 4)}),
        problem("volume", 1, 32, 32, 1, {cropped(3, 2, 2), cropped(4, 1, 1), cropped(5, 2, 2)}),
        problem("groups", 1, 96, 96, 3, {cropped(7, 2, 2), cropped(10, 2, 2)}),
        problem("many channels", 1, 2304, 32, 1, {cropped(2, 1, 1), cropped(3, 2, 2)}),
        problem("many filters", 1, 32, 2304, 1, {cropped(2, 1, 1), cropped(3, 2, 2)}),
        problem("bias beyond", 2, 64, 32, 1, {{11, 40, 2, 2, 1, -9}, {9, 9, 2, 2, 1, 6}}),
    };
    for (Problem p : all) {
        Options options;
        options.algorithm = Algorithm::fast;
        const std::vector<float> kernel(static_cast<std::size_t>(problems::kernel_size(p.geometry)), 1);
        const std::string how = Plan<float, dynamic>(p.geometry, kernel.data(), options).describe();
        CHECK(how.find("halves") != std::string::npos);
        for (const DataFormat format : {DataFormat::channels_last, DataFormat::channels_first}) {
            p.format = format;
            for_each_type([&]<class T>() { check_fast<T>(p, 21); });
            for_each_type([&]<class T>() { check_fast_gradient<T>(Product::grad_input, p, 22); });
            p.activation = {Activation::Kind::leaky_relu, 0.2};
            check_fast<float>(p, 23);
            p.activation = {};
        }
    }
}

// Of rows that are fewer than halves need, and of kernels that are small, they would be slower.
TEST("fast/halves, left to the model") {
    const auto halves = [](Index extent, Index channels, Index filters) {
        const Problem p = problem("", 1, channels, filters, 1, {cropped(extent, 2, 2), cropped(extent, 2, 2)});
        const std::vector<float> kernel(static_cast<std::size_t>(problems::kernel_size(p.geometry)), 1);
        return Plan<float, dynamic>(p.geometry, kernel.data()).describe().find("halves") != std::string::npos;
    };
    CHECK(halves(32, 1024, 512));
    CHECK(!halves(64, 128, 64));
    CHECK(!halves(1, 1024, 512));
}

/// Two taps' sum and difference are made as they are met.
TEST("fast/weights that are lent take no memory") {
    Options options;
    const auto bytes = [&options](const Problem& p, Algorithm algorithm) {
        const std::vector<float> kernel(static_cast<std::size_t>(problems::kernel_size(p.geometry)), 1);
        options.algorithm = algorithm;
        return Plan<float, dynamic>(p.geometry, kernel.data(), options).packed_bytes();
    };
    for (const Isa isa : available_isas()) {
        options.isa = isa;
        const Problem lent = problem("", 1, 24, 64, 1, {cropped(50, 16, 8, 4)});
        CHECK(bytes(lent, Algorithm::fast) == bytes(lent, Algorithm::direct));
        const Problem kept = problem("", 1, 24, 64, 1, {cropped(50, 6, 2, 2)});
        CHECK(bytes(kept, Algorithm::fast) > bytes(kept, Algorithm::direct));
    }
}

/// The last tile has all of its outputs, two or one; the first and the last one of a phase may have fewer than
/// another's. Panels hold columns of one phase, or of several.
TEST("fast/ends of axes") {
    for (const Index extent : {1, 2, 3, 4, 6, 8}) {
        for (const Index filters : {3, 16}) {
            Problem p =
                problem("ends of axes", 2, 9, filters, 1, {cropped(extent, 4, 2, 1), cropped(11 - extent, 4, 2)});
            const std::vector<std::vector<Axis>> all = {
                p.geometry.axes,
                {cropped(extent + 2, 3, 1, 1), cropped(13 - extent, 6, 2, 2)},
                {cropped(2 * extent + 3, 2, 1, 1, 3), cropped(extent, 2, 1, 0, 2)},
                {cropped(extent + 4, 9, 1, 4)},
            };
            for (const std::vector<Axis>& axes : all) {
                p.geometry.axes = axes;
                for (const DataFormat format : {DataFormat::channels_last, DataFormat::channels_first}) {
                    p.format = format;
                    check_fast<float>(p, 8);
                    for (const Product product : gradients) check_fast_gradient<float>(product, p, 9);
                }
            }
        }
    }
}

TEST("fast/random problems") {
    for (std::uint64_t seed = 3000; seed < 3200; ++seed) {
        const Problem p = problems::random(seed);
        for_each_type([&]<class T>() { check_fast<T>(p, seed); });
    }
}

TEST("fast/gradients, every scheme") {
    for (Problem p : fast_problems()) {
        for (const DataFormat format : {DataFormat::channels_last, DataFormat::channels_first}) {
            p.format = format;
            for (const Product product : gradients) {
                for_each_type([&]<class T>() { check_fast_gradient<T>(product, p, 6); });
                Options options = p.options();
                const Tensors<float> t(p, 6);
                options.algorithm = Algorithm::direct;
                const std::vector<float> direct = compute(product, p, t, options);
                options.algorithm = Algorithm::fast;  // is another way
                CHECK(!same_bits(compute(product, p, t, options), direct));
            }
        }
    }
}

// Sums over many pixels: of parts, and of so many boxes that some are transformed before others.
TEST("fast/kernel gradient, many tiles") {
    const std::vector<Problem> all = {
        problem("parts", 2, 11, 5, 1, {cropped(1100, 4, 2, 1)}),
        problem("parts, half of them rows' ends", 3, 7, 9, 1, {cropped(37, 4, 2, 1), cropped(31, 3, 1, 1)}),
        problem("boxes", 1, 32, 32, 32, {cropped(12700, 4, 2, 1)}),
        problem("pieces of channels and filters", 1, 150, 270, 1, {cropped(7, 4, 2, 1), cropped(5, 4, 2, 1)}),
        problem("members of many phases", 1, 20, 33, 1, {cropped(30, 21, 7, 3), cropped(3, 2, 1)}),
        problem("long lines turned for x alone", 1, 40, 2, 1, {cropped(8, 3, 1), cropped(140, 3, 2, 1, 4)}),
        problem("pieces of a phase far apart", 1, 9, 6, 1, {cropped(70, 40, 1, 3)}),
    };
    for (Problem p : all) {
        for (const DataFormat format : {DataFormat::channels_last, DataFormat::channels_first}) {
            p.format = format;
            check_fast_gradient<float>(Product::grad_kernel, p, 13);
            check_fast_gradient<float16>(Product::grad_kernel, p, 14);
        }
    }
}

// More threads are given smaller units, which add the same numbers in the same order.
TEST("fast/kernel gradient, many threads") {
    const Problem p = problem("many threads", 2, 270, 300, 1, {cropped(9, 4, 2, 1), cropped(8, 4, 2, 1)});
    const Tensors<float> t(p, 15);
    Options options;
    options.algorithm = Algorithm::fast;
    options.threads = 1;
    const std::vector<float> one = compute(Product::grad_kernel, p, t, options);
    for (const int threads : {3, 16, 64}) {
        options.threads = threads;
        CHECK(same_bits(compute(Product::grad_kernel, p, t, options), one));
    }
}

TEST("fast/kernel gradient, left to the model") {
    const auto fast = [](const Problem& p) {
        const Tensors<float> t(p, 16);
        Options options = p.options();
        const std::vector<float> automatic = compute(Product::grad_kernel, p, t, options);
        options.algorithm = Algorithm::direct;
        const bool direct = same_bits(compute(Product::grad_kernel, p, t, options), automatic);
        options.algorithm = Algorithm::fast;
        const bool same = same_bits(compute(Product::grad_kernel, p, t, options), automatic);
        CHECK(direct || same);
        return !direct;
    };
    CHECK(fast(problem("large", 1, 64, 64, 1, {cropped(28, 3, 1, 1), cropped(30, 3, 1, 1)})));
    CHECK(!fast(problem("one tap", 1, 64, 64, 1, {cropped(28, 2, 2), cropped(30, 2, 2)})));
    CHECK(!fast(problem("depthwise", 1, 64, 64, 64, {cropped(60, 4, 2, 1), cropped(60, 4, 2, 1)})));
    CHECK(!fast(problem("small", 1, 8, 8, 1, {cropped(9, 4, 2, 1)})));
}

// A kernel of more than 8 MiB when it is transformed, which is not transformed as a whole.
TEST("fast/input gradient, panels transformed when they are met") {
    for (const Index groups : {1, 2}) {
        Problem p = problem("large", 2, 285 * groups, 250 * groups, groups, {cropped(2, 4, 2, 1), cropped(2, 4, 2, 1)});
        check_fast_gradient<float>(Product::grad_input, p, 11);
        p.format = DataFormat::channels_first;
        check_fast_gradient<double>(Product::grad_input, p, 12);
    }
}

TEST("fast/input gradient, which one it is can be asked") {
    const Problem large = problem("large", 1, 64, 48, 1, {cropped(28, 3, 1, 1), cropped(30, 3, 1, 1)});
    const Problem one_tap = problem("one tap", 1, 64, 47, 1, {cropped(28, 2, 2), cropped(30, 2, 2)});
    std::vector<bool> answers;
    for (const Problem& p : {large, one_tap, fast_problems().front()}) {
        Options options = p.options();
        const Tensors<float> t(p, 7);
        const std::vector<float> automatic = compute(Product::grad_input, p, t, options);
        answers.push_back(grad_input_is_fast<float>(p.geometry, options));
        options.algorithm = Algorithm::direct;
        CHECK(!grad_input_is_fast<float>(p.geometry, options));
        CHECK(same_bits(compute(Product::grad_input, p, t, options), automatic) == !answers.back());
        options.algorithm = Algorithm::fast;
        CHECK(grad_input_is_fast<float>(p.geometry, options) == (p.name != one_tap.name));
    }
    CHECK(answers[0] && !answers[1] && !answers[2]);
    Geometry<dynamic> wrong = large.geometry;
    wrong.groups = 7;
    CHECK_THROWS(ShapeError, grad_input_is_fast<float>(wrong), "grad_input_is_fast: ", "groups");
}

TEST("fast/gradients, random problems") {
    for (std::uint64_t seed = 3200; seed < 3350; ++seed) {
        const Problem p = problems::random(seed);
        for (const Product product : gradients)
            for_each_type([&]<class T>() { check_fast_gradient<T>(product, p, seed); });
    }
}

// The same weights serve every geometry, whatever scheme it takes, and a plan remembers none of its history.
TEST("fast/elsewhere") {
    Problem p = fast_problems().front();
    Options options;
    options.algorithm = Algorithm::fast;
    const Tensors<float> first(p);
    const Plan<float, dynamic> plan(p.geometry, first.kernel.data(), options);
    for (const Index extent : {1, 4, 17, 5, 30, 4, 1}) {
        for (const Index batch : {1, 3}) {
            p.geometry.batch = batch;
            for (Axis& axis : p.geometry.axes) axis = cropped(extent, 4, 2, 0);
            Tensors<float> t(p, 9);
            t.kernel = first.kernel;
            const harness::Subject subject(describe(p));
            const std::vector<float> y = run(plan.at(p.geometry), p, t);
            check_close(by_the_largest(exact(Product::forward, p, t)), {}, y);
            CHECK(same_bits(run(Plan<float, dynamic>(p.geometry, t.kernel.data(), options), p, t), y));
        }
    }
}

TEST("fast/asked for, refused, and left to the model") {
    Options options;
    options.threads = 1;
    const Problem large = problem("large", 4, 128, 128, 1, {cropped(24, 4, 2, 1), cropped(24, 4, 2, 1)});
    const Index numbers = problems::kernel_size(large.geometry);
    CHECK(is_fast(large.geometry, options, numbers));
    for (const int threads : {2, 7}) {
        options.threads = threads;
        CHECK(is_fast(large.geometry, options, numbers));
    }
    options.algorithm = Algorithm::direct;
    CHECK(!is_fast(large.geometry, options, numbers));
    options.algorithm = Algorithm::automatic;
    const Problem small = problem("small", 1, 4, 4, 1, {cropped(5, 4, 2, 1), cropped(5, 4, 2, 1)});
    CHECK(!is_fast(small.geometry, options, problems::kernel_size(small.geometry)));
    options.algorithm = Algorithm::fast;
    CHECK(is_fast(small.geometry, options, problems::kernel_size(small.geometry)));
    // One tap in every phase: no product is made twice, and an odd number of channels has no halves.
    const Problem one = problem("one tap", 4, 127, 128, 1, {cropped(24, 2, 2), cropped(24, 2, 2)});
    CHECK(!is_fast(one.geometry, options, problems::kernel_size(one.geometry)));
}

// A kernel with infinities or NaN is direct's, and exact: sums of weights would spread them.
TEST("fast/weights that are not finite") {
    for (const float value : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
        for (Problem p : fast_problems()) {
            Tensors<float> t(p);
            t.kernel[t.kernel.size() / 2] = value;
            Options options = p.options();
            options.algorithm = Algorithm::fast;
            const harness::Subject subject(describe(p));
            check_close(exact(Product::forward, p, t), p.activation, compute(Product::forward, p, t, options));
            check_close(exact(Product::grad_input, p, t), {}, compute(Product::grad_input, p, t, options));
        }
    }
}

// An input with one spoils no more than the tiles that read it: outputs far from it are what they would be without it.
TEST("fast/inputs that are not finite spoil their neighbourhood") {
    Problem p = problem("one axis", 1, 16, 16, 1, {cropped(200, 4, 2, 1)});
    Tensors<float> t(p);
    Options options;
    options.algorithm = Algorithm::fast;
    const std::vector<float> clean = compute(Product::forward, p, t, options);
    t.x[100 * 16 + 3] = std::numeric_limits<float>::infinity();
    const std::vector<float> y = compute(Product::forward, p, t, options);
    for (std::size_t i = 0; i < y.size(); ++i) {
        const auto pixel = static_cast<Index>(i) / 16;
        const bool reads = pixel >= 199 && pixel <= 202;
        if (reads) CHECK(!std::isfinite(y[i]));
        if (pixel < 190 || pixel > 212) CHECK(y[i] == clean[i]);
    }
}
