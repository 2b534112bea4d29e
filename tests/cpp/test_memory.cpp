// Options::memory: what a call takes from it, it gives back; where it has nothing left, nothing is written.
#include <atomic>
#include <cstdint>
#include <memory_resource>
#include <new>

#include "check.hpp"
#include "oracle.hpp"

using namespace tconv;
using namespace oracle;

namespace {

/// Counts what is taken and given back, and refuses what comes after the first `allowed` pieces.
class Counting : public std::pmr::memory_resource {
  public:
    explicit Counting(int allowed) : allowed_(allowed) {}
    int taken() const { return taken_; }
    bool balanced() const { return bytes_ == 0; }
    bool aligned() const { return aligned_; }

  private:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        if (taken_ >= allowed_) throw std::bad_alloc();
        ++taken_;
        bytes_ += static_cast<std::int64_t>(bytes);
        if (alignment < 64) aligned_ = false;
        return std::pmr::new_delete_resource()->allocate(bytes, alignment);
    }
    void do_deallocate(void* memory, std::size_t bytes, std::size_t alignment) override {
        bytes_ -= static_cast<std::int64_t>(bytes);
        std::pmr::new_delete_resource()->deallocate(memory, bytes, alignment);
    }
    bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }

    const int allowed_;
    std::atomic<int> taken_{0};
    std::atomic<std::int64_t> bytes_{0};
    std::atomic<bool> aligned_{true};
};

constexpr int plenty = 1000;

/// One of each worker.
const std::vector<Problem>& all_problems() {
    constexpr DataFormat first = DataFormat::channels_first;
    static const std::vector<Problem> all = {
        problem("rows", 2, 48, 40, 1, {same(20, 3, 2), same(21, 3, 2)}),
        problem("few filters", 1, 64, 3, 1, {same(30, 4, 2), same(27, 4, 2)}),
        problem("planes", 1, 32, 24, 1, {same(40, 2, 2), same(40, 2, 2)}, first),
        problem("groups", 1, 32, 32, 2, {same(13, 3, 2), same(15, 3, 2)}),
        problem("depthwise", 1, 32, 32, 32, {same(23, 4, 2), same(17, 4, 2)}),
        problem("tiles", 4, 64, 48, 1, {same(12, 4, 2), same(12, 4, 2)}),
        problem("shared tiles", 2, 128, 64, 1, {same(8, 4, 2), same(8, 4, 2), same(8, 4, 2)}),
        problem("dead pixels", 1, 32, 24, 1, {same(20, 2, 4), same(20, 3, 3)}),
    };
    return all;
}

template <class Check>
void for_each_call(const Check& check) {
    for (const Problem& p : all_problems()) {
        const Tensors<float> tensors(p, 5);
        for (const Product product : products)
            for (const Algorithm algorithm : {Algorithm::direct, Algorithm::fast}) {
                Options options = p.options();
                options.algorithm = algorithm;
                options.threads = 2;
                const harness::Subject subject(std::string(oracle::name(product)) +
                                               (algorithm == Algorithm::fast ? ", fast, " : ", direct, ") +
                                               describe(p));
                check(p, tensors, product, options);
            }
    }
}

}  // namespace

TEST("memory/a call gives back all it takes, and computes the same") {
    for_each_call([&](const Problem& p, const Tensors<float>& tensors, Product product, Options options) {
        const std::vector<float> expected = compute(product, p, tensors, options);
        Counting memory(plenty);
        options.memory = &memory;
        CHECK(same_bits(compute(product, p, tensors, options), expected));
        CHECK(memory.balanced());
        CHECK(memory.aligned());
        CHECK(memory.taken() > 0);
    });
}

TEST("memory/what cannot be taken is bad_alloc, and nothing is written") {
    for_each_call([&](const Problem& p, const Tensors<float>& tensors, Product product, Options options) {
        Counting enough(plenty);
        options.memory = &enough;
        compute(product, p, tensors, options);
        for (int allowed = 0; allowed < enough.taken(); ++allowed) {
            const harness::Subject subject(std::to_string(allowed) + " pieces of " + std::to_string(enough.taken()));
            Counting memory(allowed);
            options.memory = &memory;
            Guarded<float> result(result_size(product, p.geometry));
            CHECK_THROWS(std::bad_alloc, compute_into(product, p, tensors, options, result.data()));
            CHECK(result.untouched());
            CHECK(memory.balanced());
        }
    });
}
