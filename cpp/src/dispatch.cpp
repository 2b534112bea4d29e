// Which instruction sets there are: the one list, best first.
#include "dispatch.hpp"

#include <cstdlib>
#include <string>

#include <tconv/error.hpp>

#include "checked.hpp"
#include "cpu.hpp"

namespace tconv {
namespace {

struct Entry {
    Isa isa;
    const char* name;
    const Kernels<float>* kernels_float;
    const Kernels<double>* kernels_double;
    const Converters* converters;
    const GradientKernels<float>* gradient_float;
    const GradientKernels<double>* gradient_double;
    const FastKernels<float>* fast_float;
    const FastKernels<double>* fast_double;
};

const Entry entries[] = {
#if defined(__x86_64__)
    {Isa::avx512, "avx512", &avx512::kernels_float, &avx512::kernels_double, &avx512::converters,
     &avx512::gradient_float, &avx512::gradient_double, &avx512::fast_float, &avx512::fast_double},
    {Isa::avx2, "avx2", &avx2::kernels_float, &avx2::kernels_double, &avx2::converters, &avx2::gradient_float,
     &avx2::gradient_double, &avx2::fast_float, &avx2::fast_double},
#endif
    {Isa::generic, "generic", &generic::kernels_float, &generic::kernels_double, &generic::converters,
     &generic::gradient_float, &generic::gradient_double, &generic::fast_float, &generic::fast_double},
};

const Entry& entry(Isa isa) {
    if (isa == Isa::best) isa = best_isa();
    for (const Entry& e : entries) {
        if (e.isa == isa && runs(isa)) return e;
    }
    std::string message = std::string("conv_transpose: isa=\"") + name(isa) + "\" is not available here; these are:";
    for (const Isa there : available_isas()) message += std::string(" ") + name(there);
    throw ShapeError(message + ".");
}

}  // namespace

template <>
const Kernels<float>& kernels_for<float>(Isa isa) {
    return *entry(isa).kernels_float;
}
template <>
const Kernels<double>& kernels_for<double>(Isa isa) {
    return *entry(isa).kernels_double;
}
template <>
const GradientKernels<float>& gradient_kernels_for<float>(Isa isa) {
    return *entry(isa).gradient_float;
}
template <>
const GradientKernels<double>& gradient_kernels_for<double>(Isa isa) {
    return *entry(isa).gradient_double;
}
template <>
const FastKernels<float>& fast_kernels_for<float>(Isa isa) {
    return *entry(isa).fast_float;
}
template <>
const FastKernels<double>& fast_kernels_for<double>(Isa isa) {
    return *entry(isa).fast_double;
}
const Converters& converters_for(Isa isa) { return *entry(isa).converters; }

Isa narrower(Isa isa) { return isa == Isa::avx512 ? Isa::avx2 : isa; }

template <class C>
Isa isa_for(Isa isa, Index count) {
    const Isa other = isa == Isa::best ? narrower(best_isa()) : isa;
    const auto lanes = [count](Isa its) {
        const Index vector = kernels_for<C>(its).width / 2;
        return ceil_div(count, vector) * vector;
    };
    return lanes(other) < lanes(isa) ? other : isa;
}
template Isa isa_for<float>(Isa, Index);
template Isa isa_for<double>(Isa, Index);

std::vector<Isa> compiled_isas() {
    std::vector<Isa> isas;
    for (const Entry& e : entries) isas.push_back(e.isa);
    return isas;
}

std::vector<Isa> available_isas() {
    std::vector<Isa> isas;
    for (const Entry& e : entries) {
        if (runs(e.isa)) isas.push_back(e.isa);
    }
    return isas;
}

Isa best_isa() {
    static const Isa best = [] {
        const char* wanted = std::getenv("TCONV_ISA");
        for (const Isa isa : available_isas()) {
            if (wanted == nullptr || std::string(wanted) == name(isa)) return isa;
        }
        return available_isas().front();  // TCONV_ISA names one that is not available
    }();
    return best;
}

const char* name(Isa isa) {
    for (const Entry& e : entries) {
        if (e.isa == isa) return e.name;
    }
    return isa == Isa::best ? "best" : "unknown";
}

Isa isa_from_name(const std::string& wanted) {
    if (wanted == "best") return Isa::best;
    std::string names = "best";
    for (const Entry& e : entries) {
        if (wanted == e.name) return e.isa;
        names += std::string(", ") + e.name;
    }
    throw ShapeError("conv_transpose: isa=\"" + wanted + "\" is not one of " + names + ".");
}

Activation::Kind activation_from_name(const std::string& wanted) {
    using Kind = Activation::Kind;
    static constexpr struct {
        const char* name;
        Kind kind;
    } kinds[] = {{"linear", Kind::linear},
                 {"relu", Kind::relu},
                 {"relu6", Kind::relu6},
                 {"leaky_relu", Kind::leaky_relu},
                 {"elu", Kind::elu},
                 {"selu", Kind::selu},
                 {"sigmoid", Kind::sigmoid},
                 {"hard_sigmoid", Kind::hard_sigmoid},
                 {"tanh", Kind::tanh},
                 {"silu", Kind::silu},
                 {"hard_silu", Kind::hard_silu},
                 {"exponential", Kind::exponential}};
    std::string names;
    for (const auto& k : kinds) {
        if (wanted == k.name) return k.kind;
        names += std::string(names.empty() ? "" : ", ") + k.name;
    }
    throw ShapeError("conv_transpose: activation=\"" + wanted + "\" is not one of " + names + ".");
}

}  // namespace tconv
