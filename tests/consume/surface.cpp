// Every function of the installed library is there, and its errors are caught outside of it: a shared library has to
// show both.
#include <cstdio>
#include <string>
#include <vector>

#include <tconv/tconv.hpp>

template <class T>
int products() {
    tconv::Geometry<1> g;
    g.axes[0] = tconv::resolve(tconv::AxisSpec{4, 2, 2, 1}, tconv::Padding::valid());
    const std::vector<T> x(4), kernel(2);
    std::vector<T> y(8), dx(4), dkernel(2);
    tconv::conv_transpose<T, 1>(g, x.data(), kernel.data(), nullptr, y.data());
    tconv::conv_transpose_grad_input<T, 1>(g, y.data(), kernel.data(), dx.data());
    tconv::conv_transpose_grad_kernel<T, 1>(g, x.data(), y.data(), dkernel.data());
    const tconv::Plan<T, 1> plan(g, kernel.data());
    plan(x.data(), nullptr, y.data());
    return plan.packed_bytes() > 0 && !plan.describe().empty() && plan.schedule().threads == 1 &&
                   tconv::output_shape(g)[1] == 8
               ? 0
               : 1;
}

template <class F>
int refused(F call) {
    try {
        call();
    } catch (const tconv::ShapeError& error) {
        return std::string(error.what()).empty() ? 1 : 0;
    }
    return 1;
}

int main() {
    const int missing = products<float>() + products<double>() + products<tconv::float16>() +
                        products<tconv::bfloat16>() + (tconv::default_threads() < 1) +
                        (tconv::available_isas().size() > tconv::compiled_isas().size()) +
                        (tconv::isa_from_name(tconv::name(tconv::best_isa())) != tconv::best_isa());
    const int unrefused = refused([] { tconv::resolve({4, 0, 1, 1}, tconv::Padding::same()); }) +
                          refused([] { tconv::check(tconv::Geometry<tconv::dynamic>()); }) +
                          refused([] { tconv::activation_from_name("no such"); });
    std::printf("OpenMP: %s, missing: %d, unrefused: %d\n", tconv::has_openmp() ? "yes" : "no", missing, unrefused);
    return missing + unrefused;
}
