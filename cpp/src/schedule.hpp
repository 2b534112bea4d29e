// How products are cut into units, and what each costs.
#pragma once

#include <tconv/schedule.hpp>

#include "direct/product.hpp"
#include "fast/product.hpp"

namespace tconv {

/// Threads, workspace and stages; bytes of weights are the caller's.
template <class T>
Schedule schedule_of(const Product<T>& product);
template <class T>
Schedule schedule_of(const FastProduct<T>& product);

}  // namespace tconv
