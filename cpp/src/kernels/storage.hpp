// Numbers where they lie: in the type of the sums, or in 16 bits, converted on the way into registers and out of them.
#pragma once

#include <type_traits>

#include "table.hpp"
#include "vec.hpp"

namespace tconv {
namespace {

template <class V, class S>
inline TCONV_INLINE typename V::reg load_as(const S* p) {
    if constexpr (std::is_same_v<S, typename V::value>) {
        return V::load(p);
    } else {
        return V::widen(V::load_halves(&p->bits), S());
    }
}
/// The first n of a vector, and zeros.
template <class V, class S>
inline TCONV_INLINE typename V::reg load_some_as(const S* p, Index n) {
    if constexpr (std::is_same_v<S, typename V::value>) {
        return V::load_some(p, n);
    } else {
        return V::widen(V::load_halves(&p->bits, n), S());
    }
}
template <class V, class S>
inline TCONV_INLINE void store_as(S* p, typename V::reg r) {
    if constexpr (std::is_same_v<S, typename V::value>) {
        V::store(p, r);
    } else {
        V::store_halves(&p->bits, V::narrow(r, S()));
    }
}
template <class V, class S>
inline TCONV_INLINE void store_some_as(S* p, typename V::reg r, Index n) {
    if constexpr (std::is_same_v<S, typename V::value>) {
        V::store_some(p, r, n);
    } else {
        V::store_halves(&p->bits, V::narrow(r, S()), n);
    }
}

/// use(p), p pointing to what is stored there.
template <class T, class Use>
inline TCONV_INLINE void with_storage(Storage storage, void* p, const Use& use) {
    if constexpr (std::is_same_v<T, float>) {
        if (storage == Storage::float16) return use(static_cast<float16*>(p));
        if (storage == Storage::bfloat16) return use(static_cast<bfloat16*>(p));
    }
    use(static_cast<T*>(p));
}

/// See Converters.
template <class V, class S>
void widen_all(const std::uint16_t* from, float* to, Index n) {
    constexpr Index W = V::width;
    Index i = 0;
    for (; i + W <= n; i += W) V::store(to + i, V::widen(V::load_halves(from + i), S()));
    if (i < n) V::store_some(to + i, V::widen(V::load_halves(from + i, n - i), S()), n - i);
}
template <class V, class S>
void narrow_all(const float* from, std::uint16_t* to, Index n) {
    constexpr Index W = V::width;
    Index i = 0;
    for (; i + W <= n; i += W) V::store_halves(to + i, V::narrow(V::load(from + i), S()));
    if (i < n) V::store_halves(to + i, V::narrow(V::load_some(from + i, n - i), S()), n - i);
}
template <class V>
constexpr Converters converters_of() {
    return {widen_all<V, float16>, narrow_all<V, float16>, widen_all<V, bfloat16>, narrow_all<V, bfloat16>};
}

}  // namespace
}  // namespace tconv
