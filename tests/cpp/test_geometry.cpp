// Extents, crops and the law of legal output extents, against brute force.
#include <algorithm>
#include <limits>

#include "check.hpp"
#include "problems.hpp"

using namespace tconv;
using Mode = Padding::Mode;

namespace {

std::string describe(const AxisSpec& s, const Padding& p) {
    static const char* const modes[] = {"valid", "same", "same_lower", "crop"};
    const auto maybe = [](std::optional<Index> n) { return n ? std::to_string(*n) : "none"; };
    return "in " + std::to_string(s.in) + ", kernel " + std::to_string(s.kernel) + ", stride " +
           std::to_string(s.stride) + ", dilation " + std::to_string(s.dilation) + ", " +
           modes[static_cast<int>(p.mode)] + "(" + std::to_string(p.begin) + ", " + std::to_string(p.end) +
           "), output padding " + maybe(p.output_padding) + ", output " + maybe(p.output);
}

Index full_extent(const AxisSpec& s) { return (s.in - 1) * s.stride + (s.kernel - 1) * s.dilation + 1; }

/// The whole result of one axis, by scattering; then the part that (out, crop) takes of it.
std::vector<double> scatter(const std::vector<double>& x, const std::vector<double>& w, const Axis& axis) {
    std::vector<double> full(static_cast<std::size_t>((axis.in + 1) * axis.stride + axis.kernel * axis.dilation));
    for (Index i = 0; i < axis.in; ++i) {
        for (Index k = 0; k < axis.kernel; ++k) {
            full[static_cast<std::size_t>(i * axis.stride + k * axis.dilation)] +=
                x[static_cast<std::size_t>(i)] * w[static_cast<std::size_t>(k)];
        }
    }
    std::vector<double> y;
    for (Index o = 0; o < axis.out; ++o) {
        const Index at = o + axis.crop;
        y.push_back(at >= 0 && at < static_cast<Index>(full.size()) ? full[static_cast<std::size_t>(at)] : 0);
    }
    return y;
}

std::vector<double> transposed(const std::vector<double>& x, const std::vector<double>& w, const Axis& axis, Isa isa) {
    Geometry<1> g;
    g.axes[0] = axis;
    std::vector<double> y(static_cast<std::size_t>(axis.out), -1);
    Options options;
    options.isa = isa;
    conv_transpose<double, 1>(g, x.data(), w.data(), nullptr, y.data(), options);
    return y;
}

std::vector<double> count_up(Index n) {
    std::vector<double> numbers;
    for (Index i = 1; i <= n; ++i) numbers.push_back(static_cast<double>(i));
    return numbers;
}
std::vector<double> powers_of_sixteen(Index n) {
    std::vector<double> numbers;
    for (double p = 1; static_cast<Index>(numbers.size()) < n; p *= 16) numbers.push_back(p);
    return numbers;
}

/// Calls visit(spec) for kernel 1-7, dilation 1-3, stride 1-7, input first_in-5.
template <class Visit>
void for_each_spec(Index first_in, const Visit& visit) {
    for (Index in = first_in; in <= 5; ++in)
        for (Index kernel = 1; kernel <= 7; ++kernel)
            for (Index stride = 1; stride <= 7; ++stride)
                for (Index dilation = 1; dilation <= 3; ++dilation) visit(AxisSpec{in, kernel, stride, dilation});
}

/// Keras' closed form; output_padding < 0 stands for none.
Index keras_extent(const AxisSpec& s, bool same, Index output_padding) {
    const Index reach = (s.kernel - 1) * s.dilation + 1;
    if (output_padding < 0) {
        return same ? s.in * s.stride : std::max<Index>((s.in - 1) * s.stride + std::max(reach, s.stride), 0);
    }
    return (s.in - 1) * s.stride + (same ? reach % 2 : reach) + output_padding;
}

/// The outputs of an ordinary convolution of `out` pixels, counted; -1 if a stride more would not give the first one.
Index convolved(const AxisSpec& s, const Padding& p, Index out) {
    const Index reach = (s.kernel - 1) * s.dilation + 1;
    Index count = 0;
    if (p.mode == Mode::same || p.mode == Mode::same_lower) {
        for (Index at = 0; at < out; at += s.stride) ++count;
    } else {
        for (Index at = 0; at + reach <= out + p.begin + p.end; at += s.stride) ++count;
        if (out + p.begin + p.end + s.stride < reach) return -1;
    }
    return count;
}

}  // namespace

TEST("geometry/the closed form of Keras, and what is computed with it") {
    const auto check_one = [](const AxisSpec& spec, const Padding& padding, Index expected) {
        const harness::Subject subject(describe(spec, padding));
        if (expected < (spec.in > 0 ? 1 : 0)) {
            CHECK_THROWS(ShapeError, resolve(spec, padding), "conv_transpose: ", "must be at least ");
            return;
        }
        const Axis axis = resolve(spec, padding);
        CHECK(axis.in == spec.in && axis.kernel == spec.kernel && axis.stride == spec.stride);
        CHECK(axis.dilation == spec.dilation && axis.out == expected);
        const Index total = std::max<Index>(full_extent(spec) - expected, 0);
        CHECK(axis.crop == (padding.mode == Mode::same_lower ? (total + 1) / 2 : total / 2));
        const std::vector<double> x = count_up(spec.in), w = powers_of_sixteen(spec.kernel);
        for (const Isa isa : available_isas()) CHECK(transposed(x, w, axis, isa) == scatter(x, w, axis));
    };
    for_each_spec(0, [&](const AxisSpec& spec) {
        for (const Padding& padding : {Padding::valid(), Padding::same(), Padding::same_lower()}) {
            const bool same = padding.mode != Mode::valid;
            check_one(spec, padding, keras_extent(spec, same, -1));
            for (Index extra = 0; extra < std::max(spec.stride, spec.dilation); ++extra) {
                check_one(spec, padding.with_output_padding(extra), keras_extent(spec, same, extra));
            }
        }
    });
}

TEST("geometry/explicit crops, and what is computed with them") {
    for_each_spec(1, [](const AxisSpec& spec) {
        for (Index begin = -2; begin <= 3; ++begin) {
            for (Index end = -2; end <= 3; ++end) {
                const Index extra = (begin + end + 4) % std::max(spec.stride, spec.dilation);
                const Padding padding = Padding::crop(begin, end).with_output_padding(extra);
                const harness::Subject subject(describe(spec, padding));
                const Index expected = full_extent(spec) - begin - end + extra;
                if (expected < 1) {
                    CHECK_THROWS(ShapeError, resolve(spec, padding), "conv_transpose: ", "must be at least 1");
                    continue;
                }
                const Axis axis = resolve(spec, padding);
                CHECK(axis.out == expected && axis.crop == begin);
                const std::vector<double> x = count_up(spec.in), w = powers_of_sixteen(spec.kernel);
                CHECK(transposed(x, w, axis, Isa::best) == scatter(x, w, axis));
            }
        }
    });
}

TEST("geometry/an output extent is legal exactly when its convolution gives back the input") {
    for_each_spec(0, [](const AxisSpec& spec) {
        for (const Padding& base : {Padding::valid(), Padding::same(), Padding::same_lower(), Padding::crop(1, 0),
                                    Padding::crop(2, 3), Padding::crop(-1, -2)}) {
            for (Index out = -1; out <= full_extent(spec) + 12; ++out) {
                const Padding padding = base.with_output(out);
                const bool legal = out >= (spec.in > 0 ? 1 : 0) && convolved(spec, padding, out) == spec.in;
                const harness::Subject subject(describe(spec, padding));
                if (!legal) {
                    CHECK_THROWS(ShapeError, resolve(spec, padding),
                                 "conv_transpose: output_shape[0]=" + std::to_string(out) + " ");
                    continue;
                }
                const Axis axis = resolve(spec, padding);
                const Index total = std::max<Index>(full_extent(spec) - out, 0);
                CHECK(axis.out == out);
                CHECK(axis.crop == (base.mode == Mode::crop         ? base.begin
                                    : base.mode == Mode::same_lower ? (total + 1) / 2
                                                                    : total / 2));
            }
        }
    });
}

TEST("geometry/the error of an illegal output extent names the legal ones") {
    const auto words = [](const AxisSpec& spec, const Padding& padding) {
        try {
            resolve(spec, padding, 1);
        } catch (const ShapeError& error) {
            return std::string(error.what());
        }
        return std::string("nothing was thrown");
    };
    CHECK(words({8, 3, 2, 1}, Padding::same().with_output(17)) ==
          "conv_transpose: output_shape[1]=17 is unreachable: input 8, kernel 3, stride 2, padding \"same\" allow "
          "15..16.");
    CHECK(
        words({8, 3, 1, 1}, Padding::valid().with_output(17)) ==
        "conv_transpose: output_shape[1]=17 is unreachable: input 8, kernel 3, stride 1, padding \"valid\" allow 10.");
    CHECK(words({8, 3, 0, 1}, Padding::valid()) == "conv_transpose: strides[1]=0 must be at least 1.");
}

TEST("geometry/bad arguments of one axis") {
    const Padding valid = Padding::valid();
    CHECK_THROWS(ShapeError, resolve({-1, 3, 2, 1}, valid), "conv_transpose: input[0]=-1 must be at least 0.");
    CHECK_THROWS(ShapeError, resolve({4, 0, 2, 1}, valid, 2), "conv_transpose: kernel_size[2]=0 must be at least 1.");
    CHECK_THROWS(ShapeError, resolve({4, -3, 2, 1}, valid, 2), "kernel_size[2]=-3");
    CHECK_THROWS(ShapeError, resolve({4, 3, -2, 1}, valid, 1), "strides[1]=-2 must be at least 1.");
    CHECK_THROWS(ShapeError, resolve({4, 3, 2, 0}, valid, 1), "dilation_rate[1]=0 must be at least 1.");
    CHECK_THROWS(ShapeError, resolve({4, 3, 2, 1}, valid.with_output_padding(2)), "output_padding[0]=2", "0..1");
    CHECK_THROWS(ShapeError, resolve({4, 3, 2, 1}, valid.with_output_padding(-1)), "output_padding[0]=-1", "0..1");
    CHECK(resolve({4, 3, 2, 3}, valid.with_output_padding(2)).out == 3 * 2 + 7 + 2);
    CHECK_THROWS(ShapeError, resolve({4, 3, 2, 1}, Padding::crop(5, 4)), "padding[0]=(5, 4)", "at most 8");
    CHECK_THROWS(ShapeError, resolve({4, 3, 2, 1}, valid.with_output_padding(1).with_output(9)), "output_shape[0]=9");
    CHECK(resolve({4, 3, 2, 1}, valid.with_output_padding(1).with_output(10)).out == 10);
    CHECK_THROWS(ShapeError, resolve({4, 3, 2, 1}, Padding::crop(0, 0).with_output(0)), "output_shape[0]=0");
}

TEST("geometry/the shape of a result") {
    Geometry<2> g;
    g.batch = 4;
    g.filters = 32;
    g.axes = {resolve({10, 2, 2, 1}, Padding::valid()), resolve({8, 2, 2, 1}, Padding::valid())};
    CHECK(output_shape(g) == std::array<Index, 4>{4, 20, 16, 32});
    CHECK(output_shape(Geometry<dynamic>(g)) == std::vector<Index>{4, 20, 16, 32});
    const Geometry<1> one;
    CHECK(output_shape(one) == std::array<Index, 3>{1, 1, 1});
}

namespace {

struct Case {
    std::vector<double> x, w;
    AxisSpec spec;
    Padding padding;
    std::vector<double> y;
};

}  // namespace

TEST("geometry/tiny cases that separate the conventions of other libraries") {
    const std::vector<double> x4 = {1, 2, 3, 4}, x3 = {1, 2, 3};
    const std::vector<double> w1 = {1}, w2 = {1, 10}, w3 = {1, 10, 100}, w4 = {1, 10, 100, 1000},
                              w5 = {1, 10, 100, 1000, 10000};
    const Padding valid = Padding::valid(), same = Padding::same(), lower = Padding::same_lower();
    const auto op = [](Padding p, Index extra) { return p.with_output_padding(extra); };
    const std::vector<double> shifted = {10, 102, 20, 203, 30, 304, 40, 400};
    const std::vector<double> extended = {1, 10, 0, 0, 2, 20, 0, 0, 3, 30, 0, 0};
    const std::vector<Case> cases = {
        {x4, w3, {4, 3, 2, 1}, valid, {1, 10, 102, 20, 203, 30, 304, 40, 400}},
        {x4, w3, {4, 3, 2, 1}, same, {1, 10, 102, 20, 203, 30, 304, 40}},
        {x4, w3, {4, 3, 2, 1}, op(Padding::crop(1, 1), 1), shifted},
        {x4, w3, {4, 3, 2, 1}, lower, shifted},
        {x4, w3, {4, 3, 2, 1}, Padding::crop(1, 1).with_output(8), shifted},
        {x4, w3, {4, 3, 2, 1}, op(same, 0), {10, 102, 20, 203, 30, 304, 40}},
        {x4, w3, {4, 3, 2, 1}, op(same, 1), {1, 10, 102, 20, 203, 30, 304, 40}},
        {x4, w3, {4, 3, 2, 1}, op(valid, 1), {1, 10, 102, 20, 203, 30, 304, 40, 400, 0}},
        {x3, w2, {3, 2, 2, 1}, op(same, 0), {10, 2, 20, 3}},
        {x3, w4, {3, 4, 2, 1}, same, {10, 102, 1020, 203, 2030, 300}},
        {x3, w4, {3, 4, 2, 1}, op(same, 0), {102, 1020, 203, 2030}},
        {x3, w4, {3, 4, 2, 1}, op(same, 1), {10, 102, 1020, 203, 2030}},
        {x3, w2, {3, 2, 4, 1}, valid, extended},
        {x3, w2, {3, 2, 4, 1}, same, extended},
        {x3, w2, {3, 2, 4, 1}, Padding::crop(0, 0), {1, 10, 0, 0, 2, 20, 0, 0, 3, 30}},
        {x3, w2, {3, 2, 4, 1}, op(same, 0), {10, 0, 0, 2, 20, 0, 0, 3}},
        {x3, w2, {3, 2, 4, 1}, op(same, 3), {1, 10, 0, 0, 2, 20, 0, 0, 3, 30, 0}},
        {x3, w3, {3, 3, 1, 2}, same, {13, 20, 130}},
        {x3, w3, {3, 3, 1, 2}, valid, {1, 2, 13, 20, 130, 200, 300}},
        {x4, w3, {4, 3, 2, 2}, valid, {1, 0, 12, 0, 123, 0, 234, 0, 340, 0, 400}},
        {x3, w3, {3, 3, 2, 2}, same, {0, 12, 0, 123, 0, 230}},
        {x3, w2, {3, 2, 1, 1}, same, {1, 12, 23}},
        {x3, w2, {3, 2, 1, 1}, op(same, 0), {12, 23}},
        {x3, w4, {3, 4, 3, 1}, same, {1, 10, 100, 1002, 20, 200, 2003, 30, 300}},
        {x3, w5, {3, 5, 3, 1}, same, {10, 100, 1002, 10020, 200, 2003, 20030, 300, 3000}},
        {x4, w3, {4, 3, 2, 1}, op(Padding::crop(2, 2), 1), {102, 20, 203, 30, 304, 40}},
        {x4, w3, {4, 3, 2, 1}, same.with_output(7), {10, 102, 20, 203, 30, 304, 40}},
        {x4, w3, {4, 3, 2, 1}, same.with_output(8), {1, 10, 102, 20, 203, 30, 304, 40}},
        {x4, w3, {4, 3, 2, 1}, Padding::crop(1, -1), {10, 102, 20, 203, 30, 304, 40, 400, 0}},
        {x3, w1, {3, 1, 3, 1}, same, {1, 0, 0, 2, 0, 0, 3, 0, 0}},
        {x3, w1, {3, 1, 3, 1}, op(same, 0), {1, 0, 0, 2, 0, 0, 3}},
    };
    for (const Case& c : cases) {
        const harness::Subject subject(describe(c.spec, c.padding));
        const Axis axis = resolve(c.spec, c.padding);
        for (const Isa isa : available_isas()) CHECK(transposed(c.x, c.w, axis, isa) == c.y);
    }
    CHECK_THROWS(ShapeError, resolve({4, 3, 2, 1}, same.with_output(9)), "7..8");

    // Two groups: input channels {0, 1} feed filters {0, 1}, as in PyTorch.
    Geometry<1> g;
    g.in_channels = g.filters = 4;
    g.groups = 2;
    g.axes[0] = {3, 4, 2, 1, 1, 0};
    const std::vector<float> x(12, 1);
    const std::vector<float> kernel = {1, 3, 5, 7, 2, 4, 6, 8};  // [tap][0][in]: PyTorch's [in][0][tap]
    Geometry<1> two = g;
    two.filters = 2;
    std::vector<float> y(8);
    Options options;
    options.data_format = DataFormat::channels_first;
    conv_transpose<float, 1>(two, x.data(), kernel.data(), nullptr, y.data(), options);
    CHECK(y == std::vector<float>{4, 10, 10, 6, 12, 26, 26, 14});
}
