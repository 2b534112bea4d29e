// Plans: a kernel packed once, for every batch, extent, crop, format and thread.
#include <algorithm>
#include <array>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <thread>
#include <tuple>
#include <vector>

#include "check.hpp"
#include "oracle.hpp"

using namespace tconv;
using namespace oracle;

namespace {

template <class T>
std::vector<T> run(const Plan<T, dynamic>& plan, const Problem& p, const Tensors<T>& t) {
    Guarded<T> y(problems::output_size(p.geometry));
    plan(t.x.data(), t.bias_or_null(), y.data());
    CHECK(y.guards_intact());
    return y.inside();
}

/// The same kernel met by another batch, other extents, crops, format, bias and activation.
Problem elsewhere(Problem p, std::uint64_t seed) {
    const Problem other = problems::random(seed);
    p.geometry.batch = other.geometry.batch;
    const std::size_t rank = p.geometry.axes.size();
    for (std::size_t a = 0; a < rank; ++a) {
        Axis& axis = p.geometry.axes[a];
        const Axis& from = other.geometry.axes[a % other.geometry.axes.size()];
        axis.in = std::min<Index>(from.in, rank <= 2 ? 7 : 2);
        axis.out = std::min<Index>(from.out, rank <= 2 ? 11 : rank <= 4 ? 5 : 3);
        axis.crop = from.crop;
    }
    p.bias = other.bias;
    p.format = other.format;
    p.activation = other.activation;
    return p;
}

/// Then the kernel is packed once more.
bool has_one_pixel(const Problem& p) {
    const std::vector<Axis>& axes = p.geometry.axes;
    return std::any_of(axes.begin(), axes.end(), [](const Axis& axis) { return axis.in == 1; });
}

template <class T>
void check_sharing(Isa isa) {
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
        const Problem p = problems::random(seed);
        Options options = p.options();
        options.isa = isa;
        options.threads = 1;
        Tensors<T> t(p, seed);
        const harness::Subject subject(std::string(name(isa)) + "/" + type_name<T>() + ", " + describe(p));
        const std::vector<T> expected = compute(Product::forward, p, t, options);
        const std::vector<T> kernel = t.kernel;
        const Plan<T, dynamic> plan(p.geometry, t.kernel.data(), options);
        std::fill(t.kernel.begin(), t.kernel.end(), narrow<T>(std::numeric_limits<float>::quiet_NaN()));
        CHECK(same_bits(run(plan, p, t), expected));

        const Problem q = elsewhere(p, seed + 500);
        const harness::Subject moved("at " + describe(q));
        Options other = q.options();
        other.isa = isa;
        other.threads = 1;
        Tensors<T> u(q, seed);
        u.kernel = kernel;
        const auto there = plan.at(q.geometry, other);
        CHECK(same_bits(run(there, q, u), compute(Product::forward, q, u, other)));
        if (!has_one_pixel(p) && !has_one_pixel(q)) CHECK(there.packed_bytes() == plan.packed_bytes());
        CHECK(!plan.describe().empty());
    }
}

/// A plan that the packed kernel doesn't fit is refused, at the latest before anything is written.
template <class Change>
std::string refuses(const Change& change) {
    Geometry<dynamic> g;
    g.in_channels = 4;
    g.filters = 6;
    g.groups = 2;
    g.axes = {{3, 7, 3, 2, 1, 0}, {3, 7, 3, 2, 1, 0}};
    const std::vector<float> x(1000, 1), kernel(1000, 1);
    const Plan<float, dynamic> plan(g, kernel.data());
    Guarded<float> y(4000);
    change(g);
    const std::string did = harness::throws<ShapeError>([&] { plan.at(g)(x.data(), nullptr, y.data()); }, {": ", "."});
    return did.empty() && !y.untouched() ? "wrote" : did;
}

}  // namespace

TEST("plan/one packed kernel serves every batch, extent, crop and format") {
    for (const Isa isa : available_isas()) {
        for_each_type([&]<class T>() { check_sharing<T>(isa); });
    }
}

/// Which vectors Isa::best stands for may follow from the shape, but it is one instruction set's, and a plan knows it.
TEST("plan/the best vectors are those of one instruction set") {
    for (const Index channels : {3, 8, 24, 40, 64})
        for (const Index filters : {1, 12, 24, 64})
            for (const DataFormat format : {DataFormat::channels_last, DataFormat::channels_first}) {
                const Problem p =
                    problem("best", 2, channels, filters, 1, {{9, 18, 4, 2, 1, 1}, {7, 14, 4, 2, 1, 1}}, format);
                const harness::Subject subject(describe(p));
                const Tensors<float> t(p);
                for (const Product product : {Product::forward, Product::grad_input, Product::grad_kernel}) {
                    const std::vector<float> best = compute(product, p, t, p.options());
                    bool same = false;
                    for (const Isa isa : available_isas()) {
                        Options options = p.options();
                        options.isa = isa;
                        same = same || same_bits(compute(product, p, t, options), best);
                    }
                    CHECK(same);
                }
                Options direct = p.options();  // a plan that is kept may be fast where a single call is not
                direct.algorithm = Algorithm::direct;
                const Plan<float, dynamic> plan(p.geometry, t.kernel.data(), direct);
                CHECK(same_bits(run(plan.at(p.geometry, direct), p, t), compute(Product::forward, p, t, direct)));
            }
}

TEST("plan/what is packed depends on the kernel's axes alone") {
    const std::vector<float> kernel(3 * 5 * 4, 1);
    Geometry<1> g;
    g.in_channels = 4;
    g.filters = 5;
    g.axes[0] = {10, 21, 3, 2, 1, 0};
    const Plan<float, 1> plan(g, kernel.data());
    CHECK(plan.packed_bytes() >= kernel.size() * sizeof(float));
    g.batch = 100;
    g.axes[0].in = 10000;
    g.axes[0].out = 20001;
    CHECK((Plan<float, 1>(g, kernel.data()).packed_bytes() == plan.packed_bytes()));
    CHECK(plan.at(g).geometry().batch == 100 && plan.geometry().batch == 1);
}

// One output, between the two phases that the taps reach: it is bias, and no unit looks at it.
TEST("plan/no work where no tap reaches") {
    const float kernel[2] = {1, 1}, x[3] = {1, 1, 1}, bias = 5;
    Geometry<1> g;
    g.axes[0] = {3, 1, 2, 5, 3, 1};
    const Plan<float, 1> plan(g, kernel);
    CHECK(plan.describe().find(" 0 units") != std::string::npos);
    float y = 0;
    plan(x, &bias, &y);
    CHECK(y == 5);
}

/// Along an axis of one pixel no output sees two taps, whatever the stride: each is one product, no sum with zeros.
TEST("plan/one pixel") {
    Problem p{"one pixel", {}};
    p.geometry.batch = 5;
    const std::vector<std::vector<Axis>> all = {
        {{1, 4, 4, 1, 1, 0}, {1, 4, 4, 1, 1, 0}},
        {{1, 6, 3, 2, 2, 1}, {3, 9, 4, 2, 1, 0}},
        {{1, 9, 3, 1, 3, -1}},
        {{2, 5, 4, 1, 1, 0}, {1, 5, 5, 2, 1, 0}, {1, 3, 3, 1, 1, 1}},
    };
    for (const std::vector<Axis>& axes : all) {
        for (const auto& [channels, filters, groups] :
             {std::array<Index, 3>{7, 20, 1}, {24, 1, 1}, {6, 8, 2}, {5, 5, 5}}) {
            for (const DataFormat format : {DataFormat::channels_last, DataFormat::channels_first}) {
                p.geometry.in_channels = channels;
                p.geometry.filters = filters;
                p.geometry.groups = groups;
                p.geometry.axes = axes;
                p.format = format;
                for_each_type([&]<class T>() {
                    const harness::Subject subject(std::string(type_name<T>()) + ", " + describe(p));
                    const Tensors<T> t(p);
                    Geometry<dynamic> elsewhere = p.geometry;
                    for (Axis& axis : elsewhere.axes) axis.in = 3;
                    const Plan<T, dynamic> plan(elsewhere, t.kernel.data(), p.options());
                    const std::vector<T> y = run(plan.at(p.geometry, p.options()), p, t);
                    check_close(exact(Product::forward, p, t), p.activation, y);
                    CHECK(same_bits(compute(Product::forward, p, t, p.options()), y));
                });
            }
        }
    }
    p.geometry.in_channels = p.geometry.filters = 16;
    p.geometry.groups = 1;
    p.geometry.axes = all.front();
    const Tensors<float> t(p);
    CHECK((Plan<float, dynamic>(p.geometry, t.kernel.data()).describe().find("(phases x taps: 16x1)") !=
           std::string::npos));
}

/// Channels first, weights that are turned for planes give the bits that panels give channels last.
TEST("plan/planes and panels sum in one order") {
    for (const auto& [channels, filters, groups, axes] :
         std::initializer_list<std::tuple<Index, Index, Index, std::vector<Axis>>>{
             {64, 32, 1, {{600, 2404, 8, 4, 1, 0}}},
             {128, 64, 2, {{521, 4168, 16, 8, 1, 4}}},
             {40, 24, 1, {{25, 51, 3, 2, 1, 0}, {26, 52, 2, 2, 1, 0}}}}) {
        Geometry<dynamic> g;
        g.batch = 2;
        g.in_channels = channels;
        g.filters = filters;
        g.groups = groups;
        g.axes = axes;
        Index pixels = 1, targets = 1, taps = 1;
        for (const Axis& axis : axes) pixels *= axis.in, targets *= axis.out, taps *= axis.kernel;
        std::vector<float> kernel(static_cast<std::size_t>(taps * filters / groups * channels));
        std::vector<float> last(static_cast<std::size_t>(2 * pixels * channels)), first(last.size());
        for (std::size_t i = 0; i < kernel.size(); ++i) kernel[i] = std::sin(static_cast<float>(i));
        for (std::size_t i = 0; i < last.size(); ++i) last[i] = std::cos(static_cast<float>(i));
        const auto turn = [](const std::vector<float>& from, Index rows, Index columns) {
            std::vector<float> to(from.size());
            for (std::size_t i = 0; i < from.size(); ++i) {
                const auto at = static_cast<Index>(i), n = at / (rows * columns), row = at / columns % rows;
                to[static_cast<std::size_t>((n * columns + at % columns) * rows + row)] = from[i];
            }
            return to;
        };
        first = turn(last, pixels, channels);
        Options options;
        options.algorithm = Algorithm::direct;
        std::vector<float> by_panels(static_cast<std::size_t>(2 * targets * filters)), by_planes(by_panels.size());
        Plan<float, dynamic>(g, kernel.data(), options)(last.data(), nullptr, by_panels.data());
        options.data_format = DataFormat::channels_first;
        const Plan<float, dynamic> plan(g, kernel.data(), options);
        CHECK(plan.describe().find("in planes") != std::string::npos);
        plan(first.data(), nullptr, by_planes.data());
        CHECK(same_bits(turn(by_panels, targets, filters), by_planes));
    }
}

TEST("plan/a kernel of another shape is refused") {
    CHECK(refuses([](auto& g) { g.axes[0].kernel = 2; }).empty());
    CHECK(refuses([](auto& g) { g.axes[1].stride = 1; }).empty());
    CHECK(refuses([](auto& g) { g.axes[1].dilation = 2; }).empty());
    CHECK(refuses([](auto& g) { g.axes.pop_back(); }).empty());
    CHECK(refuses([](auto& g) { g.axes.push_back({}); }).empty());
    CHECK(refuses([](auto& g) { g.groups = 1; }).empty());
    CHECK(refuses([](auto& g) { g.in_channels = 2; }).empty());
    CHECK(refuses([](auto& g) { g.filters = 4; }).empty());
    CHECK(refuses([](auto& g) { g.batch = -1; }).empty());
    CHECK(refuses([](auto& g) { g.axes[0].crop = std::numeric_limits<Index>::min(); }).empty());
    CHECK(refuses([](auto& g) { g.axes[0].crop = 1; }) == "threw nothing");
}

TEST("plan/shared between threads") {
    Problem p{"shared", {}};
    p.geometry.in_channels = 13;
    p.geometry.filters = 9;
    p.geometry.axes = {resolve({17, 4, 2, 1}, Padding::same()), resolve({19, 3, 2, 1}, Padding::same())};
    const Tensors<float> t(p);
    Options options;
    options.threads = 2;
    const Plan<float, dynamic> plan(p.geometry, t.kernel.data(), options);
    const std::vector<float> expected = run(plan, p, t);
    std::vector<std::vector<float>> results(4, std::vector<float>(expected.size()));
    std::vector<std::thread> threads;
    for (auto& result : results) {
        threads.emplace_back([&plan, &t, &result] {
            for (int i = 0; i < 10; ++i) plan(t.x.data(), t.bias_or_null(), result.data());
        });
    }
    for (auto& thread : threads) thread.join();
    for (const auto& result : results) CHECK(same_bits(result, expected));
}
