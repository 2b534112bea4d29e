// What cannot be used is refused with one sentence, before anything is written.
#include <functional>
#include <limits>

#include "check.hpp"
#include "oracle.hpp"

using namespace tconv;
using namespace oracle;

namespace {

struct Call {
    Geometry<dynamic> g;
    Options options;
};

struct Bad {
    const char* what;
    std::function<void(Call&)> change;
    std::vector<std::string> words;  // in the message, after the operation
};

Call good() {
    Call call;
    call.g.batch = 2;
    call.g.in_channels = 4;
    call.g.filters = 6;
    call.g.groups = 2;
    call.g.axes = {{3, 7, 3, 2, 1, 0}, {3, 6, 3, 2, 1, 1}};
    return call;
}

const std::vector<Bad>& bad_calls() {
    constexpr Index huge = std::numeric_limits<Index>::max();
    static const std::vector<Bad> all = {
        {"batch", [](Call& c) { c.g.batch = -1; }, {"batch=-1", "at least 0"}},
        {"in_channels", [](Call& c) { c.g.in_channels = -2; }, {"in_channels=-2", "at least 0"}},
        {"filters", [](Call& c) { c.g.filters = -2; }, {"filters=-2", "at least 0"}},
        {"no groups", [](Call& c) { c.g.groups = 0; }, {"groups=0", "at least 1"}},
        {"negative groups", [](Call& c) { c.g.groups = -2; }, {"groups=-2", "at least 1"}},
        {"channels and groups", [](Call& c) { c.g.in_channels = 5; }, {"groups=2", "divide", "in_channels=5"}},
        {"filters and groups", [](Call& c) { c.g.filters = 5; }, {"groups=2", "divide", "filters=5"}},
        {"no axes", [](Call& c) { c.g.axes.clear(); }, {"axis"}},
        {"in", [](Call& c) { c.g.axes[1].in = -1; }, {"[1]=-1", "at least 0"}},
        {"out", [](Call& c) { c.g.axes[0].out = -1; }, {"[0]=-1", "at least 0"}},
        {"kernel", [](Call& c) { c.g.axes[1].kernel = 0; }, {"kernel_size[1]=0", "at least 1"}},
        {"stride", [](Call& c) { c.g.axes[0].stride = 0; }, {"strides[0]=0", "at least 1"}},
        {"negative stride", [](Call& c) { c.g.axes[0].stride = -1; }, {"strides[0]=-1", "at least 1"}},
        {"dilation", [](Call& c) { c.g.axes[1].dilation = 0; }, {"dilation_rate[1]=0", "at least 1"}},
        {"huge extents", [](Call& c) { c.g.axes[0].out = c.g.axes[1].out = Index{1} << 31; }, {"64 bits"}},
        {"huge crop", [](Call& c) { c.g.axes[0].crop = huge; }, {"axis 0", "64 bits"}},
        {"lowest crop", [](Call& c) { c.g.axes[0].crop = -huge - 1; }, {"axis 0", "64 bits"}},
        {"threads", [](Call& c) { c.options.threads = -1; }, {"threads=-1", "at least 0"}},
        {"isa", [](Call& c) { c.options.isa = static_cast<Isa>(77); }, {"isa", "not available"}},
    };
    return all;
}

/// Runs one product into `result`; pointers are valid for the good geometry.
void run(Product product, const Call& call, float* result) {
    static const std::vector<float> numbers(4096, 1);
    const float* n = numbers.data();
    if (product == Product::forward) conv_transpose<float>(call.g, n, n, n, result, call.options);
    if (product == Product::grad_input) conv_transpose_grad_input<float>(call.g, n, n, result, call.options);
    if (product == Product::grad_kernel) conv_transpose_grad_kernel<float>(call.g, n, n, result, call.options);
}

const char* operation(Product product) {
    return product == Product::forward      ? "conv_transpose: "
           : product == Product::grad_input ? "conv_transpose_grad_input: "
                                            : "conv_transpose_grad_kernel: ";
}

}  // namespace

TEST("errors/a bad geometry or option is refused before anything is written") {
    for (const Algorithm algorithm : {Algorithm::automatic, Algorithm::direct, Algorithm::reference}) {
        for (const Product product : products) {
            for (const Bad& bad : bad_calls()) {
                Call call = good();
                call.options.algorithm = algorithm;
                bad.change(call);
                const harness::Subject subject(std::string(oracle::name(product)) + ", " + bad.what + ", algorithm " +
                                               std::to_string(static_cast<int>(algorithm)));
                Guarded<float> result(2000);
                std::vector<std::string> words = bad.words;
                const bool of_options = bad.words.front() == "isa" || bad.words.front() == "threads=-1";
                words.push_back(of_options ? "conv_transpose" : operation(product));
                const std::string did = harness::throws<ShapeError>([&] { run(product, call, result.data()); }, words);
                CHECK_MESSAGE(did.empty(), did);
                CHECK(result.untouched());
            }
            const harness::Subject subject(oracle::name(product));
            Guarded<float> result(2000);
            run(product, good(), result.data());
            CHECK(!result.untouched() && result.guards_intact());
        }
    }
}

TEST("errors/a null pointer to numbers that there are is refused before anything is written") {
    const std::vector<float> numbers(4096, 1);
    const float* const n = numbers.data();
    const Geometry<dynamic> g = good().g;
    Guarded<float> result(2000);
    float* const r = result.data();
    CHECK_THROWS(ShapeError, conv_transpose<float>(g, nullptr, n, n, r), "conv_transpose: ", "null");
    CHECK_THROWS(ShapeError, conv_transpose<float>(g, n, nullptr, n, r), "conv_transpose: ", "null");
    CHECK_THROWS(ShapeError, conv_transpose<float>(g, n, n, nullptr, nullptr), "conv_transpose: ", "null");
    CHECK_THROWS(ShapeError, conv_transpose_grad_input<float>(g, nullptr, n, r), "conv_transpose_grad_input: ", "null");
    CHECK_THROWS(ShapeError, conv_transpose_grad_input<float>(g, n, nullptr, r), "conv_transpose_grad_input: ", "null");
    CHECK_THROWS(ShapeError, conv_transpose_grad_input<float>(g, n, n, nullptr), "conv_transpose_grad_input: ", "null");
    CHECK_THROWS(ShapeError, conv_transpose_grad_kernel<float>(g, nullptr, n, r),
                 "conv_transpose_grad_kernel: ", "null");
    CHECK_THROWS(ShapeError, conv_transpose_grad_kernel<float>(g, n, nullptr, r),
                 "conv_transpose_grad_kernel: ", "null");
    CHECK_THROWS(ShapeError, conv_transpose_grad_kernel<float>(g, n, n, nullptr),
                 "conv_transpose_grad_kernel: ", "null");
    CHECK(result.untouched());
}

TEST("errors/a plan refuses a bad geometry when it is made") {
    const std::vector<float> kernel(4096, 1);
    for (const Bad& bad : bad_calls()) {
        if (bad.words.front() == "threads=-1") continue;  // of each call
        Call call = good();
        bad.change(call);
        const std::string did =
            harness::throws<ShapeError>([&] { Plan<float, dynamic>(call.g, kernel.data(), call.options); }, bad.words);
        CHECK_MESSAGE(did.empty(), std::string(bad.what) + ": " + did);
    }
}

#ifndef __SANITIZE_ADDRESS__  // whose operator new ends the process
TEST("errors/a kernel that no memory can hold is bad_alloc, and nothing is written") {
    Call call = good();
    call.g.groups = 1;
    call.g.in_channels = Index{1} << 30;
    call.g.filters = Index{1} << 21;
    call.g.axes = {{1, 1, 1, 1, 1, 0}};
    const float number = 1;
    CHECK_THROWS(std::bad_alloc, (Plan<float, dynamic>(call.g, &number)));
}
#endif

TEST("errors/names of instruction sets and activations") {
    for (const Isa isa : compiled_isas()) CHECK(isa_from_name(name(isa)) == isa);
    CHECK(isa_from_name("best") == Isa::best);
    CHECK_THROWS(ShapeError, isa_from_name("mmx"), "isa=\"mmx\"", "generic", ".");
    CHECK_THROWS(ShapeError, isa_from_name(""), "isa=\"\"");
    CHECK(activation_from_name("hard_silu") == Activation::Kind::hard_silu);
    CHECK(activation_from_name("linear") == Activation::Kind::linear);
    CHECK_THROWS(ShapeError, activation_from_name("Relu"), "activation=\"Relu\"", "leaky_relu", ".");
    CHECK(!available_isas().empty() && available_isas().back() == Isa::generic);
    CHECK(compiled_isas().size() >= available_isas().size());
    CHECK(default_threads() >= 1);
}
