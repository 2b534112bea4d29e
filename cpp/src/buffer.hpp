// Memory for numbers that are written before they are read.
#pragma once

#include <cstddef>
#include <limits>
#include <new>
#include <utility>

#include <tconv/types.hpp>

namespace tconv {

/// Uninitialised numbers at a cache line's boundary; throws std::bad_alloc.
template <class T>
class Buffer {
  public:
    Buffer() = default;
    explicit Buffer(Index count) : count_(count) {
        if (count < 0 || static_cast<std::size_t>(count) > std::numeric_limits<std::size_t>::max() / 2 / sizeof(T)) {
            throw std::bad_alloc();
        }
        data_ = static_cast<T*>(::operator new(static_cast<std::size_t>(count) * sizeof(T), alignment));
    }
    Buffer(Buffer&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), count_(std::exchange(other.count_, 0)) {}
    Buffer& operator=(Buffer&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(count_, other.count_);
        return *this;
    }
    ~Buffer() {
        if (data_ != nullptr) ::operator delete(data_, alignment);
    }

    T* data() { return data_; }
    const T* data() const { return data_; }
    Index size() const { return count_; }
    T& operator[](Index i) { return data_[i]; }
    const T& operator[](Index i) const { return data_[i]; }

  private:
    static constexpr std::align_val_t alignment{64};
    T* data_ = nullptr;
    Index count_ = 0;
};

}  // namespace tconv
