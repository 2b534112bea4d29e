// Extents: every padding mode, output padding and explicit extent becomes (out, crop) here and disappears.
#include <tconv/geometry.hpp>

#include <algorithm>
#include <string>

#include "checked.hpp"

namespace tconv {
namespace {

/// The words of an error about one axis.
struct Where {
    const AxisSpec& spec;
    const Padding& padding;
    int axis;
    const char* operation;

    std::string argument(const char* name, Index value) const {
        return std::string(operation) + ": " + name + "[" + std::to_string(axis) + "]=" + std::to_string(value);
    }
    std::string problem() const {
        std::string text = "input " + std::to_string(spec.in) + ", kernel " + std::to_string(spec.kernel) +
                           ", stride " + std::to_string(spec.stride);
        if (spec.dilation != 1) text += ", dilation " + std::to_string(spec.dilation);
        return text + ", padding " + mode();
    }
    std::string mode() const {
        switch (padding.mode) {
            case Padding::Mode::valid:
                return "\"valid\"";
            case Padding::Mode::same:
                return "\"same\"";
            case Padding::Mode::same_lower:
                return "\"same_lower\"";
            case Padding::Mode::crop:
                break;
        }
        return "(" + std::to_string(padding.begin) + ", " + std::to_string(padding.end) + ")";
    }
    [[noreturn]] void too_large() const {
        throw ShapeError(std::string(operation) + ": the extents of axis " + std::to_string(axis) +
                         " do not fit in 64 bits (" + problem() + ").");
    }
    Index value(Checked number) const {
        if (number.overflowed()) too_large();
        return number.value();
    }
};

void demand_at_least(Index least, Index value, const char* name, const Where& where) {
    if (value < least) {
        throw ShapeError(where.argument(name, value) + " must be at least " + std::to_string(least) + ".");
    }
}

std::string range(Index low, Index high) {
    return low == high ? std::to_string(low) : std::to_string(low) + ".." + std::to_string(high);
}

}  // namespace

Axis resolve(const AxisSpec& spec, const Padding& padding, int axis, const char* operation) {
    using Mode = Padding::Mode;
    const Where where{spec, padding, axis, operation};
    demand_at_least(0, spec.in, "input", where);
    demand_at_least(1, spec.kernel, "kernel_size", where);
    demand_at_least(1, spec.stride, "strides", where);
    demand_at_least(1, spec.dilation, "dilation_rate", where);

    const Index in = spec.in, stride = spec.stride;
    const bool same = padding.mode == Mode::same || padding.mode == Mode::same_lower;
    const Index reach = where.value((Checked(spec.kernel) - 1) * spec.dilation + 1);  // the effective kernel
    const Index full = where.value((Checked(in) - 1) * stride + reach);
    where.value(Checked(in) * stride + stride + reach);  // room for all that follows

    // The extents whose ordinary convolution has `in` outputs.
    const Index base = padding.mode == Mode::crop ? where.value(Checked(full) - padding.begin - padding.end)
                       : same                     ? (in - 1) * stride + 1
                                                  : full;
    const Index highest = where.value(Checked(base) + (stride - 1));
    const Index lowest = std::max<Index>(base, in > 0 ? 1 : 0);

    std::optional<Index> out = padding.output;
    if (padding.output_padding) {
        const Index extra = *padding.output_padding, limit = std::max(stride, spec.dilation);
        if (extra < 0 || extra >= limit) {
            throw ShapeError(where.argument("output_padding", extra) + " must be " +
                             (limit == 1 ? "0" : "in " + range(0, limit - 1)) + ": below the stride " +
                             std::to_string(stride) + " or the dilation " + std::to_string(spec.dilation) + ".");
        }
        const Index padded = where.value(Checked(same ? (in - 1) * stride + reach % 2 : base) + extra);
        if (out && *out != padded) {
            throw ShapeError(where.argument("output_shape", *out) + " contradicts output_padding " +
                             std::to_string(extra) + ", which makes it " + std::to_string(padded) +
                             ": give one of them.");
        }
        out = padded;
        if (padded < (in > 0 ? 1 : 0)) {
            throw ShapeError(where.argument("output_padding", extra) + " leaves an output extent of " +
                             std::to_string(padded) + ", which must be at least " + (in > 0 ? "1" : "0") + " (" +
                             where.problem() + ").");
        }
    } else if (out) {
        if (*out < lowest || *out > highest) {
            throw ShapeError(where.argument("output_shape", *out) + " is unreachable: " + where.problem() +
                             (lowest > highest ? " allow no extent." : " allow " + range(lowest, highest) + "."));
        }
    } else {
        out = same ? in * stride : padding.mode == Mode::valid ? (in - 1) * stride + std::max(reach, stride) : base;
        if (*out < (in > 0 ? 1 : 0)) {
            throw ShapeError(std::string(operation) + ": padding[" + std::to_string(axis) + "]=" + where.mode() +
                             " leaves an output extent of " + std::to_string(*out) + "; begin + end must be at most " +
                             std::to_string(full - (in > 0 ? 1 : 0)) + " (" + where.problem() + ").");
        }
    }

    const Index total = std::max<Index>(full - *out, 0);
    const Index crop = padding.mode == Mode::crop         ? padding.begin
                       : padding.mode == Mode::same_lower ? ceil_div(total, 2)
                                                          : total / 2;
    return {in, *out, spec.kernel, stride, spec.dilation, crop};
}

void check(const Geometry<dynamic>& g, const char* operation) {
    const auto fail = [operation](const std::string& why) { throw ShapeError(std::string(operation) + ": " + why); };
    const auto demand = [&](Index least, Index value, const std::string& what) {
        if (value < least)
            fail(what + "=" + std::to_string(value) + " must be at least " + std::to_string(least) + ".");
    };
    demand(0, g.batch, "batch");
    demand(0, g.in_channels, "in_channels");
    demand(0, g.filters, "filters");
    demand(1, g.groups, "groups");
    for (const auto& [count, what] : {std::pair{g.in_channels, "in_channels"}, std::pair{g.filters, "filters"}}) {
        if (count % g.groups != 0) {
            fail("groups=" + std::to_string(g.groups) + " must divide " + what + "=" + std::to_string(count) + ".");
        }
    }
    if (g.axes.empty()) fail("a geometry has at least one spatial axis.");

    // An empty tensor may have one huge extent: sizes are taken with 1 for 0.
    const auto size = [](Index extent) { return Checked(std::max<Index>(extent, 1)); };
    Checked x = size(g.batch) * size(g.in_channels) * 8, y = size(g.batch) * size(g.filters) * 8;
    Checked kernel = size(g.in_channels) * size(g.filters) * 8;
    for (std::size_t a = 0; a < g.axes.size(); ++a) {
        const Axis& axis = g.axes[a];
        const auto at = [a](const char* name) { return std::string(name) + "[" + std::to_string(a) + "]"; };
        demand(0, axis.in, at("input"));
        demand(0, axis.out, at("output"));
        demand(1, axis.kernel, at("kernel_size"));
        demand(1, axis.stride, at("strides"));
        demand(1, axis.dilation, at("dilation_rate"));
        const Checked reach = Checked(axis.in) * axis.stride + Checked(axis.kernel) * axis.dilation + axis.stride;
        const Checked shifted = Checked(axis.out) + axis.stride + (axis.crop < 0 ? Checked(0) - axis.crop : axis.crop);
        // From an output to the next of its phase, of which one may lie outside.
        Checked step = size(g.filters) * 8 * axis.stride;
        for (std::size_t b = 0; b < g.axes.size(); ++b)
            if (b != a) step = step * size(g.axes[b].out);
        if ((reach + shifted).overflowed() || step.overflowed())
            fail("the extents of axis " + std::to_string(a) + " do not fit in 64 bits.");
        x = x * size(axis.in);
        y = y * size(axis.out);
        kernel = kernel * axis.kernel;
    }
    if (x.overflowed()) fail("the input does not fit in 64 bits.");
    if (y.overflowed()) fail("the output does not fit in 64 bits.");
    if (kernel.overflowed()) fail("the kernel does not fit in 64 bits.");
}

}  // namespace tconv
