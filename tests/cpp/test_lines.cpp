// The kernels of lines: the bits of dots and depthwise, row by row, and of finish, wherever they are stored.
#include <algorithm>
#include <cstring>
#include <string>

#include "check.hpp"
#include "dispatch.hpp"
#include "half.hpp"
#include "oracle.hpp"

using namespace tconv;
using oracle::Guarded;

namespace {

template <class T>
struct Line {
    const Kernels<T>& kernels;
    bool depthwise;
    Index rows, taps, channels, columns;  // depthwise: as many channels as columns in whole vectors
    Index outside;                        // the tap whose pixels lie outside, if there is one
    Index lanes = kernels.width / 2, depth = (channels + lanes - 1) / lanes * lanes, offset = 2;
    Index row_step = offset + (depthwise ? columns : channels) + 1, stride = depthwise ? depth + 1 : columns + 1;
    std::vector<T> pixels = problems::numbers<T>((rows + taps) * row_step, 1);
    std::vector<T> zeros = std::vector<T>(static_cast<std::size_t>(offset + depth));
    std::vector<T> panel = padded();
    std::vector<T> before = problems::numbers<T>(rows * stride, 3);

    std::vector<T> padded() const {
        std::vector<T> numbers = problems::numbers<T>(taps * (depthwise ? 1 : columns) * depth, 2);
        for (std::size_t i = 0; i < numbers.size(); ++i)
            if (static_cast<Index>(i) % depth >= (depthwise ? columns : channels)) numbers[i] = 0;
        return numbers;
    }
    const T* pixel(Index row, Index tap) const { return pixels.data() + (row + taps - 1 - tap) * row_step; }

    /// By dots or depthwise, a row at a time.
    std::vector<T> sums(bool load) const {
        std::vector<T> c = before;
        for (Index row = 0; row < rows; ++row) {
            std::vector<const T*> pointers(static_cast<std::size_t>(taps * kernels.tile_rows), nullptr);
            for (Index tap = 0; tap < taps; ++tap)
                pointers[static_cast<std::size_t>(tap * kernels.tile_rows)] = tap != outside ? pixel(row, tap)
                                                                              : depthwise    ? nullptr
                                                                                             : zeros.data();
            Tile<T> tile{};
            tile.rows = pointers.data();
            tile.offset = offset;
            tile.taps = taps;
            tile.channels = channels;
            tile.panel = panel.data();
            tile.c = c.data() + row * stride;
            tile.c_stride = stride;
            tile.load = load;
            tile.columns = columns;
            tile.outside = zeros.data();
            (depthwise ? kernels.depthwise : kernels.dots)(tile, 1);
        }
        return c;
    }

    void check(bool load) const {
        const harness::Subject subject((depthwise ? "depthwise, " : "dots, ") + std::to_string(rows) + " rows, " +
                                       std::to_string(taps) + " taps, " + std::to_string(channels) + " channels, " +
                                       std::to_string(columns) + " columns" + (load ? ", load" : "") + ", tap " +
                                       std::to_string(outside) + " outside");
        const std::vector<T> expected = sums(load);
        std::vector<const T*> first;
        for (Index tap = 0; tap < taps; ++tap) first.push_back(tap == outside ? nullptr : pixel(0, tap));
        Guarded<T> c(rows * stride);
        std::copy(before.begin(), before.end(), c.data());
        LineTile<T> line{};
        line.pixels = first.data();
        line.offset = offset;
        line.row_step = row_step;
        line.rows = rows;
        line.taps = taps;
        line.channels = channels;
        line.panel = panel.data();
        line.columns = columns;
        line.c = c.data();
        line.c_stride = stride;
        line.load = load;
        (depthwise ? kernels.line_depthwise : kernels.line_dots)(line);
        CHECK(c.guards_intact());
        for (Index row = 0; row < rows; ++row)
            CHECK(std::memcmp(c.data() + row * stride, expected.data() + row * stride,
                              static_cast<std::size_t>(columns) * sizeof(T)) == 0);
        using Kind = Activation::Kind;
        for (const Kind kind : {Kind::linear, Kind::leaky_relu, Kind::tanh})
            for (const bool biased : {false, true}) check_stored(line, expected, {kind, T(0.25)}, biased);
    }

    /// Pixels and finished sums of 16 bits: the bits of their widened numbers' sums, rounded.
    template <class S>
    void check_halves() {
        const harness::Subject subject((depthwise ? "depthwise, " : "dots, ") + std::to_string(rows) + " rows, " +
                                       std::to_string(taps) + " taps, " + std::to_string(channels) + " channels, " +
                                       std::to_string(columns) + " columns, 16 bits");
        Guarded<S> halves(static_cast<Index>(pixels.size()));
        for (std::size_t i = 0; i < pixels.size(); ++i) {
            halves.data()[i] = narrow<S>(pixels[i]);
            pixels[i] = widen(halves.data()[i]);
        }
        const std::vector<T> expected = sums(false);
        std::vector<const T*> first;
        for (Index tap = 0; tap < taps; ++tap)
            first.push_back(tap == outside ? nullptr
                            : depthwise ? pixel(0, tap)
                                        : reinterpret_cast<const T*>(halves.data() + (pixel(0, tap) - pixels.data())));
        const ColumnRun run{0, columns, 1};
        std::vector<T> c(static_cast<std::size_t>(rows * stride));
        LineTile<T> line{};
        line.pixels = first.data();
        line.pixel_storage = depthwise ? Storage::own : storage_of<S>;
        line.offset = offset;
        line.row_step = row_step;
        line.rows = rows;
        line.taps = taps;
        line.channels = channels;
        line.panel = panel.data();
        line.columns = columns;
        line.c = c.data();
        line.c_stride = stride;
        line.out_step = columns + 2;
        line.storage = storage_of<S>;
        line.runs = &run;
        line.run_count = 1;
        for (const Activation::Kind kind : {Activation::Kind::linear, Activation::Kind::tanh}) {
            line.finish.kind = kind;
            Guarded<S> out(rows * (columns + 2));
            for (Index i = 0; i < rows * (columns + 2); ++i) out.data()[i] = S{0x1234};
            line.out = out.data();
            (depthwise ? kernels.line_depthwise : kernels.line_dots)(line);
            CHECK(out.guards_intact());
            std::vector<T> finished(static_cast<std::size_t>(rows * depth + (columns + lanes) * rows));
            const Index width = (columns + lanes - 1) / lanes * lanes;
            for (Index row = 0; row < rows; ++row)
                for (Index n = 0; n < columns; ++n)
                    finished[static_cast<std::size_t>(row * width + n)] =
                        expected[static_cast<std::size_t>(row * stride + n)];
            kernels.finish(finished.data(), width, rows, width, nullptr, line.finish);
            Index wrong = 0;
            for (Index row = 0; row < rows; ++row)
                for (Index place = 0; place < columns + 2; ++place) {
                    const bool stored = place >= 1 && place <= columns;
                    const S wanted =
                        stored ? narrow<S>(finished[static_cast<std::size_t>(row * width + place - 1)]) : S{0x1234};
                    wrong += wanted.bits != out.data()[row * (columns + 2) + place].bits;
                }
            CHECK_MESSAGE(wrong == 0, std::to_string(wrong) + " numbers are wrong");
        }
    }

    /// Of dots in two runs: the later columns in front of the others.
    void check_stored(LineTile<T> line, const std::vector<T>& expected, Finish<T> finish, bool biased) const {
        const Index half = depthwise ? 0 : columns / 2, width = (columns + lanes - 1) / lanes * lanes;
        std::vector<T> bias = problems::numbers<T>(width, 4), finished(static_cast<std::size_t>(rows * width));
        for (Index i = 0; i < rows * width; ++i)
            if (i % width < columns)
                finished[static_cast<std::size_t>(i)] =
                    expected[static_cast<std::size_t>(i / width * stride + i % width)];
        kernels.finish(finished.data(), width, rows, width, biased ? bias.data() : nullptr, finish);
        const std::vector<ColumnRun> runs{{half, columns - half, 0}, {0, half, columns - half + 1}};
        Guarded<T> c(rows * stride), out(rows * (columns + 2));
        std::copy(before.begin(), before.end(), c.data());
        std::fill_n(out.data(), rows * (columns + 2), T(-7));
        line.c = c.data();
        line.out = out.data();
        line.out_step = columns + 2;
        line.runs = runs.data();
        line.run_count = half > 0 ? 2 : 1;
        line.bias = biased ? bias.data() : nullptr;
        line.finish = finish;
        (depthwise ? kernels.line_depthwise : kernels.line_dots)(line);
        CHECK(out.guards_intact());
        Index wrong = 0;
        for (Index row = 0; row < rows; ++row)
            for (Index place = 0; place < columns + 2; ++place) {
                const Index column = place < columns - half ? half + place : place - (columns - half + 1);
                const bool stored = place != columns - half && column < (place < columns - half ? columns : half);
                const T wanted = stored ? finished[static_cast<std::size_t>(row * width + column)] : T(-7);
                wrong += std::memcmp(&wanted, out.data() + row * (columns + 2) + place, sizeof(T)) != 0;
            }
        CHECK_MESSAGE(wrong == 0, std::to_string(wrong) + " numbers are wrong");
    }
};

}  // namespace

TEST("kernels/lines") {
    for (const Isa isa : available_isas()) {
        const harness::Subject subject(name(isa));
        const auto check = [](const auto& kernels, auto zero) {
            using T = decltype(zero);
            for (const Index rows : {1, 2, 3, 4, 7, 13, 25, 50, 101})
                for (const Index taps : {0, 1, 3})
                    for (const Index channels : {Index{1}, Index{3}, kernels.width / 2, Index{24}, Index{133}})
                        for (Index columns = 1; columns <= kernels.width; ++columns)
                            Line<T>{kernels, false, rows, taps, channels, columns, columns % 5}.check(
                                (rows + columns) % 2 == 0);
            const Index lanes = kernels.width / 2;
            for (const Index rows : {1, 2, 3, 5, 6, 13, 20})
                for (const Index taps : {0, 1, 4})
                    for (Index columns = 1; columns <= 8 * lanes + 1; ++columns)
                        Line<T>{kernels, true, rows, taps, (columns + lanes - 1) / lanes * lanes, columns, columns % 5}
                            .check((rows + columns) % 2 == 0);
        };
        check(kernels_for<float>(isa), float());
        check(kernels_for<double>(isa), double());
    }
}

TEST("kernels/lines of 16 bits") {
    for (const Isa isa : available_isas()) {
        const harness::Subject subject(name(isa));
        const Kernels<float>& kernels = kernels_for<float>(isa);
        for (const Index rows : {1, 3, 7, 50})
            for (const Index taps : {0, 1, 3})
                for (const Index channels : {1, 3, 8, 24, 133})
                    for (Index columns = 1; columns <= kernels.width; ++columns) {
                        Line<float>{kernels, false, rows, taps, channels, columns, columns % 5}.check_halves<float16>();
                        Line<float>{kernels, false, rows, taps, channels, columns, columns % 5}
                            .check_halves<bfloat16>();
                    }
        const Index lanes = kernels.width / 2;
        for (const Index rows : {1, 3, 13})
            for (Index columns = 1; columns <= 8 * lanes + 1; ++columns) {
                const Index channels = (columns + lanes - 1) / lanes * lanes;
                Line<float>{kernels, true, rows, 4, channels, columns, columns % 5}.check_halves<float16>();
                Line<float>{kernels, true, rows, 4, channels, columns, columns % 5}.check_halves<bfloat16>();
            }
    }
}
