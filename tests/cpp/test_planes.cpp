// Direct products of planes, channels first: right at every edge, and the same bits as channels last where both are
// one chain of sums.
#include <algorithm>

#include "check.hpp"
#include "oracle.hpp"

using namespace tconv;
using namespace oracle;

namespace {

Axis cropped(Index in, Index kernel, Index stride, Index begin = 0, Index end = 0, Index dilation = 1) {
    return resolve({in, kernel, stride, dilation}, Padding::crop(begin, end));
}

Problem in_planes(std::string name, Index batch, Index channels, Index filters, Index groups, std::vector<Axis> axes) {
    return problem(std::move(name), batch, channels, filters, groups, std::move(axes), DataFormat::channels_first);
}

/// Lines that fill vectors and that don't, whole images and parts; phases in one window and in several; runs of all
/// lengths; sums of one part and of many.
const std::vector<Problem>& plane_problems() {
    static const std::vector<Problem> all = {
        in_planes("kernel equals stride", 2, 24, 24, 1, {cropped(5, 2, 2), cropped(40, 2, 2)}),
        in_planes("pixels in place", 2, 24, 1, 1, {cropped(9, 2, 2), cropped(43, 2, 2)}),
        in_planes("pixels in place, whole lines", 1, 5, 2, 1, {cropped(30, 2, 2), cropped(17, 2, 2)}),
        in_planes("pixels in place, cropped", 1, 6, 1, 1, {cropped(21, 2, 2, 3, 2), cropped(38, 2, 2, 1, 5)}),
        in_planes("pixels in place, inside of a line", 2, 20, 2, 1, {cropped(999, 4, 2, 1, 1)}),
        in_planes("pixels in place, inside of a line, groups", 1, 12, 4, 2, {cropped(1403, 7, 1, 3, 3)}),
        in_planes("pixels in place, groups", 2, 6, 6, 3, {cropped(13, 2, 2), cropped(33, 1, 1)}),
        in_planes("one filter", 1, 20, 1, 1, {cropped(15, 4, 2, 1, 1), cropped(29, 4, 2, 1, 1)}),
        in_planes("three filters", 2, 20, 3, 1, {cropped(16, 4, 2, 1, 1), cropped(33, 4, 2, 1, 1)}),
        in_planes("windows of one phase", 1, 12, 32, 1, {cropped(19, 3, 2, 1, 0), cropped(41, 3, 2, 0, 1)}),
        in_planes("runs of three", 1, 7, 5, 1, {cropped(20, 9, 3, 4, 4), cropped(31, 9, 3, 3, 4)}),
        in_planes("runs of four", 1, 9, 21, 1, {cropped(14, 4, 4), cropped(37, 8, 4, 2, 2)}),
        in_planes("runs of eight", 1, 21, 21, 1, {cropped(200, 16, 8, 4, 4)}),
        in_planes("a run of a part", 1, 6, 9, 1, {cropped(14, 3, 5), cropped(37, 3, 5)}),
        in_planes("runs with gaps", 1, 6, 9, 1, {cropped(210, 2, 6, 0, 0, 2)}),
        in_planes("a run longer than any", 1, 3, 1, 1, {cropped(193, 300, 300)}),
        in_planes("deep sums", 1, 700, 17, 1, {cropped(200, 4, 2, 1, 1)}),
        in_planes("many taps", 1, 40, 7, 1, {cropped(20, 5, 1, 2, 2), cropped(30, 7, 1, 3, 3)}),
        in_planes("dilation", 1, 16, 24, 1, {cropped(30, 3, 1, 0, 0, 2), cropped(37, 3, 1, 3, 0, 3)}),
        in_planes("stride and dilation", 1, 16, 24, 1, {cropped(30, 3, 2, 0, 0, 2), cropped(37, 3, 3, 0, 0, 2)}),
        in_planes("crops", 1, 8, 16, 1, {cropped(40, 5, 2, 9, 3), cropped(45, 5, 2, 0, 11)}),
        in_planes("volume", 1, 12, 10, 1, {cropped(4, 2, 2), cropped(9, 3, 2, 1, 1), cropped(25, 4, 2, 1, 1)}),
        in_planes("groups", 2, 24, 36, 3, {cropped(15, 4, 2, 1, 1), cropped(26, 4, 2, 1, 1)}),
        in_planes("beyond the input", 1, 8, 12, 1, {{15, 47, 3, 2, 1, -9}, {200, 419, 4, 2, 1, 6}}),
        in_planes("one tap", 1, 9, 40, 1, {cropped(217, 1, 1)}),
        in_planes("long lines", 2, 24, 24, 1, {cropped(3, 2, 2), cropped(67, 2, 2)}),
        in_planes("long lines of one phase", 1, 5, 11, 1, {cropped(4, 1, 1), cropped(69, 1, 1)}),
        in_planes("long lines of four phases", 1, 9, 7, 1, {cropped(5, 4, 4), cropped(71, 4, 4)}),
        in_planes("long lines of two windows", 1, 20, 40, 1, {cropped(900, 4, 2, 1, 1)}),
        in_planes("long lines in parts", 1, 100, 9, 1, {cropped(413, 2, 2)}),
        in_planes("long lines of groups", 2, 12, 54, 3, {cropped(4, 2, 2), cropped(66, 2, 2)}),
        in_planes("long lines, pixels apart", 1, 3, 9, 1, {cropped(6, 4, 2, 1, 1), cropped(70, 4, 2, 1, 1)}),
        in_planes("long lines, pixels apart, groups", 2, 6, 12, 2, {cropped(5, 2, 1), cropped(67, 4, 2, 3, 1)}),
        in_planes("long lines, windows apart, groups", 1, 2, 18, 2, {cropped(100, 4, 2, 1, 1)}),
        in_planes("long lines, windows apart", 1, 3, 19, 1, {cropped(90, 4, 2, 1, 1)}),
        in_planes("long lines, windows apart, of several axes", 2, 4, 50, 2,
                  {cropped(16, 4, 2, 1, 1), cropped(67, 4, 2, 1, 1)}),
        in_planes("depthwise", 2, 70, 70, 70, {cropped(14, 4, 2, 1, 1), cropped(29, 4, 2, 1, 1)}),
        in_planes("depthwise, long lines", 1, 5, 5, 5, {cropped(9, 3, 1, 1, 1), cropped(80, 5, 2, 2, 1)}),
        in_planes("depthwise, pixels in place", 2, 3, 3, 3, {cropped(8, 2, 2, 1, 1), cropped(32, 2, 2, 1, 1)}),
        in_planes("long lines of a volume", 1, 6, 4, 1, {cropped(3, 2, 2), cropped(4, 2, 2), cropped(65, 2, 2)}),
        in_planes("four axes", 1, 6, 4, 1, {cropped(3, 2, 2), cropped(4, 2, 2), cropped(3, 1, 1), cropped(25, 2, 2)}),
    };
    return all;
}

template <class T>
Plan<T, dynamic> plan_of(const Problem& p, const Tensors<T>& t, Isa isa, int threads) {
    Options options = p.options();
    options.isa = isa;
    options.algorithm = Algorithm::direct;
    options.threads = threads;
    return Plan<T, dynamic>(p.geometry, t.kernel.data(), options);
}

template <class T>
std::vector<T> run(const Plan<T, dynamic>& plan, const Problem& p, const Tensors<T>& t) {
    Guarded<T> y(problems::output_size(p.geometry));
    plan(t.x.data(), t.bias_or_null(), y.data());
    CHECK(y.guards_intact());
    return y.inside();
}

template <class T>
void check_planes(const Problem& p, std::uint64_t seed) {
    const Tensors<T> tensors(p, seed);
    const Exact expected = exact(Product::forward, p, tensors);
    for (const Isa isa : available_isas()) {
        const harness::Subject subject(std::string(name(isa)) + "/" + type_name<T>() + ", " + describe(p));
        const Plan<T, dynamic> plan = plan_of(p, tensors, isa, 1);
        // Few channels may fill vectors that are short.
        if (p.format == DataFormat::channels_first || isa != Isa::generic)
            CHECK(plan.describe().find("in planes") != std::string::npos);
        const std::vector<T> y = run(plan, p, tensors);
        check_close(expected, p.activation, y);
        for (const int threads : {2, 5}) CHECK(same_bits(run(plan_of(p, tensors, isa, threads), p, tensors), y));
    }
}

/// So few channels in a group that pixels are turned: groups that fill lines of the cache and that don't, one and many
/// examples in a box, phases in one window and in several, a channel alone.
const std::vector<Problem>& thin_problems() {
    static const std::vector<Problem> all = {
        problem("groups of four", 2, 32, 32, 8, {cropped(9, 3, 1, 1, 1), cropped(22, 3, 1, 1, 1)}),
        problem("groups of three and five", 1, 21, 35, 7, {cropped(13, 4, 2, 1, 1), cropped(21, 4, 2, 1, 1)}),
        problem("two filters for each channel", 1, 37, 74, 37, {cropped(14, 3, 2, 1, 0), cropped(19, 3, 2, 0, 1)}),
        problem("one filter for two channels", 3, 38, 19, 19, {cropped(70, 4, 2, 1, 1)}),
        problem("small images", 9, 36, 36, 9, {cropped(5, 3, 1, 1, 1), cropped(4, 3, 1, 1, 1)}),
        problem("gaps and crops", 2, 12, 12, 4, {cropped(15, 3, 5), cropped(16, 7, 2, 9, 4)}),
        problem("stride and dilation", 1, 10, 15, 5, {cropped(20, 3, 2, 0, 0, 2), cropped(37, 3, 3, 0, 0, 2)}),
        problem("one channel to five", 2, 1, 5, 1, {cropped(12, 3, 1, 1, 1), cropped(31, 3, 1, 1, 1)}),
        problem("one channel to one", 2, 1, 1, 1, {cropped(12, 5, 2, 1, 1), cropped(31, 5, 2, 1, 1)}),
        problem("many phases", 1, 6, 18, 3, {cropped(65, 24, 8, 8, 8)}),
        problem("volume", 1, 12, 12, 4, {cropped(4, 3, 1, 1, 1), cropped(5, 3, 2, 1, 1), cropped(19, 3, 2, 1, 1)}),
        problem("beyond the input", 1, 6, 8, 2, {{15, 47, 3, 2, 1, -9}, {60, 119, 4, 2, 1, 6}}),
    };
    return all;
}

/// A tensor (batch, channels, pixels) as (batch, pixels, channels).
template <class T>
std::vector<T> turned(const std::vector<T>& from, Index batch, Index channels) {
    std::vector<T> to(from.size());
    const std::size_t planes = static_cast<std::size_t>(channels), images = static_cast<std::size_t>(batch);
    const std::size_t pixels = from.size() / images / planes;
    for (std::size_t n = 0; n < images; ++n)
        for (std::size_t c = 0; c < planes; ++c)
            for (std::size_t i = 0; i < pixels; ++i)
                to[(n * pixels + i) * planes + c] = from[(n * planes + c) * pixels + i];
    return to;
}

}  // namespace

TEST("planes/every edge") {
    const auto& kinds = problems::activations();
    for (std::size_t i = 0; i < plane_problems().size(); ++i) {
        Problem p = plane_problems()[i];
        for_each_type([&]<class T>() { check_planes<T>(p, 3); });
        p.activation = kinds[1 + i % (kinds.size() - 1)];
        for_each_type([&]<class T>() { check_planes<T>(p, 4); });
        p.bias = false;
        p.activation = {Activation::Kind::leaky_relu, 0.2};
        check_planes<float>(p, 5);
    }
}

// Channels last, the numbers of the planes that channels first would have.
TEST("planes/thin channels") {
    const auto& kinds = problems::activations();
    for (std::size_t i = 0; i < thin_problems().size(); ++i) {
        Problem p = thin_problems()[i];
        for_each_type([&]<class T>() { check_planes<T>(p, 6); });
        p.activation = kinds[1 + i % (kinds.size() - 1)];
        for_each_type([&]<class T>() { check_planes<T>(p, 7); });
    }
}

// The last number of the input is the last one that is read, wherever the input ends.
TEST("planes/pixels in place at every end") {
    for (Index width = 20; width < 60; ++width) {
        for (const Index channels : {1, 3}) {
            for (const Index crop : {0, 1}) {
                const Problem p = in_planes("in place", 1, channels, 1, 1, {cropped(width, 2, 2, crop, crop)});
                check_planes<float>(p, static_cast<std::uint64_t>(width));
                check_planes<double>(p, static_cast<std::uint64_t>(width));
            }
        }
    }
}

// Panels add up taps and channels in the same order.
TEST("planes/the same bits as channels last") {
    for (const Problem& p : plane_problems()) {
        Tensors<float> first(p, 7);
        for (const Isa isa : available_isas()) {
            const harness::Subject subject(std::string(name(isa)) + ", " + describe(p));
            const Plan<float, dynamic> plan = plan_of(p, first, isa, 1);
            if (plan.describe().rfind("direct", 0) != 0) continue;  // dots have a chain for each lane
            Problem q = p;
            q.format = DataFormat::channels_last;
            Tensors<float> last = first;
            last.x = turned(first.x, p.geometry.batch, p.geometry.in_channels);
            const std::vector<float> y = run(plan_of(q, last, isa, 1), q, last);
            CHECK(same_bits(turned(run(plan, p, first), p.geometry.batch, p.geometry.filters), y));
        }
    }
}

TEST("planes/an example of a batch is computed as it is alone") {
    for (Problem p : plane_problems()) {
        p.geometry.batch = 3;
        const Tensors<float> all(p, 8);
        for (const Isa isa : available_isas()) {
            const harness::Subject subject(std::string(name(isa)) + ", " + describe(p));
            const std::vector<float> y = run(plan_of(p, all, isa, 1), p, all);
            Problem one = p;
            one.geometry.batch = 1;
            const std::size_t x_size = all.x.size() / 3, y_size = y.size() / 3;
            for (std::size_t n = 0; n < 3; ++n) {
                Tensors<float> t = all;
                t.x.assign(all.x.begin() + static_cast<std::ptrdiff_t>(n * x_size),
                           all.x.begin() + static_cast<std::ptrdiff_t>((n + 1) * x_size));
                const std::vector<float> alone = run(plan_of(one, t, isa, 1), one, t);
                CHECK(std::equal(alone.begin(), alone.end(), y.begin() + static_cast<std::ptrdiff_t>(n * y_size)));
            }
        }
    }
}

// An input that is not finite spoils what the definition says, and no other pixel of its vector.
TEST("planes/inputs that are not finite") {
    for (const Problem& p : plane_problems()) {
        Tensors<float> t(p, 9);
        t.x[t.x.size() / 2] = std::numeric_limits<float>::infinity();
        t.x[t.x.size() - 1] = std::numeric_limits<float>::quiet_NaN();
        for (const Isa isa : available_isas()) {
            const harness::Subject subject(std::string(name(isa)) + ", " + describe(p));
            check_close(exact(Product::forward, p, t), p.activation, run(plan_of(p, t, isa, 1), p, t));
        }
    }
}
