// What every entry demands before anything is computed or written.
#pragma once

#include <algorithm>
#include <string>

#include <tconv/geometry.hpp>
#include <tconv/options.hpp>

namespace tconv {

inline Index numbers_of_kernel(const Geometry<dynamic>& g) {
    Index count = g.filters / g.groups * g.in_channels;
    for (const Axis& axis : g.axes) count *= axis.kernel;
    return count;
}
inline Index numbers_of_input(const Geometry<dynamic>& g) {
    Index count = g.batch * g.in_channels;
    for (const Axis& axis : g.axes) count *= axis.in;
    return count;
}
inline Index numbers_of_output(const Geometry<dynamic>& g) {
    Index count = g.batch * g.filters;
    for (const Axis& axis : g.axes) count *= axis.out;
    return count;
}

/// Throws ShapeError for a null pointer to numbers that there are.
inline void demand_pointer(const void* pointer, Index numbers, const char* operation, const char* argument) {
    if (pointer == nullptr && numbers > 0) {
        throw ShapeError(std::string(operation) + ": " + argument + " is a null pointer but has " +
                         std::to_string(numbers) + " elements.");
    }
}

}  // namespace tconv
