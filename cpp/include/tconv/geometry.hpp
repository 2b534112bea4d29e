// The geometry of a transposed convolution: one struct per axis, one function that resolves it.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include <tconv/error.hpp>
#include <tconv/export.hpp>
#include <tconv/types.hpp>

namespace tconv {

/// One spatial axis, resolved. Output o reads input i through tap k exactly when
///     i*stride + k*dilation == o + crop,   0 <= i < in,  0 <= k < kernel,  0 <= o < out.
/// Every padding mode, output padding and explicit output extent ends in (out, crop).
struct Axis {
    Index in = 1, out = 1;                       // extents, pixels; >= 0
    Index kernel = 1, stride = 1, dilation = 1;  // taps, pixels, pixels; >= 1
    Index crop = 0;                              // pixels of the full output dropped before o = 0; may be negative
};

/// What a user says about an axis before its output extent is known.
struct AxisSpec {
    Index in = 1;        // input extent, pixels; >= 0
    Index kernel = 1;    // taps; >= 1
    Index stride = 1;    // pixels; >= 1
    Index dilation = 1;  // pixels; >= 1
};

/// How the full output, of extent F = (in-1)*stride + (kernel-1)*dilation + 1, is cut.
///
///     | mode       | out, no output padding         | out, output padding p           | crop at the begin |
///     |------------|--------------------------------|---------------------------------|-------------------|
///     | valid      | (in-1)*stride + max(ke,stride) | F + p                           | 0                 |
///     | same       | in*stride                      | (in-1)*stride + ke%2 + p        | floor(total/2)    |
///     | same_lower | in*stride                      | (in-1)*stride + ke%2 + p        | ceil(total/2)     |
///     | crop(b, e) | F - b - e                      | F - b - e + p                   | b                 |
///
/// with ke = (kernel-1)*dilation + 1 and total = max(F - out, 0). An explicit output extent is legal exactly when
/// the ordinary convolution of that extent gives back the input extent; the crop then follows from it as above.
struct Padding {
    enum class Mode { valid, same, same_lower, crop };

    Mode mode = Mode::valid;
    Index begin = 0, end = 0;               // pixels, Mode::crop only; may be negative (bias-only pixels)
    std::optional<Index> output_padding{};  // pixels; 0 <= p < max(stride, dilation)
    std::optional<Index> output{};          // the extent wanted, pixels

    /// Keras' and TensorFlow's "valid": nothing is cropped.
    static Padding valid() { return {Mode::valid, 0, 0, {}, {}}; }
    /// Keras', TensorFlow's and ONNX' SAME_UPPER "same": the odd pixel is cropped at the end.
    static Padding same() { return {Mode::same, 0, 0, {}, {}}; }
    /// ONNX' SAME_LOWER: the odd pixel is cropped at the begin.
    static Padding same_lower() { return {Mode::same_lower, 0, 0, {}, {}}; }
    /// PyTorch's and ONNX' explicit pads.
    static Padding crop(Index begin, Index end) { return {Mode::crop, begin, end, {}, {}}; }

    Padding with_output_padding(Index pixels) const {
        Padding copy = *this;
        copy.output_padding = pixels;
        return copy;
    }
    Padding with_output(Index extent) const {
        Padding copy = *this;
        copy.output = extent;
        return copy;
    }
};

/// Resolves one axis. `axis`, its number, and `operation` are for error messages only.
/// Throws ShapeError for kernel, stride or dilation < 1, an extent < 0, an illegal output padding or output extent,
/// an output extent below 1 for a non-empty input, and extents beyond 2^63.
TCONV_API Axis resolve(const AxisSpec& spec, const Padding& padding, int axis = 0,
                       const char* operation = "conv_transpose");

/// A whole problem: y (batch, out..., filters) = transposed convolution of x (batch, in..., in_channels) with a
/// kernel (kernel..., filters/groups, in_channels). Input channel block g feeds output channel block g.
template <int N>
struct Geometry {
    static_assert(N >= 1, "a geometry has at least one spatial axis");
    Index batch = 1, in_channels = 1, filters = 1, groups = 1;
    std::array<Axis, static_cast<std::size_t>(N)> axes{};
};

/// The same with the number of axes known at run time.
template <>
struct Geometry<dynamic> {
    Index batch = 1, in_channels = 1, filters = 1, groups = 1;
    std::vector<Axis> axes{};

    Geometry() = default;
    template <int N>
    Geometry(const Geometry<N>& g)  // NOLINT: a fixed rank is a special case
        : batch(g.batch),
          in_channels(g.in_channels),
          filters(g.filters),
          groups(g.groups),
          axes(g.axes.begin(), g.axes.end()) {}
};

/// Throws ShapeError when a geometry cannot be used: an extent < 0, a kernel, stride or dilation < 1, no axis,
/// channels that the groups do not divide, or sizes beyond 2^63 bytes. `operation` begins the message.
TCONV_API void check(const Geometry<dynamic>& g, const char* operation = "conv_transpose");

/// The full shape of the result, channels-last: (batch, out..., filters).
template <int N>
std::array<Index, static_cast<std::size_t>(N) + 2> output_shape(const Geometry<N>& g) {
    std::array<Index, static_cast<std::size_t>(N) + 2> shape{};
    shape.front() = g.batch;
    for (std::size_t a = 0; a < static_cast<std::size_t>(N); ++a) shape[a + 1] = g.axes[a].out;
    shape.back() = g.filters;
    return shape;
}
inline std::vector<Index> output_shape(const Geometry<dynamic>& g) {
    std::vector<Index> shape{g.batch};
    for (const Axis& axis : g.axes) shape.push_back(axis.out);
    shape.push_back(g.filters);
    return shape;
}

}  // namespace tconv
