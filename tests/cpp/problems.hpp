// Problems as data: a table of named ones, and random ones from a seed.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include <tconv/tconv.hpp>

#include "half.hpp"

namespace problems {

using tconv::Index;

struct Problem {
    std::string name;
    tconv::Geometry<tconv::dynamic> geometry;
    bool bias = true;
    tconv::DataFormat format = tconv::DataFormat::channels_last;
    tconv::Activation activation{};

    tconv::Options options() const {
        tconv::Options options;
        options.data_format = format;
        options.activation = activation;
        return options;
    }
};

Problem problem(std::string name, Index batch, Index channels, Index filters, Index groups,
                std::vector<tconv::Axis> axes, tconv::DataFormat format = tconv::DataFormat::channels_last);
/// An axis with `padding="same"`.
tconv::Axis same(Index in, Index kernel, Index stride = 1, Index dilation = 1);

/// What has a reason to be looked at: every regime of the drivers, small enough for naive loops.
const std::vector<Problem>& table();

/// The same problem for the same seed, on every platform. Rank 1 to 6; a third of the axes are filled by hand, without
/// regard to the law of legal extents.
Problem random(std::uint64_t seed);

const std::vector<tconv::Activation>& activations();
std::string describe(const Problem& problem);

/// The numbers of elements of the tensors.
Index input_size(const tconv::Geometry<tconv::dynamic>& g);
Index output_size(const tconv::Geometry<tconv::dynamic>& g);
Index kernel_size(const tconv::Geometry<tconv::dynamic>& g);

/// Numbers in [-1, 1), as T; the same for the same seed.
template <class T>
std::vector<T> numbers(Index count, std::uint64_t seed) {
    std::mt19937_64 generator(seed);
    std::vector<T> result(static_cast<std::size_t>(count));
    for (T& x : result) {
        const double uniform = static_cast<double>(generator() >> 11) * 0x1p-53;
        x = tconv::narrow<T>(static_cast<tconv::compute_t<T>>(2 * uniform - 1));
    }
    return result;
}

/// The tensors of a problem. `bias` is empty when the problem has none.
template <class T>
struct Tensors {
    std::vector<T> x, kernel, bias, dy;

    explicit Tensors(const Problem& p, std::uint64_t seed = 1)
        : x(numbers<T>(input_size(p.geometry), seed)),
          kernel(numbers<T>(kernel_size(p.geometry), seed + 1)),
          bias(numbers<T>(p.bias ? p.geometry.filters : 0, seed + 2)),
          dy(numbers<T>(output_size(p.geometry), seed + 3)) {}

    const T* bias_or_null() const { return bias.empty() ? nullptr : bias.data(); }
};

}  // namespace problems
