// Memory for results and for what calls need meanwhile: pages that were touched before are handed out again.
#pragma once

#include <cstddef>
#include <memory_resource>

#include <pybind11/numpy.h>

namespace tconv::bindings {

namespace py = pybind11;

/// The memory of arrays that have died and of calls that have ended, kept for new ones, because touching fresh pages
/// costs more than most computations. Never holds more than its limit; the least recently used goes first. Safe between
/// threads, and after a fork: whoever finds it busy asks the system instead of waiting.
namespace pool {

/// An uninitialised C-contiguous array. Large ones take their memory from the pool and give it back when they die.
/// Throws Python's MemoryError.
py::array empty(const py::dtype& dtype, const py::ssize_t* shape, int rank);

/// Memory for calls: large pieces come from the pool. Serves threads that hold no lock. Never destroyed.
std::pmr::memory_resource* resource();

std::size_t limit();
/// Bytes that wait to be used again.
std::size_t kept();
/// Frees what is beyond the new limit; 0 keeps nothing.
void set_limit(std::size_t bytes);

}  // namespace pool

}  // namespace tconv::bindings
