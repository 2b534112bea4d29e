// A plan: the kernel packed once, used for many inputs.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include <tconv/export.hpp>
#include <tconv/geometry.hpp>
#include <tconv/options.hpp>
#include <tconv/schedule.hpp>

namespace tconv {

namespace detail {

/// A kernel, packed for one instruction set. Immutable.
template <class T>
class Packed;
/// A packed kernel at a geometry: everything decided but the data. Immutable.
template <class T>
class Prepared;

template <class T>
TCONV_API std::shared_ptr<const Packed<T>> pack(const Geometry<dynamic>& g, const T* kernel, const Options& options);
template <class T>
TCONV_API std::shared_ptr<const Prepared<T>> prepare(std::shared_ptr<const Packed<T>> packed,
                                                     const Geometry<dynamic>& g, const Options& options);
/// The same packed kernel elsewhere.
template <class T>
TCONV_API std::shared_ptr<const Prepared<T>> prepare(const Prepared<T>& other, const Geometry<dynamic>& g,
                                                     const Options& options);
template <class T>
TCONV_API void run(const Prepared<T>& prepared, const T* x, const T* bias, T* y);
template <class T>
TCONV_API std::size_t packed_bytes(const Prepared<T>& prepared);
template <class T>
TCONV_API Schedule schedule(const Prepared<T>& prepared);
template <class T>
TCONV_API std::string describe(const Prepared<T>& prepared);

}  // namespace detail

/// A transposed convolution whose kernel is packed once. The kernel may change or go afterwards. Immutable, so that
/// threads may share it. What is packed depends on the kernel's shape, the strides, dilations and groups, and with
/// Isa::best on the data format that it suits best. One packing serves every batch, extent, crop and data format: see
/// at(). A kernel longer than its stride is packed once more when it first meets an axis of one pixel, where no two
/// taps see the same output.
template <class T, int N>
class Plan {
  public:
    /// Packs `kernel` (kernel..., filters/groups, in_channels).
    Plan(const Geometry<N>& g, const T* kernel, const Options& options = {})
        : Plan(g, options, detail::prepare<T>(detail::pack<T>(g, kernel, options), g, options)) {}

    /// y = activation(bias + transposed convolution of x); arrays as in conv_transpose. `bias` may be nullptr.
    void operator()(const T* x, const T* bias, T* y) const { detail::run<T>(*prepared_, x, bias, y); }

    /// The same packed kernel for another batch, other extents or crops, other options. Throws ShapeError when the
    /// kernel's shape, the strides, dilations, groups or the instruction set differ.
    Plan at(const Geometry<N>& g) const { return at(g, options_); }
    Plan at(const Geometry<N>& g, const Options& options) const {
        return Plan(g, options, detail::prepare<T>(*prepared_, g, options));
    }

    const Geometry<N>& geometry() const { return geometry_; }
    const Options& options() const { return options_; }
    /// Bytes held by the packed kernel.
    std::size_t packed_bytes() const { return detail::packed_bytes<T>(*prepared_); }
    /// How the work is cut for the threads of the options, for those who measure.
    Schedule schedule() const { return detail::schedule<T>(*prepared_); }
    /// What will be done and why, for people.
    std::string describe() const { return detail::describe<T>(*prepared_); }

  private:
    Plan(const Geometry<N>& g, const Options& options, std::shared_ptr<const detail::Prepared<T>> prepared)
        : geometry_(g), options_(options), prepared_(std::move(prepared)) {}

    Geometry<N> geometry_;
    Options options_;
    std::shared_ptr<const detail::Prepared<T>> prepared_;
};

}  // namespace tconv
