#include <cstdio>
#include <vector>

#include <tconv/tconv.hpp>

int main() {
    // FCN's bilinear weights double an image of one channel: kernel 4, stride 2, "same".
    tconv::Geometry<2> g;
    for (tconv::Axis& axis : g.axes) axis = tconv::resolve(tconv::AxisSpec{8, 4, 2, 1}, tconv::Padding::same());

    const float taps[] = {0.25f, 0.75f, 0.75f, 0.25f};
    std::vector<float> x(8 * 8), kernel, y(16 * 16);
    for (int i = 0; i < 64; ++i) x[i] = static_cast<float>(i % 8);  // a ramp from left to right
    for (float a : taps)
        for (float b : taps) kernel.push_back(a * b);

    tconv::conv_transpose<float, 2>(g, x.data(), kernel.data(), nullptr, y.data());

    std::printf("%d x %d, halfway between 3 and 4: %g %g\n", static_cast<int>(g.axes[0].out),
                static_cast<int>(g.axes[1].out), y[8 * 16 + 7], y[8 * 16 + 8]);
    return y[8 * 16 + 7] == 3.25f && y[8 * 16 + 8] == 3.75f ? 0 : 1;
}
