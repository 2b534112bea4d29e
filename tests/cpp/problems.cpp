#include "problems.hpp"

#include <algorithm>

namespace problems {

using namespace tconv;
using Kind = Activation::Kind;
using Axes = std::vector<Axis>;

Problem problem(std::string name, Index batch, Index channels, Index filters, Index groups, Axes axes,
                DataFormat format) {
    Problem p{std::move(name), {}};
    p.geometry.batch = batch;
    p.geometry.in_channels = channels;
    p.geometry.filters = filters;
    p.geometry.groups = groups;
    p.geometry.axes = std::move(axes);
    p.format = format;
    return p;
}

Axis same(Index in, Index kernel, Index stride, Index dilation) {
    return resolve({in, kernel, stride, dilation}, Padding::same());
}

namespace {

Axis valid(Index in, Index kernel, Index stride = 1, Index dilation = 1) {
    return resolve({in, kernel, stride, dilation}, Padding::valid());
}
Axis cropped(Index in, Index kernel, Index stride, Index dilation, Index begin, Index end) {
    return resolve({in, kernel, stride, dilation}, Padding::crop(begin, end));
}

std::vector<Problem> make_table() {
    std::vector<Problem> all;
    const auto add = [&all](std::string name, Index batch, Index channels, Index filters, Index groups, Axes axes) {
        all.push_back(problem(std::move(name), batch, channels, filters, groups, std::move(axes)));
    };

    // Channel counts around the widths of vectors, panels and tiles.
    for (const Index c : {1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 16, 17, 24, 31, 32, 33, 63, 64, 65}) {
        add("filters " + std::to_string(c), 1, 3, c, 1, {valid(7, 3, 2)});
        add("channels " + std::to_string(c), 2, c, 5, 1, {same(5, 4, 2)});
        add("depthwise " + std::to_string(c), 1, c, c, c, {same(4, 3, 2), valid(3, 2)});
    }
    // Extents around the rows of a tile.
    for (const Index n : {1, 2, 5, 6, 7, 11, 12, 13, 14, 15, 16, 17, 25}) {
        add("width " + std::to_string(n), 1, 4, 9, 1, {same(2, 3, 2), same(n, 3, 2)});
    }
    // Strides against kernels.
    for (const Index s : {1, 2, 3, 4, 5, 8}) {
        for (const Index k : {1, 2, 3, 4, 5, 7}) {
            add("kernel " + std::to_string(k) + " stride " + std::to_string(s), 1, 3, 4, 1, {same(5, k, s)});
        }
    }
    const std::size_t first_regime = all.size();
    add("kernel equals stride, 2-D", 2, 16, 8, 1, {valid(5, 2, 2), valid(6, 2, 2)});
    // Few filters: pixels where they lie, or put together with zeros around them.
    add("three taps to one filter, 1-D", 2, 24, 1, 1, {cropped(150, 3, 1, 1, 1, 1)});
    add("three taps to one filter, dilated", 1, 40, 1, 1, {cropped(40, 3, 1, 5, 4, 7)});
    add("k5 s2 to one filter", 3, 64, 1, 1, {same(14, 5, 2), same(14, 5, 2)});
    add("k3 s2 to two filters, two groups", 2, 70, 4, 2, {cropped(9, 3, 2, 1, 1, 0), cropped(31, 3, 2, 1, 0, 1)});
    add("k3 s2 to one filter, 3-D", 1, 32, 1, 1, {same(5, 3, 2), same(6, 3, 2), same(20, 3, 2)});
    add("k5 s3 to one filter, whole vectors", 1, 33, 1, 1, {valid(6, 5, 3), valid(32, 5, 3)});
    add("k3 s2 of whole vectors", 2, 64, 32, 1, {same(16, 3, 2), same(16, 3, 2)});
    add("kernel equals stride, 3-D", 1, 8, 6, 1, {valid(3, 2, 2), valid(2, 2, 2), valid(4, 2, 2)});
    add("k3 s2 same, 3-D", 1, 5, 7, 1, {same(3, 3, 2), same(4, 3, 2), same(3, 3, 2)});
    add("k4 s2, one filter", 1, 20, 1, 1, {same(6, 4, 2), same(5, 4, 2)});
    add("k4 s2, three filters", 1, 20, 3, 1, {same(6, 4, 2), same(9, 4, 2)});
    add("more pixels than sums", 2, 128, 3, 1, {same(16, 4, 2), same(20, 4, 2)});
    add("rows that lie in dy", 2, 32, 3, 1, {same(5, 5, 2), same(19, 5, 1)});
    add("rows that lie in dy, far apart", 1, 32, 6, 1, {valid(20, 3, 1, 64)});
    add("vocoder k16 s8", 1, 33, 12, 1, {cropped(9, 16, 8, 1, 4, 4)});
    add("long kernel, one filter", 1, 9, 1, 1, {cropped(6, 64, 16, 1, 24, 24)});
    add("deep sums", 1, 1500, 5, 1, {same(3, 3, 2)});
    add("many taps, deep sums", 1, 300, 3, 1, {same(4, 3), same(3, 3)});
    add("more taps than a step", 1, 40, 2, 1, {valid(3, 41)});
    add("one pixel", 3, 7, 5, 1, {valid(1, 1), valid(1, 1)});
    add("more channels and filters than a block", 1, 100, 131, 1, {same(3, 3, 2), same(4, 2, 2)});
    add("two groups, more than a block", 2, 200, 264, 2, {same(3, 2, 2)});
    add("more pixels than a chunk", 3, 2, 3, 1, {same(19, 3, 2), same(21, 2, 2)});
    add("dense layer", 5, 70, 37, 1, {valid(1, 1)});
    add("large batch, short rows", 13, 4, 6, 1, {same(2, 3, 2), same(1, 3, 2)});
    add("stride in one axis only", 1, 6, 10, 1, {same(5, 3, 1), same(5, 4, 4)});
    add("dilation", 1, 4, 6, 1, {same(6, 3, 1, 2), same(7, 3, 1, 3)});
    add("stride and dilation, coprime", 1, 4, 6, 1, {same(6, 4, 3, 2), same(5, 3, 2, 3)});
    add("stride and dilation with a common divisor", 1, 4, 6, 1, {valid(6, 4, 4, 6), valid(3, 5, 6, 4)});
    add("stride a multiple of the dilation", 1, 4, 6, 1, {valid(4, 3, 4, 2)});
    add("dilation a multiple of the stride", 1, 4, 6, 1, {valid(4, 3, 2, 4)});
    add("stride beyond the kernel", 2, 4, 6, 1, {same(4, 2, 5), valid(3, 1, 3)});
    add("crops", 1, 4, 6, 1, {cropped(6, 5, 2, 1, 3, 1), cropped(5, 3, 1, 1, 0, 2)});
    add("crops beyond the kernel", 1, 4, 6, 1, {cropped(9, 3, 2, 1, 7, 6)});
    add("negative crops", 1, 4, 6, 1, {cropped(3, 3, 2, 1, -4, -3), cropped(2, 2, 3, 1, -1, 1)});
    add("bias only", 2, 4, 6, 1, {{3, 5, 2, 2, 1, 100}, valid(3, 2)});
    add("extent beyond the full output", 1, 4, 6, 1, {{3, 23, 3, 2, 1, 1}});
    add("hand-filled, outside the law", 2, 5, 9, 1, {{7, 3, 4, 2, 3, 5}, {4, 11, 2, 3, 2, -3}});
    add("huge steps", 1, 3, 4, 1, {{2, 6, 2, Index{1} << 40, Index{1} << 40, (Index{1} << 40) - 2}});
    add("output padding", 1, 4, 6, 1, {resolve({4, 3, 2, 1}, Padding::crop(1, 1).with_output_padding(1))});
    add("groups 2", 2, 6, 8, 2, {same(5, 3, 2)});
    add("groups 3, uneven widths", 1, 15, 51, 3, {same(4, 3, 2), same(3, 3, 2)});
    add("groups of one channel, two filters each", 1, 9, 18, 9, {same(5, 3, 2), same(4, 3, 2)});
    add("groups of two channels, one filter each", 1, 18, 9, 9, {same(5, 3, 2), same(4, 3, 2)});
    add("depthwise with dead pixels", 1, 17, 17, 17, {same(4, 2, 5)});
    add("depthwise cropped", 2, 9, 9, 9, {cropped(5, 4, 2, 1, 2, 3), cropped(4, 3, 1, 2, -2, -3)});
    add("depthwise, wide", 1, 130, 130, 130, {same(3, 3, 1), same(3, 3, 2)});
    add("depthwise, one channel", 1, 1, 1, 1, {same(4, 3, 2), same(9, 3, 2)});
    add("rank 4", 1, 3, 4, 1, {same(2, 3, 2), same(2, 2, 2), same(3, 2, 1), same(2, 3, 2)});
    add("rank 5", 1, 2, 3, 1, {same(2, 2, 2), same(2, 2), same(1, 3, 2), same(2, 2), same(2, 3, 2)});
    add("rank 6", 2, 2, 3, 1, {same(2, 2, 2), same(1, 2), same(2, 2), same(1, 3, 2), same(2, 2), same(2, 2, 2)});
    // Zero sizes.
    add("no images", 0, 3, 4, 1, {same(4, 3, 2)});
    add("no channels", 2, 0, 4, 1, {same(4, 3, 2)});
    add("no filters", 2, 3, 0, 1, {same(4, 3, 2)});
    add("no channels in two groups", 2, 0, 4, 2, {same(4, 3, 2)});
    add("no input", 2, 3, 4, 1, {valid(0, 5, 2), valid(3, 2)});
    add("no output", 2, 3, 4, 1, {{4, 0, 3, 2, 1, 0}, valid(3, 2)});
    add("no input, no output", 2, 3, 4, 1, {same(0, 3, 2)});

    // Bias, activation and format in turn, so that each regime meets them in one place or another.
    const auto& kinds = activations();
    for (std::size_t i = 0; i < all.size(); ++i) {
        all[i].bias = i % 3 != 0;
        if (i % 2 == 1) all[i].format = DataFormat::channels_first;
        if (i % 5 != 0) all[i].activation = kinds[i % kinds.size()];
    }
    // The regimes again, the other way round.
    const std::size_t count = all.size();
    for (std::size_t i = first_regime; i < count; ++i) {
        Problem p = all[i];
        p.name += ", again";
        p.bias = !p.bias;
        p.format = p.format == DataFormat::channels_last ? DataFormat::channels_first : DataFormat::channels_last;
        p.activation = kinds[(i + 5) % kinds.size()];
        all.push_back(std::move(p));
    }
    return all;
}

}  // namespace

const std::vector<Activation>& activations() {
    static const std::vector<Activation> all = {
        {Kind::linear, 0},        {Kind::relu, 0}, {Kind::relu6, 0},     {Kind::leaky_relu, 0.2},
        {Kind::elu, 1.5},         {Kind::selu, 0}, {Kind::sigmoid, 0},   {Kind::hard_sigmoid, 0},
        {Kind::tanh, 0},          {Kind::silu, 0}, {Kind::hard_silu, 0}, {Kind::exponential, 0},
        {Kind::leaky_relu, -1.5},
    };
    return all;
}

const std::vector<Problem>& table() {
    static const std::vector<Problem> all = make_table();
    return all;
}

Problem random(std::uint64_t seed) {
    std::mt19937_64 generator(seed * 2654435761u + 17);
    const auto below = [&generator](Index n) {
        return static_cast<Index>(generator() % static_cast<std::uint64_t>(n));
    };
    const auto between = [&below](Index low, Index high) { return low + below(high - low + 1); };
    const auto one_of = [&below](const std::vector<Index>& list) {
        return list[static_cast<std::size_t>(below(static_cast<Index>(list.size())))];
    };

    Problem p{"random " + std::to_string(seed), {}};
    Geometry<dynamic>& g = p.geometry;
    const Index rank = one_of({1, 1, 1, 2, 2, 2, 2, 3, 3, 4, 5, 6});
    const Index extent = std::vector<Index>{19, 9, 5, 3, 2, 2}[static_cast<std::size_t>(rank - 1)];
    const Index taps = rank <= 2 ? 7 : rank == 3 ? 4 : 3;
    const bool lines = rank <= 2 && below(4) == 0;  // long ones
    for (Index a = 0; a < rank; ++a) {
        Axis axis;
        axis.in = lines && a + 1 == rank ? between(60, 140) : between(1, lines ? 5 : extent);
        axis.kernel = between(1, taps);
        axis.stride = below(8) == 0 ? between(4, 9) : between(1, rank <= 3 ? 4 : 2);
        axis.dilation = below(2) == 0 ? 1 : between(1, 4);
        const AxisSpec spec{axis.in, axis.kernel, axis.stride, axis.dilation};
        switch (below(6)) {
            case 0:
            case 1:
                axis = resolve(spec, Padding::same());
                break;
            case 2:
                axis = resolve(spec, Padding::valid());
                break;
            case 3:
                axis = resolve(spec, Padding::crop(-below(4), -below(4)));
                break;
            default:
                axis.out = between(below(8) == 0 ? 0 : 1, std::max(extent, axis.in) * 3);
                axis.crop = between(-5, extent + axis.kernel);
        }
        g.axes.push_back(axis);
    }
    const std::vector<Index> counts = rank <= 2 && !lines ? std::vector<Index>{1, 2, 3, 5, 6, 8, 11, 15, 16, 17, 33, 64}
                                                          : std::vector<Index>{1, 2, 3, 6, 8, 15, 17};
    g.batch = one_of({1, 1, 2, 3});
    if (below(3) != 0) {
        g.in_channels = one_of(counts);
        g.filters = one_of(counts);
    } else {
        g.groups = one_of({2, 3, 5, 8, 17});
        g.in_channels = g.groups * one_of({1, 1, 2, 5});
        g.filters = g.groups * one_of({1, 1, 2, 4, 9});
    }
    p.bias = below(3) != 0;
    p.format = below(2) == 0 ? DataFormat::channels_last : DataFormat::channels_first;
    if (below(2) == 0)
        p.activation = activations()[static_cast<std::size_t>(below(static_cast<Index>(activations().size())))];
    return p;
}

std::string describe(const Problem& p) {
    const auto number = [](Index n) { return std::to_string(n); };
    const Geometry<dynamic>& g = p.geometry;
    std::string text = p.name + ": batch " + number(g.batch) + ", " + number(g.in_channels) + " -> " +
                       number(g.filters) + ", groups " + number(g.groups) +
                       (p.format == DataFormat::channels_first ? ", channels first" : ", channels last") +
                       (p.bias ? ", bias" : "") + ", activation " + number(static_cast<Index>(p.activation.kind));
    for (const Axis& a : g.axes) {
        text += " {in " + number(a.in) + ", out " + number(a.out) + ", kernel " + number(a.kernel) + ", stride " +
                number(a.stride) + ", dilation " + number(a.dilation) + ", crop " + number(a.crop) + "}";
    }
    return text;
}

Index input_size(const Geometry<dynamic>& g) {
    Index count = g.batch * g.in_channels;
    for (const Axis& axis : g.axes) count *= axis.in;
    return count;
}
Index output_size(const Geometry<dynamic>& g) {
    Index count = g.batch * g.filters;
    for (const Axis& axis : g.axes) count *= axis.out;
    return count;
}
Index kernel_size(const Geometry<dynamic>& g) {
    Index count = g.filters / g.groups * g.in_channels;
    for (const Axis& axis : g.axes) count *= axis.kernel;
    return count;
}

}  // namespace problems
