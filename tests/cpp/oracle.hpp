// The exact results of a problem, from the naive loops in double precision, and how far from them a result may be.
#pragma once

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "check.hpp"
#include "problems.hpp"
#include "reference.hpp"

namespace oracle {

using problems::problem;
using problems::Problem;
using problems::same;
using problems::Tensors;
using tconv::Index;

enum class Product { forward, grad_input, grad_kernel };
inline constexpr Product products[] = {Product::forward, Product::grad_input, Product::grad_kernel};

/// What is in the public namespace, or the naive loops, of one product: the result as a new vector. The result lies
/// between guards, which a check watches.
template <class T>
std::vector<T> compute(Product product, const Problem& p, const Tensors<T>& t, const tconv::Options& options);
/// The same, where the caller has room for `result_size` numbers.
template <class T>
void compute_into(Product product, const Problem& p, const Tensors<T>& t, const tconv::Options& options, T* result);
Index result_size(Product product, const tconv::Geometry<tconv::dynamic>& g);

/// The sums before the activation, and the sums of the absolute values of their terms.
struct Exact {
    std::vector<double> value, size;
};
template <class T>
Exact exact(Product product, const Problem& p, const Tensors<T>& t);

/// Checks every element of `result`: within `units` of the rounding of T's sums, times the sum of absolute terms, of
/// the exact value, after the activation and the rounding to T; infinities and NaN exactly where they belong.
template <class T>
void check_close(const Exact& exact, const tconv::Activation& activation, const std::vector<T>& result,
                 double units = 8);

const char* name(Product product);
template <class T>
const char* type_name();

/// Calls visit.template operator()<T>() for each storage type.
template <class Visit>
void for_each_type(const Visit& visit) {
    visit.template operator()<float>();
    visit.template operator()<double>();
    visit.template operator()<tconv::float16>();
    visit.template operator()<tconv::bfloat16>();
}

/// Numbers between guards: whoever writes outside of them is found out.
template <class T>
class Guarded {
  public:
    explicit Guarded(Index count) : numbers_(static_cast<std::size_t>(count + 2 * guard)) {
        unsigned char* bytes = reinterpret_cast<unsigned char*>(numbers_.data());
        for (std::size_t i = 0; i < numbers_.size() * sizeof(T); ++i) bytes[i] = pattern;
    }
    T* data() { return numbers_.data() + guard; }
    std::vector<T> inside() const { return {numbers_.begin() + guard, numbers_.end() - guard}; }
    bool guards_intact() const { return blank(0, guard) && blank(numbers_.size() - guard, numbers_.size()); }
    bool untouched() const { return blank(0, numbers_.size()); }

  private:
    static constexpr int guard = 72;
    static constexpr unsigned char pattern = 0xa5;
    bool blank(std::size_t first, std::size_t last) const {
        const unsigned char* bytes = reinterpret_cast<const unsigned char*>(numbers_.data());
        for (std::size_t i = first * sizeof(T); i < last * sizeof(T); ++i) {
            if (bytes[i] != pattern) return false;
        }
        return true;
    }
    std::vector<T> numbers_;
};

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b);

}  // namespace oracle
