#include "reference.hpp"

#include <cmath>
#include <vector>

namespace tconv::reference {

namespace {

/// A row-major walk over all positions of a box. After count() steps it is back at its begin.
class Walk {
  public:
    Walk(const std::vector<Axis>& axes, Index Axis::* extent) : at_(axes.size(), 0) {
        for (const Axis& axis : axes) extents_.push_back(axis.*extent);
        for (const Index n : extents_) count_ *= n;
    }
    Index count() const { return count_; }
    Index operator[](std::size_t axis) const { return at_[axis]; }
    void next() {
        for (std::size_t a = at_.size(); a-- > 0;) {
            if (++at_[a] < extents_[a]) return;
            at_[a] = 0;
        }
    }

  private:
    std::vector<Index> at_, extents_;
    Index count_ = 1;
};

/// The row-major number of the input pixel that output pixel `o` reads through tap `k`, or -1 if there is none.
Index input_of(const std::vector<Axis>& axes, const Walk& o, const Walk& k) {
    Index pixel = 0;
    for (std::size_t a = 0; a < axes.size(); ++a) {
        const Axis& axis = axes[a];
        const Index scaled = o[a] + axis.crop - k[a] * axis.dilation;  // i*stride
        if (scaled < 0 || scaled % axis.stride != 0 || scaled / axis.stride >= axis.in) return -1;
        pixel = pixel * axis.in + scaled / axis.stride;
    }
    return pixel;
}

/// The row-major number of the output pixel that input pixel `i` reaches through tap `k`, or -1 if it is cropped.
Index output_of(const std::vector<Axis>& axes, const Walk& i, const Walk& k) {
    Index pixel = 0;
    for (std::size_t a = 0; a < axes.size(); ++a) {
        const Axis& axis = axes[a];
        const Index o = i[a] * axis.stride + k[a] * axis.dilation - axis.crop;
        if (o < 0 || o >= axis.out) return -1;
        pixel = pixel * axis.out + o;
    }
    return pixel;
}

/// Where an element of (batch, pixels, channels) lies in memory.
struct Layout {
    Index pixels, channels;
    bool channels_first;

    Index operator()(Index image, Index pixel, Index channel) const {
        return channels_first ? (image * channels + channel) * pixels + pixel
                              : (image * pixels + pixel) * channels + channel;
    }
};

/// The parts of a problem that all three products need.
struct Problem {
    const std::vector<Axis>& axes;
    Index batch, filters, in_channels;
    Index group_filters, group_channels;  // per group
    Walk inputs, outputs, taps;           // at their begin: to be copied
    Layout x, y;

    Problem(const Geometry<dynamic>& g, const Options& options)
        : axes(g.axes),
          batch(g.batch),
          filters(g.filters),
          in_channels(g.in_channels),
          group_filters(g.filters / g.groups),
          group_channels(g.in_channels / g.groups),
          inputs(axes, &Axis::in),
          outputs(axes, &Axis::out),
          taps(axes, &Axis::kernel),
          x{inputs.count(), in_channels, options.data_format == DataFormat::channels_first},
          y{outputs.count(), filters, options.data_format == DataFormat::channels_first} {}

    /// Where kernel[tap, filter, channel] lies: the filter is counted within its group, the channel over all groups.
    Index kernel(Index tap, Index group_filter, Index channel) const {
        return (tap * group_filters + group_filter) * in_channels + channel;
    }
};

double sigmoid(double x) {
    if (x >= 0) return 1 / (1 + std::exp(-x));
    const double e = std::exp(x);
    return e / (1 + e);
}

double clamp(double x, double low, double high) { return x < low ? low : (x > high ? high : x); }

}  // namespace

double activate(const Activation& activation, double x) {
    constexpr double selu_scale = 1.0507009873554805, selu_alpha = 1.6732632423543772;
    switch (activation.kind) {
        case Activation::Kind::linear:
            return x;
        case Activation::Kind::relu:
            return x < 0 ? 0 : x;
        case Activation::Kind::relu6:
            return clamp(x, 0, 6);
        case Activation::Kind::leaky_relu:
            return x < 0 ? activation.alpha * x : x;
        case Activation::Kind::elu:
            return x < 0 ? activation.alpha * std::expm1(x) : x;
        case Activation::Kind::selu:
            return selu_scale * (x < 0 ? selu_alpha * std::expm1(x) : x);
        case Activation::Kind::sigmoid:
            return sigmoid(x);
        case Activation::Kind::hard_sigmoid:
            return clamp(x / 6 + 0.5, 0, 1);
        case Activation::Kind::tanh:
            return std::tanh(x);
        case Activation::Kind::silu:
            return x * sigmoid(x);
        case Activation::Kind::hard_silu:
            return x * clamp(x / 6 + 0.5, 0, 1);
        case Activation::Kind::exponential:
            return std::exp(x);
    }
    return x;
}

template <class T>
void forward(const Geometry<dynamic>& g, const T* x, const T* kernel, const T* bias, T* y, const Options& options) {
    const Problem p(g, options);
    if (p.filters == 0 || p.outputs.count() == 0) return;  // or the walk over nothing may be long
    Walk o = p.outputs, k = p.taps;
    const Index taps = p.in_channels == 0 ? 0 : k.count();
    for (Index n = 0; n < p.batch; ++n) {
        for (Index at = 0; at < o.count(); ++at, o.next()) {
            for (Index f = 0; f < p.filters; ++f) {
                const Index group = f / p.group_filters;
                compute_t<T> sum = 0;
                for (Index tap = 0; tap < taps; ++tap, k.next()) {
                    const Index i = input_of(p.axes, o, k);
                    if (i < 0) continue;
                    for (Index c = group * p.group_channels; c < (group + 1) * p.group_channels; ++c) {
                        sum += widen(x[p.x(n, i, c)]) * widen(kernel[p.kernel(tap, f % p.group_filters, c)]);
                    }
                }
                if (bias != nullptr) sum += widen(bias[f]);
                y[p.y(n, at, f)] = narrow<T>(static_cast<compute_t<T>>(activate(options.activation, sum)));
            }
        }
    }
}

template <class T>
void grad_input(const Geometry<dynamic>& g, const T* dy, const T* kernel, T* dx, const Options& options) {
    const Problem p(g, options);
    if (p.in_channels == 0 || p.inputs.count() == 0) return;
    Walk i = p.inputs, k = p.taps;
    const Index taps = p.filters == 0 ? 0 : k.count();
    for (Index n = 0; n < p.batch; ++n) {
        for (Index at = 0; at < i.count(); ++at, i.next()) {
            for (Index c = 0; c < p.in_channels; ++c) {
                const Index group = c / p.group_channels;
                compute_t<T> sum = 0;
                for (Index tap = 0; tap < taps; ++tap, k.next()) {
                    const Index o = output_of(p.axes, i, k);
                    if (o < 0) continue;
                    for (Index f = 0; f < p.group_filters; ++f) {
                        sum += widen(dy[p.y(n, o, group * p.group_filters + f)]) * widen(kernel[p.kernel(tap, f, c)]);
                    }
                }
                dx[p.x(n, at, c)] = narrow<T>(sum);
            }
        }
    }
}

template <class T>
void grad_kernel(const Geometry<dynamic>& g, const T* x, const T* dy, T* dkernel, const Options& options) {
    const Problem p(g, options);
    if (p.in_channels == 0 || p.filters == 0) return;
    Walk i = p.inputs, k = p.taps;
    const Index images = i.count() == 0 ? 0 : p.batch;
    for (Index tap = 0; tap < k.count(); ++tap, k.next()) {
        for (Index f = 0; f < p.group_filters; ++f) {
            for (Index c = 0; c < p.in_channels; ++c) {
                const Index filter = c / p.group_channels * p.group_filters + f;
                compute_t<T> sum = 0;
                for (Index n = 0; n < images; ++n) {
                    for (Index at = 0; at < i.count(); ++at, i.next()) {
                        const Index o = output_of(p.axes, i, k);
                        if (o >= 0) sum += widen(x[p.x(n, at, c)]) * widen(dy[p.y(n, o, filter)]);
                    }
                }
                dkernel[p.kernel(tap, f, c)] = narrow<T>(sum);
            }
        }
    }
}

template <class T>
void grad_bias(const Geometry<dynamic>& g, const T* dy, T* dbias, const Options& options) {
    const Problem p(g, options);
    for (Index f = 0; f < p.filters; ++f) {
        compute_t<T> sum = 0;
        for (Index n = 0; n < p.batch; ++n)
            for (Index at = 0; at < p.outputs.count(); ++at) sum += widen(dy[p.y(n, at, f)]);
        dbias[f] = narrow<T>(sum);
    }
}

#define TCONV_INSTANTIATE(T)                                                                              \
    template void forward<T>(const Geometry<dynamic>&, const T*, const T*, const T*, T*, const Options&); \
    template void grad_input<T>(const Geometry<dynamic>&, const T*, const T*, T*, const Options&);        \
    template void grad_kernel<T>(const Geometry<dynamic>&, const T*, const T*, T*, const Options&);       \
    template void grad_bias<T>(const Geometry<dynamic>&, const T*, T*, const Options&);
TCONV_INSTANTIATE(float)
TCONV_INSTANTIATE(double)
TCONV_INSTANTIATE(float16)
TCONV_INSTANTIATE(bfloat16)
#undef TCONV_INSTANTIATE

}  // namespace tconv::reference
