// Every function of every table of the gradients' kernels against loops over one number at a time.
#include <algorithm>
#include <string>

#include "check.hpp"
#include "dispatch.hpp"
#include "oracle.hpp"

using namespace tconv;
using oracle::Guarded;

namespace {

/// Small whole numbers: their sums are exact in any order.
template <class T>
std::vector<T> whole(Index count, std::uint64_t seed) {
    std::vector<T> numbers = problems::numbers<T>(count, seed);
    for (T& x : numbers) x = std::floor(x * 8);
    return numbers;
}

template <class T>
T at(const std::vector<T>& numbers, Index i) {
    return numbers[static_cast<std::size_t>(i)];
}

/// Calls check(kernels) with every table.
template <class Check>
void for_each_table(const Check& check) {
    for (const Isa isa : available_isas()) {
        const harness::Subject subject(name(isa));
        check(gradient_kernels_for<float>(isa));
        check(gradient_kernels_for<double>(isa));
    }
}

/// Numbers between guards that begin as `numbers`.
template <class T>
Guarded<T> guarded(const std::vector<T>& numbers) {
    Guarded<T> result(static_cast<Index>(numbers.size()));
    std::copy(numbers.begin(), numbers.end(), result.data());
    return result;
}

template <class T>
void check_same(const Guarded<T>& result, const std::vector<T>& expected) {
    CHECK(result.guards_intact() && oracle::same_bits(result.inside(), expected));
}

std::string text(std::initializer_list<Index> numbers) {
    std::string result;
    for (const Index n : numbers) result += " " + std::to_string(n);
    return result;
}

}  // namespace

TEST("kernels/gradients/outer") {
    for_each_table([]<class T>(const GradientKernels<T>& kernels) {
        for (Index vectors = 1; vectors <= kernels.outer_vectors; ++vectors)
            for (Index m = 1; m <= kernels.tile_rows; ++m)
                for (const Index lines : {0, 1, 2, 7, 40})
                    for (const bool add : {false, true}) {
                        const harness::Subject subject(text({vectors, m, lines, add}));
                        const Index width = kernels.width / 2 * vectors, stride = width + 3;
                        const Index step = add ? kernels.tile_rows : kernels.tile_rows + 7;
                        const Index column_step = width + (m % 3 == 0 ? 5 : 0);
                        // Lines to come are prefetched, which may not be a read.
                        const std::vector<T> rows = whole<T>(lines * step, 1);
                        const std::vector<T> columns = whole<T>(lines * column_step, 2);
                        std::vector<T> expected = whole<T>(m * stride, 3);
                        Guarded<T> c = guarded(expected);
                        std::vector<LineRun> runs{{0, lines, 0}};  // or with a gap: all but some lines
                        if (lines > 2 && m % 2 == 0)
                            runs = {{1, lines / 2, step}, {lines / 2 + 1, lines, (lines / 2 + 1) * step}};
                        for (Index i = 0; i < m; ++i)
                            for (Index j = 0; j < width; ++j) {
                                T sum = add ? at(expected, i * stride + j) : T(0);
                                for (const LineRun& run : runs)
                                    for (Index k = run.first; k < run.last; ++k)
                                        sum += at(rows, k * step + i) * at(columns, k * column_step + j);
                                expected[static_cast<std::size_t>(i * stride + j)] = sum;
                            }
                        kernels.outer[vectors - 1][m - 1]({rows.data(), step, columns.data(), column_step, runs.data(),
                                                           static_cast<Index>(runs.size()), c.data(), stride, add});
                        check_same(c, expected);
                    }
    });
}

TEST("kernels/gradients/strip") {
    for_each_table([]<class T>(const GradientKernels<T>& kernels) {
        const Index width = kernels.width, vector = width / 2;
        std::vector<Index> all_columns;
        for (Index vectors = 1; vectors <= kernels.strip_vectors; ++vectors)
            for (const Index columns : {vectors * vector - 1, vectors * vector})
                if (columns > (vectors - 1) * vector) all_columns.push_back(columns);
        for (const Index columns : all_columns)
            for (Index m = 1; m <= kernels.tile_rows; ++m)
                for (const Index segments : {0, 1, 3})
                    for (const Index numbers : {1, 2, 9, 37})
                        for (const bool load : {false, true}) {
                            const harness::Subject subject(text({columns, m, segments, numbers, load}));
                            const Index vectors = (columns + vector - 1) / vector, blocks = (vectors + 1) / 2;
                            const Index offset = 2, column = 4, stride = blocks * width + 5;
                            const Index long_as = offset + numbers, block_step = segments * numbers * width + 8;
                            const std::vector<T> lines = whole<T>((segments + 1) * kernels.tile_rows * long_as, 1);
                            std::vector<const T*> rows;
                            for (std::size_t i = 0; i < lines.size(); i += static_cast<std::size_t>(long_as))
                                rows.push_back(lines.data() + i);
                            const std::vector<T> panel = whole<T>(blocks * block_step, 2);
                            const std::vector<T> from = whole<T>(m * stride, 4);
                            std::vector<T> expected = whole<T>(m * stride, 3);
                            Guarded<T> c = guarded(expected);
                            std::vector<T*> to;
                            for (Index i = 0; i < m; ++i) to.push_back(c.data() + i * stride);
                            for (Index i = 0; i < m; ++i)
                                for (Index j = 0; j < columns; ++j) {
                                    const Index in_panel = j / width * block_step + j % width;
                                    T sum = load ? at(from, i * stride + j) : T(0);
                                    for (Index s = 0; s < segments; ++s)
                                        for (Index k = 0; k < numbers; ++k)
                                            sum += at(lines, (s * kernels.tile_rows + i) * long_as + offset + k) *
                                                   at(panel, in_panel + (s * numbers + k) * width);
                                    expected[static_cast<std::size_t>(i * stride + column + j)] = sum;
                                }
                            kernels.strip[vectors - 1][m - 1]({rows.data(), rows.data() + segments * kernels.tile_rows,
                                                               panel.data(), offset, segments, numbers, panel.data(),
                                                               block_step, load ? from.data() : nullptr, stride,
                                                               to.data(), column, columns});
                            check_same(c, expected);
                        }
    });
}

TEST("kernels/gradients/evenly") {
    for_each_table([]<class T>(const GradientKernels<T>& kernels) {
        const Index vector = kernels.width / 2;
        for (Index vectors = 1; vectors <= kernels.even_vectors; ++vectors)
            for (const Index blocks : {1, 2, 5, 9})
                for (const Index last : {Index(1), vector - 1, vector})
                    for (const Index pixels : {1, 2, 3, 5, 8, 13, 31})
                        for (const Index numbers : {0, 1, 5, 40})
                            for (const bool load : {false, true}) {
                                const Index width = vectors * vector, columns = blocks * width - vector + last;
                                if (last == 0) continue;
                                const harness::Subject subject(text({vectors, blocks, last, pixels, numbers, load}));
                                // Rows of the panel in any order, and some of them in no product.
                                std::vector<Met> met;
                                for (Index k = 0; k < numbers; ++k) met.push_back({(k * 7) % 41, (k * 3) % 50});
                                const Index step = 3, block_step = 50 * width + 8, stride = blocks * width + 1;
                                const std::vector<T> from = whole<T>(pixels * step + 41, 1);
                                const std::vector<T> panel = whole<T>(blocks * block_step, 2);
                                std::vector<T> expected = whole<T>(pixels * stride, 3);
                                Guarded<T> c = guarded(expected);
                                for (Index i = 0; i < pixels; ++i)
                                    for (Index n = 0; n < columns; ++n) {
                                        T& sum = expected[static_cast<std::size_t>(i * stride + n)];
                                        if (!load) sum = 0;
                                        for (const Met& m : met)
                                            sum += at(from, i * step + m.at) *
                                                   at(panel, n / width * block_step + m.row * width + n % width);
                                    }
                                kernels.evenly[vectors - 1]({from.data(), step, met.data(), numbers, panel.data(),
                                                             block_step, c.data(), stride, load, pixels, blocks,
                                                             columns});
                                check_same(c, expected);
                            }
    });
}

TEST("kernels/gradients/planes") {
    for_each_table([]<class T>(const GradientKernels<T>& kernels) {
        const Index vector = kernels.width / 2;
        for (Index some = 1; some <= most_plane_channels; ++some)
            for (const Index first : {0, 2})
                for (Index pixels = 1; pixels <= 10 * vector + 1; ++pixels)
                    for (const Index numbers : {0, 1, 12}) {
                        const harness::Subject subject(text({some, first, pixels, numbers}));
                        std::vector<Met> met;
                        for (Index k = 0; k < numbers; ++k) met.push_back({(k * 7) % 11, (k * 5) % 13});
                        const Index channels = first + some + 1, step = pixels + 2;
                        const std::vector<T> from = whole<T>(11 + pixels + vector, 1);
                        const std::vector<T> weights = whole<T>(13 * channels, 2);
                        std::vector<T> expected = whole<T>((first + some) * step, 3);
                        Guarded<T> to = guarded(expected);
                        for (Index c = first; c < first + some; ++c)
                            for (Index i = 0; i < pixels; ++i) {
                                T sum = 0;
                                for (const Met& m : met) sum += at(weights, m.row * channels + c) * at(from, m.at + i);
                                expected[static_cast<std::size_t>(c * step + i)] = sum;
                            }
                        kernels.planes[some - 1](
                            {from.data(), met.data(), numbers, weights.data(), channels, to.data(), step, pixels},
                            first);
                        check_same(to, expected);
                    }
    });
}

TEST("kernels/gradients/deal") {
    for_each_table([]<class T>(const GradientKernels<T>& kernels) {
        for (Index vectors = 1; vectors <= kernels.outer_vectors; ++vectors) {  // of columns; one stands for rows
            const bool columns = vectors > 1;
            const Index size = columns ? kernels.width / 2 * vectors : kernels.tile_rows;
            for (Index n = 1; n <= 3 * size + 1; ++n)
                for (const Index count : {1, 2, 11}) {
                    const harness::Subject subject(text({vectors, n, count}));
                    const Index blocks = (n + size - 1) / size, stride = count * size + 16;
                    std::vector<std::vector<T>> lines;
                    std::vector<const T*> pointers;
                    for (Index k = 0; k < count; ++k) lines.push_back(whole<T>(n, static_cast<std::uint64_t>(k)));
                    for (const std::vector<T>& line : lines) pointers.push_back(line.data());
                    Guarded<T> to(blocks * stride);
                    (columns ? kernels.deal_columns[vectors - 1] : kernels.deal_rows)(pointers.data(), count, n,
                                                                                      to.data(), stride);
                    CHECK(to.guards_intact());
                    const std::vector<T> dealt = to.inside();
                    bool right = true;
                    for (Index k = 0; k < count; ++k)
                        for (Index i = 0; i < blocks * size; ++i) {
                            const T expected = i < n ? at(lines[static_cast<std::size_t>(k)], i) : T(0);
                            right = right && at(dealt, i / size * stride + k * size + i % size) == expected;
                        }
                    CHECK(right);
                }
        }
    });
}

TEST("kernels/gradients/lanes") {
    for_each_table([]<class T>(const GradientKernels<T>& kernels) {
        for (const bool shared : {false, true})
            for (Index taps = 1; taps <= most_lane_taps; ++taps)
                for (Index channels = 1; channels <= 2 * kernels.width + 1; ++channels)
                    for (const Index pixels : {1, 2, 9}) {
                        const harness::Subject subject(text({taps, channels, pixels, shared}));
                        const Index numbers = shared ? 1 : channels, x_step = channels + 1, dy_step = 2 * numbers,
                                    tap_step = numbers, sums_step = channels + 2;
                        const std::vector<T> x = whole<T>((pixels - 1) * x_step + channels, 1);
                        const std::vector<T> dy = whole<T>((pixels - 1) * dy_step + taps * numbers, 2);
                        std::vector<T> expected = whole<T>((taps - 1) * sums_step + channels, 3);
                        Guarded<T> sums = guarded(expected);
                        for (Index t = 0; t < taps; ++t)
                            for (Index n = 0; n < channels; ++n)
                                for (Index i = 0; i < pixels; ++i)
                                    expected[static_cast<std::size_t>(t * sums_step + n)] +=
                                        at(x, i * x_step + n) * at(dy, i * dy_step + t * tap_step + (shared ? 0 : n));
                        (shared ? kernels.shared_lanes : kernels.lanes)[taps - 1](
                            {x.data(), dy.data(), x_step, dy_step, tap_step, pixels, channels, sums.data(), sums_step});
                        check_same(sums, expected);
                    }
    });
}

TEST("kernels/gradients/taps") {
    for_each_table([]<class T>(const GradientKernels<T>& kernels) {
        const std::vector<std::vector<Index>> patterns{{}, {1}, {2}, {3}, {3, 1}, {2, 3, 3}};  // taps of each run
        for (std::size_t pattern = 0; pattern < patterns.size(); ++pattern)
            for (Index channels = 1; channels <= 2 * kernels.width + 1; ++channels)
                for (const Index pixels : {1, 4, 5, 13, 27})
                    for (const Index form : {0, 1, 2, 3}) {
                        const harness::Subject subject(text({static_cast<Index>(pattern), channels, pixels, form}));
                        const bool load = form % 2 != 0;
                        const Index dy_step = channels + 1, c_step = channels + form / 2 * 2;  // side by side, or not
                        const Index weights_step = channels + 2;
                        std::vector<TapRun> runs;
                        Index taps = 0, most = 1;
                        for (const Index of_run : patterns[pattern]) {
                            runs.push_back({static_cast<Index>(runs.size()) * 3, taps * weights_step, of_run});
                            taps += of_run;
                            most = std::max(most, of_run);
                        }
                        const auto count = static_cast<Index>(runs.size());
                        const std::vector<T> dy =
                            whole<T>((pixels + most - 2) * dy_step + channels + 3 * std::max<Index>(count, 1), 1);
                        const std::vector<T> weights = whole<T>(taps * weights_step, 2);
                        std::vector<T> expected = whole<T>((pixels - 1) * c_step + channels, 3);
                        Guarded<T> c = guarded(expected);
                        for (Index i = 0; i < pixels; ++i)
                            for (Index n = 0; n < channels; ++n) {
                                T sum = load ? at(expected, i * c_step + n) : T(0);
                                for (const TapRun& run : runs)
                                    for (Index t = 0; t < run.taps; ++t)
                                        sum += at(dy, (i + t) * dy_step + run.dy_at + n) *
                                               at(weights, run.weights_at + t * weights_step + n);
                                expected[static_cast<std::size_t>(i * c_step + n)] = sum;
                            }
                        kernels.taps({dy.data(), dy_step, weights.data(), weights_step, runs.data(), count, pixels,
                                      channels, c.data(), c_step, load});
                        check_same(c, expected);
                    }
    });
}

TEST("kernels/gradients/add_lines") {
    for_each_table([]<class T>(const GradientKernels<T>& kernels) {
        for (Index count = 0; count <= 5 * kernels.width; ++count)
            for (const Index lines : {0, 1, 6}) {
                const harness::Subject subject(text({count, lines}));
                const Index step = count + 3;
                const std::vector<T> from = whole<T>(lines == 0 ? 0 : (lines - 1) * step + count, 1);
                std::vector<T> expected = whole<T>(count, 2);
                Guarded<T> sums = guarded(expected);
                for (Index i = 0; i < lines; ++i)
                    for (Index n = 0; n < count; ++n) expected[static_cast<std::size_t>(n)] += at(from, i * step + n);
                kernels.add_lines(from.data(), step, lines, count, sums.data());
                check_same(sums, expected);
            }
    });
}
