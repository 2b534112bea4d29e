// The functions of the tables that know planes, by name, against loops over one number at a time.
#include <algorithm>

#include "check.hpp"
#include "dispatch.hpp"
#include "half.hpp"
#include "oracle.hpp"

using namespace tconv;
using oracle::Guarded;

namespace {

/// Small whole numbers: their sums are exact in any order.
template <class T>
std::vector<T> whole_numbers(Index count, std::uint64_t seed) {
    std::vector<T> numbers = problems::numbers<T>(count, seed);
    for (T& x : numbers) x = std::floor(x * 8);
    return numbers;
}

template <class Check>
void for_each_table(const Check& check) {
    for (const Isa isa : available_isas()) {
        const harness::Subject subject(name(isa));
        check(kernels_for<float>(isa), float());
        check(kernels_for<double>(isa), double());
    }
}

template <class T>
void check_planes(const Kernels<T>& kernels, Index count, Index vectors, Index taps, Index channels, bool load,
                  bool last) {
    const harness::Subject subject(std::to_string(count) + " columns, " + std::to_string(vectors) + " vectors, " +
                                   std::to_string(taps) + " taps, " + std::to_string(channels) + " channels" +
                                   (load ? ", load" : "") + (last ? ", last" : ""));
    const Index lanes = vectors * kernels.width / 2, plane = lanes + 7, stride = lanes + 3;
    const std::vector<T> pixels = whole_numbers<T>(channels * plane, 1);
    std::vector<std::vector<T>> weights;
    std::vector<const T*> columns;
    std::vector<Index> offsets;
    for (Index t = 0; t < taps; ++t) offsets.push_back((3 * t + 1) % 8);
    for (Index n = 0; n < count; ++n)
        weights.push_back(whole_numbers<T>(taps * channels * 2, static_cast<std::uint64_t>(2 + n)));
    for (const auto& w : weights) columns.push_back(w.data());
    const std::vector<T> bias = whole_numbers<T>(count, 50), before = whole_numbers<T>(count * stride, 51);
    std::vector<T> c = before;
    PlaneTile<T> t{};
    t.pixels = pixels.data();
    t.offsets = offsets.data();
    t.taps = taps;
    t.channels = channels;
    t.plane_step = plane;
    t.columns = columns.data();
    t.tap_step = 2 * channels;
    t.channel_step = 2;
    t.count = count;
    t.vectors = vectors;
    t.c = c.data();
    t.c_stride = stride;
    t.load = load;
    t.last = last;
    t.bias = count % 2 == 0 ? bias.data() : nullptr;
    t.finish.kind = count % 3 == 0 ? Activation::Kind::relu : Activation::Kind::leaky_relu;
    t.finish.alpha = T(0.5);
    kernels.planes(t);
    for (Index n = 0; n < count; ++n) {
        for (Index i = 0; i < stride; ++i) {
            const auto at = static_cast<std::size_t>(n * stride + i);
            T sum = load || i >= lanes ? before[at] : T(0);
            for (Index tap = 0; tap < taps && i < lanes; ++tap)
                for (Index k = 0; k < channels; ++k)
                    sum += pixels[static_cast<std::size_t>(offsets[static_cast<std::size_t>(tap)] + k * plane + i)] *
                           weights[static_cast<std::size_t>(n)][static_cast<std::size_t>(2 * (tap * channels + k))];
            if (last && i < lanes) {
                if (t.bias != nullptr) sum += bias[static_cast<std::size_t>(n)];
                if (sum < 0) sum = count % 3 == 0 ? T(0) : sum / 2;
            }
            CHECK(c[at] == sum);
        }
    }
    if (!last) return;
    const std::vector<T> finished = c;
    for (const Index run : {1, 2, 4})  // the same numbers, where they are stored as they are finished
        for (Index rows = std::max(lanes - 9, kernels.width / 2); rows <= lanes && count % run == 0; ++rows) {
            std::vector<Guarded<T>> lines;
            std::vector<void*> outs;
            for (Index l = 0; l < count / run; ++l) lines.emplace_back(rows * run);
            for (Guarded<T>& line : lines) outs.push_back(line.data() - 3);
            c = before;
            t.outs = outs.data();
            t.out = 3;
            t.run = run;
            t.rows = rows;
            kernels.planes(t);
            const auto check_lines = [&](Index apart) {
                for (Index n = 0; n < count; ++n) {
                    const Guarded<T>& line = lines[static_cast<std::size_t>(n / run)];
                    CHECK(line.guards_intact());
                    for (Index i = 0; i < t.rows; ++i)
                        CHECK(line.inside()[static_cast<std::size_t>(i * run + n % run)] ==
                              finished[static_cast<std::size_t>(n * stride + i + (n % 2 == 0 ? 0 : apart))]);
                }
            };
            check_lines(0);
            if (run != 2 || load || rows - 2 < kernels.width / 2) continue;
            t.rows = rows - 2;
            t.apart = 2;
            kernels.planes(t);
            check_lines(2);
            t.apart = 0;
        }
}

/// Vectors of whole lines only: the same sums there, and nothing between them.
template <class T>
void check_places(const Kernels<T>& kernels, Index count, Index lines, Index of_line) {
    const harness::Subject subject(std::to_string(count) + " columns, " + std::to_string(lines) + " lines of " +
                                   std::to_string(of_line) + " vectors");
    constexpr Index taps = 3, channels = 5;
    const Index lanes = kernels.width / 2, step = of_line * lanes + 3, plane = lines * step + lanes + 8;
    const std::vector<T> pixels = whole_numbers<T>(channels * plane, 1);
    const std::vector<T> weights = whole_numbers<T>(count * taps * channels, 2);
    const std::vector<Index> offsets{0, 7, 4};
    std::vector<const T*> columns;
    for (Index n = 0; n < count; ++n) columns.push_back(weights.data() + n * taps * channels);
    std::vector<Index> places;
    for (Index v = 0; v < lines * of_line; ++v) places.push_back(v / of_line * step + v % of_line * lanes);
    const std::vector<T> before = whole_numbers<T>(count * plane, 3);
    PlaneTile<T> t{};
    t.pixels = pixels.data();
    t.offsets = offsets.data();
    t.taps = taps;
    t.channels = channels;
    t.plane_step = plane;
    t.columns = columns.data();
    t.tap_step = channels;
    t.channel_step = 1;
    t.count = count;
    t.c_stride = plane;
    t.load = true;
    std::vector<T> all = before, placed = before;
    t.c = all.data();
    t.vectors = (lines * step + lanes - 1) / lanes;
    kernels.planes(t);
    t.c = placed.data();
    t.vectors = lines * of_line;
    t.places = places.data();
    kernels.planes(t);
    for (Index n = 0; n < count; ++n)
        for (Index i = 0; i < plane; ++i) {
            const bool inside = i < lines * step && i % step < of_line * lanes;
            const auto at = static_cast<std::size_t>(n * plane + i);
            CHECK(placed[at] == (inside ? all[at] : before[at]));
        }
}

/// Finished sums of 16 bits: those of full precision, rounded, interleaved in any number.
template <class S>
void check_halves(const Kernels<float>& kernels) {
    const Index lanes = kernels.width / 2;
    for (const Index count : {1, 2, 3, 4, 8, 12})
        for (Index rows = lanes; rows <= 3 * lanes + 1; ++rows) {
            const harness::Subject subject(std::to_string(count) + " columns, " + std::to_string(rows) + " rows");
            const std::vector<float> pixels = problems::numbers<float>(2 * (rows + lanes), 1);
            const std::vector<float> weights = problems::numbers<float>(2 * count, 2);
            const Index offset = 0;
            std::vector<const float*> columns;
            for (Index n = 0; n < count; ++n) columns.push_back(weights.data() + 2 * n);
            std::vector<std::vector<float>> sums(static_cast<std::size_t>(count));
            std::vector<const float*> from;
            PlaneTile<float> t{};
            t.pixels = pixels.data();
            t.offsets = &offset;
            t.taps = 1;
            t.channels = 2;
            t.plane_step = rows + lanes;
            t.columns = columns.data();
            t.channel_step = 1;
            t.count = count;
            t.last = true;
            t.rows = rows;
            std::vector<void*> own;
            for (auto& line : sums) {
                line.resize(static_cast<std::size_t>(rows));
                own.push_back(line.data());
                from.push_back(line.data());
            }
            t.outs = own.data();
            kernels.planes(t);
            for (const Index run : {1, 2, 4}) {
                if (count % run > 0) continue;
                std::vector<Guarded<S>> lines;
                std::vector<void*> outs;
                for (Index l = 0; l < count / run; ++l) lines.emplace_back(rows * run);
                for (Guarded<S>& line : lines) outs.push_back(line.data());
                t.outs = outs.data();
                t.storage = storage_of<S>;
                t.run = run;
                kernels.planes(t);
                for (Index n = 0; n < count; ++n) {
                    CHECK(lines[static_cast<std::size_t>(n / run)].guards_intact());
                    for (Index i = 0; i < rows; ++i)
                        CHECK(lines[static_cast<std::size_t>(n / run)].data()[i * run + n % run].bits ==
                              narrow<S>(from[static_cast<std::size_t>(n)][i]).bits);
                }
            }
            Guarded<S> to(count * rows);
            kernels.interleave(from.data(), count, rows, to.data(), storage_of<S>, {});
            CHECK(to.guards_intact());
            for (Index i = 0; i < count * rows; ++i)
                CHECK(to.data()[i].bits == narrow<S>(from[static_cast<std::size_t>(i % count)][i / count]).bits);
        }
}

}  // namespace

TEST("kernels/planes, vectors of whole lines") {
    for_each_table([]<class T>(const Kernels<T>& kernels, T) {
        for (Index count = 1; count <= 9; ++count)
            for (const Index lines : {1, 2, 3, 7, 9})
                for (const Index of_line : {1, 2, 3}) check_places(kernels, count, lines, of_line);
    });
}

TEST("kernels/planes of 16 bits") {
    for (const Isa isa : available_isas()) {
        const harness::Subject subject(name(isa));
        check_halves<float16>(kernels_for<float>(isa));
        check_halves<bfloat16>(kernels_for<float>(isa));
    }
}

TEST("kernels/planes") {
    for_each_table([]<class T>(const Kernels<T>& kernels, T) {
        for (Index count = 1; count <= 19; ++count)
            for (const Index vectors : {1, 2, 3, 4, 5, 7, 8, 9, 16, 17})
                check_planes(kernels, count, vectors, 1 + count % 3, 1 + vectors % 4, vectors % 2 == 0, count % 4 != 0);
    });
}

TEST("kernels/interleave") {
    for_each_table([]<class T>(const Kernels<T>& kernels, T) {
        for (Index count = 1; count <= 9; ++count) {
            for (const Index n : {0, 1, 3, 4, 7, 8, 9, 16, 21}) {
                const harness::Subject subject(std::to_string(count) + " lines of " + std::to_string(n));
                constexpr Index repeats = 3;
                std::vector<std::vector<T>> lines;
                std::vector<const T*> from;
                for (Index q = 0; q < count; ++q)
                    lines.push_back(problems::numbers<T>(repeats * (n + 2), static_cast<std::uint64_t>(q)));
                for (const auto& line : lines) from.push_back(line.data());
                Guarded<T> to(repeats * count * n);
                kernels.interleave(from.data(), count, n, to.data(), Storage::own, {repeats, n + 2, count * n, 0});
                CHECK(to.guards_intact());
                for (Index l = 0; l < repeats; ++l)
                    for (Index i = 0; i < n; ++i)
                        for (Index q = 0; q < count; ++q)
                            CHECK(to.data()[(l * n + i) * count + q] ==
                                  lines[static_cast<std::size_t>(q)][static_cast<std::size_t>(l * (n + 2) + i)]);
            }
        }
    });
}

TEST("kernels/pad") {
    for_each_table([]<class T>(const Kernels<T>& kernels, T) {
        for (const Index n : {0, 1, 3, 4, 5, 8, 11, 16, 19}) {
            for (const Index before : {0, 1, 9}) {
                const Index after = (before + n) % 4, length = before + n + after;
                const harness::Subject subject(std::to_string(before) + " zeros, " + std::to_string(n) + " numbers");
                const std::vector<T> from = problems::numbers<T>(3 * n + 2, 4);
                const std::vector<Index> places{2 * n + 2, -1, 0};
                Guarded<T> to(3 * length);
                kernels.pad(from.data(), places.data(), 3, before, n, after, 0, to.data());
                CHECK(to.guards_intact());
                for (Index l = 0; l < 3; ++l)
                    for (Index i = 0; i < length; ++i) {
                        const Index place = places[static_cast<std::size_t>(l)];
                        const bool inside = place >= 0 && i >= before && i < before + n;
                        CHECK(to.data()[l * length + i] ==
                              (inside ? from[static_cast<std::size_t>(place + i - before)] : T(0)));
                    }
            }
        }
    });
}
