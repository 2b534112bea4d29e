// Errors of the library.
#pragma once

#include <stdexcept>
#include <string>

#include <tconv/export.hpp>

namespace tconv {

/// A geometry, an option or a pointer that cannot be used. Thrown before anything is written.
/// The message is one sentence: operation, argument[axis]=value, why, and what would be legal.
class TCONV_API ShapeError : public std::invalid_argument {
  public:
    explicit ShapeError(const std::string& message) : std::invalid_argument(message) {}
};

}  // namespace tconv
