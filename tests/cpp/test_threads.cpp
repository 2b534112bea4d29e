// The same bits for every number of threads, and again.
#include "check.hpp"
#include "oracle.hpp"

using namespace tconv;
using namespace oracle;

namespace {

Problem large(std::string name, Index channels, Index filters, Index groups, std::vector<Axis> axes) {
    return problem(std::move(name), 2, channels, filters, groups, std::move(axes));
}

/// Enough work for several threads each.
const std::vector<Problem>& large_problems() {
    static const std::vector<Problem> all = {
        large("wide", 48, 40, 1, {same(40, 4, 2), same(41, 4, 2)}),
        large("few filters", 64, 3, 1, {same(50, 4, 2), same(47, 4, 2)}),
        large("deep", 700, 33, 1, {same(9, 3, 2), same(11, 3, 2)}),
        large("groups", 48, 96, 4, {same(33, 3, 2), same(35, 3, 2)}),
        large("depthwise", 96, 96, 96, {same(43, 4, 2), same(37, 4, 2)}),
        large("vocoder", 64, 32, 1, {same(700, 16, 8)}),
        large("volume", 24, 16, 1, {same(11, 3, 2), same(12, 3, 2), same(13, 3, 2)}),
        large("dead pixels", 32, 24, 1, {same(40, 2, 4), same(40, 3, 3)}),
    };
    return all;
}

template <class T>
void check_same_bits(const Problem& p, Product product, std::uint64_t seed) {
    const Tensors<T> tensors(p, seed);
    for (const Isa isa : available_isas()) {
        Options options = p.options();
        options.isa = isa;
        options.threads = 1;
        const std::vector<T> expected = compute(product, p, tensors, options);
        for (const int threads : {1, 2, 3, 5, 5, 0}) {
            options.threads = threads;
            const harness::Subject subject(std::to_string(threads) + " threads, " + name(isa) + "/" + type_name<T>() +
                                           "/" + oracle::name(product) + ", " + describe(p));
            CHECK(same_bits(compute(product, p, tensors, options), expected));
        }
    }
}

}  // namespace

TEST("threads/the same bits, small problems") {
    for (const Problem& p : problems::table()) {
        for (const Product product : products) check_same_bits<float>(p, product, 3);
    }
    for (std::uint64_t seed = 2000; seed < 2060; ++seed) {
        const Problem p = problems::random(seed);
        for (const Product product : products) {
            for_each_type([&]<class T>() { check_same_bits<T>(p, product, seed); });
        }
    }
}

TEST("threads/the same bits, large problems") {
    for (Problem p : large_problems()) {
        for (const DataFormat format : {DataFormat::channels_last, DataFormat::channels_first}) {
            p.format = format;
            for (const Product product : products) {
                check_same_bits<float>(p, product, 5);
                if (format == DataFormat::channels_last) check_same_bits<bfloat16>(p, product, 6);
            }
        }
    }
}

TEST("threads/large problems are right") {
    for (Problem p : large_problems()) {
        p.geometry.batch = 1;
        for (Axis& axis : p.geometry.axes) axis = same(axis.in / 2 + 1, axis.kernel, axis.stride);
        p.activation = {Activation::Kind::leaky_relu, 0.2};
        for (const DataFormat format : {DataFormat::channels_last, DataFormat::channels_first}) {
            p.format = format;
            const Tensors<float> tensors(p);
            for (const Product product : products) {
                const harness::Subject subject(std::string(oracle::name(product)) + ", " + describe(p));
                const Activation activation = product == Product::forward ? p.activation : Activation{};
                check_close(exact(product, p, tensors), activation, compute(product, p, tensors, p.options()), 16);
            }
        }
    }
}
