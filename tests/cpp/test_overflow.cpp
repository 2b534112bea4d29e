// Numbers near the ends of 64 bits: refused or exact, never wrapped.
#include <cstdlib>
#include <limits>
#include <vector>

#include "check.hpp"
#include "problems.hpp"

using namespace tconv;
using Mode = Padding::Mode;

namespace {

constexpr Index highest = std::numeric_limits<Index>::max(), lowest = std::numeric_limits<Index>::min();

#ifdef __SIZEOF_INT128__
__extension__ typedef __int128 Wide;

/// (out, crop) of a padding mode without output padding, in 128 bits.
std::pair<Wide, Wide> wide(const AxisSpec& s, const Padding& p) {
    const Wide in = s.in, stride = s.stride, reach = Wide(s.kernel - 1) * s.dilation + 1;
    const Wide full = (in - 1) * stride + reach;
    Wide out;
    if (p.mode == Mode::crop) {
        out = full - p.begin - p.end;
    } else {
        out = p.mode == Mode::valid ? (in - 1) * stride + (reach > stride ? reach : stride) : in * stride;
    }
    const Wide total = full > out ? full - out : 0;
    return {out, p.mode == Mode::crop ? Wide(p.begin) : p.mode == Mode::same_lower ? (total + 1) / 2 : total / 2};
}
#endif

Geometry<dynamic> small() {
    Geometry<dynamic> g;
    g.axes = {{4, 8, 3, 2, 1, 0}, {4, 8, 3, 2, 1, 0}};
    return g;
}

}  // namespace

#ifdef __SIZEOF_INT128__
TEST("overflow/resolve is exact or refuses") {
    const std::vector<Index> sizes = {1,         2,         3,         65535,       (1ll << 31) - 1, 1ll << 31,
                                      1ll << 32, 1ll << 61, 1ll << 62, highest / 2, highest - 1,     highest};
    const std::vector<Padding> paddings = {Padding::valid(),
                                           Padding::same(),
                                           Padding::same_lower(),
                                           Padding::crop(1, 2),
                                           Padding::crop(highest, highest),
                                           Padding::crop(lowest, lowest),
                                           Padding::crop(highest, lowest),
                                           Padding::crop(lowest, highest),
                                           Padding::crop(0, lowest)};
    constexpr Index limit = 1ll << 60;  // below, nothing may be refused for its size
    for (const Index in : sizes)
        for (const Index kernel : sizes)
            for (const Index stride : sizes)
                for (const Index dilation : sizes)
                    for (const Padding& padding : paddings) {
                        const AxisSpec spec{in, kernel, stride, dilation};
                        const auto [out, crop] = wide(spec, padding);
                        const Wide largest = Wide(in) * stride + Wide(kernel) * dilation + stride;
                        bool refused = false;
                        Axis axis;
                        try {
                            axis = resolve(spec, padding);
                        } catch (const ShapeError&) {
                            refused = true;
                        }
                        const bool ordinary =
                            largest < limit && out >= 1 && out < limit && crop > -limit && crop < limit;
                        const bool right =
                            refused ? !ordinary : out >= 1 && Wide(axis.out) == out && Wide(axis.crop) == crop;
                        CHECK_MESSAGE(right, "in " + std::to_string(in) + ", kernel " + std::to_string(kernel) +
                                                 ", stride " + std::to_string(stride) + ", dilation " +
                                                 std::to_string(dilation) + ", crop " + std::to_string(padding.begin) +
                                                 (refused ? ": refused" : ": out " + std::to_string(axis.out)));
                    }
}
#endif

TEST("overflow/huge output padding and output extents") {
    const AxisSpec wide{1ll << 31, 3, 1ll << 31, 1};
    CHECK(resolve(wide, Padding::same()).out == 1ll << 62);
    CHECK_THROWS(ShapeError, resolve(wide, Padding::same().with_output(highest)), "output_shape[0]=");
    CHECK_THROWS(ShapeError, resolve(wide, Padding::same().with_output(lowest)), "output_shape[0]=");
    CHECK_THROWS(ShapeError, resolve({4, 3, 2, 1}, Padding::valid().with_output(highest)), "allow 9..10.");
    CHECK_THROWS(ShapeError, resolve({4, 3, 2, 1}, Padding::crop(lowest, 0).with_output(highest)), "conv_transpose: ");
    CHECK_THROWS(ShapeError, resolve({4, 3, 2, 1}, Padding::valid().with_output_padding(highest)),
                 "output_padding[0]=");
    CHECK_THROWS(ShapeError, resolve({4, 3, 2, 1}, Padding::valid().with_output_padding(lowest)), "output_padding[0]=");
    CHECK_THROWS(ShapeError, resolve({highest, highest, highest, highest}, Padding::same()),
                 "conv_transpose: ", "64 bits");
}

TEST("overflow/check refuses sizes beyond 64 bits") {
    tconv::check(small());
    for (const Index huge : {Index{1} << 62, highest - 1, highest}) {
        const auto refuses = [](auto change) {
            Geometry<dynamic> g = small();
            change(g);
            return harness::throws<ShapeError>([&] { tconv::check(g); }, {"conv_transpose: ", "."});
        };
        CHECK_MESSAGE(refuses([&](auto& g) { g.batch = huge; }).empty(), "batch");
        CHECK_MESSAGE(refuses([&](auto& g) { g.in_channels = huge; }).empty(), "in_channels");
        CHECK_MESSAGE(refuses([&](auto& g) { g.filters = huge; }).empty(), "filters");
        CHECK_MESSAGE(refuses([&](auto& g) { g.axes[0].in = huge; }).empty(), "in");
        CHECK_MESSAGE(refuses([&](auto& g) { g.axes[1].out = huge; }).empty(), "out");
        CHECK_MESSAGE(refuses([&](auto& g) { g.axes[0].kernel = huge; }).empty(), "kernel");
        CHECK_MESSAGE(refuses([&](auto& g) { g.axes[1].stride = huge; }).empty(), "stride");
        CHECK_MESSAGE(refuses([&](auto& g) { g.axes[0].dilation = huge; }).empty(), "dilation");
        CHECK_MESSAGE(refuses([&](auto& g) { g.batch = 0, g.axes[0].out = huge, g.axes[1].out = huge; }).empty(),
                      "an empty tensor of huge extents");
    }
    for (const Index crop : {highest, highest - 8, lowest, lowest + 1}) {
        Geometry<dynamic> g = small();
        g.axes[0].crop = crop;
        CHECK_THROWS(ShapeError, tconv::check(g), "conv_transpose: ", "axis 0", "64 bits");
    }
    for (const Index far : {Index{1} << 57, -(Index{1} << 57)}) {  // 64 filters times that leaves 64 bits
        Geometry<dynamic> g = small();
        g.filters = 64;
        g.axes[1].crop = far;
        tconv::check(g);  // no output is as far as that
        g.axes[1].in = g.axes[1].out = 1;
        g.axes[1].stride = std::abs(far);  // but two outputs of a window may be
        CHECK_THROWS(ShapeError, tconv::check(g), "conv_transpose: ", "axis 1", "64 bits");
        g.axes[1].stride /= 1024;
        tconv::check(g);
    }
    Geometry<dynamic> g = small();  // each tensor fits, in elements but not in bytes
    g.batch = Index{1} << 30;
    g.axes[0].out = g.axes[1].out = Index{1} << 15;
    CHECK_THROWS(ShapeError, tconv::check(g), "conv_transpose: ", "output");
}

TEST("overflow/empty tensors of large extents take no time") {
    const Index large = Index{1} << 40;
    for (int which = 0; which < 3; ++which) {
        Geometry<dynamic> g;
        g.axes = {{large, 2 * large, 3, 2, 1, 0}};
        (which == 0 ? g.batch : which == 1 ? g.filters : g.in_channels) = 0;
        const float none = 0;
        float kernel[3] = {5, 5, 5}, guard = 7;
        for (const Algorithm algorithm : {Algorithm::automatic, Algorithm::reference}) {
            Options options;
            options.algorithm = algorithm;
            if (which != 2) conv_transpose<float>(g, &none, kernel, nullptr, &guard, options);
            if (which != 1) conv_transpose_grad_input<float>(g, &none, kernel, &guard, options);
            CHECK(guard == 7);
            conv_transpose_grad_kernel<float>(g, &none, &none, kernel, options);
            CHECK(kernel[0] == (which == 0 ? 0 : 5));
            kernel[0] = 5;
        }
    }
}

// An empty kernel may have any shape: y is the bias, dx is zero, and nothing is as large as the kernel's extents.
TEST("overflow/kernels without channels take no time") {
    const Index large = Index{1} << 40;
    for (const Index stride : {Index{1}, Index{3}, large}) {
        for (const Algorithm algorithm : {Algorithm::automatic, Algorithm::reference}) {
            Options options;
            options.algorithm = algorithm;
            options.activation.kind = Activation::Kind::relu;
            Geometry<dynamic> g;
            g.axes = {{2, 3, large, stride, 1, 1}};
            const float none = 0, bias[2] = {5, -5};
            float y[7] = {7, 7, 7, 7, 7, 7, 7}, dx[5] = {7, 7, 7, 7, 7};
            g.in_channels = 0;
            g.filters = 2;
            conv_transpose<float>(g, &none, &none, bias, y, options);
            CHECK(std::vector<float>(y, y + 7) == std::vector<float>({5, 0, 5, 0, 5, 0, 7}));
            conv_transpose<float>(g, &none, &none, nullptr, y, options);
            CHECK(std::vector<float>(y, y + 7) == std::vector<float>({0, 0, 0, 0, 0, 0, 7}));
            g.in_channels = 2;
            g.filters = 0;
            conv_transpose_grad_input<float>(g, &none, &none, dx, options);
            CHECK(std::vector<float>(dx, dx + 5) == std::vector<float>({0, 0, 0, 0, 7}));
        }
    }
    Geometry<dynamic> g;
    g.axes = {{0, 0, 3, 2, 1, 0}};
    for (const bool forward : {true, false}) {
        (forward ? g.in_channels : g.filters) = 0;
        (forward ? g.filters : g.in_channels) = Index{1} << 50;
        float guard = 7;
        if (forward) conv_transpose<float>(g, &guard, &guard, nullptr, &guard);
        if (!forward) conv_transpose_grad_input<float>(g, &guard, &guard, &guard);
        CHECK(guard == 7);
    }
}

TEST("overflow/batches of empty images take no time") {
    for (const Algorithm algorithm : {Algorithm::automatic, Algorithm::reference}) {
        Options options;
        options.algorithm = algorithm;
        Geometry<dynamic> g;
        g.batch = Index{1} << 50;
        g.axes = {{0, 0, 2, 2, 1, 1}};
        float kernel[2] = {5, 5}, guard = 7;
        conv_transpose<float>(g, &guard, kernel, nullptr, &guard, options);
        conv_transpose_grad_input<float>(g, &guard, kernel, &guard, options);
        CHECK(guard == 7);
        conv_transpose_grad_kernel<float>(g, &guard, &guard, kernel, options);
        CHECK(kernel[0] == 0 && kernel[1] == 0);
    }
}

// A fast algorithm would look for places that are no numbers of 64 bits.
TEST("overflow/steps far beyond the output") {
    constexpr Index far = 1ll << 39, filters = 1 << 20;
    Geometry<dynamic> g;
    g.in_channels = 1;
    g.filters = filters;
    g.axes = {{64, 1, 2, far, 32 * far, 0}};
    const std::vector<float> x(64, 2), dy(filters, 3);
    for (const Algorithm algorithm : {Algorithm::automatic, Algorithm::fast}) {
        Options options;
        options.algorithm = algorithm;
        std::vector<float> dkernel(2 * filters, -1);
        conv_transpose_grad_kernel<float>(g, x.data(), dy.data(), dkernel.data(), options);
        for (Index f = 0; f < filters; ++f) CHECK(dkernel[static_cast<std::size_t>(f)] == 6);
        for (Index f = filters; f < 2 * filters; ++f) CHECK(dkernel[static_cast<std::size_t>(f)] == 0);
    }
}
