// Every function of every table of kernels, by name, against loops over one number at a time.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include "check.hpp"
#include "dispatch.hpp"
#include "oracle.hpp"

using namespace tconv;
using oracle::Guarded;

namespace {

template <class T>
using Rows = std::vector<std::vector<T>>;

/// What a kernel of a tile is given, in separate allocations of the exact size, and what it must give.
template <class T>
struct Trial {
    Index m, width, taps, channels, offset, columns;
    bool load, direct, bias, depthwise;  // direct: finished rows go to out
    Finish<T> finish{};

    std::string describe() const {
        return "m " + std::to_string(m) + ", width " + std::to_string(width) + ", taps " + std::to_string(taps) +
               ", channels " + std::to_string(channels) + ", offset " + std::to_string(offset) + ", columns " +
               std::to_string(columns) + (load ? ", load" : "") + (direct ? ", out" : ", sums") +
               (bias ? ", bias" : "") + ", activation " + std::to_string(static_cast<int>(finish.kind));
    }
};

/// Small whole numbers: their sums are exact in any order.
template <class T>
std::vector<T> whole_numbers(Index count, std::uint64_t seed) {
    std::vector<T> numbers = problems::numbers<T>(count, seed);
    for (T& x : numbers) x = std::floor(x * 8);
    return numbers;
}

template <class T, class Call>
void check_trial(const Trial<T>& trial, Index tile_rows, bool exact, const Call& call) {
    const harness::Subject subject(trial.describe());
    const auto make = [exact](Index count, std::uint64_t seed) {
        return exact ? whole_numbers<T>(count, seed) : problems::numbers<T>(count, seed);
    };
    const Index row_length = trial.offset + (trial.depthwise ? trial.columns : trial.channels);
    const Index panel_channels = trial.depthwise ? trial.width : trial.channels;
    const std::vector<T> panel = make(trial.taps * panel_channels * (trial.depthwise ? 1 : trial.width), 1);
    const std::vector<T> bias = make(trial.width, 2);
    Rows<T> rows;
    std::vector<const T*> pointers(static_cast<std::size_t>(trial.taps * tile_rows), nullptr);
    for (Index t = 0; t < trial.taps; ++t) {
        for (Index m = 0; m < trial.m; ++m)
            rows.push_back(make(row_length, static_cast<std::uint64_t>(3 + t * 16 + m)));
    }
    for (Index t = 0; t < trial.taps; ++t) {
        for (Index m = 0; m < trial.m; ++m) {
            const bool outside = trial.depthwise && trial.offset % 2 == 1 && (t + m) % 3 == 2;
            if (!outside)
                pointers[static_cast<std::size_t>(t * tile_rows + m)] =
                    rows[static_cast<std::size_t>(t * trial.m + m)].data();
        }
    }
    // A depthwise kernel works in whole vectors on c: only `columns` of its numbers mean something.
    const Index c_stride = (trial.width + 15) / 16 * 16 + 16;
    std::vector<T> c = make(trial.m * c_stride, 99);
    const std::vector<T> before = c;
    std::vector<Guarded<T>> out(static_cast<std::size_t>(trial.m), Guarded<T>(trial.columns));
    std::vector<Index> targets;
    for (Guarded<T>& row : out) {
        const auto bytes = reinterpret_cast<std::intptr_t>(row.data()) - reinterpret_cast<std::intptr_t>(out[0].data());
        targets.push_back(static_cast<Index>(bytes) / static_cast<Index>(sizeof(T)));
    }

    Tile<T> tile{};
    tile.rows = pointers.data();
    tile.offset = trial.offset;
    tile.taps = trial.taps;
    tile.channels = panel_channels;
    tile.panel = panel.data();
    tile.c = c.data();
    tile.c_stride = c_stride;
    tile.load = trial.load;
    tile.out = trial.direct ? out[0].data() : nullptr;
    tile.targets = targets.data();
    tile.columns = trial.columns;
    tile.bias = trial.bias ? bias.data() : nullptr;
    tile.finish = trial.finish;
    call(tile);

    std::size_t bad_plain = 0, bad_fused = 0;
    for (Index m = 0; m < trial.m; ++m) {
        const Index known = trial.direct || trial.depthwise ? trial.columns : trial.width;
        const std::vector<T> stored = trial.direct ? out[static_cast<std::size_t>(m)].inside() : std::vector<T>();
        CHECK(trial.direct ? out[static_cast<std::size_t>(m)].guards_intact()
                           : out[static_cast<std::size_t>(m)].untouched());
        for (Index n = 0; n < known; ++n) {
            T plain = trial.load ? before[static_cast<std::size_t>(m * c_stride + n)] : T(0), fused = plain;
            for (Index t = 0; t < trial.taps; ++t) {
                const T* row = pointers[static_cast<std::size_t>(t * tile_rows + m)];
                if (row == nullptr) continue;
                for (Index k = 0; k < (trial.depthwise ? 1 : trial.channels); ++k) {
                    const T x = row[trial.offset + (trial.depthwise ? n : k)];
                    const T w = panel[static_cast<std::size_t>(
                        trial.depthwise ? t * panel_channels + n : (t * trial.channels + k) * trial.width + n)];
                    plain += x * w;
                    fused = std::fma(x, w, fused);
                }
            }
            const auto finished = [&](T sum) {
                if (!trial.direct) return sum;
                if (trial.bias) sum += bias[static_cast<std::size_t>(n)];
                if (trial.finish.kind == Activation::Kind::relu) return sum < 0 ? T(0) : sum;
                return trial.finish.kind == Activation::Kind::leaky_relu && sum < 0 ? sum * trial.finish.alpha : sum;
            };
            const T is =
                trial.direct ? stored[static_cast<std::size_t>(n)] : c[static_cast<std::size_t>(m * c_stride + n)];
            bad_plain += is != finished(plain);
            bad_fused += is != finished(fused);
        }
    }
    // One chain per element, in the order of taps and channels, with every product rounded or with none.
    CHECK_MESSAGE(bad_plain == 0 || bad_fused == 0,
                  std::to_string(std::min(bad_plain, bad_fused)) + " numbers are wrong");
    if (!trial.depthwise) {  // between the rows of c
        for (Index m = 0; m < trial.m; ++m)
            for (Index n = trial.width; n < c_stride; ++n) {
                const auto at = static_cast<std::size_t>(m * c_stride + n);
                CHECK(c[at] == before[at]);
            }
    }
}

/// The turn-th way to end a product; those of Kernels::multiply.
template <class T>
Finish<T> finish_of(int turn) {
    using Kind = Activation::Kind;
    const Finish<T> all[] = {{Kind::linear, 0}, {Kind::relu, 0}, {Kind::leaky_relu, T(0.25)}};
    return all[turn % 3];
}

template <class T, class Call>
void check_multiply(Index m, Index width, Index tile_rows, const Call& call) {
    int turn = 0;
    for (const bool exact : {true, false})
        for (const Index taps : {1, 2, 5})
            for (const Index channels : {0, 1, 2, 7, 33})
                for (Index columns = 1; columns <= width; ++columns)
                    for (const bool load : {false, true})
                        for (const bool direct : {false, true}) {
                            ++turn;
                            const bool bias = direct && turn % 4 > 1;
                            check_trial(Trial<T>{m, width, taps, channels, turn % 4, columns, load, direct, bias, false,
                                                 finish_of<T>(direct ? turn / 4 : 0)},
                                        tile_rows, exact, call);
                        }
}

template <class T>
void check_depthwise(const Kernels<T>& kernels) {
    const Index vector = kernels.width / 2;
    int turn = 0;
    for (const bool exact : {true, false})
        for (const Index m : {Index{1}, Index{2}, kernels.tile_rows})
            for (const Index taps : {0, 1, 2, 5})
                for (Index columns = 1; columns <= 10 * vector + 1; ++columns)
                    for (const bool load : {false, true}) {
                        ++turn;
                        const Index width = (columns + vector - 1) / vector * vector;
                        check_trial(
                            Trial<T>{m, width, taps, 1, turn % 4, columns, load, false, false, true, finish_of<T>(0)},
                            kernels.tile_rows, exact, [&](const Tile<T>& t) { kernels.depthwise(t, m); });
                    }
}

/// dots against sums in any order: exact for whole numbers, close for others. What follows a row is not a number.
template <class T>
void check_dots(const Kernels<T>& kernels) {
    constexpr T nan = std::numeric_limits<T>::quiet_NaN();
    const Index lanes = kernels.width / 2, rows = kernels.tile_rows;
    int turn = 0;
    for (const bool exact : {true, false})
        for (Index m = 1; m <= rows; ++m)
            for (const Index taps : {0, 1, 3})
                for (const Index channels : {Index{1}, lanes - 1, lanes, 3 * lanes, 4 * lanes + 1, 33 * lanes})
                    for (Index columns = 1; columns <= kernels.width; ++columns) {
                        const harness::Subject subject("m " + std::to_string(m) + ", taps " + std::to_string(taps) +
                                                       ", channels " + std::to_string(channels) + ", columns " +
                                                       std::to_string(columns));
                        const auto make = [exact](Index count, std::uint64_t seed) {
                            return exact ? whole_numbers<T>(count, seed) : problems::numbers<T>(count, seed);
                        };
                        const bool load = ++turn % 2 == 0;
                        const Index offset = turn % 3, depth = (channels + lanes - 1) / lanes * lanes;
                        const Index c_stride = columns + turn % 4;
                        std::vector<T> panel = make(taps * columns * depth, 1);
                        for (Index i = 0; i < taps * columns * depth; ++i)
                            if (i % depth >= channels) panel[static_cast<std::size_t>(i)] = 0;
                        Rows<T> pixels;
                        std::vector<const T*> pointers(static_cast<std::size_t>(taps * rows), nullptr);
                        for (Index i = 0; i < taps * rows; ++i) {
                            pixels.push_back(make(offset + channels, static_cast<std::uint64_t>(2 + i)));
                            pixels.back().resize(static_cast<std::size_t>(offset + depth), nan);
                        }
                        for (Index t = 0; t < taps; ++t)
                            for (Index row = 0; row < m; ++row) {
                                const auto at = static_cast<std::size_t>(t * rows + row);
                                pointers[at] = pixels[at].data();
                            }
                        const std::vector<T> before = make(m * c_stride, 77);
                        std::vector<T> c = before;
                        Tile<T> tile{};
                        tile.rows = pointers.data();
                        tile.offset = offset;
                        tile.taps = taps;
                        tile.channels = channels;
                        tile.panel = panel.data();
                        tile.c = c.data();
                        tile.c_stride = c_stride;
                        tile.load = load;
                        tile.columns = columns;
                        kernels.dots(tile, m);
                        Index wrong = 0;
                        for (Index i = 0; i < m * c_stride; ++i) {
                            const auto at = static_cast<std::size_t>(i);
                            const Index row = i / c_stride, n = i % c_stride;
                            long double sum = load || n >= columns ? before[at] : T(0), size = std::abs(sum);
                            for (Index t = 0; t < taps && n < columns; ++t)
                                for (Index k = 0; k < channels; ++k) {
                                    const long double x =
                                        pointers[static_cast<std::size_t>(t * rows + row)][offset + k];
                                    const long double w =
                                        panel[static_cast<std::size_t>((t * columns + n) * depth + k)];
                                    sum += x * w;
                                    size += std::abs(x * w);
                                }
                            const long double bound =
                                exact || n >= columns ? 0 : 4 * size * std::numeric_limits<T>::epsilon();
                            wrong += !(std::abs(c[at] - sum) <= bound);
                        }
                        CHECK_MESSAGE(wrong == 0, std::to_string(wrong) + " numbers are wrong");
                    }
}

/// finish against the activations in double precision, on ordinary numbers and on those where they change.
template <class T>
void check_finish(const Kernels<T>& kernels) {
    constexpr T inf = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
    std::vector<T> samples = {0,
                              T(-0.0),
                              1,
                              -1,
                              3,
                              -3,
                              6,
                              -6,
                              T(2.9999),
                              T(6.0001),
                              T(1e-8),
                              T(-1e-8),
                              20,
                              -20,
                              87,
                              -87,
                              89,
                              -100,
                              -104,
                              -150,
                              700,
                              -700,
                              -745,
                              710,
                              -1000,
                              1000,
                              T(1e30),
                              T(-1e30),
                              inf,
                              -inf,
                              nan,
                              std::numeric_limits<T>::min(),
                              -std::numeric_limits<T>::min(),
                              std::numeric_limits<T>::max(),
                              std::numeric_limits<T>::lowest()};
    for (const double scale : {1e-6, 0.01, 1.0, 10.0, 100.0, 800.0}) {
        for (const T x : problems::numbers<T>(300, 11)) samples.push_back(static_cast<T>(scale) * x);
    }
    const Index width = kernels.width, count = static_cast<Index>(samples.size());
    const Index m = (count + width - 1) / width, c_stride = width + 3;
    for (const bool bias : {false, true}) {
        const std::vector<T> biases = whole_numbers<T>(width, 5);
        for (const Activation& activation : problems::activations()) {
            const harness::Subject subject("activation " + std::to_string(static_cast<int>(activation.kind)));
            std::vector<T> c(static_cast<std::size_t>(m * c_stride), 0), expected;
            oracle::Exact exact;
            for (Index i = 0; i < count; ++i) {
                const auto at = static_cast<std::size_t>(i / width * c_stride + i % width);
                c[at] = samples[static_cast<std::size_t>(i)];
                const T sum = bias ? c[at] + biases[static_cast<std::size_t>(i % width)] : c[at];
                exact.value.push_back(sum);
                exact.size.push_back(0);
            }
            const std::vector<T> before = c;
            kernels.finish(c.data(), c_stride, m, width, bias ? biases.data() : nullptr,
                           {activation.kind, static_cast<T>(activation.alpha)});
            std::vector<T> result;
            for (Index i = 0; i < count; ++i)
                result.push_back(c[static_cast<std::size_t>(i / width * c_stride + i % width)]);
            oracle::check_close(exact, {activation.kind, static_cast<double>(static_cast<T>(activation.alpha))},
                                result);
            for (Index row = 0; row < m; ++row)
                for (Index n = width; n < c_stride; ++n) {
                    const auto at = static_cast<std::size_t>(row * c_stride + n);
                    CHECK(c[at] == before[at]);
                }
        }
    }
}

template <class T>
void check_turn(const Kernels<T>& kernels) {
    for (Index rows = 0; rows <= 2 * kernels.width + 1; ++rows) {
        for (Index columns = 0; columns <= 2 * kernels.width + 1; ++columns) {
            const harness::Subject subject(std::to_string(rows) + " x " + std::to_string(columns));
            const Index from_stride = columns + rows % 3, to_stride = rows + columns % 4;
            const Index last = rows == 0 || columns == 0 ? 0 : (rows - 1) * from_stride + columns;
            const std::vector<T> from = problems::numbers<T>(last, 21);
            Guarded<T> to(columns * to_stride), expected(columns * to_stride);
            for (Index i = 0; i < rows; ++i)
                for (Index j = 0; j < columns; ++j)
                    expected.data()[j * to_stride + i] = from[static_cast<std::size_t>(i * from_stride + j)];
            kernels.turn(from.data(), from_stride, to.data(), to_stride, rows, columns);
            CHECK(to.guards_intact() && oracle::same_bits(to.inside(), expected.inside()));
        }
    }
}

template <class T>
void register_table(const Kernels<T>& kernels) {
    const std::string table = std::string("kernels/") + name(kernels.isa) + "/" + oracle::type_name<T>() + "/";
    for (int full = 0; full < 2; ++full) {
        const Index width = full != 0 ? kernels.width : kernels.width / 2;
        for (Index m = 1; m <= kernels.tile_rows; ++m) {
            const auto multiply = kernels.multiply[full][m - 1];
            harness::tests().push_back(
                {table + "multiply " + std::to_string(m) + " x " + std::to_string(width),
                 [=, rows = kernels.tile_rows] { check_multiply<T>(m, width, rows, multiply); }});
        }
    }
    harness::tests().push_back({table + "depthwise", [&kernels] { check_depthwise(kernels); }});
    harness::tests().push_back({table + "dots", [&kernels] { check_dots(kernels); }});
    harness::tests().push_back({table + "turn", [&kernels] { check_turn(kernels); }});
    harness::tests().push_back({table + "finish", [&kernels] { check_finish(kernels); }});
}

/// Equal bits, but that a NaN may be quiet or not when it becomes a float.
bool same_number(float a, float b) {
    const auto quiet = [](float x) { return std::bit_cast<std::uint32_t>(x) | (std::isnan(x) ? 0x400000u : 0u); };
    return quiet(a) == quiet(b);
}
bool same_number(std::uint16_t a, std::uint16_t b) { return a == b; }

/// A converter against half.hpp: every code and every neighbourhood of a code, then all lengths and alignments.
template <class Half, class From, class To, class Convert, class Expected>
void check_converter(const std::vector<From>& inputs, const Convert& convert, const Expected& expected) {
    const auto count = static_cast<Index>(inputs.size());
    Guarded<To> all(count);
    convert(inputs.data(), all.data(), count);
    CHECK(all.guards_intact());
    const std::vector<To> results = all.inside();
    std::size_t bad = 0;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        const To should = expected(inputs[i]);
        bad += !same_number(results[i], should);
    }
    CHECK_MESSAGE(bad == 0, std::to_string(bad) + " of " + std::to_string(inputs.size()) + " numbers are wrong");
    for (Index length = 0; length <= 40; ++length) {
        for (std::size_t first = 0; first < 3; ++first) {
            const auto begin = inputs.begin() + 15000 + static_cast<std::ptrdiff_t>(first);
            const std::vector<From> some(begin, begin + length);
            Guarded<To> to(length);
            convert(some.data(), to.data(), length);
            const std::vector<To> got = to.inside();
            const auto at = results.begin() + 15000 + static_cast<std::ptrdiff_t>(first);
            CHECK(to.guards_intact() &&
                  std::equal(got.begin(), got.end(), at, [](To a, To b) { return same_number(a, b); }));
        }
    }
}

template <class Half>
void check_widen(void (*convert)(const std::uint16_t*, float*, Index)) {
    std::vector<std::uint16_t> codes;
    for (unsigned code = 0; code < 0x10000; ++code) codes.push_back(static_cast<std::uint16_t>(code));
    check_converter<Half, std::uint16_t, float>(codes, convert,
                                                [](std::uint16_t code) { return to_float(Half{code}); });
}

template <class Half>
void check_narrow(void (*convert)(const float*, std::uint16_t*, Index)) {
    std::vector<float> inputs;  // around each code, and halfway to the next
    for (std::uint32_t upper = 0; upper < 0x10000; ++upper) {
        for (const std::uint32_t lower : {0x0000u, 0x0001u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu}) {
            inputs.push_back(std::bit_cast<float>(upper << 16 | lower));
        }
    }
    for (std::uint32_t code = 0; code < 0x10000; ++code) {
        const std::uint32_t bits = std::bit_cast<std::uint32_t>(to_float(Half{static_cast<std::uint16_t>(code)}));
        const std::uint32_t half = std::is_same_v<Half, float16> ? 0x1000u : 0x8000u;
        for (const std::uint32_t x : {bits - 1, bits, bits + 1, bits + half - 1, bits + half, bits + half + 1}) {
            inputs.push_back(std::bit_cast<float>(x));
        }
    }
    check_converter<Half, float, std::uint16_t>(inputs, convert, [](float x) { return narrow<Half>(x).bits; });
}

void register_converters(Isa isa) {
    const Converters& c = converters_for(isa);
    const std::string table = std::string("kernels/") + name(isa) + "/";
    harness::tests().push_back({table + "float16/widen", [&c] { check_widen<float16>(c.widen_float16); }});
    harness::tests().push_back({table + "float16/narrow", [&c] { check_narrow<float16>(c.narrow_float16); }});
    harness::tests().push_back({table + "bfloat16/widen", [&c] { check_widen<bfloat16>(c.widen_bfloat16); }});
    harness::tests().push_back({table + "bfloat16/narrow", [&c] { check_narrow<bfloat16>(c.narrow_bfloat16); }});
}

}  // namespace

void harness::register_kernels() {
    for (const Isa isa : available_isas()) {
        register_table(kernels_for<float>(isa));
        register_table(kernels_for<double>(isa));
        register_converters(isa);
    }
}
